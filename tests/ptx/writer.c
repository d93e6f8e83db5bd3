/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer.c - text that grows in a buffer */

#include <stdarg.h>
#include <stdio.h>

#include "tests/ptx/writer.h"

void writer_put(struct writer *w, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(w->text + w->used, w->bytes - w->used, format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= w->bytes - w->used)
		w->full = true;
	else
		w->used += (size_t)length;
}
