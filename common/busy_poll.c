/* SPDX-License-Identifier: GPL-2.0-or-later */
/* busy_poll.c - whether to look for the next message again and again, or to sleep until it comes */

#include "common/busy_poll.h"

#define TRIAL_FIRST 64u
#define TRIAL_MOST 1024u
#define TRIAL_WAITS 8u /* of a trial */
#define STEP_SHARE 16  /* a median moves by 1/16 of itself towards each new wait */
#define TRIAL_SHARE 4  /* and by 1/4 in a trial, which has only few waits to learn from */
#define GAIN_SHARE 16  /* polling must be quicker by 1/16, else sleeping leaves the CPU free */
#define LONG 2	       /* waits are cut to 2 * most_ns: an idle guest tells nothing */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool looking_pays(const struct busy_poll_habit *habit)
{
	uint64_t asleep_ns = habit->median_ns[false];

	return habit->median_ns[true] < asleep_ns - asleep_ns / GAIN_SHARE;
}

static bool is_trial(const struct busy_poll_habit *habit)
{
	return habit->waits + TRIAL_WAITS > habit->trial_each;
}

void busy_poll_expect(struct busy_poll *poll, enum busy_poll_for next, uint64_t now_ns)
{
	struct busy_poll_habit *habit = &poll->habit[next];

	if (habit->trial_each == 0)
		habit->trial_each = TRIAL_FIRST;
	habit->waits++;
	poll->next = next;
	poll->waits = true;
	poll->since_ns = now_ns;
	if (habit->median_ns[false] == 0 || habit->median_ns[true] == 0)
		poll->looks = habit->median_ns[false] != 0;
	else
		poll->looks = looking_pays(habit) != is_trial(habit);
}

static void follow(uint64_t *median_ns, uint64_t took_ns, unsigned share)
{
	uint64_t step_ns = *median_ns / share + 1;

	if (*median_ns == 0)
		*median_ns = took_ns;
	else if (took_ns > *median_ns)
		*median_ns = min_u64(*median_ns + step_ns, took_ns);
	else
		*median_ns -= min_u64(step_ns, *median_ns - took_ns);
}

void busy_poll_came(struct busy_poll *poll, uint64_t now_ns, uint64_t most_ns)
{
	struct busy_poll_habit *habit = &poll->habit[poll->next];
	uint64_t took_ns = now_ns - poll->since_ns + 1;
	bool paid = looking_pays(habit);

	if (!poll->waits || most_ns == 0)
		return;
	poll->waits = false;
	follow(&habit->median_ns[poll->looks], min_u64(took_ns, LONG * most_ns),
	       is_trial(habit) ? TRIAL_SHARE : STEP_SHARE);
	if (habit->waits >= habit->trial_each) {
		habit->trial_each = (uint32_t)min_u64(2 * habit->trial_each, TRIAL_MOST);
		habit->waits = 0;
	}
	if (looking_pays(habit) != paid) {
		habit->trial_each = TRIAL_FIRST;
		habit->waits = 0;
	}
}

bool busy_poll_look(const struct busy_poll *poll, uint64_t now_ns, uint64_t most_ns)
{
	return poll->waits && poll->looks && now_ns - poll->since_ns < most_ns;
}
