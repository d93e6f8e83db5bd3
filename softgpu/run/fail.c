/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail.c - how softgpu-run ends */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "softgpu/run/fail.h"

void fail(enum exit_status status, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("softgpu-run: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(status);
}
