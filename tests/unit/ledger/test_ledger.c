/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ledger.c - the loop thread's side: close, a full ring, shares, lossy, a second daemon */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/wire/vgpu_proto.h"
#include "tests/unit/ledger/fixture.h"

static void test_close_writes_all(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_do_requests(ledger, 1000);
	ledger_close(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 1000);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM session WHERE ended_ns >= started_ns AND "
			       "version = '0.0.0-test' AND host = 'testhost' AND boot_id <> ''"),
		1);
	ledger = fixture_open();
	assert_int_equal(ledger->next_id, 1001);
	ledger_close(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM session"), 2);
	assert_int_equal(fixture_number("SELECT first_request_id FROM session WHERE id = 2"), 1001);
}

static void test_full_ring_refuses_and_resumes(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger = fixture_open();
	struct ledger_request request[200];
	sqlite3 *blocker = fixture_block_writer();
	unsigned accepted = 0;

	(void)state;
	while (fixture_accept(ledger, &request[accepted]) == 0)
		accepted++;
	assert_int_equal(accepted, 128);
	for (unsigned i = 0; i < accepted; i++)
		ledger_finished(ledger, &request[i]);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.ring_used, 256);
	assert_int_equal(stats.refused, 1);
	while (stats.state != LEDGER_FAILING) {
		struct pollfd pfd = { .fd = ledger_fd(ledger), .events = POLLIN };

		assert_int_equal(poll(&pfd, 1, FIXTURE_WAIT_MS), 1);
		ledger_dispatch(ledger);
		ledger_stats(ledger, &stats);
	}
	assert_true(stats.error[0] != '\0');
	sqlite3_close(blocker);
	fixture_do_requests(ledger, 100);
	fixture_flush(ledger);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.state, LEDGER_OK);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 228);
	fixture_assert_minutes();
	ledger_close(ledger);
}

static void test_what_fails_anyway_leaves_room_for_others(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_request good[64], bad = { .vm_id = 2, .status = VGPU_ERR_QUEUE_FULL };
	sqlite3 *blocker = fixture_block_writer();
	unsigned recorded = 0;

	(void)state;
	for (bad.id = ledger->next_id++; ledger_accepted(ledger, &bad) == 0;
	     bad.id = ledger->next_id++) {
		ledger_finished(ledger, &bad);
		recorded++;
	}
	assert_in_range(recorded, 64, 66);
	for (unsigned i = 0; i < 45; i++) /* of three VMs */
		assert_int_equal(fixture_accept(ledger, &good[i]), 0);
	for (unsigned i = 0; i < 45; i++)
		ledger_finished(ledger, &good[i]);
	sqlite3_close(blocker);
	ledger_close(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), recorded + 45);
}

/* Good ones of a VM that sends as many as it can leave the others as much as it took of what was
 * scarce. */
static void test_a_flood_leaves_room_for_others(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_request good = { .pool = 'A', .executor = VGPU_EXECUTOR_CPU };
	sqlite3 *blocker = fixture_block_writer();
	unsigned recorded[4] = { 0 };

	(void)state;
	for (uint32_t vm_id = 0; vm_id < 4; vm_id++) {
		for (unsigned i = 0; i < 1000; i++) {
			good.id = ledger->next_id++;
			good.vm_id = vm_id;
			if (ledger_accepted(ledger, &good) != 0)
				continue;
			ledger_finished(ledger, &good);
			recorded[vm_id]++;
		}
	}
	/* 128 requests fit: half of them, and half of what is left; half of that; and so on. */
	assert_in_range(recorded[0], 96, 98);
	assert_in_range(recorded[1], 15, 17);
	assert_in_range(recorded[2], 7, 9);
	assert_in_range(recorded[3], 3, 5);
	sqlite3_close(blocker);
	fixture_do_requests(ledger, 300); /* and all of it when there is room again */
	ledger_close(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"),
			 300 + recorded[0] + recorded[1] + recorded[2] + recorded[3]);
}

static void test_lossy_goes_on(void **state)
{
	struct ledger_stats stats;
	struct ledger_request request[500];
	struct ledger *ledger;
	sqlite3 *blocker;

	(void)state;
	fixture.config.lossy = true;
	ledger = fixture_open();
	blocker = fixture_block_writer();
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(fixture_accept(ledger, &request[i]), 0);
	for (unsigned i = 500; i-- > 0;)
		ledger_finished(ledger, &request[i]);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.dropped, 500 - 128);
	assert_int_equal(stats.refused, 0);
	sqlite3_close(blocker);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE status <> 7"), 128);
	ledger_close(ledger);
	ledger = fixture_open();
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.lost, 0);
	ledger_close(ledger);
}

static void test_second_daemon_is_refused(void **state)
{
	struct ledger *ledger;
	int ready[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (ledger_sqlite_open(&ledger, &fixture.config, fixture.why,
				       sizeof(fixture.why)) == 0 &&
		    write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	fixture_assert_refused(-EBUSY, "another vgpud");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ledger = fixture_open();
	ledger_close(ledger);
}

static void test_bad_places_are_refused(void **state)
{
	(void)state;
	fixture.config.db_path = "/nonexistent/vgpud.db";
	fixture_assert_refused(-ENOENT, "/nonexistent/vgpud.db");
	fixture.config.db_path = fixture.db_path;
	fixture.config.ring_path = "/nonexistent/ring";
	fixture_assert_refused(-ENOENT, "/nonexistent/ring");
	fixture.config.ring_path = fixture.ring_path;
	fixture.config.ring_records = 1;
	fixture_assert_refused(-EINVAL, "records");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_close_writes_all),
		FIXTURE_TEST(test_full_ring_refuses_and_resumes),
		FIXTURE_TEST(test_what_fails_anyway_leaves_room_for_others),
		FIXTURE_TEST(test_a_flood_leaves_room_for_others),
		FIXTURE_TEST(test_lossy_goes_on),
		FIXTURE_TEST(test_second_daemon_is_refused),
		FIXTURE_TEST(test_bad_places_are_refused),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
