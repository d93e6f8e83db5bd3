/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ledger.c - the ledger: rows, minutes, replay, lost requests, VMs, retention, damage, second
 * daemon */

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
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "tests/unit/ledger/ledger_check.h"
#include "tests/unit/scratch.h"
#include "vgpud/ledger/hist.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/ledger/ring.h"

#define WAIT_MS 60000

static char directory[64], db_path[96], ring_path[96], why[512];
static struct ledger_config config;

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/vgpu-ledger.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/vgpud.db", directory);
	snprintf(ring_path, sizeof(ring_path), "%s/ring", directory);
	config = (struct ledger_config){
		.db_path = db_path,
		.ring_path = ring_path,
		.ring_records = 256,
		.batch_ms = 1,
		.version = "0.0.0-test",
		.host = "testhost",
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return scratch_remove(directory);
}

static struct ledger *open_ledger(void)
{
	struct ledger *ledger;
	int err = ledger_open(&ledger, &config, why, sizeof(why));

	if (err)
		fail_msg("%s", why);
	return ledger;
}

static struct ledger_request request_of(const struct ledger *ledger, uint64_t n)
{
	return (struct ledger_request){
		.id = n,
		.received_ns = util_now_ns(),
		.wait_ns = n * 100,
		.exec_ns = n * 10,
		.total_ns = n * 111,
		.vm_id = (uint32_t)(n % 3),
		.guest_request_id = (uint32_t)n + 5,
		.opcode = VGPU_OP_CUDA_KERNEL,
		.status = n % 10 == 0 ? VGPU_ERR_TIMEOUT : VGPU_ERR_OK,
		.request_bytes = 40,
		.response_bytes = 36,
		.pool = (uint8_t)('A' + n % 2),
		.priority = (uint8_t)(n % VGPU_PRIORITY_NUM),
		.executor = n % 10 == 0 ? VGPU_EXECUTOR_NONE : VGPU_EXECUTOR_CPU,
		.transport = (uint8_t)(ledger ? LEDGER_TRANSPORT_DEVICE : LEDGER_TRANSPORT_FILE),
	};
}

/* Its end is not known yet when it is accepted. */
static int accept_request(struct ledger *ledger, struct ledger_request *request)
{
	struct ledger_request before;

	*request = request_of(ledger, ledger->next_id++);
	before = *request;
	before.status = VGPU_ERR_OK;
	return ledger_accepted(ledger, &before);
}

/* Requests from accepted to finished, waiting for the writer when the ring is full. */
static void do_requests(struct ledger *ledger, unsigned n)
{
	struct ledger_request request;

	for (unsigned i = 0; i < n; i++) {
		while (accept_request(ledger, &request) != 0) {
			ledger->next_id--;
			poll(NULL, 0, 1);
		}
		ledger_finished(ledger, &request);
	}
}

static void flush_done(void *arg, int err)
{
	*(int *)arg = err;
}

static void flush(struct ledger *ledger)
{
	int err = 1;

	assert_int_equal(ledger_flush(ledger, flush_done, &err), 0);
	assert_int_equal(ledger_wait(ledger, WAIT_MS), 0);
	assert_int_equal(err, 0);
}

