/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics_text.c - lines of Prometheus's text format */

#include "vgpud/admin/metrics_text.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/util.h"

void metrics_text_line(struct admin_call *call, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	admin_row_text(call, text);
}

void metrics_text_head(struct admin_call *call, const char *name, const char *type,
		       const char *help)
{
	metrics_text_line(call, "# HELP %s %s", name, help);
	metrics_text_line(call, "# TYPE %s %s", name, type);
}

double metrics_text_seconds(uint64_t ns)
{
	return (double)ns / (double)UTIL_NS_PER_S;
}
