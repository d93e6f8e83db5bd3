/* SPDX-License-Identifier: GPL-2.0-or-later */
/* submission_kill.c - kill -9 of vgpud and of workers: no submission lost from the sums, none twice */

/*
 * usage: submission_kill DIRECTORY [ROUNDS]
 *
 * Each round a child opens the ledger in DIRECTORY and plays the loop thread: it begins programs,
 * takes what their pages say into the ledger, and kills some of their workers. The workers are
 * children of it that close submissions as fast as they can, with the product's own code. The
 * parent kills the loop thread at a random instant; its workers die with it. How long the n-th
 * submission of a program took follows from n, and each worker notes in memory of the parent how
 * many it has closed. At the end the database must have of each program that many, or the one more
 * that it was closing, with exactly their sum, and rows without a gap.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/programs/harvest.h"
#include "worker/report.h"

#define WORKERS 3
#define PROGRAMS_MOST 100000u
#define LONGEST_ROUND_US 200000
#define OPENING_MOST_MS 60000
#define SHARED_BYTES ((PROGRAMS_MOST + 1) * sizeof(uint64_t))
#define LONGEST_LIFE_US 20000
#define ROWS_AT_ONCE 10
#define TOOK_MOST_NS 500u

static char directory[200], db_path[256], ring_path[256];
static const struct ledger_config config = { .db_path = db_path,
					     .ring_path = ring_path,
					     .ring_records = 4096,
					     .batch_ms = 5,
					     .version = "test" };

/* By program: how many its worker has closed. The workers write it, the parent reads it at the end. */
static uint64_t *closed;

/* The round whose loop thread has opened the ledger. It writes it, the parent reads it. */
static uint64_t *opened_in;

static void die(const char *what)
{
	fprintf(stderr, "submission_kill: %s: %s\n", what, strerror(errno));
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

static uint64_t took_of(uint64_t number)
{
	return number * 7919 % TOOK_MOST_NS + 1;
}

/* --- a worker --- */

static void work(uint64_t id, int fd, pid_t parent)
{
	struct vgpu_command command = { .op = VGPU_CMD_LAUNCH,
					.bytes = sizeof(struct vgpu_command) +
						 sizeof(struct vgpu_cmd_launch) };
	const struct cmds_entry *entry = cmds_find(command.op);
	static struct report report;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0); /* it was killed before that */
	report_begin(&report, report_map(fd));
	for (uint64_t number = 1;; number++) {
		report_command(&report, entry, &command);
		/* As many as a program can have, and no more; and time to be killed while one is open. */
		for (uint64_t end_ns = util_now_ns() + 2 * TOOK_MOST_NS; util_now_ns() < end_ns;)
			;
		report_close(&report, report.page->open_since_ns + took_of(number));
		__atomic_store_n(&closed[id], number, __ATOMIC_RELAXED);
	}
}

/* --- the loop thread --- */

struct runner {
	uint64_t id, until_ns;
	pid_t pid; /* 0: none runs */
	int fd;
	bool under_way;
	uint64_t to;
};

static struct ledger *ledger;

static void on_recorded(void *arg, int err)
{
	struct runner *runner = arg;

	runner->under_way = false;
	if (err == 0)
		harvest_took(runner->fd, runner->to);
}

static void begin(struct runner *runner)
{
	const struct ledger_program program = { .id = ledger->next_program_id,
						.begun_ns = util_now_ns(),
						.pool = 'A' };
	pid_t parent;

	if (program.id >= PROGRAMS_MOST || ledger_program_begun(ledger, &program) != 0)
		return;
	runner->id = ledger->next_program_id++;
	runner->until_ns = util_now_ns() + random_u64() % LONGEST_LIFE_US * UTIL_NS_PER_US;
	runner->fd = harvest_make(directory, runner->id, ledger->wall_offset_ns);
	if (runner->fd < 0)
		_exit(1);
	parent = getpid();
	runner->pid = fork();
	if (runner->pid < 0)
		_exit(1);
	if (runner->pid == 0)
		work(runner->id, runner->fd, parent);
}

/* As vgpud/programs does it when a worker has been reaped. */
static void end(struct runner *runner)
{
	static struct report_page page;
	struct ledger_program program = { .id = runner->id, .pool = 'A' };

	kill(runner->pid, SIGKILL);
	waitpid(runner->pid, NULL, 0);
	program.ended_ns = util_now_ns();
	ledger_program_ended(ledger, &program);
	if (harvest_copy(runner->fd, runner->id, &page) != 0)
		_exit(1);
	harvest_settle(ledger, directory, runner->id, &page, LEDGER_UNKNOWN);
	close(runner->fd);
	runner->pid = 0;
}

