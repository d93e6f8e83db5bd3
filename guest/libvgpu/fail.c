/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail.c - why something did not work: a kind for programs, a sentence for people */

#include "guest/libvgpu/fail.h"

#include <stdarg.h>
#include <stdio.h>

int fail_set(struct fail *fail, enum fail_kind kind, int err, const char *format, ...)
{
	va_list args;

	fail->kind = kind;
	va_start(args, format);
	vsnprintf(fail->text, sizeof(fail->text), format, args);
	va_end(args);
	return err;
}
