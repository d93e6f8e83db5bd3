/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native_mailbox.h - memory shared by a kernel that never ends and the program that asks it */

#ifndef BENCH_NATIVE_MAILBOX_H
#define BENCH_NATIVE_MAILBOX_H

#define NATIVE_MAILBOX_EMPTY 0u
#define NATIVE_MAILBOX_STOP 0xffffffffu

/* A request is any other number than the last one; its answer is the same number. */
struct native_mailbox {
	unsigned a, b, request;
	unsigned padding[29]; /* what each side writes has lines of its own */
	unsigned sum, answer;
};

#endif
