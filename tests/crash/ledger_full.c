/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger_full.c - a full disk: requests are refused, none is lost, and work resumes by itself */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "tests/unit/ledger/ledger_check.h"
#include "tests/unit/scratch.h"
#include "vgpud/ledger/ledger.h"

#define WAIT_MS 60000

static char directory[64], db_path[96], ring_path[96], ballast_path[96], why[512];
static struct ledger_config config = { .db_path = db_path,
				       .ring_path = ring_path,
				       .ring_records = 2048,
				       .batch_ms = 1,
				       .version = "test" };

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/vgpu-full.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/vgpud.db", directory);
	snprintf(ring_path, sizeof(ring_path), "%s/ring", directory);
	snprintf(ballast_path, sizeof(ballast_path), "%s/ballast", directory);
	config.lossy = false;
	config.max_bytes = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	umount2(directory, MNT_DETACH);
	return scratch_remove(directory);
}

static int64_t number(const char *sql)
{
	sqlite3 *conn;
	sqlite3_stmt *statement;
	int64_t value = -1;

	assert_int_equal(sqlite3_open_v2(db_path, &conn, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(conn, sql, -1, &statement, NULL), SQLITE_OK);
	if (sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(conn);
	return value;
}

static struct ledger *open_ledger(void)
{
	struct ledger *ledger;

	if (ledger_sqlite_open(&ledger, &config, why, sizeof(why)))
		fail_msg("%s", why);
	return ledger;
}

static enum ledger_state state_of(const struct ledger *ledger, struct ledger_stats *stats)
{
	ledger_stats(ledger, stats);
	return stats->state;
}

/* Return: what accepted() said; on 0 the request has ended, too. */
static int do_request(struct ledger *ledger)
{
	const struct ledger_request request = {
		.id = ledger->next_id,
		.received_ns = util_now_ns(),
		.wait_ns = 5,
		.exec_ns = 6,
		.total_ns = 11,
		.vm_id = 1,
		.guest_request_id = (uint32_t)ledger->next_id,
		.opcode = VGPU_OP_NOP,
		.pool = 'A',
		.executor = VGPU_EXECUTOR_CPU,
	};
	int err = ledger_accepted(ledger, &request);

	if (err == 0) {
		ledger_finished(ledger, &request);
		ledger->next_id++;
	}
	return err;
}

/* Requests until the disk is full and the ring, too. Return: how many were accepted. */
static uint64_t fill_up(struct ledger *ledger)
{
	struct ledger_stats stats;
	uint64_t accepted = 0;

	for (int i = 0; state_of(ledger, &stats) != LEDGER_FULL || stats.refused == 0; i++) {
		int err;

		while ((err = do_request(ledger)) == 0)
			accepted++;
		assert_int_equal(err, -ENOSPC);
		assert_true(i < WAIT_MS);
		poll(NULL, 0, 1);
	}
	assert_true(stats.refused > 0);
	assert_true(stats.error[0] != '\0');
	return accepted;
}

/* Waits until requests are accepted again. Return: how many were. */
static uint64_t go_on(struct ledger *ledger)
{
	uint64_t accepted = 0;

	for (int i = 0; i < WAIT_MS && accepted < 5000; i++) {
		while (accepted < 5000 && do_request(ledger) == 0)
			accepted++;
		poll(NULL, 0, 1);
	}
	assert_int_equal(accepted, 5000);
	return accepted;
}

static void assert_all_recorded(struct ledger *ledger, uint64_t accepted)
{
	struct ledger_stats stats;

	ledger_flush(ledger, NULL, NULL);
	assert_int_equal(ledger_wait(ledger, WAIT_MS), 0);
	assert_int_equal(state_of(ledger, &stats), LEDGER_OK);
	assert_int_equal(number("SELECT count(*) FROM request WHERE status = 0"), accepted);
	assert_int_equal(number("SELECT count(*) FROM request"), accepted);
	assert_int_equal(number(LEDGER_DISAGREEMENTS), 0);
}

static void answer(void *arg, int err)
{
	*(int *)arg = err;
}

/* A change of a VM is answered while the disk is full, too; it may be small enough to fit. */
static void assert_change_is_answered(struct ledger *ledger)
{
	const struct ledger_vm vm = { .id = 1, .name = "vm1" };
	int err = 1;

	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, answer, &err), 0);
	assert_int_equal(ledger_wait(ledger, WAIT_MS), 0);
	assert_true(err == 0 || err == -ENOSPC);
	assert_int_equal(number("SELECT count(*) FROM vm"), err == 0);
}

