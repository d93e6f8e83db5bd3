/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger_kill.c - kill -9 at random instants: no answered request lost, none recorded twice */

/*
 * usage: ledger_kill DIRECTORY [ROUNDS]
 *
 * Each round a child opens the ledger in DIRECTORY and plays the loop thread at full speed:
 * requests are accepted and end in any order, and each id is written to a pipe as soon as
 * finished() has returned, which is when a guest would be answered. The parent kills it at a random
 * instant, be it in the middle of a start. At the end every id that came through the pipe must be
 * in the database, once, with the contents that follow from it. Programs of guests begin and end among
 * the requests: each that ended has its row, and each row has one end.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "tests/unit/ledger/ledger_check.h"
#include "vgpud/ledger/ledger.h"

#define IN_FLIGHT 32
#define LONGEST_ROUND_US 120000
#define LONGEST_START_NS (60 * UTIL_NS_PER_S)
/* From the child: the number of records met twice at the start. */
#define ALARM (UINT64_C(1) << 63)
#define PROGRAM (UINT64_C(1) << 62) /* from the child: with the id of a program that has ended */
#define PROGRAM_EVERY 8		    /* requests */

static char db_path[256], ring_path[256];
static struct ledger_config config = { .db_path = db_path,
				       .ring_path = ring_path,
				       .ring_records = 4096,
				       .batch_ms = 5,
				       .version = "test" };

/* What came through the pipe, by id. */
struct ids {
	uint8_t *there;
	uint64_t max, num;
};

static struct ids answered, ended;
static uint64_t alarms;

static void die(const char *what)
{
	fprintf(stderr, "ledger_kill: %s: %s\n", what, strerror(errno));
	exit(99);
}