static sqlite3 *open_reader(const char *path)
{
	sqlite3 *conn;

	assert_int_equal(sqlite3_open_v2(path, &conn, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	return conn;
}

/* The one number that a query gives; -1: no row, or NULL. */
static int64_t number_in(const char *path, const char *sql)
{
	sqlite3 *conn = open_reader(path);
	sqlite3_stmt *statement;
	int64_t number = -1;

	if (sqlite3_prepare_v2(conn, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(conn));
	if (sqlite3_step(statement) == SQLITE_ROW &&
	    sqlite3_column_type(statement, 0) != SQLITE_NULL)
		number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(conn);
	return number;
}

static int64_t number(const char *sql)
{
	return number_in(db_path, sql);
}

static void write_sql(const char *sql)
{
	sqlite3 *conn;

	assert_int_equal(sqlite3_open(db_path, &conn), SQLITE_OK);
	if (sqlite3_exec(conn, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(conn));
	sqlite3_close(conn);
}

/* Every sum of table minute against the rows themselves, and its histograms' totals. */
static void assert_minutes_match_rows(void)
{
	static struct hist hist;
	sqlite3 *conn = open_reader(db_path);
	sqlite3_stmt *statement;
	uint64_t total = 0;

	assert_int_equal(number(LEDGER_DISAGREEMENTS), 0);
	assert_int_equal(
		sqlite3_prepare_v2(conn, "SELECT wait_hist FROM minute", -1, &statement, NULL),
		SQLITE_OK);
	while (sqlite3_step(statement) == SQLITE_ROW) {
		memset(&hist, 0, sizeof(hist));
		if (sqlite3_column_bytes(statement, 0))
			assert_int_equal(hist_decode(&hist, sqlite3_column_blob(statement, 0),
						     (size_t)sqlite3_column_bytes(statement, 0)),
					 0);
		total += hist_total(&hist);
	}
	sqlite3_finalize(statement);
	sqlite3_close(conn);
	assert_int_equal(total, number("SELECT count(wait_ns) FROM request"));
}

/* --- rows --- */

static void test_a_request_becomes_a_row(void **state)
{
	struct ledger *ledger = open_ledger();
	struct ledger_request request;

	(void)state;
	assert_int_equal(ledger->next_id, 1);
	assert_int_equal(accept_request(ledger, &request), 0);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"), 0);
	assert_int_equal(number("SELECT count(*) FROM pending"), 1);
	ledger_finished(ledger, &request);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM pending"), 0);
	assert_int_equal(
		number("SELECT count(*) FROM request WHERE id = 1 AND wait_ns = 100 AND exec_ns = 10 "
		       "AND total_ns = 111 AND vm_id = 1 AND guest_request_id = 6 AND opcode = 1 "
		       "AND status = 0 AND pool = 'B' AND priority = 1 AND executor = 1 "
		       "AND transport = 0 AND request_bytes = 40 AND response_bytes = 36"),
		1);
	/* Wall time, to a minute. */
	assert_in_range(
		number("SELECT abs(received_ns / 1000000000 - strftime('%s')) FROM request"), 0,
		60);
	assert_int_equal(number("SELECT received_ns FROM request"),
			 ledger_wall_ns(ledger, request.received_ns));
	ledger_close(ledger);
}

static void test_views_speak_names(void **state)
{
	struct ledger *ledger = open_ledger();
	const struct ledger_vm vm = { .id = 1,
				      .name = "vm1",
				      .settings = { .pool = 1, .priority = 1 } };

	(void)state;
	ledger_vm_put(ledger, &vm, NULL, NULL, NULL);
	do_requests(ledger, 10);
	flush(ledger);
	assert_int_equal(
		number("SELECT count(*) FROM request_v WHERE vm = 'vm1' AND opcode = 'add' "
		       "AND priority = 'medium' AND status = 'OK' AND executor = 'cpu' "
		       "AND transport = 'device' AND received LIKE '20__-__-__T__:__:__.______Z'"),
		3);
	assert_int_equal(number("SELECT count(*) FROM request_v WHERE status = 'TIMEOUT'"), 1);
	assert_int_equal(number("SELECT sum(count) FROM minute_v WHERE vm = '#2'"), 3);
	ledger_close(ledger);
}

static void test_minutes_agree_with_rows(void **state)
{
	struct ledger *ledger = open_ledger();

	(void)state;
	do_requests(ledger, 5000);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"), 5000);
	assert_int_equal(number("SELECT sum(count) FROM minute"), 5000);
	assert_minutes_match_rows();
	ledger_close(ledger);
}

static void test_unknown_opcodes_share_a_minute(void **state)
{
	struct ledger *ledger = open_ledger();
	struct ledger_request request;

	(void)state;
	for (unsigned i = 0; i < 90; i++) { /* all fit, should the writer sleep */
		request = request_of(ledger, ledger->next_id++);
		request.opcode = 0x1000 + i;
		request.vm_id = 1;
		request.pool = 'A';
		request.priority = 0;
		request.status = VGPU_ERR_OK;
		assert_int_equal(ledger_accepted(ledger, &request), 0);
		ledger_finished(ledger, &request);
	}
	flush(ledger);
	assert_int_equal(number("SELECT count(DISTINCT opcode) FROM request"), 90);
	assert_in_range(number("SELECT count(*) FROM minute"), 1, 2);
	assert_minutes_match_rows();
	ledger_close(ledger);
}

static void test_close_writes_all(void **state)
{
	struct ledger *ledger = open_ledger();

	(void)state;
	do_requests(ledger, 1000);
	ledger_close(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"), 1000);
	assert_int_equal(number("SELECT count(*) FROM session WHERE ended_ns >= started_ns AND "
				"version = '0.0.0-test' AND host = 'testhost' AND boot_id <> ''"),
			 1);
	ledger = open_ledger();
	assert_int_equal(ledger->next_id, 1001);
	ledger_close(ledger);
	assert_int_equal(number("SELECT count(*) FROM session"), 2);
	assert_int_equal(number("SELECT first_request_id FROM session WHERE id = 2"), 1001);
}

/* --- a daemon that is killed --- */

/* Runs a function in a child that is then killed. */
static void in_killed_child(void (*work)(struct ledger *ledger))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct ledger *ledger;

		if (ledger_open(&ledger, &config, why, sizeof(why)))
			_exit(1);
		work(ledger);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void leave_some_open(struct ledger *ledger)
{
	struct ledger_request first, request;

	accept_request(ledger, &first); /* 1, which the writer has seen: it is pending */
	ledger_flush(ledger, NULL, NULL);
	ledger_wait(ledger, WAIT_MS);
	do_requests(ledger, 20);	  /* 2 to 21 */
	accept_request(ledger, &request); /* 22, in the ring alone */
	accept_request(ledger, &request); /* 23 */
	ledger_finished(ledger, &request);
}

static void test_killed_daemon_loses_nothing(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger;

	(void)state;
	config.batch_ms = 10000;
	in_killed_child(leave_some_open);
	ledger = open_ledger();
	assert_int_equal(ledger->next_id, 24);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.lost, 2);
	assert_int_equal(number("SELECT count(*) FROM request"), 23);
	assert_int_equal(
		number("SELECT count(*) FROM request WHERE status = 7 AND id IN (1, 22) AND "
		       "wait_ns IS NULL AND exec_ns IS NULL AND total_ns IS NULL AND "
		       "executor = 0 AND request_bytes = 40"),
		2);
	assert_int_equal(number("SELECT count(*) FROM request WHERE status = 7"), 2);
	assert_int_equal(number("SELECT count(*) FROM pending"), 0);
	assert_int_equal(number("SELECT count(*) FROM event WHERE kind = 'requests-lost' AND "
				"new_value = '2'"),
			 1);
	assert_int_equal(number("SELECT count(*) FROM session WHERE ended_ns IS NULL"), 2);
	/* The lost ones, too, lie in the time of their session. */
	assert_int_equal(number("SELECT count(*) FROM request WHERE received_ns NOT BETWEEN "
				"(SELECT started_ns FROM session WHERE id = 1) AND "
				"(SELECT started_ns FROM session WHERE id = 2)"),
			 0);
	assert_minutes_match_rows();
	ledger_close(ledger);
	ledger = open_ledger();
	assert_int_equal(number("SELECT count(*) FROM request"), 23);
	ledger_close(ledger);
}

/* A database that forgot its last batches, as after a power failure: the ring still has them. */
static void test_replay_from_what_was_released(void **state)
{
	struct ledger *ledger = open_ledger();

	(void)state;
	do_requests(ledger, 100);
	ledger_close(ledger);
	write_sql("DELETE FROM request WHERE id > 40; DELETE FROM minute;"
		  "UPDATE ledger SET ring_position = 80, last_request_id = 40");
	ledger = open_ledger();
	assert_int_equal(ledger->next_id, 101);
	assert_int_equal(number("SELECT count(*) FROM request"), 100);
	assert_int_equal(number("SELECT sum(count) FROM minute"), 60);
	ledger_close(ledger);
}

/* Records that are read twice, against all rules, still make no second row. */
static void test_nothing_is_recorded_twice(void **state)
{
	struct ledger *ledger = open_ledger();

	(void)state;
	do_requests(ledger, 100);
	ledger_close(ledger);
	write_sql("UPDATE ledger SET ring_position = 0");
	ledger = open_ledger();
	assert_int_equal(number("SELECT count(*) FROM request"), 100);
	assert_minutes_match_rows();
	ledger_close(ledger);
}

static void test_ring_changes_size(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger = open_ledger();

	(void)state;
	do_requests(ledger, 100);
	ledger_close(ledger);
	config.ring_records = 1024;
	in_killed_child(leave_some_open);
	config.ring_records = 64;
	ledger = open_ledger();
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.ring_records, 64);
	assert_int_equal(number("SELECT count(*) FROM request"), 123);
	do_requests(ledger, 500);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"), 623);
	assert_int_equal(number("SELECT count(DISTINCT guest_request_id) FROM request"), 623);
	assert_minutes_match_rows();
	ledger_close(ledger);
}

/* --- full --- */

/* Fills the ring while another connection keeps the database from being written. */
static sqlite3 *block_writer(void)
{
	sqlite3 *conn;

	assert_int_equal(sqlite3_open(db_path, &conn), SQLITE_OK);
	sqlite3_busy_timeout(conn, WAIT_MS);
	assert_int_equal(sqlite3_exec(conn, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return conn;
}

static void test_full_ring_refuses_and_resumes(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger = open_ledger();
	struct ledger_request request[200];
	sqlite3 *blocker = block_writer();
	unsigned accepted = 0;

	(void)state;
	while (accept_request(ledger, &request[accepted]) == 0)
		accepted++;
	assert_int_equal(accepted, 128);
	for (unsigned i = 0; i < accepted; i++)
		ledger_finished(ledger, &request[i]);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.ring_used, 256);
	assert_int_equal(stats.refused, 1);
	while (stats.state != LEDGER_FAILING) {
		struct pollfd pfd = { .fd = ledger_fd(ledger), .events = POLLIN };

		assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
		ledger_dispatch(ledger);
		ledger_stats(ledger, &stats);
	}
	assert_true(stats.error[0] != '\0');
	sqlite3_close(blocker);
	do_requests(ledger, 100);
	flush(ledger);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.state, LEDGER_OK);
	assert_int_equal(number("SELECT count(*) FROM request"), 228);
	assert_minutes_match_rows();
	ledger_close(ledger);
}

static void test_what_fails_anyway_leaves_room_for_others(void **state)
{
	struct ledger *ledger = open_ledger();
	struct ledger_request good[64], bad = { .vm_id = 2, .status = VGPU_ERR_QUEUE_FULL };
	sqlite3 *blocker = block_writer();
	unsigned recorded = 0;

	(void)state;
	for (bad.id = ledger->next_id++; ledger_accepted(ledger, &bad) == 0;
	     bad.id = ledger->next_id++) {
		ledger_finished(ledger, &bad);
		recorded++;
	}
	assert_in_range(recorded, 64, 66);
	for (unsigned i = 0; i < 45; i++) /* of three VMs */
		assert_int_equal(accept_request(ledger, &good[i]), 0);
	for (unsigned i = 0; i < 45; i++)
		ledger_finished(ledger, &good[i]);
	sqlite3_close(blocker);
	ledger_close(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"), recorded + 45);
}

/* Good ones of a VM that sends as many as it can leave the others as much as it took of what was
 * scarce. */
static void test_a_flood_leaves_room_for_others(void **state)
{
	struct ledger *ledger = open_ledger();
	struct ledger_request good = { .pool = 'A', .executor = VGPU_EXECUTOR_CPU };
	sqlite3 *blocker = block_writer();
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
	do_requests(ledger, 300); /* and all of it when there is room again */
	ledger_close(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"),
			 300 + recorded[0] + recorded[1] + recorded[2] + recorded[3]);
}

static void test_lossy_goes_on(void **state)
{
	struct ledger_stats stats;
	struct ledger_request request[500];
	struct ledger *ledger;
	sqlite3 *blocker;

	(void)state;
	config.lossy = true;
	ledger = open_ledger();
	blocker = block_writer();
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(accept_request(ledger, &request[i]), 0);
	for (unsigned i = 500; i-- > 0;)
		ledger_finished(ledger, &request[i]);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.dropped, 500 - 128);
	assert_int_equal(stats.refused, 0);
	sqlite3_close(blocker);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM request WHERE status <> 7"), 128);
	ledger_close(ledger);
	ledger = open_ledger();
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.lost, 0);
	ledger_close(ledger);
}

/* --- VMs and events --- */

static void check_vm(void *arg, const struct ledger_vm *vm)
{
	unsigned *seen = arg;

	if (vm->id == 2) {
		assert_string_equal(vm->name, "vm2");
		assert_int_equal(vm->settings.pool, 1);
		assert_int_equal(vm->settings.priority, VGPU_PRIORITY_HIGH);
		assert_true(vm->settings.paused);
		assert_int_equal(vm->created_ns, 12345);
		assert_string_equal(vm->settings.connect, "/run/q.sock");
		assert_false(vm->removed);
	} else if (vm->id == 3) {
		assert_string_equal(vm->name, "vm3"); /* its old requests keep it */
		assert_true(vm->removed);
	} else {
		assert_int_equal(vm->id, 5);
		assert_string_equal(vm->name, "vm3");
		assert_false(vm->removed);
		assert_string_equal(vm->settings.connect, "");
		assert_true(vm->created_ns > INT64_C(1600000000000000000));
	}
	(*seen)++;
}

static void test_vms_last(void **state)
{
	struct ledger *ledger = open_ledger();
	struct ledger_vm vm = { .id = 2, .name = "vm2", .created_ns = 12345 };
	int put = 1, change = 1, same_name = 1, removed = 1, unknown = 1;
	unsigned seen = 0;

	(void)state;
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, flush_done, &put), 0);
	vm.settings = (struct vm_settings){
		.pool = 1,
		.priority = VGPU_PRIORITY_HIGH,
		.paused = true,
		.connect = "/run/q.sock",
	};
	vm.created_ns = 0;
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, flush_done, &change), 0);
	vm = (struct ledger_vm){ .id = 3, .name = "vm2" };
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, flush_done, &same_name), 0);
	vm.name = "vm3";
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, NULL, NULL), 0);
	assert_int_equal(ledger_vm_delete(ledger, 3, NULL, flush_done, &removed), 0);
	assert_int_equal(ledger_vm_delete(ledger, 4, NULL, flush_done, &unknown), 0);
	vm.id = 5;
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, NULL, NULL), 0);
	assert_int_equal(ledger_wait(ledger, WAIT_MS), 0);
	assert_int_equal(put, 0);
	assert_int_equal(change, 0);
	assert_int_equal(same_name, -EEXIST);
	assert_int_equal(removed, 0);
	assert_int_equal(unknown, -ENOENT);
	ledger_close(ledger);
	ledger = open_ledger();
	ledger_vm_each(ledger, check_vm, &seen);
	assert_int_equal(seen, 3);
	/* The removed one keeps its name for old requests. */
	assert_int_equal(number("SELECT count(*) FROM vm WHERE id = 3 AND name = 'vm3' AND "
				"removed_ns IS NOT NULL"),
			 1);
	ledger_close(ledger);
}

