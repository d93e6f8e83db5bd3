/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail.h - why a command did not work: an exit status and a sentence */

#ifndef VGPUADM_FAIL_H
#define VGPUADM_FAIL_H

#include "common/cmd/admin.h"

/* ^C in the shell: no error, and nothing to say. The number is the one that shells use. */
#define FAIL_INTERRUPTED 130

struct fail {
	int status;	 /* exit status: enum admin_error or FAIL_INTERRUPTED; 0: it worked */
	char text[1024]; /* one line without newline; may hold text from outside */
};

/* Return: status, so that a caller can fail and leave in one statement. */
int fail_set(struct fail *fail, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The exit status for a code that the daemon sent. Return: it; an unknown code counts as refused.
 */
int fail_status(const char *code);

/* "not-found": the code for an exit status. */
const char *fail_code(int status);

#endif
