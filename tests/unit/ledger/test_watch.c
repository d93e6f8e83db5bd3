/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_watch.c - files that are moved, removed or open to others, and a quota */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/ledger/fixture.h"

static enum ledger_state state_of(struct ledger *ledger, struct ledger_stats *stats)
{
	ledger_dispatch(ledger);
	ledger_stats(ledger, stats);
	return stats->state;
}

/* Bounded. */
static void wait_state(struct ledger *ledger, enum ledger_state state)
{
	struct ledger_stats stats;

	for (int i = 0; i < FIXTURE_WAIT_MS / 10 && state_of(ledger, &stats) != state; i++)
		poll(NULL, 0, 10);
	if (state_of(ledger, &stats) != state)
		fail_msg("%s (%s) instead of %s", ledger_state_name(stats.state), stats.error,
			 ledger_state_name(state));
}

static void move(const char *path, const char *suffix, bool back)
{
	char here[128], there[160];

	snprintf(here, sizeof(here), "%s%s", path, suffix);
	snprintf(there, sizeof(there), "%s.moved", here);
	assert_int_equal(back ? rename(there, here) : rename(here, there), 0);
}

/* Each of its files, while it works: noticed, told by name, and over when the file is back. */
static void test_a_moved_file_stops_the_ledger(void **state)
{
	const struct {
		const char *path, *suffix;
	} files[] = {
		{ fixture.db_path, "" },
		{ fixture.db_path, "-wal" },
		{ fixture.db_path, "-shm" },
		{ fixture.ring_path, "" },
	};
	struct ledger *ledger = fixture_open();
	struct ledger_request running, request;
	struct ledger_stats stats;
	const struct ledger_vm vm = { .id = 1, .name = "vm1" };
	uint64_t rows = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int put = 1;

		fixture_do_requests(ledger, 10);
		fixture_flush(ledger);
		assert_int_equal(fixture_accept(ledger, &running), 0);
		move(files[i].path, files[i].suffix, false);
		wait_state(ledger, LEDGER_MISSING);
		ledger_stats(ledger, &stats);
		assert_non_null(strstr(stats.error, files[i].path));
		assert_int_equal(fixture_accept(ledger, &request), -ENOSPC);
		assert_int_equal(ledger_vm_put(ledger, &vm, NULL, fixture_note_end, &put), 0);
		assert_int_equal(ledger_wait(ledger, FIXTURE_WAIT_MS), 0);
		assert_int_equal(put, -ESTALE);
		ledger_finished(ledger, &running); /* what was accepted has its room */
		move(files[i].path, files[i].suffix, true);
		wait_state(ledger, LEDGER_OK);
		fixture_flush(ledger);
		rows += 11;
		assert_int_equal(fixture_number("SELECT count(*) FROM request"), rows);
	}
	ledger_close(ledger);
}

/* Requests accepted before are in the ring; the next start takes them into a new database. */
static void test_a_removed_database_leaves_the_ring(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_request running[3];

	(void)state;
	fixture_do_requests(ledger, 10);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_accept(ledger, &running[i]), 0);
	fixture_flush(ledger);
	assert_int_equal(unlink(fixture.db_path), 0);
	wait_state(ledger, LEDGER_MISSING);
	for (int i = 0; i < 2; i++)
		ledger_finished(ledger, &running[i]);
	ledger_close(ledger);
	ledger = fixture_open();
	assert_int_equal(fixture_events("ledger-missing"), 1);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE id IN (11, 12) AND "
					"total_ns > 0"),
			 2);
	assert_true(ledger->next_id > 13);
	ledger_close(ledger);
}

static void test_another_file_in_its_place(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_stats stats;

	(void)state;
	move(fixture.db_path, "", false);
	assert_int_equal(fclose(fopen(fixture.db_path, "w")), 0);
	wait_state(ledger, LEDGER_MISSING);
	/* It may have looked between the two steps, when there was none. */
	for (int i = 0; i < FIXTURE_WAIT_MS / 10; i++) {
		if (state_of(ledger, &stats) == LEDGER_MISSING &&
		    strstr(stats.error, "is another file now") != NULL)
			break;
		poll(NULL, 0, 10);
	}
	assert_non_null(strstr(stats.error, "is another file now"));
	move(fixture.db_path, "", true);
	wait_state(ledger, LEDGER_OK);
	ledger_close(ledger);
}

