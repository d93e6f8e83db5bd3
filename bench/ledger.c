/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger.c - the ledger's cost for a request, rows a second, bytes on the disk, time of a query */

/*
 * usage: bench-ledger [ROWS [DIRECTORY [requests|submissions]]]
 * default: 1,000,000 rows in a temporary directory, of both
 *
 * The requests are those of a day: 7 VMs in 2 pools with 3 priorities. Prints JSON, one object a
 * line; bench.py makes a table of it.
 */

#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/ledger/query.h"
#include "vgpud/ledger/ring.h"

#define DAY_NS INT64_C(86400000000000)
#define BURST 20000u /* requests whose records the ring holds without the writer's help */
#define ROUNDS 5

static char db_path[256], ring_path[256];

static void die(const char *what)
{
	fprintf(stderr, "bench-ledger: %s\n", what);
	exit(1);
}

static uint64_t random_u64(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct ledger_request request_at(uint64_t id, uint64_t received_ns)
{
	uint64_t random = random_u64();
	struct ledger_request request = {
		.id = id,
		.received_ns = received_ns,
		.wait_ns = 2000 + random % 4096 * (random >> 60) * (random >> 56 & 15),
		.exec_ns = 9000 + (random >> 12) % 4096 + (random >> 52 & 15) * 1000,
		.vm_id = (uint32_t)(random >> 24) % 7,
		.guest_request_id = (uint32_t)id,
		.opcode = (random >> 32) % 4 ? VGPU_OP_CUDA_KERNEL : VGPU_OP_VECTOR_ADD,
		.request_bytes = 40,
		.response_bytes = 36,
		.executor = VGPU_EXECUTOR_CUDA,
	};

	request.total_ns = request.wait_ns + request.exec_ns + 3000;
	request.pool = (uint8_t)('A' + request.vm_id % 2);
	request.priority = (uint8_t)(request.vm_id % VGPU_PRIORITY_NUM);
	return request;
}

/* Return: nanoseconds that accepted and finished take of the loop thread, for one request. */
static double time_burst(struct ledger *ledger, uint64_t base_ns)
{
	uint64_t begin_ns = util_now_ns();

	for (unsigned i = 0; i < BURST; i++) {
		struct ledger_request request = request_at(ledger->next_id++, base_ns);

		if (ledger_accepted(ledger, &request))
			die("the ring is too small");
		ledger_finished(ledger, &request);
	}
	return (double)(util_now_ns() - begin_ns) / BURST;
}

static void wait_for_writer(struct ledger *ledger)
{
	ledger_flush(ledger, NULL, NULL);
	if (ledger_wait(ledger, 600000))
		die("the writer does not end");
}

/* Return: rows a second from accepted to committed. */
static double fill(struct ledger *ledger, uint64_t rows, uint64_t base_ns)
{
	uint64_t begin_ns = util_now_ns();
	uint64_t step_ns = (uint64_t)DAY_NS / rows;

	for (uint64_t i = 0; i < rows; i++) {
		struct ledger_request request = request_at(ledger->next_id, base_ns + i * step_ns);

		while (ledger_accepted(ledger, &request))
			poll(NULL, 0, 1);
		ledger_finished(ledger, &request);
		ledger->next_id++;
	}
	wait_for_writer(ledger);
	return (double)rows / ((double)(util_now_ns() - begin_ns) / 1e9);
}

/* --- submissions --- */

#define PROGRAMS 14u
#define ROWS_AT_ONCE 10u /* as vgpud takes them at the rate that a VM may have */

static int count_submissions(void *arg, const struct ledger_query_submissions *found)
{
	*(uint64_t *)arg += found->count;
	return 0;
}

/* What the worker of one program has counted. */
struct counted {
	uint64_t num, sum_ns, max_ns;
	struct hist latency;
};

static void submit(struct ledger *ledger, uint64_t id, struct counted *counted, int64_t at_ns)
{
	struct ledger_submission rows[ROWS_AT_ONCE];
	const struct ledger_submissions taken = { .program_id = id,
						  .at_ns = at_ns,
						  .latency = &counted->latency,
						  .rows = rows,
						  .row_num = ROWS_AT_ONCE };
	struct ledger_submissions now;

	for (unsigned i = 0; i < ROWS_AT_ONCE; i++) {
		uint64_t took_ns = 9000 + random_u64() % 4096 * (random_u64() % 16);

		rows[i] = (struct ledger_submission){ .first = ++counted->num,
						      .count = 1,
						      .begun_ns = at_ns - (int64_t)took_ns,
						      .ended_ns = at_ns,
						      .took_ns = took_ns,
						      .most_ns = took_ns,
						      .commands = 3 };
		counted->sum_ns += took_ns;
		counted->max_ns = took_ns > counted->max_ns ? took_ns : counted->max_ns;
		hist_add(&counted->latency, took_ns);
	}
	now = taken;
	now.sum_ns = counted->sum_ns;
	now.max_ns = counted->max_ns;
	while (ledger_submissions(ledger, &now, NULL, NULL) != 0) {
		poll(NULL, 0, 1);
		ledger_dispatch(ledger);
	}
}

/* Fills a day with them. Return: rows a second from the loop thread to committed. */
static double fill_submissions(struct ledger *ledger, uint64_t rows, uint64_t base_ns)
{
	static struct counted counted[PROGRAMS];
	uint64_t turns = rows / ROWS_AT_ONCE, first_id = ledger->next_program_id, begin_ns;
	int64_t begun_ns = ledger_wall_ns(ledger, base_ns);

	for (unsigned i = 0; i < PROGRAMS; i++) {
		const struct ledger_program program = { .id = ledger->next_program_id++,
							.begun_ns = base_ns,
							.vm_id = i % 7,
							.pool = (uint8_t)('A' + i % 2),
							.priority = (uint8_t)(i % 7 %
									      VGPU_PRIORITY_NUM) };

		if (ledger_program_begun(ledger, &program) != 0)
			die("no room for a program");
	}
	begin_ns = util_now_ns();
	for (uint64_t i = 0; i < turns; i++)
		submit(ledger, first_id + i % PROGRAMS, &counted[i % PROGRAMS],
		       begun_ns + 1000000000 + (int64_t)(i * ((uint64_t)DAY_NS / turns)));
	wait_for_writer(ledger);
	return (double)rows / ((double)(util_now_ns() - begin_ns) / 1e9);
}

static int ignore(void *arg, const struct ledger_query_stats *stats)
{
	*(uint64_t *)arg += stats->count;
	return 0;
}

/* Return: the shortest of some runs, in milliseconds. */
static double time_stats(struct ledger_query *query, const struct ledger_query_filter *filter,
			 enum ledger_query_by by, bool exact, uint64_t *count)
{
	double best_ms = 1e12;

	for (unsigned i = 0; i < (exact ? 1 : ROUNDS); i++) {
		struct ledger_query_window window;
		uint64_t begin_ns = util_now_ns();
		double ms;

		*count = 0;
		if (ledger_query_stats(query, filter, by, exact, &window, ignore, count))
			die(ledger_query_error(query));
		ms = (double)(util_now_ns() - begin_ns) / 1e6;
		best_ms = ms < best_ms ? ms : best_ms;
	}
	return best_ms;
}

static void print_one(const char *what, double ms, uint64_t count)
{
	printf("{\"name\":\"ledger-stats\",\"what\":\"%s\",\"ms\":%.3f,\"rows\":%llu}\n", what, ms,
	       (unsigned long long)count);
}

static void print_stats(struct ledger_query *query, const char *what, int64_t since_ns,
			int64_t until_ns, enum ledger_query_by by)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	uint64_t count;
	double ms;

	filter.since_ns = since_ns;
	filter.until_ns = until_ns;
	ms = time_stats(query, &filter, by, false, &count);
	print_one(what, ms, count);
}

