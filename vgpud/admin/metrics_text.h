/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics_text.h - lines of Prometheus's text format */

#ifndef VGPUD_ADMIN_METRICS_TEXT_H
#define VGPUD_ADMIN_METRICS_TEXT_H

#include <stdint.h>

#include "vgpud/admin/call.h"

/* Adds one line, a sample, to the answer. */
__attribute__((format(printf, 2, 3))) void metrics_text_line(struct admin_call *call,
							     const char *format, ...);

/* Adds the two lines that come before a family's samples. type: counter, gauge or histogram. */
void metrics_text_head(struct admin_call *call, const char *name, const char *type,
		       const char *help);

/* Return: a time in Prometheus's unit. */
double metrics_text_seconds(uint64_t ns);

#endif
