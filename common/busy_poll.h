/* SPDX-License-Identifier: GPL-2.0-or-later */
/* busy_poll.h - whether to look for the next message again and again, or to sleep until it comes */

#ifndef VGPU_COMMON_BUSY_POLL_H
#define VGPU_COMMON_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Who sleeps has to be woken, which takes some microseconds; who looks has the processor meanwhile,
 * which perhaps the very one needs who is waited for. So both are measured, for each thing that may
 * be waited for:
 *  1. looking ends after most_ns;
 *  2. what was quicker in the middle is done, since a few long waits say nothing;
 *  3. now and then the other is done some times in a row, to see whether that still holds: the more
 *     rarely, the more often it did.
 * What takes much longer than most_ns either way is slept for.
 *
 * Pure: times are nanoseconds of any one monotonic clock. All zero is a good start.
 */

enum busy_poll_for { BUSY_POLL_ANSWER, BUSY_POLL_REQUEST, BUSY_POLL_NUM };

struct busy_poll_habit {
	uint64_t median_ns[2]; /* of what waiting took: asleep, looking; 0: not known */
	uint32_t trial_each;   /* waits, of which the last few are done the other way */
	uint32_t waits;	       /* since these */
};

struct busy_poll {
	enum busy_poll_for next; /* what is waited for */
	bool waits;		 /* for it, since then: */
	uint64_t since_ns;
	bool looks;
	struct busy_poll_habit habit[BUSY_POLL_NUM];
};

/* From now on this is waited for. */
void busy_poll_expect(struct busy_poll *poll, enum busy_poll_for next, uint64_t now_ns);

/* It has come. */
void busy_poll_came(struct busy_poll *poll, uint64_t now_ns, uint64_t most_ns);

/* Return: whether to look; else sleep. */
bool busy_poll_look(const struct busy_poll *poll, uint64_t now_ns, uint64_t most_ns);

#endif
