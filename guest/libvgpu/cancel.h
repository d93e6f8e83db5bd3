/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cancel.h - parts of a call at which its thread does not end */

#ifndef VGPU_GUEST_LIBVGPU_CANCEL_H
#define VGPU_GUEST_LIBVGPU_CANCEL_H

#include <pthread.h>

/*
 * pthread_cancel() ends a thread at its next system call that may wait. Within the library that thread
 * may hold a lock, a reply or a buffer, for which all others would wait from then on. So whatever
 * reaches such a system call begins with CANCEL_OFF(): until the end of the block the thread lives on, and
 * ends at a point of the program's own.
 */
static inline int cancel_off(void)
{
	int before;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
	return before;
}

static inline void cancel_back(const int *before)
{
	int off;

	pthread_setcancelstate(*before, &off);
}

#define CANCEL_OFF() __attribute__((cleanup(cancel_back), unused)) const int cancel_ = cancel_off()

#endif
