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
#include "vgpud/ledger/store_sqlite.h"

#define WAIT_MS 60000

static char directory[64], db_path[96], ring_path[96], ballast_path[96], why[512];
static struct store_sqlite_config config = { .db_path = db_path,
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

static struct store *open_store(void)
{
	struct store *store;

	if (store_sqlite_open(&store, &config, why, sizeof(why)))
		fail_msg("%s", why);
	return store;
}

static enum store_sqlite_state state_of(const struct store *store, struct store_sqlite_stats *stats)
{
	store_sqlite_stats(store, stats);
	return stats->state;
}

/* Return: what accepted() said; on 0 the request has ended, too. */
static int do_request(struct store *store)
{
	const struct store_request request = {
		.id = store->next_id,
		.received_ns = util_now_ns(),
		.wait_ns = 5,
		.exec_ns = 6,
		.total_ns = 11,
		.vm_id = 1,
		.guest_request_id = (uint32_t)store->next_id,
		.opcode = VGPU_OP_NOP,
		.pool = 'A',
		.executor = VGPU_EXECUTOR_CPU,
	};
	int err = store->ops->accepted(store, &request);

	if (err == 0) {
		store->ops->finished(store, &request);
		store->next_id++;
	}
	return err;
}

/* Requests until the disk is full and the ring, too. Return: how many were accepted. */
static uint64_t fill_up(struct store *store)
{
	struct store_sqlite_stats stats;
	uint64_t accepted = 0;

	for (int i = 0; state_of(store, &stats) != STORE_SQLITE_FULL || stats.refused == 0; i++) {
		int err;

		while ((err = do_request(store)) == 0)
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
static uint64_t go_on(struct store *store)
{
	uint64_t accepted = 0;

	for (int i = 0; i < WAIT_MS && accepted < 5000; i++) {
		while (accepted < 5000 && do_request(store) == 0)
			accepted++;
		poll(NULL, 0, 1);
	}
	assert_int_equal(accepted, 5000);
	return accepted;
}

static void assert_all_recorded(struct store *store, uint64_t accepted)
{
	struct store_sqlite_stats stats;

	store_sqlite_flush(store, NULL, NULL);
	assert_int_equal(store_sqlite_wait(store, WAIT_MS), 0);
	assert_int_equal(state_of(store, &stats), STORE_SQLITE_OK);
	assert_int_equal(number("SELECT count(*) FROM request WHERE status = 0"), accepted);
	assert_int_equal(number("SELECT count(*) FROM request"), accepted);
	assert_int_equal(number(LEDGER_DISAGREEMENTS), 0);
}

static void answer(void *arg, int err)
{
	*(int *)arg = err;
}

/* A change of a VM is answered while the disk is full, too; it may be small enough to fit. */
static void assert_change_is_answered(struct store *store)
{
	const struct store_vm vm = { .id = 1, .name = "vm1", .pool = 'A' };
	int err = 1;

	assert_int_equal(store_sqlite_vm_put(store, &vm, answer, &err), 0);
	assert_int_equal(store_sqlite_wait(store, WAIT_MS), 0);
	assert_true(err == 0 || err == -ENOSPC);
	assert_int_equal(number("SELECT count(*) FROM vm"), err == 0);
}

/* --- a limit on the length of files: what anyone can try --- */

static void test_limit_on_files(void **state)
{
	struct rlimit old, small;
	struct store *store;
	uint64_t accepted;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 1 << 20;
	setrlimit(RLIMIT_FSIZE, &small);
	store = open_store();
	accepted = fill_up(store);
	assert_change_is_answered(store);
	setrlimit(RLIMIT_FSIZE, &old);
	accepted += go_on(store);
	assert_all_recorded(store, accepted);
	store->ops->close(store);
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
	struct store *store;
	uint64_t accepted;

	(void)state;
	mount_small_disk();
	store = open_store();
	lay_ballast(256 << 10);
	accepted = fill_up(store);
	assert_change_is_answered(store);
	unlink(ballast_path);
	accepted += go_on(store);
	assert_all_recorded(store, accepted);
	store->ops->close(store);
}

/* On a full disk: requests are refused; what nobody waits for is written once there is room. */
static void assert_comes_up_full(struct store *store)
{
	const struct store_vm vm = { .id = 9, .name = "vm9", .pool = 'A' };
	const struct store_event event = { .kind = "test", .uid = -1, .pid = -1 };
	struct store_sqlite_stats stats;
	int err = 0;

	assert_int_equal(state_of(store, &stats), STORE_SQLITE_FULL);
	assert_non_null(strstr(stats.error, "full"));
	assert_int_equal(do_request(store), -ENOSPC);
	assert_int_equal(store_sqlite_vm_put(store, &vm, NULL, NULL), 0);
	store->ops->event(store, &event);
	assert_int_equal(store_sqlite_vm_delete(store, 8, answer, &err), 0);
	for (int i = 0; i < WAIT_MS && err == 0; i++) {
		poll(NULL, 0, 1);
		store_sqlite_dispatch(store);
	}
	assert_int_equal(err, -ENOSPC);
}

/* A store that comes up on a disk that an earlier one filled; accepted: by that one. */
static struct store *open_full_again(uint64_t *accepted)
{
	struct store *store;

	mount_small_disk();
	store = open_store();
	lay_ballast(256 << 10);
	*accepted = fill_up(store);
	store->ops->close(store);
	lay_ballast(0);
	store = open_store();
	assert_comes_up_full(store);
	return store;
}

/* What was accepted and could not be written is in the ring, and the next start finds it. */
static void test_strict_with_restart(void **state)
{
	struct store *store;
	uint64_t accepted;

	(void)state;
	store = open_full_again(&accepted);
	unlink(ballast_path);
	accepted += go_on(store);
	assert_all_recorded(store, accepted);
	assert_int_equal(number("SELECT count(*) FROM vm"), 1);
	assert_int_equal(number("SELECT count(*) FROM event WHERE kind = 'test'"), 1);
	assert_int_equal(number("SELECT count(*) FROM session"), 2);
	store->ops->close(store);
}

/* It ends as it came, still full; only the start after that finds room. */
static void test_strict_with_two_restarts(void **state)
{
	struct store *store;
	uint64_t accepted;

	(void)state;
	store = open_full_again(&accepted);
	store->ops->close(store);
	unlink(ballast_path);
	config.ring_records = 1024;
	store = open_store();
	config.ring_records = 2048;
	accepted += go_on(store);
	assert_all_recorded(store, accepted);
	assert_int_equal(number("SELECT count(*) FROM session"), 2);
	store->ops->close(store);
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

/* What retention removes is counted; all the rest is there. */
static void assert_recorded_or_expired(struct store *store, uint64_t accepted)
{
	struct store_sqlite_stats stats;

	store_sqlite_flush(store, NULL, NULL);
	assert_int_equal(store_sqlite_wait(store, WAIT_MS), 0);
	store_sqlite_stats(store, &stats);
	assert_int_equal(stats.rows, accepted);
	assert_int_equal(number("SELECT max(id) - min(id) + 1 - count(*) FROM request"), 0);
	assert_int_equal(number("SELECT max(id) FROM request"), store->next_id - 1);
}

static void test_a_bounded_ledger_never_fills_its_disk(void **state)
{
	struct store_sqlite_stats stats;
	struct store *store;
	uint64_t accepted = 0;

	(void)state;
	mount_small_disk();
	config.max_bytes = 1 << 20;
	store = open_store();
	for (int i = 0; i < 40; i++) {
		accepted += go_on(store);
		assert_int_equal(state_of(store, &stats), STORE_SQLITE_OK);
	}
	assert_recorded_or_expired(store, accepted);
	store_sqlite_stats(store, &stats);
	assert_in_range(stats.expired, accepted / 2, accepted);
	assert_in_range(file_bytes(""), 1 << 19, 2 << 20);
	assert_in_range(file_bytes("-wal"), 1, 1 << 20);
	store->ops->close(store);
}

/* A smaller max_size is what an administrator can do about a ledger that has filled its disk. */
static void test_a_smaller_bound_frees_a_full_disk(void **state)
{
	struct store_sqlite_stats stats;
	struct store *store;
	uint64_t accepted;

	(void)state;
	mount_small_disk();
	store = open_store();
	accepted = fill_up(store);
	assert_in_range(file_bytes(""), 2 << 20, 4 << 20);
	assert_change_is_answered(store);
	store->ops->close(store);
	config.max_bytes = 1 << 20;
	store = open_store();
	for (int i = 0; i < WAIT_MS && state_of(store, &stats) != STORE_SQLITE_OK; i++)
		poll(NULL, 0, 1);
	accepted += go_on(store);
	assert_int_equal(state_of(store, &stats), STORE_SQLITE_OK);
	assert_true(accepted > 5000);
	assert_int_equal(number("SELECT max(id) FROM request") <= (int64_t)accepted, 1);
	assert_in_range(stats.expired, 1, accepted);
	store->ops->close(store);
}

static void test_lossy(void **state)
{
	struct store_sqlite_stats stats;
	struct store *store;
	uint64_t accepted = 0;

	(void)state;
	mount_small_disk();
	config.lossy = true;
	store = open_store();
	lay_ballast(256 << 10);
	do {
		assert_int_equal(do_request(store), 0);
		accepted++;
	} while (state_of(store, &stats) != STORE_SQLITE_FULL || stats.dropped == 0);
	unlink(ballast_path);
	while (state_of(store, &stats) != STORE_SQLITE_OK || stats.ring_used > 0)
		poll(NULL, 0, 1);
	assert_all_recorded(store, accepted - stats.dropped);
	store->ops->close(store);
}

/* Nothing of the last session is lost, and nothing of this one recorded until there is room. */
static void test_lossy_with_restart(void **state)
{
	struct store_sqlite_stats stats;
	struct store *store;
	uint64_t accepted;

	(void)state;
	mount_small_disk();
	store = open_store();
	lay_ballast(256 << 10);
	accepted = fill_up(store);
	store->ops->close(store);
	lay_ballast(0);
	config.lossy = true;
	store = open_store();
	for (int i = 0; i < 100; i++)
		assert_int_equal(do_request(store), 0);
	store_sqlite_stats(store, &stats);
	assert_int_equal(stats.dropped, 100);
	unlink(ballast_path);
	while (state_of(store, &stats) != STORE_SQLITE_OK)
		poll(NULL, 0, 1);
	accepted += go_on(store);
	store_sqlite_stats(store, &stats);
	assert_all_recorded(store, accepted - (stats.dropped - 100));
	store->ops->close(store);
}

static void test_no_room_for_a_database(void **state)
{
	struct store *store;

	(void)state;
	mount_small_disk();
	store = open_store();
	store->ops->close(store);
	unlink(db_path);
	lay_ballast(0);
	assert_int_equal(store_sqlite_open(&store, &config, why, sizeof(why)), -ENOSPC);
	assert_non_null(strstr(why, db_path));
	assert_non_null(strstr(why, "disk"));
	assert_non_null(strstr(why, "free some space"));
}

static void test_no_room_for_the_ring(void **state)
{
	struct store *store;

	(void)state;
	mount_small_disk();
	lay_ballast(64 << 10);
	assert_int_equal(store_sqlite_open(&store, &config, why, sizeof(why)), -ENOSPC);
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
