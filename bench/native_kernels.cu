/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native_kernels.cu - what bench-native launches besides the executor's kernels */

#include "bench/native_mailbox.h"

/* *sum = *a + *b. */
extern "C" __global__ void bench_add(const unsigned *a, const unsigned *b, unsigned *sum)
{
	*sum = *a + *b;
}

/* Answers what comes by the mailbox, until it is told to stop. One thread. */
extern "C" __global__ void bench_persistent(volatile struct native_mailbox *mailbox)
{
	unsigned answered = NATIVE_MAILBOX_EMPTY;

	for (;;) {
		unsigned request = mailbox->request;

		if (request == NATIVE_MAILBOX_STOP)
			return;
		if (request == answered)
			continue;
		__threadfence_system(); /* the operands were there before the request */
		mailbox->sum = mailbox->a + mailbox->b;
		__threadfence_system(); /* and the sum is before the answer */
		mailbox->answer = request;
		answered = request;
	}
}