/* --- a limit on the length of files: what anyone can try --- */

static void test_limit_on_files(void **state)
{
	struct rlimit old, small;
	struct ledger *ledger;
	uint64_t accepted;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_FSIZE, &small);
	ledger = open_ledger();
	accepted = fill_up(ledger);
	assert_change_is_answered(ledger);
	setrlimit(RLIMIT_FSIZE, &old);
	accepted += go_on(ledger);
	assert_all_recorded(ledger, accepted);
	ledger_close(ledger);
}

/* --- a disk that is full --- */

static void mount_small_disk(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("vgpu-full", directory, "tmpfs", 0, "size=4m"))
		skip();
}

/* Leaves so many bytes free. */
static void lay_ballast(size_t free_bytes)
{
	int fd = open(ballast_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	off_t len = 0;

	assert_true(fd >= 0);
	while (posix_fallocate(fd, len, 4096) == 0)
		len += 4096;
	assert_int_equal(ftruncate(fd, len - (off_t)free_bytes), 0);
	close(fd);
}

static void test_strict(void **state)
{
	struct ledger *ledger;
	uint64_t accepted;

	(void)state;
	mount_small_disk();
	ledger = open_ledger();
	lay_ballast(256 << 10);
	accepted = fill_up(ledger);
	assert_change_is_answered(ledger);
	unlink(ballast_path);
	accepted += go_on(ledger);
	assert_all_recorded(ledger, accepted);
	ledger_close(ledger);
}

/* --- programs --- */

struct waited {
	bool ended;
	int err;
};

static void end_waiting(void *arg, int err)
{
	*(struct waited *)arg = (struct waited){ .ended = true, .err = err };
}

/* Return: how it ended. */
static int wait_for(struct ledger *ledger, const struct waited *waited)
{
	for (int i = 0; i < WAIT_MS && !waited->ended; i++) {
		poll(NULL, 0, 1);
		ledger_dispatch(ledger);
	}
	assert_true(waited->ended);
	return waited->err;
}

/* Of a program that has done one submission: its row, the total, and what it was refused. */
static int record_submission(struct ledger *ledger, uint64_t id)
{
	const struct ledger_submission row = { .first = 1, .count = 1, .took_ns = 5, .most_ns = 5 };
	struct hist latency = { 0 };
	const struct ledger_submissions taken = { .program_id = id,
						  .at_ns = ledger_wall_ns(ledger, util_now_ns()),
						  .sum_ns = 5,
						  .max_ns = 5,
						  .latency = &latency,
						  .rows = &row,
						  .row_num = 1 };
	struct waited waited = { 0 };

	latency.count[hist_index(5)] = 1;
	assert_int_equal(ledger_submissions(ledger, &taken, end_waiting, &waited), 0);
	return wait_for(ledger, &waited);
}

static void record_claims(struct ledger *ledger, uint64_t id, struct waited *waited)
{
	const struct ledger_program claims = {
		.id = id, .ended_ns = LEDGER_UNKNOWN, .billed_ns = 7, LEDGER_FIGURES_UNKNOWN
	};

	assert_int_equal(ledger_program_claims(ledger, &claims, "cuFoo 1", end_waiting, waited), 0);
}

/*
 * The disk has room for changes, and less than the reserve, so that no record is written. What is
 * told of a program whose beginning is among them is not to be taken for recorded: it would be of no row.
 */
static void test_a_program_that_begins_on_a_full_disk(void **state)
{
	struct ledger_program program = { .begun_ns = util_now_ns(), .pool = 'A' };
	struct waited claimed = { 0 };
	struct ledger_stats stats;
	struct ledger *ledger;

	(void)state;
	mount_small_disk();
	ledger = open_ledger();
	lay_ballast(300 << 10);
	program.id = ledger->next_program_id++;
	assert_int_equal(ledger_program_begun(ledger, &program), 0);
	for (int i = 0; i < WAIT_MS && state_of(ledger, &stats) != LEDGER_FULL; i++)
		poll(NULL, 0, 1);
	assert_change_is_answered(ledger);
	assert_int_equal(record_submission(ledger, program.id), -ENOSPC);
	record_claims(ledger, program.id, &claimed);
	assert_int_equal(record_submission(ledger, program.id), -ENOSPC);
	assert_false(claimed.ended); /* they wait for room */
	unlink(ballast_path);
	ledger_flush(ledger, NULL, NULL);
	for (int i = 0; i < WAIT_MS && state_of(ledger, &stats) != LEDGER_OK; i++)
		poll(NULL, 0, 1);
	assert_int_equal(record_submission(ledger, program.id), 0);
	assert_int_equal(wait_for(ledger, &claimed), 0);
	assert_int_equal(number("SELECT count(*) FROM submission"), 1);
	assert_int_equal(number("SELECT latency_sum_ns FROM program"), 5);
	assert_int_equal(number("SELECT refused_names = 'cuFoo 1' FROM program"), 1);
	ledger_close(ledger);
}

/* On a full disk: requests are refused; changes without a waiting caller are written once there is
 * room. */
static void assert_comes_up_full(struct ledger *ledger)
{
	const struct ledger_vm vm = { .id = 9, .name = "vm9" };
	const struct ledger_event event = { .kind = "test", .uid = -1, .pid = -1 };
	struct ledger_stats stats;
	int err = 0;

	assert_int_equal(state_of(ledger, &stats), LEDGER_FULL);
	assert_non_null(strstr(stats.error, "full"));
	assert_int_equal(do_request(ledger), -ENOSPC);
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, NULL, NULL), 0);
	ledger_event(ledger, &event);
	assert_int_equal(ledger_vm_delete(ledger, 8, NULL, answer, &err), 0);
	for (int i = 0; i < WAIT_MS && err == 0; i++) {
		poll(NULL, 0, 1);
		ledger_dispatch(ledger);
	}
	assert_int_equal(err, -ENOSPC);
}