static void test_answers_come_at_close(void **state)
{
	struct ledger *ledger = open_ledger();
	const struct ledger_vm vm = { .id = 1, .name = "vm1" };
	int err = 1;

	(void)state;
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, flush_done, &err), 0);
	ledger_close(ledger);
	assert_int_equal(err, 0);
}

static void test_events(void **state)
{
	struct ledger *ledger = open_ledger();
	struct ledger_event event = { .kind = "set-priority",
				      .subject = "vm1",
				      .old_value = "low",
				      .new_value = "high",
				      .text = "it's \"urgent\"",
				      .uid = 1000,
				      .pid = 77 };

	(void)state;
	ledger_event(ledger, &event);
	event = (struct ledger_event){ .kind = "start", .uid = -1, .pid = -1 };
	ledger_event(ledger, &event);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM event WHERE kind = 'set-priority' AND "
				"subject = 'vm1' AND old_value = 'low' AND new_value = 'high' AND "
				"text = 'it''s \"urgent\"' AND uid = 1000 AND pid = 77"),
			 1);
	assert_int_equal(
		number("SELECT count(*) FROM event WHERE kind = 'start' AND subject IS NULL "
		       "AND uid IS NULL AND pid IS NULL"),
		1);
	ledger_close(ledger);
}

static void test_events_are_bounded(void **state)
{
	const struct ledger_event event = { .kind = "noise", .uid = -1, .pid = -1 };
	struct ledger_stats stats;
	struct ledger *ledger = open_ledger();
	sqlite3 *blocker = block_writer();

	(void)state;
	for (unsigned i = 0; i < 3000; i++)
		ledger_event(ledger, &event);
	ledger_stats(ledger, &stats);
	assert_in_range(stats.events_dropped, 1, 3000 - 1024);
	sqlite3_close(blocker);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM event"),
			 3000 - (int64_t)stats.events_dropped);
	ledger_close(ledger);
}

