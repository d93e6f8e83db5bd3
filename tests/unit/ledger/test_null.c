/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_null.c - the ledger that keeps nothing */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>

#include "common/util.h"
#include "tests/unit/ledger/fixture.h"

/* A caller cannot tell it from the other: each function is there, and ends come from the loop. */
static void test_a_ledger_that_keeps_nothing(void **state)
{
	struct ledger *ledger = ledger_null_open();
	struct ledger_request request = fixture_request(ledger, 1);
	const struct ledger_event event = { .kind = "start" };
	const struct ledger_vm vm = { .id = 1, .name = "vm1" };
	struct pollfd pfd = { .fd = ledger_fd(ledger), .events = POLLIN };
	struct ledger_stats stats;
	int put = 1, deleted = 1;
	unsigned vms = 0;

	(void)state;
	assert_int_equal(ledger->next_id, 1);
	assert_int_equal(ledger_accepted(ledger, &request), 0);
	ledger_finished(ledger, &request);
	ledger_event(ledger, &event);
	ledger_clock_stepped(ledger, 5);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, fixture_note_end, &put), 0);
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, NULL, NULL), 0);
	assert_int_equal(put, 1);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_false(ledger_dispatch(ledger));
	assert_int_equal(put, 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(ledger_wait(ledger, FIXTURE_WAIT_MS), 0);
	assert_int_equal(ledger_flush(ledger, fixture_note_end, &put), -EOPNOTSUPP);
	ledger_vm_each(ledger, fixture_count_vm, &vms);
	assert_int_equal(vms, 0);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.state, LEDGER_OFF);
	assert_null(stats.path);
	assert_in_range((uint64_t)ledger_wall_ns(ledger, util_now_ns()),
			(uint64_t)util_wall_ns() - UTIL_NS_PER_MINUTE,
			(uint64_t)util_wall_ns() + UTIL_NS_PER_MINUTE);
	assert_int_equal(ledger_vm_delete(ledger, 1, NULL, fixture_note_end, &deleted), 0);
	ledger_close(ledger);
	assert_int_equal(deleted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_a_ledger_that_keeps_nothing),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