/* A ledger that comes up on a disk that an earlier one filled; accepted: by that one. */
static struct ledger *open_full_again(uint64_t *accepted)
{
	struct ledger *ledger;

	mount_small_disk();
	ledger = open_ledger();
	lay_ballast(256 << 10);
	*accepted = fill_up(ledger);
	ledger_close(ledger);
	lay_ballast(0);
	ledger = open_ledger();
	assert_comes_up_full(ledger);
	return ledger;
}

/* Accepted requests that could not be written are in the ring, and the next start finds them. */
static void test_strict_with_restart(void **state)
{
	struct ledger *ledger;
	uint64_t accepted;

	(void)state;
	ledger = open_full_again(&accepted);
	unlink(ballast_path);
	accepted += go_on(ledger);
	assert_all_recorded(ledger, accepted);
	assert_int_equal(number("SELECT count(*) FROM vm"), 1);
	assert_int_equal(number("SELECT count(*) FROM event WHERE kind = 'test'"), 1);
	assert_int_equal(number("SELECT count(*) FROM session"), 2);
	ledger_close(ledger);
}

/* It ends as it came, still full; only the start after that finds room. */
static void test_strict_with_two_restarts(void **state)
{
	struct ledger *ledger;
	uint64_t accepted;

	(void)state;
	ledger = open_full_again(&accepted);
	ledger_close(ledger);
	unlink(ballast_path);
	config.ring_records = 1024;
	ledger = open_ledger();
	config.ring_records = 2048;
	accepted += go_on(ledger);
	assert_all_recorded(ledger, accepted);
	assert_int_equal(number("SELECT count(*) FROM session"), 2);
	ledger_close(ledger);
}

/* --- nothing but the ledger on the disk, and nothing that anybody could remove --- */

static int64_t file_bytes(const char *suffix)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s", db_path, suffix);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* Rows that retention removes are counted; all others are there. */
static void assert_recorded_or_expired(struct ledger *ledger, uint64_t accepted)
{
	struct ledger_stats stats;

	ledger_flush(ledger, NULL, NULL);
	assert_int_equal(ledger_wait(ledger, WAIT_MS), 0);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.rows, accepted);
	assert_int_equal(number("SELECT max(id) - min(id) + 1 - count(*) FROM request"), 0);
	assert_int_equal(number("SELECT max(id) FROM request"), ledger->next_id - 1);
}

static void test_a_bounded_ledger_never_fills_its_disk(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger;
	uint64_t accepted = 0;

	(void)state;
	mount_small_disk();
	config.max_bytes = 1 << 20;
	ledger = open_ledger();
	for (int i = 0; i < 40; i++) {
		accepted += go_on(ledger);
		assert_int_equal(state_of(ledger, &stats), LEDGER_OK);
	}
	assert_recorded_or_expired(ledger, accepted);
	ledger_stats(ledger, &stats);
	assert_in_range(stats.expired, accepted / 2, accepted);
	assert_in_range(file_bytes(""), 1 << 19, 2 << 20);
	assert_in_range(file_bytes("-wal"), 1, 1 << 20);
	ledger_close(ledger);
}

