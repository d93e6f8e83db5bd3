/* SPDX-License-Identifier: GPL-2.0-or-later */
/* busy_poll.h - whether to look for the next message again and again, or to sleep until it comes */

#ifndef VGPU_COMMON_BUSY_POLL_H
#define VGPU_COMMON_BUSY_POLL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Sleeping costs a wake-up of some microseconds; polling costs a CPU that the peer may need. Which
 * is cheaper depends on the host, so both are measured, separately for each kind of message:
 *  1. polling ends after most_ns, and the caller sleeps for the rest;
 *  2. the way with the lower median wait is used: a mean would follow a few long waits;
 *  3. now and then the other way is tried a few times in a row, to see whether the choice still
 *     holds. Each trial that confirms it doubles the time to the next one.
 * Where both ways take much longer than most_ns, neither is quicker, and the caller sleeps.
 *
 * Pure: times are nanoseconds of any one monotonic clock. All zero is a good start.
 */

enum busy_poll_for { BUSY_POLL_ANSWER, BUSY_POLL_REQUEST, BUSY_POLL_NUM };

struct busy_poll_habit {
	uint64_t median_ns[2]; /* of a wait: [0] asleep, [1] polling; 0: not known */
	uint32_t trial_each;   /* waits in a round; the last few are a trial of the other way */
	uint32_t waits;	       /* of this round so far */
};

struct busy_poll {
	enum busy_poll_for next; /* what is waited for */
	bool waits;		 /* for it, since then: */
	uint64_t since_ns;
	bool looks;
	struct busy_poll_habit habit[BUSY_POLL_NUM];
};

/* The caller begins to wait for a message of this kind. */
void busy_poll_expect(struct busy_poll *poll, enum busy_poll_for next, uint64_t now_ns);

/* The message has come. most_ns: longest polling; 0: polling is off, and nothing is learnt. */
void busy_poll_came(struct busy_poll *poll, uint64_t now_ns, uint64_t most_ns);

/* Return: whether to poll once more; false: sleep until the message comes. */
bool busy_poll_look(const struct busy_poll *poll, uint64_t now_ns, uint64_t most_ns);

#endif
