/* SPDX-License-Identifier: GPL-2.0-or-later */
/* say.h - answers in sentences, for people */

#ifndef VGPUADM_VIEW_SAY_H
#define VGPUADM_VIEW_SAY_H

#include "vgpuadm/out/output.h"

/* Each writes to standard output what its command's row says. */
void say_add_vm(const struct output_style *style, const json_t *row);
void say_remove_vm(const struct output_style *style, const json_t *row);
void say_change(const struct output_style *style, const json_t *row);
void say_drain(const struct output_style *style, const json_t *row);
void say_cancel(const struct output_style *style, const json_t *row);
void say_check(const struct output_style *style, const json_t *row);

/* The row's text alone. */
void say_text(const struct output_style *style, const json_t *row);

/* What became of a request; and what is becoming of one that has not ended. */
void say_story(const struct output_style *style, const json_t *row);
void say_queued(const struct output_style *style, const json_t *row);

/* Before statistics: the window that they are of; for whom they are, with --blame. */
void say_window(const json_t *extras);
void say_blamed(const json_t *extras);

/* After a list that has a limit, on standard error: whether it was reached. */
void say_limited(const json_t *extras);

#endif