/* A smaller max_size is what an administrator can do about a ledger that has filled its disk. */
static void test_a_smaller_bound_frees_a_full_disk(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger;
	uint64_t accepted;

	(void)state;
	mount_small_disk();
	ledger = open_ledger();
	accepted = fill_up(ledger);
	assert_in_range(file_bytes(""), 2 << 20, 4 << 20);
	assert_change_is_answered(ledger);
	ledger_close(ledger);
	config.max_bytes = 1 << 20;
	ledger = open_ledger();
	for (int i = 0; i < WAIT_MS && state_of(ledger, &stats) != LEDGER_OK; i++)
		poll(NULL, 0, 1);
	accepted += go_on(ledger);
	assert_int_equal(state_of(ledger, &stats), LEDGER_OK);
	assert_true(accepted > 5000);
	assert_int_equal(number("SELECT max(id) FROM request") <= (int64_t)accepted, 1);
	assert_in_range(stats.expired, 1, accepted);
	ledger_close(ledger);
}

static void test_lossy(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger;
	uint64_t accepted = 0;

	(void)state;
	mount_small_disk();
	config.lossy = true;
	ledger = open_ledger();
	lay_ballast(256 << 10);
	do {
		assert_int_equal(do_request(ledger), 0);
		accepted++;
	} while (state_of(ledger, &stats) != LEDGER_FULL || stats.dropped == 0);
	unlink(ballast_path);
	while (state_of(ledger, &stats) != LEDGER_OK || stats.ring_used > 0)
		poll(NULL, 0, 1);
	assert_all_recorded(ledger, accepted - stats.dropped);
	ledger_close(ledger);
}

/* Nothing of the last session is lost, and nothing of this one recorded until there is room. */
static void test_lossy_with_restart(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger;
	uint64_t accepted;

	(void)state;
	mount_small_disk();
	ledger = open_ledger();
	lay_ballast(256 << 10);
	accepted = fill_up(ledger);
	ledger_close(ledger);
	lay_ballast(0);
	config.lossy = true;
	ledger = open_ledger();
	for (int i = 0; i < 100; i++)
		assert_int_equal(do_request(ledger), 0);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.dropped, 100);
	unlink(ballast_path);
	while (state_of(ledger, &stats) != LEDGER_OK)
		poll(NULL, 0, 1);
	accepted += go_on(ledger);
	ledger_stats(ledger, &stats);
	assert_all_recorded(ledger, accepted - (stats.dropped - 100));
	ledger_close(ledger);
}

static void test_no_room_for_a_database(void **state)
{
	struct ledger *ledger;

	(void)state;
	mount_small_disk();
	ledger = open_ledger();
	ledger_close(ledger);
	unlink(db_path);
	lay_ballast(0);
	assert_int_equal(ledger_sqlite_open(&ledger, &config, why, sizeof(why)), -ENOSPC);
	assert_non_null(strstr(why, db_path));
	assert_non_null(strstr(why, "disk"));
	assert_non_null(strstr(why, "free some space"));
}

static void test_no_room_for_the_ring(void **state)
{
	struct ledger *ledger;

	(void)state;
	mount_small_disk();
	lay_ballast(64 << 10);
	assert_int_equal(ledger_sqlite_open(&ledger, &config, why, sizeof(why)), -ENOSPC);
	assert_non_null(strstr(why, ring_path));
	assert_non_null(strstr(why, "free some space"));
	assert_int_equal(access(ring_path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FULL_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		FULL_TEST(test_limit_on_files),
		FULL_TEST(test_strict),
		FULL_TEST(test_a_program_that_begins_on_a_full_disk),
		FULL_TEST(test_strict_with_restart),
		FULL_TEST(test_strict_with_two_restarts),
		FULL_TEST(test_a_bounded_ledger_never_fills_its_disk),
		FULL_TEST(test_a_smaller_bound_frees_a_full_disk),
		FULL_TEST(test_lossy),
		FULL_TEST(test_lossy_with_restart),
		FULL_TEST(test_no_room_for_the_ring),
		FULL_TEST(test_no_room_for_a_database),
#undef FULL_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