static uint64_t random_u64(void)
{
	static uint64_t state;

	if (!state)
		state = util_now_ns() ^ (uint64_t)getpid() << 40;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* --- the child --- */

static struct ledger_request request_of(uint64_t id)
{
	return (struct ledger_request){
		.id = id,
		.received_ns = util_now_ns(),
		.wait_ns = id % 1000003,
		.exec_ns = id % 10007,
		.total_ns = id % 1000003 + id % 10007,
		.vm_id = (uint32_t)(id % 7),
		.guest_request_id = (uint32_t)id,
		.opcode = (uint32_t)(id % 4),
		.pool = (uint8_t)('A' + id % 2),
		.priority = (uint8_t)(id % VGPU_PRIORITY_NUM),
		.executor = VGPU_EXECUTOR_CPU,
		.request_bytes = 40,
		.response_bytes = 36,
	};
}

static void tell(int fd, uint64_t value)
{
	if (write(fd, &value, sizeof(value)) != sizeof(value))
		_exit(1);
}

static struct ledger_program program_of(uint64_t id)
{
	struct ledger_program program = {
		.id = id,
		.begun_ns = util_now_ns(),
		.vm_id = (uint32_t)(id % 7),
		.pid = (uint32_t)id,
		.pool = 'A',
		.executor = VGPU_EXECUTOR_CPU,
		.billed_ns = id * 3,
		.launches = id * 5,
	};

	snprintf(program.name, sizeof(program.name), "p%llu", (unsigned long long)id);
	return program;
}

/* One begins, if there is room, and one of those that run ends. */
static void play_programs(struct ledger *ledger, struct ledger_program *programs, unsigned *num,
			  int fd)
{
	struct ledger_program next = program_of(ledger->next_program_id);
	unsigned i;

	if (*num < IN_FLIGHT && ledger_program_begun(ledger, &next) == 0) {
		ledger->next_program_id++;
		programs[(*num)++] = next;
	}
	if (*num == 0 || random_u64() % 2)
		return;
	i = (unsigned)(random_u64() % *num);
	programs[i].ended_ns = util_now_ns();
	ledger_program_ended(ledger, &programs[i]);
	tell(fd, PROGRAM | programs[i].id);
	programs[i] = programs[--*num];
}

static void play_loop_thread(int fd)
{
	struct ledger_request in_flight[IN_FLIGHT];
	struct ledger_stats stats;
	struct ledger_program programs[IN_FLIGHT];
	unsigned n = 0, program_num = 0, turns = 0;
	struct ledger *ledger;
	char why[512];

	if (ledger_sqlite_open(&ledger, &config, why, sizeof(why))) {
		fprintf(stderr, "ledger_kill: %s\n", why);
		_exit(1);
	}
	ledger_stats(ledger, &stats);
	if (stats.duplicates || stats.damaged)
		tell(fd, ALARM | (stats.duplicates + stats.damaged));
	for (;;) {
		while (n < IN_FLIGHT) {
			in_flight[n] = request_of(ledger->next_id);
			if (ledger_accepted(ledger, &in_flight[n]))
				break;
			ledger->next_id++;
			n++;
		}
		if (n > 0) {
			unsigned i = (unsigned)(random_u64() % n);

			ledger_finished(ledger, &in_flight[i]);
			tell(fd, in_flight[i].id);
			in_flight[i] = in_flight[--n];
		}
		if (++turns % PROGRAM_EVERY == 0)
			play_programs(ledger, programs, &program_num, fd);
	}
}

/* --- the parent --- */

static void note_id(struct ids *ids, uint64_t id)
{
	if (id >= ids->max) {
		uint64_t max = 2 * id + 1024;

		ids->there = realloc(ids->there, max);
		if (!ids->there)
			die("no memory");
		memset(ids->there + ids->max, 0, max - ids->max);
		ids->max = max;
	}
	if (!ids->there[id])
		ids->num++;
	else
		alarms++;
	ids->there[id] = 1;
}

static void note_told(uint64_t told)
{
	if (told & ALARM)
		alarms++;
	else if (told & PROGRAM)
		note_id(&ended, told & ~PROGRAM);
	else
		note_id(&answered, told);
}

/* Return: whether there may be more to read. */
static bool read_ids(int fd)
{
	uint64_t ids[512];
	ssize_t n = read(fd, ids, sizeof(ids));

	if (n < 0)
		die("read");
	for (size_t i = 0; i < (size_t)n / sizeof(ids[0]); i++)
		note_told(ids[i]);
	return n > 0;
}

/* from_answer: the child lives until its first answer at least, else its start may be all it had. */
static void play_round(bool from_answer)
{
	uint64_t life_ns = random_u64() % LONGEST_ROUND_US * UTIL_NS_PER_US;
	uint64_t end_ns = util_now_ns() + (from_answer ? LONGEST_START_NS : life_ns);
	uint64_t before = answered.num;
	int fds[2], status;
	bool killed = false;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(fds[0]);
		play_loop_thread(fds[1]);
	}
	close(fds[1]);
	for (;;) {
		struct pollfd pfd = { .fd = fds[0], .events = POLLIN };
		uint64_t now_ns = util_now_ns();
		struct timespec left = { 0 };

		if (from_answer && answered.num > before) {
			end_ns = now_ns + life_ns;
			from_answer = false;
		}
		if (!killed && now_ns >= end_ns) {
			kill(pid, SIGKILL);
			killed = true;
		}
		if (!killed)
			left = (struct timespec){
				.tv_sec = (time_t)((end_ns - now_ns) / UTIL_NS_PER_S),
				.tv_nsec = (long)((end_ns - now_ns) % UTIL_NS_PER_S)
			};
		if (ppoll(&pfd, 1, killed ? NULL : &left, NULL) > 0 && !read_ids(fds[0]))
			break;
	}
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		fprintf(stderr, "ledger_kill: the child ended by itself\n");
		exit(99);
	}
}

static sqlite3 *conn;

