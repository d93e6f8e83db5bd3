/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fail.h - why something did not work: a kind for programs, a sentence for people */

#ifndef VGPU_GUEST_LIBVGPU_FAIL_H
#define VGPU_GUEST_LIBVGPU_FAIL_H

enum fail_kind {
	FAIL_NONE,
	FAIL_NO_DEVICE,	  /* there is none, or not at that slot */
	FAIL_PERMISSION,  /* this user may not open it */
	FAIL_LOCKDOWN,	  /* the kernel lets nobody map it */
	FAIL_IN_USE,	  /* another process holds it */
	FAIL_UNUSABLE,	  /* it is there, but cannot be mapped or its interrupt not be had */
	FAIL_FOREIGN,	  /* it speaks another version, or is no such device at all */
	FAIL_GONE,	  /* it was there, and was unplugged */
	FAIL_BUSY,	  /* an earlier request did not end within the time-out */
	FAIL_TIMEOUT,	  /* this request did not */
	FAIL_INTERRUPTED, /* the caller's stop flag went up */
	FAIL_ANSWER,	  /* what came back is no valid answer */
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