/* --- retention --- */

static void wait_until(const char *sql, int64_t value)
{
	for (int i = 0; i < WAIT_MS / 10 && number(sql) != value; i++)
		poll(NULL, 0, 10);
	assert_int_equal(number(sql), value);
}

static void test_retention_by_age(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger = open_ledger();
	const struct ledger_event event = { .kind = "old", .uid = -1, .pid = -1 };

	(void)state;
	do_requests(ledger, 5000);
	ledger_event(ledger, &event);
	ledger_close(ledger);
	write_sql(
		"UPDATE request SET received_ns = received_ns - 2 * 86400000000000 WHERE id <= 3500;"
		"UPDATE event SET time_ns = time_ns - 2 * 86400000000000;"
		"UPDATE minute SET minute = minute - 20 * 1440");
	config.retention_days = 1;
	config.minute_days = 30;
	ledger = open_ledger();
	wait_until("SELECT count(*) FROM request", 1500);
	wait_until("SELECT count(*) FROM event WHERE kind = 'old'", 0);
	assert_int_equal(number("SELECT min(id) FROM request"), 3501);
	assert_int_equal(number("SELECT sum(count) FROM minute"), 5000);
	ledger_close(ledger);
	config.minute_days = 10;
	ledger = open_ledger();
	wait_until("SELECT count(*) FROM minute", 0);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.expired, 0);
	ledger_close(ledger);
}

