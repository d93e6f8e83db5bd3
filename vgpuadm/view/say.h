/* SPDX-License-Identifier: GPL-2.0-or-later */
/* say.h - answers in sentences, for people */

#ifndef VGPUADM_VIEW_SAY_H
#define VGPUADM_VIEW_SAY_H

#include "vgpuadm/out/output.h"

/* Each writes its command's row to standard output, as a sentence. */
void say_add_vm(const struct output_style *style, const json_t *row);
void say_remove_vm(const struct output_style *style, const json_t *row);
void say_change(const struct output_style *style, const json_t *row);
void say_drain(const struct output_style *style, const json_t *row);
void say_cancel(const struct output_style *style, const json_t *row);
void say_kill_program(const struct output_style *style, const json_t *row);
void say_drain_gpu(const struct output_style *style, const json_t *row);
void say_trace(const struct output_style *style, const json_t *row);
void say_check(const struct output_style *style, const json_t *row);

/* The row's text alone. */
void say_text(const struct output_style *style, const json_t *row);

/* The story of a request that has ended; and of one that has not. */
void say_story(const struct output_style *style, const json_t *row);
void say_queued(const struct output_style *style, const json_t *row);

/* The story of a program that runs or has ended, and of a row of submissions. */
void say_program(const struct output_style *style, const json_t *row);
void say_submission(const struct output_style *style, const json_t *row);

/* Written before statistics: their window; with --blame also the VM that waited. */
void say_span(const json_t *extras);
void say_window(const json_t *extras);
void say_blamed(const json_t *extras);

/* After a list that has a limit, on standard error: whether it was reached. */
void say_limited(const json_t *extras);

#endif
