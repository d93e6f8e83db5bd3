/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail.c - why a command did not work: an exit status and a sentence */

#include "vgpuadm/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *code;
	int status;
} codes[] = {
#define ROW(name, text, status) { text, status },
	ADMIN_ERROR_TABLE(ROW)
#undef ROW
};

#define CODE_NUM (sizeof(codes) / sizeof(codes[0]))

int fail_set(struct fail *fail, int status, const char *format, ...)
{
	va_list arguments;

	fail->status = status;
	va_start(arguments, format);
	vsnprintf(fail->text, sizeof(fail->text), format, arguments);
	va_end(arguments);
	return status;
}

int fail_status(const char *code)
{
	for (size_t i = 0; i < CODE_NUM; i++)
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].status;
	return ADMIN_ERROR_REFUSED;
}

const char *fail_code(int status)
{
	for (size_t i = 0; i < CODE_NUM; i++)
		if (codes[i].status == status)
			return codes[i].code;
	return "interrupted";
}