/* Prints the shortest of some runs. */
static void print_submissions(struct ledger_query *query, const char *what, enum ledger_query_by by)
{
	struct ledger_query_filter all = LEDGER_QUERY_FILTER_ALL;
	double best_ms = 1e12;
	uint64_t count = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t begin_ns = util_now_ns();
		double ms;

		count = 0;
		if (ledger_query_submissions(query, &all, by, count_submissions, &count))
			die(ledger_query_error(query));
		ms = (double)(util_now_ns() - begin_ns) / 1e6;
		best_ms = ms < best_ms ? ms : best_ms;
	}
	print_one(what, best_ms, count);
}

static void bench_reading(int64_t begin_ns)
{
	struct ledger_query_filter all = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query *query;
	char why[512];
	uint64_t count;
	double exact_ms;

	if (ledger_query_open(&query, db_path, why, sizeof(why)))
		die(why);
	print_stats(query, "of the day", 0, INT64_MAX, LEDGER_QUERY_BY_NOTHING);
	print_stats(query, "of the day, by vm", 0, INT64_MAX, LEDGER_QUERY_BY_VM);
	print_stats(query, "23 h, odd ends, by vm", begin_ns + 1234567890123,
		    begin_ns + 84000123456789, LEDGER_QUERY_BY_VM);
	print_stats(query, "of an hour, by vm", begin_ns + DAY_NS / 2,
		    begin_ns + DAY_NS / 2 + DAY_NS / 24, LEDGER_QUERY_BY_VM);
	exact_ms = time_stats(query, &all, LEDGER_QUERY_BY_VM, true, &count);
	print_one("of the day, by vm, every row read", exact_ms, count);
	ledger_query_close(query);
}