static void shift_all(int days)
{
	char sql[400];

	snprintf(sql, sizeof(sql),
		 "UPDATE request SET received_ns = received_ns - %d * 86400000000000;"
		 "UPDATE session SET started_ns = started_ns - %d * 86400000000000, "
		 "ended_ns = ended_ns - %d * 86400000000000;"
		 "UPDATE event SET time_ns = time_ns - %d * 86400000000000;"
		 "UPDATE minute SET minute = minute - %d * 1440",
		 days, days, days, days, days);
	write_sql(sql);
}

static void open_and_retain(void)
{
	struct ledger_stats stats = { 0 };
	struct ledger *ledger = open_ledger();

	/* The size is looked at when nothing is left to do. */
	for (int i = 0; i < WAIT_MS / 10 && stats.db_bytes == 0; i++) {
		poll(NULL, 0, 10);
		ledger_stats(ledger, &stats);
	}
	assert_true(stats.db_bytes > 0);
	ledger_close(ledger);
}

/* As a ledger looks whose last session was long ago, by a clock that may be wrong. */
static void test_retention_doubts_a_clock_ahead(void **state)
{
	struct ledger *ledger = open_ledger();

	(void)state;
	do_requests(ledger, 3000);
	ledger_close(ledger);
	write_sql("UPDATE request SET received_ns = received_ns - 2 * 86400000000000 WHERE id <= "
		  "1000");
	shift_all(800);
	config.retention_days = 1;
	config.minute_days = 30;
	/* What was due before still goes. */
	for (int i = 0; i < 2; i++) {
		open_and_retain();
		assert_int_equal(number("SELECT count(*) FROM request"), 2000);
		assert_int_equal(number("SELECT min(id) FROM request"), 1001);
		assert_int_equal(number("SELECT sum(count) FROM minute"), 3000);
		assert_int_equal(
			number("SELECT count(*) FROM event WHERE kind = 'clock-ahead' AND "
			       "strftime('%s', new_value) - strftime('%s', old_value) BETWEEN 799 "
			       "* 86400 AND 801 * 86400"),
			1);
	}
	/* A week later it is believed. */
	write_sql("UPDATE event SET time_ns = time_ns - 8 * 86400000000000");
	open_and_retain();
	assert_int_equal(number("SELECT count(*) FROM request"), 0);
	assert_int_equal(number("SELECT count(*) FROM minute"), 0);
}

/* Nor is a clock that was ahead once, and is right again, a reason for anything. */
static void test_retention_after_a_clock_ahead(void **state)
{
	struct ledger *ledger = open_ledger();

	(void)state;
	do_requests(ledger, 100);
	ledger_close(ledger);
	shift_all(-800);
	config.retention_days = 1;
	open_and_retain();
	assert_int_equal(number("SELECT count(*) FROM request"), 100);
	assert_int_equal(number("SELECT count(*) FROM event WHERE kind = 'clock-ahead'"), 0);
}

static void test_retention_by_size(void **state)
{
	struct ledger *ledger = open_ledger();
	int64_t bytes;

	(void)state;
	do_requests(ledger, 20000);
	ledger_close(ledger);
	bytes = number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
	config.max_bytes = (uint64_t)bytes / 2;
	ledger = open_ledger();
	wait_until("SELECT (page_count - freelist_count) * page_size <= "
		   "page_count * page_size / 2 FROM pragma_page_count, "
		   "pragma_freelist_count, pragma_page_size",
		   1);
	assert_in_range(number("SELECT count(*) FROM request"), 5000, 15000);
	assert_int_equal(number("SELECT max(id) FROM request"), 20000);
	/* All expired: ids go on. */
	ledger_close(ledger);
	write_sql("DELETE FROM request");
	ledger = open_ledger();
	assert_int_equal(ledger->next_id, 20001);
	ledger_close(ledger);
}

