/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture.c - a ledger in a directory of its own, for the tests of the ledger */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/hist.h"
#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "tests/unit/ledger/fixture.h"
#include "tests/unit/ledger/ledger_check.h"
#include "tests/unit/scratch.h"

struct fixture fixture;

int fixture_set_up(void **state)
{
	(void)state;
	/* Nothing here asks whether it was synced. */
	snprintf(fixture.directory, sizeof(fixture.directory), "%s/vgpu-ledger.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(fixture.directory))
		return -1;
	snprintf(fixture.db_path, sizeof(fixture.db_path), "%s/vgpud.db", fixture.directory);
	snprintf(fixture.ring_path, sizeof(fixture.ring_path), "%s/ring", fixture.directory);
	fixture.config = (struct ledger_config){
		.db_path = fixture.db_path,
		.ring_path = fixture.ring_path,
		.ring_records = 256,
		.batch_ms = 1,
		.version = "0.0.0-test",
		.host = "testhost",
	};
	return 0;
}

int fixture_tear_down(void **state)
{
	(void)state;
	return scratch_remove(fixture.directory);
}

struct ledger *fixture_open(void)
{
	struct ledger *ledger;
	int err = ledger_sqlite_open(&ledger, &fixture.config, fixture.why, sizeof(fixture.why));

	if (err)
		fail_msg("%s", fixture.why);
	return ledger;
}

struct ledger_request fixture_request(const struct ledger *ledger, uint64_t n)
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

int fixture_accept(struct ledger *ledger, struct ledger_request *request)
{
	struct ledger_request before;

	*request = fixture_request(ledger, ledger->next_id++);
	before = *request;
	before.status = VGPU_ERR_OK;
	return ledger_accepted(ledger, &before);
}

void fixture_do_requests(struct ledger *ledger, unsigned n)
{
	struct ledger_request request;

	for (unsigned i = 0; i < n; i++) {
		while (fixture_accept(ledger, &request) != 0) {
			ledger->next_id--;
			poll(NULL, 0, 1);
		}
		ledger_finished(ledger, &request);
	}
}

void fixture_note_end(void *arg, int err)
{
	*(int *)arg = err;
}

void fixture_flush(struct ledger *ledger)
{
	int err = 1;

	assert_int_equal(ledger_flush(ledger, fixture_note_end, &err), 0);
	assert_int_equal(ledger_wait(ledger, FIXTURE_WAIT_MS), 0);
	assert_int_equal(err, 0);
}

static sqlite3 *open_reader(const char *path)
{
	sqlite3 *conn;

	assert_int_equal(sqlite3_open_v2(path, &conn, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_busy_timeout(conn, FIXTURE_WAIT_MS);
	return conn;
}

int64_t fixture_number_in(const char *path, const char *sql)
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

int64_t fixture_number(const char *sql)
{
	return fixture_number_in(fixture.db_path, sql);
}

void fixture_write_sql(const char *sql)
{
	sqlite3 *conn;

	assert_int_equal(sqlite3_open(fixture.db_path, &conn), SQLITE_OK);
	/* A ledger that is open may be writing. */
	sqlite3_busy_timeout(conn, FIXTURE_WAIT_MS);
	if (sqlite3_exec(conn, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(conn));
	sqlite3_close(conn);
}

void fixture_assert_minutes(void)
{
	static struct hist hist;
	sqlite3 *conn = open_reader(fixture.db_path);
	sqlite3_stmt *statement;
	uint64_t total = 0;

	assert_int_equal(fixture_number(LEDGER_DISAGREEMENTS), 0);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM program AS g LEFT JOIN (SELECT program_id, "
			       "sum(billed_ns) AS billed_ns, sum(launches) AS launches FROM "
			       "program_minute GROUP BY 1) AS m ON m.program_id = g.id WHERE "
			       "g.billed_ns IS NOT m.billed_ns OR g.launches IS NOT m.launches"),
		0);
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
	assert_int_equal(total, fixture_number("SELECT count(wait_ns) FROM request"));
}

void fixture_in_killed_child(void (*work)(struct ledger *ledger))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct ledger *ledger;

		if (ledger_sqlite_open(&ledger, &fixture.config, fixture.why, sizeof(fixture.why)))
			_exit(1);
		work(ledger);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

void fixture_leave_some_open(struct ledger *ledger)
{
	struct ledger_request first, request;

	fixture_accept(ledger, &first); /* 1, which the writer has seen: it is pending */
	ledger_flush(ledger, NULL, NULL);
	ledger_wait(ledger, FIXTURE_WAIT_MS);
	fixture_do_requests(ledger, 20);  /* 2 to 21 */
	fixture_accept(ledger, &request); /* 22, in the ring alone */
	fixture_accept(ledger, &request); /* 23 */
	ledger_finished(ledger, &request);
}

void fixture_wait_until(const char *sql, int64_t value)
{
	for (int i = 0; i < FIXTURE_WAIT_MS / 10 && fixture_number(sql) != value; i++)
		poll(NULL, 0, 10);
	assert_int_equal(fixture_number(sql), value);
}

void fixture_overwrite(const char *path, off_t at, size_t len)
{
	char garbage[4096];
	int fd = open(path, O_WRONLY);

	memset(garbage, 0x5a, sizeof(garbage));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, garbage, len, at), len);
	close(fd);
}

void fixture_count_vm(void *arg, const struct ledger_vm *vm)
{
	(void)vm;
	(*(unsigned *)arg)++;
}

void fixture_add_vm_and_requests(struct ledger *ledger)
{
	const struct ledger_vm vm = { .id = 4, .name = "vm4" };

	ledger_vm_put(ledger, &vm, NULL, NULL, NULL);
	fixture_do_requests(ledger, 2000);
	ledger_flush(ledger, NULL, NULL);
	ledger_wait(ledger, FIXTURE_WAIT_MS);
}

int64_t fixture_events(const char *kind)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM event WHERE kind = '%s'", kind);
	return fixture_number(sql);
}

bool fixture_is_there(const char *path, const char *suffix)
{
	char name[160];

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return access(name, F_OK) == 0;
}

void fixture_assert_refused(int err, const char *words)
{
	struct ledger *ledger;

	assert_int_equal(
		ledger_sqlite_open(&ledger, &fixture.config, fixture.why, sizeof(fixture.why)),
		err);
	if (!strstr(fixture.why, words))
		fail_msg("'%s' lacks '%s'", fixture.why, words);
}

sqlite3 *fixture_block_writer(void)
{
	sqlite3 *conn;

	assert_int_equal(sqlite3_open(fixture.db_path, &conn), SQLITE_OK);
	sqlite3_busy_timeout(conn, FIXTURE_WAIT_MS);
	assert_int_equal(sqlite3_exec(conn, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return conn;
}