static void bench(uint64_t rows)
{
	const struct ledger_config config = { .db_path = db_path,
					      .ring_path = ring_path,
					      .version = "bench" };
	struct ledger *ledger, *null = ledger_null_open();
	double null_ns, ring_ns, rows_per_s;
	struct stat st;
	char why[512];
	uint64_t base_ns = util_now_ns();

	if (!null || ledger_sqlite_open(&ledger, &config, why, sizeof(why)))
		die(why);
	null_ns = time_burst(null, base_ns);
	ring_ns = time_burst(ledger, base_ns);
	wait_for_writer(ledger);
	printf("{\"name\":\"ledger-records\",\"ns\":%.0f,\"without_ns\":%.0f}\n", ring_ns, null_ns);
	rows_per_s = fill(ledger, rows, base_ns + (uint64_t)DAY_NS / 1440);
	printf("{\"name\":\"ledger-fill\",\"rows\":%llu,\"rows_per_s\":%.0f}\n",
	       (unsigned long long)rows, rows_per_s);
	bench_reading(ledger_wall_ns(ledger, base_ns));
	ledger_close(ledger);
	ledger_close(null);
	if (stat(db_path, &st) == 0)
		printf("{\"name\":\"ledger-size\",\"bytes_per_row\":%.1f,\"record_bytes\":%d}\n",
		       (double)st.st_size / (double)(rows + BURST), RING_RECORD_BYTES);
}

/* The database has the requests of bench() besides. */
static void bench_submissions(uint64_t rows)
{
	const struct ledger_config config = { .db_path = db_path,
					      .ring_path = ring_path,
					      .version = "bench" };
	struct ledger_query *query;
	struct ledger *ledger;
	char why[512];

	if (ledger_sqlite_open(&ledger, &config, why, sizeof(why)))
		die(why);
	printf("{\"name\":\"ledger-submissions\",\"rows\":%llu,\"rows_per_s\":%.0f}\n",
	       (unsigned long long)rows, fill_submissions(ledger, rows, util_now_ns()));
	if (ledger_query_open(&query, db_path, why, sizeof(why)))
		die(why);
	print_submissions(query, "of submissions of a day", LEDGER_QUERY_BY_NOTHING);
	print_submissions(query, "of submissions of a day, by vm", LEDGER_QUERY_BY_VM);
	ledger_query_close(query);
	ledger_close(ledger);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_all(const char *directory)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	char temporary[] = "/tmp/vgpu-bench.XXXXXX";
	const char *directory = argc > 2 ? argv[2] : NULL;
	uint64_t rows = 1000000;

	if (argc > 4 || (argc > 1 && util_parse_u64(argv[1], 1, 1000000000, &rows))) {
		fprintf(stderr, "usage: bench-ledger [ROWS [DIRECTORY [requests|submissions]]]\n");
		return 2;
	}
	if (!directory)
		directory = mkdtemp(temporary);
	if (!directory)
		die("no temporary directory");
	snprintf(db_path, sizeof(db_path), "%s/vgpud.db", directory);
	snprintf(ring_path, sizeof(ring_path), "%s/vgpud.ring", directory);
	if (argc < 4 || strcmp(argv[3], "requests") == 0)
		bench(rows);
	if (argc < 4 || strcmp(argv[3], "submissions") == 0)
		bench_submissions(rows);
	if (directory == temporary)
		remove_all(temporary);
	return 0;
}
