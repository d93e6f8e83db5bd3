/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_busy_poll.c - looks where that is quicker, and sleeps everywhere else */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/busy_poll.h"

#define US 1000ull
#define MS (1000 * US)
#define MOST_NS (50 * US)
#define LOOK_NS US /* what a look takes */

/* A host with one waiting peer. */
struct host {
	struct busy_poll poll;
	uint64_t now_ns;
	uint64_t wake_ns;  /* what waking him takes */
	uint64_t steal_ns; /* what comes is so much later while he looks */
	uint64_t looked_ns;
	unsigned found; /* by looking */
};

/* Waits for something that comes after so long. */
static void wait_for(struct host *host, enum busy_poll_for what, uint64_t after_ns)
{
	uint64_t comes_ns = host->now_ns + after_ns;
	bool looked = false;

	busy_poll_expect(&host->poll, what, host->now_ns);
	while (busy_poll_look(&host->poll, host->now_ns, MOST_NS)) {
		if (!looked)
			comes_ns += host->steal_ns;
		looked = true;
		host->now_ns += LOOK_NS;
		host->looked_ns += LOOK_NS;
		if (host->now_ns >= comes_ns) {
			host->found++;
			busy_poll_came(&host->poll, host->now_ns, MOST_NS);
			return;
		}
	}
	host->now_ns = (host->now_ns > comes_ns ? host->now_ns : comes_ns) + host->wake_ns;
	busy_poll_came(&host->poll, host->now_ns, MOST_NS);
}

static unsigned found_of(struct host *host, unsigned waits, enum busy_poll_for what,
			 uint64_t after_ns)
{
	host->found = 0;
	host->looked_ns = 0;
	for (unsigned i = 0; i < waits; i++)
		wait_for(host, what, after_ns);
	return host->found;
}

static struct host quiet_host(void)
{
	return (struct host){ .now_ns = 3600 * 1000 * MS, .wake_ns = 10 * US };
}

static void looks_for_what_comes_soon(void **state)
{
	struct host host = quiet_host();

	(void)state;
	found_of(&host, 100, BUSY_POLL_ANSWER, 10 * US);
	/* All but some trials. */
	assert_in_range(found_of(&host, 10000, BUSY_POLL_ANSWER, 10 * US), 9880, 9999);
}

static void sleeps_for_what_comes_late(void **state)
{
	struct host host = quiet_host();

	(void)state;
	found_of(&host, 100, BUSY_POLL_REQUEST, 10 * MS);
	found_of(&host, 10000, BUSY_POLL_REQUEST, 10 * MS);
	assert_in_range(host.looked_ns, MOST_NS, 150 * MOST_NS);
}

static void knows_one_from_the_other(void **state)
{
	struct host host = quiet_host();
	unsigned found;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		wait_for(&host, BUSY_POLL_ANSWER, 10 * US);
		wait_for(&host, BUSY_POLL_REQUEST, 10 * MS);
	}
	host.looked_ns = 0;
	host.found = 0;
	for (int i = 0; i < 1000; i++) {
		wait_for(&host, BUSY_POLL_ANSWER, 10 * US);
		wait_for(&host, BUSY_POLL_REQUEST, 10 * MS);
	}
	found = host.found;
	assert_in_range(found, 950, 1000);
	assert_in_range(host.looked_ns, 950 * 10 * US, 1000 * 10 * US + 40 * MOST_NS);
}

static void never_looks_longer_than_most(void **state)
{
	struct host host = quiet_host();

	(void)state;
	while (!host.poll.looks || host.found < 10)
		wait_for(&host, BUSY_POLL_ANSWER, 10 * US);
	host.looked_ns = 0;
	do
		busy_poll_expect(&host.poll, BUSY_POLL_ANSWER, host.now_ns);
	while (!host.poll.looks);
	assert_true(busy_poll_look(&host.poll, host.now_ns + MOST_NS - 1, MOST_NS));
	assert_false(busy_poll_look(&host.poll, host.now_ns + MOST_NS, MOST_NS));
	assert_false(busy_poll_look(&host.poll, host.now_ns + 3600 * 1000 * MS, MOST_NS));
}

static void leaves_the_processor_to_who_is_waited_for(void **state)
{
	struct host host = quiet_host();

	(void)state;
	host.steal_ns = 30 * US;
	found_of(&host, 100, BUSY_POLL_ANSWER, 10 * US);
	found_of(&host, 10000, BUSY_POLL_ANSWER, 10 * US);
	assert_in_range(host.looked_ns, 1, 150 * MOST_NS);
}

static void changes_its_mind(void **state)
{
	struct host host = quiet_host();

	(void)state;
	for (int i = 0; i < 5; i++) {
		host.steal_ns = 0;
		found_of(&host, 10000, BUSY_POLL_ANSWER, 10 * US);
		assert_in_range(found_of(&host, 1000, BUSY_POLL_ANSWER, 10 * US), 950, 1000);
		host.steal_ns = 30 * US;
		found_of(&host, 1000, BUSY_POLL_ANSWER, 10 * US);
		assert_in_range(found_of(&host, 1000, BUSY_POLL_ANSWER, 10 * US), 0, 50);
	}
}

static void one_late_message_is_no_reason(void **state)
{
	struct host host = quiet_host();

	(void)state;
	found_of(&host, 1000, BUSY_POLL_ANSWER, 5 * US);
	for (int i = 0; i < 10; i++) {
		wait_for(&host, BUSY_POLL_ANSWER, 10 * MS);
		assert_in_range(found_of(&host, 200, BUSY_POLL_ANSWER, 5 * US), 150, 200);
	}
}

static void zero_is_never(void **state)
{
	struct busy_poll poll = { .since_ns = 0 };

	(void)state;
	for (uint64_t now_ns = 0; now_ns < 100 * US; now_ns += US) {
		busy_poll_expect(&poll, BUSY_POLL_ANSWER, now_ns);
		assert_false(busy_poll_look(&poll, now_ns, 0));
		busy_poll_came(&poll, now_ns, 0);
	}
}

static void no_wait_no_look(void **state)
{
	struct host host = quiet_host();

	(void)state;
	assert_false(busy_poll_look(&host.poll, host.now_ns, MOST_NS));
	busy_poll_came(&host.poll, host.now_ns, MOST_NS);
	found_of(&host, 1000, BUSY_POLL_ANSWER, 5 * US);
	assert_false(busy_poll_look(&host.poll, host.now_ns, MOST_NS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looks_for_what_comes_soon),
		cmocka_unit_test(sleeps_for_what_comes_late),
		cmocka_unit_test(knows_one_from_the_other),
		cmocka_unit_test(never_looks_longer_than_most),
		cmocka_unit_test(leaves_the_processor_to_who_is_waited_for),
		cmocka_unit_test(changes_its_mind),
		cmocka_unit_test(one_late_message_is_no_reason),
		cmocka_unit_test(zero_is_never),
		cmocka_unit_test(no_wait_no_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