static void take(struct runner *runner)
{
	static struct report_page page;
	static struct harvest_taken taken;
	struct harvest_how how = { .rows_most = (unsigned)(random_u64() % ROWS_AT_ONCE),
				   .wall_offset_ns = ledger->wall_offset_ns };

	if (runner->under_way || harvest_copy(runner->fd, runner->id, &page) != 0)
		return;
	how.now_ns = ledger_wall_ns(ledger, util_now_ns());
	harvest_take(&page, runner->id, &how, &taken);
	runner->to = taken.to;
	runner->under_way = ledger_submissions(ledger, &taken.taken, on_recorded, runner) == 0;
}

static void open_ledger(void)
{
	char why[512];

	if (ledger_sqlite_open(&ledger, &config, why, sizeof(why)) != 0) {
		fprintf(stderr, "submission_kill: %s\n", why);
		exit(99);
	}
	harvest_rest(ledger, directory);
}

static void __attribute__((noreturn)) play_loop_thread(uint64_t round)
{
	static struct runner runners[WORKERS];

	open_ledger();
	__atomic_store_n(opened_in, round, __ATOMIC_RELEASE);
	for (;;) {
		for (unsigned i = 0; i < WORKERS; i++) {
			struct runner *runner = &runners[i];

			if (runner->pid == 0 && !runner->under_way)
				begin(runner);
			else if (runner->pid != 0 && util_now_ns() < runner->until_ns)
				take(runner);
			else if (runner->pid != 0 && !runner->under_way)
				end(runner);
		}
		ledger_dispatch(ledger);
		sched_yield();
	}
}

/* --- the parent --- */

/* A slow disk may need longer than a round to open a ledger: only some rounds are counted from there. */
static void wait_for_opening(uint64_t round)
{
	for (unsigned i = 0; i < OPENING_MOST_MS; i++) {
		if (__atomic_load_n(opened_in, __ATOMIC_ACQUIRE) == round)
			return;
		poll(NULL, 0, 1);
	}
	fprintf(stderr, "submission_kill: the ledger does not open\n");
	exit(99);
}

static void play_round(uint64_t round)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (pid == 0)
		play_loop_thread(round);
	if (round % 2 == 0)
		wait_for_opening(round);
	poll(NULL, 0, (int)(random_u64() % (LONGEST_ROUND_US / 1000)));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
		fprintf(stderr, "submission_kill: the child ended by itself\n");
		exit(99);
	}
}