static int64_t number(const char *sql)
{
	sqlite3_stmt *statement;
	int64_t value = -1;

	if (sqlite3_prepare_v2(conn, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	else
		fprintf(stderr, "ledger_kill: %s\n", sqlite3_errmsg(conn));
	sqlite3_finalize(statement);
	return value;
}

static const char good_requests[] =
	"SELECT id FROM request WHERE status = 0 AND wait_ns = id % 1000003 "
	"AND exec_ns = id % 10007 AND total_ns = wait_ns + exec_ns "
	"AND vm_id = id % 7 AND guest_request_id = id AND opcode = id % 4 "
	"AND pool = char(65 + id % 2) AND priority = id % 3 AND executor = 1 "
	"AND request_bytes = 40 AND response_bytes = 36";
static const char good_programs[] =
	"SELECT id FROM program WHERE why = 0 AND ended_ns >= begun_ns AND pid = id AND "
	"name = 'p' || id AND vm_id = id % 7 AND billed_ns = id * 3 AND launches = id * 5";

/* sql: gives the ids of rows with the right contents. Return: how many of ids have no such row. */
static uint64_t count_lost(const struct ids *ids, const char *sql)
{
	sqlite3_stmt *statement;
	uint64_t found = 0;

	if (sqlite3_prepare_v2(conn, sql, -1, &statement, NULL) != SQLITE_OK)
		die(sqlite3_errmsg(conn));
	while (sqlite3_step(statement) == SQLITE_ROW) {
		uint64_t id = (uint64_t)sqlite3_column_int64(statement, 0);

		found += id < ids->max && ids->there[id];
	}
	sqlite3_finalize(statement);
	return ids->num - found;
}

static unsigned tests_run, tests_failed;

static void report(bool ok, const char *what, uint64_t n)
{
	tests_run++;
	tests_failed += !ok;
	printf("%sok %u - %s: %llu\n", ok ? "" : "not ", tests_run, what, (unsigned long long)n);
}

static void check_programs(void)
{
	int64_t n;

	printf("# programs ended %llu, rows %lld, lost with a daemon %lld\n",
	       (unsigned long long)ended.num, (long long)number("SELECT count(*) FROM program"),
	       (long long)number("SELECT count(*) FROM program WHERE why = 33"));
	report(ended.num > 0, "ended programs", ended.num);
	n = (int64_t)count_lost(&ended, good_programs);
	report(n == 0, "ended programs without their row", (uint64_t)n);
	n = number("SELECT count(*) FROM program WHERE why IS NULL OR why NOT IN (0, 33) OR "
		   "(why = 33) <> (ended_ns IS NULL)");
	report(n == 0, "programs without an end, or with another than theirs", (uint64_t)n);
	n = number("SELECT count(*) - count(DISTINCT pid) FROM program");
	report(n == 0, "programs with two rows", (uint64_t)n);
}

static void check(void)
{
	struct ledger *ledger;
	char why[512];
	int64_t rows, n;

	if (ledger_sqlite_open(&ledger, &config, why, sizeof(why))) {
		fprintf(stderr, "ledger_kill: %s\n", why);
		exit(99);
	}
	ledger_close(ledger);
	if (sqlite3_open_v2(db_path, &conn, SQLITE_OPEN_READONLY, NULL))
		die("cannot open the database");
	rows = number("SELECT count(*) FROM request");
	printf("# answered %llu, rows %lld, lost with a daemon %lld\n",
	       (unsigned long long)answered.num, (long long)rows,
	       (long long)number("SELECT count(*) FROM request WHERE status = 7"));
	report(answered.num > 0, "answered requests", answered.num);
	n = (int64_t)count_lost(&answered, good_requests);
	report(n == 0, "answered requests without their row", (uint64_t)n);
	n = rows - number("SELECT count(DISTINCT guest_request_id) FROM request");
	report(n == 0, "requests with two rows", (uint64_t)n);
	report(alarms == 0, "ids given twice, records met twice or damaged", alarms);
	n = number("SELECT count(*) FROM request WHERE status NOT IN (0, 7)");
	report(n == 0, "rows with another end than theirs", (uint64_t)n);
	n = number(LEDGER_DISAGREEMENTS);
	report(n == 0, "minutes that disagree with their rows", (uint64_t)n);
	n = number("SELECT count(*) FROM pending");
	report(n == 0, "requests still pending", (uint64_t)n);
	check_programs();
	report(number("SELECT quick_check = 'ok' FROM pragma_quick_check") == 1, "database sound",
	       1);
	printf("1..%u\n", tests_run);
	sqlite3_close(conn);
}

int main(int argc, char **argv)
{
	uint64_t rounds = 20;

	if (argc < 2 || argc > 3 || (argc == 3 && util_parse_u64(argv[2], 1, 100000, &rounds))) {
		fprintf(stderr, "usage: ledger_kill DIRECTORY [ROUNDS]\n");
		return 2;
	}
	snprintf(db_path, sizeof(db_path), "%s/vgpud.db", argv[1]);
	snprintf(ring_path, sizeof(ring_path), "%s/vgpud.ring", argv[1]);
	printf("# %llu rounds\n", (unsigned long long)rounds);
	fflush(stdout);
	for (uint64_t i = 0; i < rounds; i++)
		play_round(i % 2 == 1);
	check();
	free(answered.there);
	free(ended.there);
	return tests_failed ? 1 : 0;
}