/* --- damage --- */

static void overwrite(const char *path, off_t at, size_t len)
{
	char garbage[4096];
	int fd = open(path, O_WRONLY);

	memset(garbage, 0x5a, sizeof(garbage));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, garbage, len, at), len);
	close(fd);
}

static void add_vm_and_requests(struct ledger *ledger)
{
	const struct ledger_vm vm = { .id = 4, .name = "vm4" };

	ledger_vm_put(ledger, &vm, NULL, NULL, NULL);
	do_requests(ledger, 2000);
	ledger_flush(ledger, NULL, NULL);
	ledger_wait(ledger, WAIT_MS);
}

static void count_vm(void *arg, const struct ledger_vm *vm)
{
	(void)vm;
	(*(unsigned *)arg)++;
}

static void test_damaged_database_is_set_aside(void **state)
{
	char aside[128];
	struct stat before, after;
	unsigned vms = 0;
	struct ledger *ledger = open_ledger();

	(void)state;
	add_vm_and_requests(ledger);
	ledger_close(ledger);
	/* An unclean end, and damage somewhere in the table of requests. */
	write_sql("UPDATE session SET ended_ns = NULL");
	overwrite(db_path,
		  number("SELECT pageno FROM (SELECT rootpage AS pageno FROM sqlite_schema "
			 "WHERE name = 'request')") *
				  4096 -
			  4096,
		  4096);
	assert_int_equal(stat(db_path, &before), 0);
	ledger = open_ledger();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", db_path);
	assert_int_equal(stat(aside, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(number("SELECT count(*) FROM event WHERE kind = 'ledger-set-aside'"), 1);
	/* What the file still had of the VMs was taken over, and ids go on. */
	ledger_vm_each(ledger, count_vm, &vms);
	assert_int_equal(vms, 1);
	assert_int_equal(ledger->next_id, 2001);
	do_requests(ledger, 10);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"), 10);
	ledger_close(ledger);
}

static void test_damage_after_a_clean_end_is_set_aside(void **state)
{
	char aside[128];
	unsigned vms = 0;
	struct ledger *ledger = open_ledger();

	(void)state;
	add_vm_and_requests(ledger);
	ledger_close(ledger);
	write_sql("DELETE FROM ledger");
	ledger = open_ledger();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", db_path);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(number("SELECT count(*) FROM event WHERE kind = 'ledger-set-aside'"), 1);
	ledger_vm_each(ledger, count_vm, &vms);
	assert_int_equal(vms, 1);
	assert_int_equal(ledger->next_id, 2001);
	ledger_close(ledger);
}

static void test_tables_that_are_not_ours_any_more(void **state)
{
	char aside[128];
	struct ledger *ledger = open_ledger();

	(void)state;
	add_vm_and_requests(ledger);
	ledger_close(ledger);
	write_sql("ALTER TABLE event RENAME COLUMN new_value TO nev_value");
	ledger = open_ledger();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", db_path);
	assert_int_equal(access(aside, F_OK), 0);
	do_requests(ledger, 10);
	ledger_close(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"), 10);
}

static void test_a_vm_without_a_name(void **state)
{
	char aside[128];
	struct ledger *ledger = open_ledger();

	(void)state;
	add_vm_and_requests(ledger);
	ledger_close(ledger);
	write_sql("ALTER TABLE vm RENAME TO vm_old;"
		  "CREATE TABLE vm (id INTEGER PRIMARY KEY, name, pool, priority, paused, connect, "
		  "created_ns, removed_ns);"
		  "INSERT INTO vm VALUES (1, NULL, 'A', 0, 0, NULL, 0, NULL)");
	ledger = open_ledger();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", db_path);
	assert_int_equal(access(aside, F_OK), 0);
	ledger_close(ledger);
}

static void test_no_database_at_all(void **state)
{
	char aside[128];
	struct ledger *ledger = open_ledger();

	(void)state;
	ledger_close(ledger);
	for (unsigned i = 1; i <= 2; i++) {
		overwrite(db_path, 0, 4096);
		ledger = open_ledger();
		snprintf(aside, sizeof(aside), "%s.corrupt-%u", db_path, i);
		assert_int_equal(access(aside, F_OK), 0);
		do_requests(ledger, 10);
		ledger_close(ledger);
		assert_int_equal(number("SELECT count(*) FROM request"), 10);
	}
}

static void test_damaged_after_kill_keeps_answered_ones(void **state)
{
	struct ledger *ledger;

	(void)state;
	config.batch_ms = 10000;
	in_killed_child(leave_some_open);
	overwrite(db_path, 0, 4096);
	ledger = open_ledger();
	/* What was still in the ring is in the new database, in the time of its session. */
	assert_int_equal(number("SELECT count(*) FROM request WHERE id BETWEEN 2 AND 23"), 22);
	assert_int_equal(number("SELECT count(*) FROM session"), 2);
	assert_int_equal(number("SELECT count(*) FROM request WHERE received_ns < "
				"(SELECT started_ns FROM session WHERE id = 1)"),
			 0);
	assert_int_equal(ledger->next_id, 24);
	assert_minutes_match_rows();
	ledger_close(ledger);
}

static void test_damaged_ring_is_set_aside(void **state)
{
	char aside[128];
	struct ledger *ledger;

	(void)state;
	config.batch_ms = 10000;
	in_killed_child(leave_some_open);
	/* Records 10 to 12: the ends of 6, and 7 as a whole. */
	overwrite(ring_path, 4096 + 10 * RING_RECORD_BYTES, 3 * RING_RECORD_BYTES);
	ledger = open_ledger();
	snprintf(aside, sizeof(aside), "%s.corrupt-1", ring_path);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(number("SELECT count(*) FROM event WHERE kind = 'ring-set-aside'"), 1);
	assert_int_equal(number("SELECT count(*) FROM request WHERE status IN (0, 8)"), 19);
	assert_int_equal(number("SELECT count(*) FROM request WHERE status = 7"), 3);
	assert_minutes_match_rows();
	do_requests(ledger, 300);
	flush(ledger);
	ledger_close(ledger);
	ledger = open_ledger();
	assert_int_equal(number("SELECT count(*) FROM event WHERE kind = 'ring-set-aside'"), 1);
	ledger_close(ledger);
}

/* --- a database, or a ring, that is not where it should be --- */

static int64_t events(const char *kind)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM event WHERE kind = '%s'", kind);
	return number(sql);
}

static bool is_there(const char *path, const char *suffix)
{
	char name[160];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return access(name, F_OK) == 0;
}

static void test_missing_and_empty_databases_are_told(void **state)
{
	struct ledger *ledger = open_ledger();

	(void)state;
	do_requests(ledger, 20);
	ledger_close(ledger);
	assert_int_equal(truncate(db_path, 0), 0);
	ledger = open_ledger();
	assert_int_equal(events("ledger-missing"), 1);
	assert_true(is_there(db_path, ".corrupt-1"));
	assert_int_equal(ledger->next_id, 21);
	ledger_close(ledger);
	assert_int_equal(unlink(db_path), 0);
	ledger = open_ledger();
	assert_int_equal(events("ledger-missing"), 1);
	assert_false(is_there(db_path, ".corrupt-2"));
	ledger_close(ledger);
	ledger = open_ledger();
	assert_int_equal(events("ledger-missing"), 1);
	ledger_close(ledger);
}

/* Without the file itself sqlite would remove its log. */
static void test_a_log_without_its_database_is_kept(void **state)
{
	char log[128];
	struct ledger *ledger = open_ledger();

	(void)state;
	ledger_close(ledger);
	assert_int_equal(unlink(ring_path), 0);
	assert_int_equal(unlink(db_path), 0);
	snprintf(log, sizeof(log), "%s-wal", db_path);
	assert_int_equal(close(open(log, O_CREAT | O_WRONLY, 0600)), 0);
	overwrite(log, 0, 100);
	ledger = open_ledger();
	assert_int_equal(events("ledger-missing"), 1);
	assert_true(is_there(db_path, ".corrupt-1-wal"));
	ledger_close(ledger);
}

/* As a first start leaves it that is killed. */
static void test_an_empty_database_beside_an_unused_ring_is_new(void **state)
{
	struct ring_report report;
	struct ring *ring;
	struct ledger *ledger;

	(void)state;
	assert_int_equal(ring_open(&ring, ring_path, 256, &report, why, sizeof(why)), 0);
	ring_close(ring);
	assert_int_equal(close(open(db_path, O_CREAT | O_WRONLY, 0600)), 0);
	ledger = open_ledger();
	assert_int_equal(number("SELECT count(*) FROM event"), 0);
	ledger_close(ledger);
	assert_int_equal(unlink(ring_path), 0);
	assert_int_equal(truncate(db_path, 0), 0);
	ledger = open_ledger();
	assert_int_equal(events("ledger-missing"), 1);
	ledger_close(ledger);
}

static void test_a_missing_ring_is_told(void **state)
{
	struct ledger *ledger = open_ledger();

	(void)state;
	assert_int_equal(events("ring-missing"), 0);
	do_requests(ledger, 20);
	ledger_close(ledger);
	assert_int_equal(unlink(ring_path), 0);
	ledger = open_ledger();
	assert_int_equal(events("ring-missing"), 1);
	do_requests(ledger, 20);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"), 40);
	ledger_close(ledger);
}

static void test_the_ring_of_another_database_is_set_aside(void **state)
{
	char other[128];
	struct ledger *ledger;

	(void)state;
	config.batch_ms = 10000;
	in_killed_child(leave_some_open);
	snprintf(other, sizeof(other), "%s/other", directory);
	assert_int_equal(rename(ring_path, other), 0);
	assert_int_equal(unlink(db_path), 0);
	config.batch_ms = 1;
	ledger = open_ledger();
	do_requests(ledger, 5);
	ledger_close(ledger);
	assert_int_equal(rename(other, ring_path), 0);
	ledger = open_ledger();
	assert_int_equal(events("ring-set-aside"), 1);
	assert_true(is_there(ring_path, ".corrupt-1"));
	assert_int_equal(number("SELECT count(*) FROM request"), 5);
	do_requests(ledger, 5);
	flush(ledger);
	assert_int_equal(number("SELECT count(*) FROM request"), 10);
	ledger_close(ledger);
	ledger = open_ledger();
	assert_int_equal(events("ring-set-aside"), 1);
	ledger_close(ledger);
}

/* --- refusals --- */

static void assert_refused(int err, const char *words)
{
	struct ledger *ledger;

	assert_int_equal(ledger_open(&ledger, &config, why, sizeof(why)), err);
	if (!strstr(why, words))
		fail_msg("'%s' lacks '%s'", why, words);
}

static void test_newer_and_foreign_databases_are_refused(void **state)
{
	struct ledger *ledger = open_ledger();

	(void)state;
	ledger_close(ledger);
	write_sql("PRAGMA user_version = 99");
	assert_refused(-ENOTSUP, "newer vgpud (schema 99");
	write_sql("PRAGMA user_version = 1; PRAGMA application_id = 5");
	assert_refused(-ENOTSUP, "not vgpud's");
	write_sql("PRAGMA application_id = 0x76677075");
	ledger = open_ledger();
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
		if (ledger_open(&ledger, &config, why, sizeof(why)) == 0 &&
		    write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_refused(-EBUSY, "another vgpud");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ledger = open_ledger();
	ledger_close(ledger);
}

static void test_bad_places_are_refused(void **state)
{
	(void)state;
	config.db_path = "/nonexistent/vgpud.db";
	assert_refused(-ENOENT, "/nonexistent/vgpud.db");
	config.db_path = db_path;
	config.ring_path = "/nonexistent/ring";
	assert_refused(-ENOENT, "/nonexistent/ring");
	config.ring_path = ring_path;
	config.ring_records = 1;
	assert_refused(-EINVAL, "records");
}

static void note_end(void *arg, int err)
{
	*(int *)arg = err;
}

/* A caller cannot tell it from the other: each function is there, and ends come from the loop. */
static void test_a_ledger_that_keeps_nothing(void **state)
{
	struct ledger *ledger = ledger_null_open();
	struct ledger_request request = request_of(ledger, 1);
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
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, note_end, &put), 0);
	assert_int_equal(ledger_vm_put(ledger, &vm, NULL, NULL, NULL), 0);
	assert_int_equal(put, 1);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_false(ledger_dispatch(ledger));
	assert_int_equal(put, 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	assert_int_equal(ledger_wait(ledger, WAIT_MS), 0);
	assert_int_equal(ledger_flush(ledger, note_end, &put), -EOPNOTSUPP);
	ledger_vm_each(ledger, count_vm, &vms);
	assert_int_equal(vms, 0);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.state, LEDGER_OFF);
	assert_null(stats.path);
	assert_in_range((uint64_t)ledger_wall_ns(ledger, util_now_ns()),
			(uint64_t)util_wall_ns() - UTIL_NS_PER_MINUTE,
			(uint64_t)util_wall_ns() + UTIL_NS_PER_MINUTE);
	assert_int_equal(ledger_vm_delete(ledger, 1, NULL, note_end, &deleted), 0);
	ledger_close(ledger);
	assert_int_equal(deleted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LEDGER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		LEDGER_TEST(test_a_request_becomes_a_row),
		LEDGER_TEST(test_views_speak_names),
		LEDGER_TEST(test_minutes_agree_with_rows),
		LEDGER_TEST(test_unknown_opcodes_share_a_minute),
		LEDGER_TEST(test_close_writes_all),
		LEDGER_TEST(test_killed_daemon_loses_nothing),
		LEDGER_TEST(test_replay_from_what_was_released),
		LEDGER_TEST(test_nothing_is_recorded_twice),
		LEDGER_TEST(test_ring_changes_size),
		LEDGER_TEST(test_full_ring_refuses_and_resumes),
		LEDGER_TEST(test_what_fails_anyway_leaves_room_for_others),
		LEDGER_TEST(test_a_flood_leaves_room_for_others),
		LEDGER_TEST(test_lossy_goes_on),
		LEDGER_TEST(test_vms_last),
		LEDGER_TEST(test_answers_come_at_close),
		LEDGER_TEST(test_events),
		LEDGER_TEST(test_events_are_bounded),
		LEDGER_TEST(test_retention_by_age),
		LEDGER_TEST(test_retention_doubts_a_clock_ahead),
		LEDGER_TEST(test_retention_after_a_clock_ahead),
		LEDGER_TEST(test_retention_by_size),
		LEDGER_TEST(test_damaged_database_is_set_aside),
		LEDGER_TEST(test_damage_after_a_clean_end_is_set_aside),
		LEDGER_TEST(test_tables_that_are_not_ours_any_more),
		LEDGER_TEST(test_a_vm_without_a_name),
		LEDGER_TEST(test_no_database_at_all),
		LEDGER_TEST(test_damaged_after_kill_keeps_answered_ones),
		LEDGER_TEST(test_damaged_ring_is_set_aside),
		LEDGER_TEST(test_missing_and_empty_databases_are_told),
		LEDGER_TEST(test_a_log_without_its_database_is_kept),
		LEDGER_TEST(test_an_empty_database_beside_an_unused_ring_is_new),
		LEDGER_TEST(test_a_missing_ring_is_told),
		LEDGER_TEST(test_the_ring_of_another_database_is_set_aside),
		LEDGER_TEST(test_newer_and_foreign_databases_are_refused),
		LEDGER_TEST(test_second_daemon_is_refused),
		LEDGER_TEST(test_bad_places_are_refused),
		LEDGER_TEST(test_a_ledger_that_keeps_nothing),
#undef LEDGER_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