static void test_lossy_goes_on_without(void **state)
{
	struct ledger *ledger;
	struct ledger_request request;
	struct ledger_stats stats;

	(void)state;
	fixture.config.lossy = true;
	ledger = fixture_open();
	assert_int_equal(unlink(fixture.db_path), 0);
	wait_state(ledger, LEDGER_MISSING);
	assert_int_equal(fixture_accept(ledger, &request), 0);
	ledger_finished(ledger, &request);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.dropped, 1);
	ledger_close(ledger);
}

/* --- who may read them --- */

static unsigned mode_of(const char *path, const char *suffix)
{
	char name[160];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	assert_int_equal(stat(name, &st), 0);
	return st.st_mode & 0777;
}

static void assert_private(void)
{
	assert_int_equal(mode_of(fixture.db_path, ""), 0600);
	assert_int_equal(mode_of(fixture.db_path, "-wal"), 0600);
	assert_int_equal(mode_of(fixture.db_path, "-shm"), 0600);
	assert_int_equal(mode_of(fixture.db_path, ".lock"), 0600);
	assert_int_equal(mode_of(fixture.ring_path, ""), 0600);
}

static void test_files_are_private(void **state)
{
	mode_t before = umask(0);
	struct ledger *ledger = fixture_open();
	char name[160];

	(void)state;
	fixture_do_requests(ledger, 10);
	fixture_flush(ledger);
	assert_private();
	ledger_close(ledger);
	/* As an older vgpud left them. */
	assert_int_equal(chmod(fixture.db_path, 0640), 0);
	snprintf(name, sizeof(name), "%s-wal", fixture.db_path);
	assert_int_equal(chmod(name, 0644), 0);
	snprintf(name, sizeof(name), "%s-shm", fixture.db_path);
	assert_int_equal(chmod(name, 0664), 0);
	ledger = fixture_open();
	assert_private();
	ledger_close(ledger);
	umask(before);
}

/* As `cp` would take it, without its log. */
static void test_a_new_database_is_in_its_file(void **state)
{
	struct ledger *ledger = fixture_open();
	char command[320], copy[160];

	(void)state;
	snprintf(copy, sizeof(copy), "%s.copy", fixture.db_path);
	snprintf(command, sizeof(command), "cp '%s' '%s'", fixture.db_path, copy);
	assert_int_equal(system(command), 0);
	assert_int_equal(fixture_number_in(copy, "SELECT count(*) FROM request_v"), 0);
	ledger_close(ledger);
}

/* --- a quota --- */

static int failing_with; /* errno of the next writes; 0: they succeed */

/* In the place of the C library's, for sqlite too. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the header's are reserved */
ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
	if (failing_with) {
		errno = failing_with;
		return -1;
	}
	if (lseek(fd, at, SEEK_SET) < 0)
		return -1;
	return write(fd, bytes, len);
}

static void test_a_quota_is_called_so(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_stats stats;
	const struct {
		int err;
		const char *words;
	} full[] = { { EDQUOT, "quota" }, { EFBIG, "too large" } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct ledger_request request;

		failing_with = full[i].err;
		assert_int_equal(fixture_accept(ledger, &request), 0);
		ledger_finished(ledger, &request);
		wait_state(ledger, LEDGER_FULL);
		ledger_stats(ledger, &stats);
		if (!strstr(stats.error, full[i].words))
			fail_msg("'%s' lacks '%s'", stats.error, full[i].words);
		failing_with = 0;
		wait_state(ledger, LEDGER_OK);
	}
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 2);
	ledger_close(ledger);
}

static void test_a_start_without_quota_says_so(void **state)
{
	(void)state;
	failing_with = EDQUOT;
	fixture_assert_refused(-EDQUOT, "quota");
	failing_with = 0;
	ledger_close(fixture_open());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_a_moved_file_stops_the_ledger),
		FIXTURE_TEST(test_a_removed_database_leaves_the_ring),
		FIXTURE_TEST(test_another_file_in_its_place),
		FIXTURE_TEST(test_lossy_goes_on_without),
		FIXTURE_TEST(test_files_are_private),
		FIXTURE_TEST(test_a_new_database_is_in_its_file),
		FIXTURE_TEST(test_a_quota_is_called_so),
		FIXTURE_TEST(test_a_start_without_quota_says_so),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