/* Waits until the workers of those that were killed have gone, since they write their pages until then. */
static void wait_for_workers(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static unsigned tests_run, tests_failed;

static void report_test(bool ok, const char *what, uint64_t n)
{
	tests_run++;
	tests_failed += !ok;
	printf("%sok %u - %s: %llu\n", ok ? "" : "not ", tests_run, what, (unsigned long long)n);
}

/* What the database has of a program. */
struct found {
	uint64_t id, sum_ns, rows_to, rows, rows_count, rows_sum_ns, open;
	uint64_t count; /* by its histogram */
};

static bool read_found(sqlite3_stmt *row, struct found *found)
{
	const void *blob = sqlite3_column_blob(row, 7);
	struct hist hist = { 0 };

	*found = (struct found){
		.id = (uint64_t)sqlite3_column_int64(row, 0),
		.sum_ns = (uint64_t)sqlite3_column_int64(row, 1),
		.rows_to = (uint64_t)sqlite3_column_int64(row, 2),
		.rows = (uint64_t)sqlite3_column_int64(row, 3),
		.rows_count = (uint64_t)sqlite3_column_int64(row, 4),
		.rows_sum_ns = (uint64_t)sqlite3_column_int64(row, 5),
		.open = (uint64_t)sqlite3_column_int64(row, 6),
	};
	if (blob != NULL && hist_decode(&hist, blob, (size_t)sqlite3_column_bytes(row, 7)) != 0)
		return false;
	found->count = hist_total(&hist);
	return true;
}

static uint64_t sum_of(uint64_t count)
{
	uint64_t sum = 0;

	for (uint64_t number = 1; number <= count; number++)
		sum += took_of(number);
	return sum;
}

static bool is_right(const struct found *found)
{
	uint64_t told = closed[found->id];
	uint64_t sum_ns = sum_of(found->count);

	if ((found->count == told || found->count == told + 1) && found->sum_ns == sum_ns &&
	    found->rows_count == found->count && found->rows_sum_ns == sum_ns && found->open <= 1 &&
	    found->rows_to == found->count + found->open)
		return true;
	fprintf(stderr,
		"# program %llu: closed %llu, recorded %llu, their sum %llu ns of %llu; rows %llu, of "
		"%llu, %llu ns, to %llu, open %llu\n",
		(unsigned long long)found->id, (unsigned long long)told,
		(unsigned long long)found->count, (unsigned long long)found->sum_ns,
		(unsigned long long)sum_ns, (unsigned long long)found->rows,
		(unsigned long long)found->rows_count, (unsigned long long)found->rows_sum_ns,
		(unsigned long long)found->rows_to, (unsigned long long)found->open);
	return false;
}

static int64_t number(sqlite3 *conn, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t value = -1;

	if (sqlite3_prepare_v2(conn, sql, -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void check_programs(sqlite3 *conn)
{
	static const char sql[] =
		"SELECT g.id, latency_sum_ns, submissions_to, count(s.id), "
		"coalesce(sum(iif(ended_ns_ IS NULL, 0, count)), 0), coalesce(sum(took_ns), 0), "
		"coalesce(sum(s.id IS NOT NULL AND ended_ns_ IS NULL), 0), latency_hist "
		"FROM program AS g LEFT JOIN (SELECT id, program_id, count, ended_ns AS ended_ns_, "
		"took_ns FROM submission) AS s ON s.program_id = g.id GROUP BY g.id";
	uint64_t wrong = 0, programs = 0, submissions = 0, told = 0, open = 0;
	sqlite3_stmt *row;
	struct found found;

	if (sqlite3_prepare_v2(conn, sql, -1, &row, NULL) != SQLITE_OK)
		die(sqlite3_errmsg(conn));
	while (sqlite3_step(row) == SQLITE_ROW) {
		wrong += !read_found(row, &found) || !is_right(&found);
		programs++;
		submissions += found.count;
		open += found.open;
	}
	sqlite3_finalize(row);
	for (uint64_t id = 0; id < PROGRAMS_MOST; id++)
		told += closed[id];
	printf("# programs %llu, submissions closed %llu, recorded %llu, open %llu, rows %lld\n",
	       (unsigned long long)programs, (unsigned long long)told,
	       (unsigned long long)submissions, (unsigned long long)open,
	       (long long)number(conn, "SELECT count(*) FROM submission"));
	report_test(told > 0, "closed submissions", told);
	report_test(wrong == 0, "programs whose submissions are not each there once", wrong);
	report_test(
		number(conn, "SELECT sum(count) FROM submission_minute") == (int64_t)submissions &&
			number(conn, "SELECT sum(open) FROM submission_minute") == (int64_t)open,
		"submissions in the minutes", submissions);
}

static void check(void)
{
	sqlite3 *conn;

	open_ledger();
	ledger_close(ledger);
	if (sqlite3_open_v2(db_path, &conn, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		die("cannot open the database");
	check_programs(conn);
	report_test(number(conn, "SELECT quick_check = 'ok' FROM pragma_quick_check") == 1,
		    "database sound", 1);
	printf("1..%u\n", tests_run);
	sqlite3_close(conn);
}

int main(int argc, char **argv)
{
	uint64_t rounds = 20;

	if (argc < 2 || argc > 3 || (argc == 3 && util_parse_u64(argv[2], 1, 100000, &rounds))) {
		fprintf(stderr, "usage: submission_kill DIRECTORY [ROUNDS]\n");
		return 2;
	}
	snprintf(directory, sizeof(directory), "%s", argv[1]);
	snprintf(db_path, sizeof(db_path), "%s/vgpud.db", directory);
	snprintf(ring_path, sizeof(ring_path), "%s/vgpud.ring", directory);
	closed = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (closed == MAP_FAILED)
		die("mmap");
	opened_in = &closed[PROGRAMS_MOST];
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	printf("# %llu rounds\n", (unsigned long long)rounds);
	fflush(stdout);
	for (uint64_t i = 1; i <= rounds; i++) {
		play_round(i);
		wait_for_workers();
	}
	check();
	munmap(closed, SHARED_BYTES);
	return tests_failed > 0;
}
