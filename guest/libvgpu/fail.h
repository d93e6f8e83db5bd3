/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail.h - why something did not work: a kind for programs, a sentence for people */

#ifndef VGPU_GUEST_LIBVGPU_FAIL_H
#define VGPU_GUEST_LIBVGPU_FAIL_H

enum fail_kind {
	FAIL_NONE,
	FAIL_NO_DEVICE,	  /* there is no device, or none in that slot */
	FAIL_PERMISSION,  /* this user may not open it */
	FAIL_LOCKDOWN,	  /* kernel lockdown forbids mapping it */
	FAIL_IN_USE,	  /* another process holds it */
	FAIL_UNUSABLE,	  /* it cannot be mapped, or its interrupt cannot be used */
	FAIL_FOREIGN,	  /* it speaks another version, or is no such device at all */
	FAIL_GONE,	  /* it was there, and was unplugged */
	FAIL_BUSY,	  /* an earlier request did not end within the time-out */
	FAIL_TIMEOUT,	  /* this request did not end within the time-out */
	FAIL_INTERRUPTED, /* the caller's stop flag went up */
	FAIL_ANSWER,	  /* the response is malformed */
	FAIL_KIND_NUM
};

struct fail {
	enum fail_kind kind;
	char text[400]; /* lower case, names the thing and the remedy, no newline */
};

/* Fills fail. Return: err as it was given, so that a function can end with it. */
int fail_set(struct fail *fail, enum fail_kind kind, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
