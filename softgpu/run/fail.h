/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail.h - how softgpu-run ends: exit statuses, and a sentence on standard error */

#ifndef SOFTGPU_RUN_FAIL_H
#define SOFTGPU_RUN_FAIL_H

enum exit_status {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_FAULT = 1, /* the kernel did something illegal, trapped, failed an assertion */
	EXIT_STATUS_USAGE = 2, /* the command line */
	EXIT_STATUS_FILE = 3,  /* a file cannot be read or written */
	EXIT_STATUS_REFUSED = 4, /* the PTX text */
	EXIT_STATUS_DEVICE =
		5, /* the device cannot be made, its memory is too small, the launch is refused */
};

/* Prints "softgpu-run: ..." with a newline to stderr and ends the process. */
void __attribute__((noreturn, format(printf, 2, 3)))
fail(enum exit_status status, const char *format, ...);

#endif
