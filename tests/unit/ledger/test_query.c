/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_query.c - reading the ledger: statistics against brute force, listings, blame */

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
#include <sqlite3.h>
#include <unistd.h>

#include "common/hist.h"
#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "tests/unit/scratch.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/ledger/opcode.h"
#include "vgpud/ledger/query_private.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define WAIT_MS 60000
#define MINUTE INT64_C(60000000000)
#define REQUESTS_MOST 20000

static char directory[64], db_path[96], ring_path[96], why[512];
static struct ledger_config config;
static struct ledger_query *query;

/* The recorded requests, received_ns as wall time. */
static struct ledger_request known[REQUESTS_MOST];
static size_t known_num;

static uint64_t random_u64(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/vgpu-query.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/vgpud.db", directory);
	snprintf(ring_path, sizeof(ring_path), "%s/ring", directory);
	config = (struct ledger_config){
		.db_path = db_path,
		.ring_path = ring_path,
		.ring_records = 8192,
		.batch_ms = 1,
		.version = "0.0.0-test",
		.host = "testhost",
	};
	known_num = 0;
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

	if (ledger_sqlite_open(&ledger, &config, why, sizeof(why)))
		fail_msg("%s", why);
	return ledger;
}

static void open_query(void)
{
	if (ledger_query_open(&query, db_path, why, sizeof(why)))
		fail_msg("%s", why);
}

/* Records a request that is complete. */
static void record(struct ledger *ledger, struct ledger_request request)
{
	request.id = ledger->next_id++;
	while (ledger_accepted(ledger, &request))
		poll(NULL, 0, 1);
	ledger_finished(ledger, &request);
	request.received_ns = (uint64_t)ledger_wall_ns(ledger, request.received_ns);
	known[known_num++] = request;
}

static void flush(struct ledger *ledger)
{
	ledger_flush(ledger, NULL, NULL);
	assert_int_equal(ledger_wait(ledger, WAIT_MS), 0);
}

#define OPCODE(value, ...) value,
static const uint32_t opcodes[] = { VGPU_OPCODE_TABLE(OPCODE) };
#undef OPCODE

static struct ledger_request random_request(uint64_t received_ns)
{
	struct ledger_request request = {
		.received_ns = received_ns,
		.wait_ns = random_u64() >> (24 + random_u64() % 30),
		.exec_ns = random_u64() >> (34 + random_u64() % 20),
		.vm_id = (uint32_t)(random_u64() % 5),
		.guest_request_id = (uint32_t)random_u64(),
		.opcode = random_u64() % 10 ? opcodes[random_u64() % VGPU_OPCODE_NUM]
					    : (uint32_t)(random_u64() % 1000 + 100),
		.status = random_u64() % 8 ? VGPU_ERR_OK
					   : (uint32_t)(random_u64() % VGPU_ERROR_NUM),
		.request_bytes = 40,
		.response_bytes = 36,
		.pool = (uint8_t)('A' + random_u64() % 2),
		.priority = (uint8_t)(random_u64() % VGPU_PRIORITY_NUM),
		.executor = VGPU_EXECUTOR_CPU,
	};

	if (request.status == VGPU_ERR_BAD_OPCODE) {
		request.executor = VGPU_EXECUTOR_NONE;
		request.exec_ns = 0;
	}
	request.total_ns = request.wait_ns + request.exec_ns;
	return request;
}

static void write_sql(const char *sql)
{
	sqlite3 *conn;

	assert_int_equal(sqlite3_open(db_path, &conn), SQLITE_OK);
	if (sqlite3_exec(conn, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(conn));
	sqlite3_close(conn);
}

/* Two sessions and some ten minutes of requests, which reach into the future. */
static void record_random(size_t n)
{
	struct ledger *ledger = open_ledger();
	uint64_t at_ns = util_now_ns();

	for (size_t i = 0; i < n; i++) {
		if (i == n / 3) {
			ledger_close(ledger);
			ledger = open_ledger();
		}
		record(ledger, random_request(at_ns));
		at_ns += random_u64() % (2 * 600 * UTIL_NS_PER_S / n);
	}
	ledger_close(ledger);
	write_sql("UPDATE session SET ended_ns = NULL");
}

/* --- statistics against brute force --- */

static int64_t key_of(const struct ledger_request *r, enum ledger_query_by by)
{
	switch (by) {
	case LEDGER_QUERY_BY_VM:
		return r->vm_id;
	case LEDGER_QUERY_BY_POOL:
		return r->pool;
	case LEDGER_QUERY_BY_PRIORITY:
		return r->priority;
	case LEDGER_QUERY_BY_OPCODE:
		return ledger_opcode(r->opcode);
	default:
		return 0;
	}
}

static bool is_or_any(int64_t want, int64_t is)
{
	return want == LEDGER_QUERY_ANY || want == is;
}

static bool passes(const struct ledger_query_filter *filter, const struct ledger_request *r)
{
	return (int64_t)r->received_ns >= filter->since_ns &&
	       (int64_t)r->received_ns < filter->until_ns && is_or_any(filter->vm_id, r->vm_id) &&
	       is_or_any(filter->pool, r->pool) && is_or_any(filter->priority, r->priority) &&
	       is_or_any(filter->opcode, ledger_opcode(r->opcode)) &&
	       (filter->status == LEDGER_QUERY_STATUS_ERROR ? r->status != 0
							    : is_or_any(filter->status, r->status));
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void assert_times(const struct ledger_query_times *times, uint64_t *values, uint64_t n,
			 bool exact)
{
	static const uint32_t q_ppm[] = { 500000, 900000, 990000, 999000 };
	const int64_t got[] = { times->p50_ns, times->p90_ns, times->p99_ns, times->p999_ns };
	int64_t sum = 0;

	qsort(values, n, sizeof(values[0]), compare_u64);
	for (uint64_t i = 0; i < n; i++)
		sum += (int64_t)values[i];
	assert_int_equal(times->count, n);
	assert_int_equal(times->sum_ns, sum);
	assert_int_equal(times->max_ns, n ? values[n - 1] : 0);
	for (unsigned i = 0; i < LEN(q_ppm); i++) {
		int64_t want = n ? (int64_t)values[hist_rank(n, q_ppm[i]) - 1] : 0;
		int64_t off = got[i] > want ? got[i] - want : want - got[i];

		if (exact)
			assert_int_equal(got[i], want);
		else
			assert_true(off * 64 <= want);
	}
}

struct comparison {
	const struct ledger_query_filter *filter;
	enum ledger_query_by by;
	bool exact;
	int64_t last_key;
	uint64_t count;
};

static int compare_group(void *arg, const struct ledger_query_stats *stats)
{
	static uint64_t wait[REQUESTS_MOST], exec[REQUESTS_MOST], total[REQUESTS_MOST];
	struct comparison *c = arg;
	uint64_t n = 0, ran = 0, errors = 0;

	assert_true(stats->key > c->last_key);
	c->last_key = stats->key;
	for (size_t i = 0; i < known_num; i++) {
		const struct ledger_request *r = &known[i];

		if (!passes(c->filter, r) || key_of(r, c->by) != stats->key)
			continue;
		wait[n] = r->wait_ns;
		total[n++] = r->total_ns;
		if (r->executor != VGPU_EXECUTOR_NONE)
			exec[ran++] = r->exec_ns;
		errors += r->status != 0;
	}
	assert_true(n > 0);
	assert_int_equal(stats->count, n);
	assert_int_equal(stats->errors, errors);
	assert_times(&stats->wait, wait, n, c->exact);
	assert_times(&stats->exec, exec, ran, c->exact);
	assert_times(&stats->total, total, n, c->exact);
	c->count += n;
	return 0;
}

static void compare_stats(const struct ledger_query_filter *filter, enum ledger_query_by by,
			  bool exact)
{
	struct comparison c = { filter, by, exact, INT64_MIN, 0 };
	struct ledger_query_window window;
	uint64_t count = 0;

	assert_int_equal(ledger_query_stats(query, filter, by, exact, &window, compare_group, &c),
			 0);
	assert_int_equal(window.since_ns, filter->since_ns);
	assert_int_equal(window.until_ns, filter->until_ns);
	assert_false(window.widened);
	for (size_t i = 0; i < known_num; i++)
		count += passes(filter, &known[i]);
	assert_int_equal(c.count, count);
}

static struct ledger_query_filter random_filter(void)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	int64_t from_ns = (int64_t)known[0].received_ns - MINUTE;
	int64_t span_ns = (int64_t)known[known_num - 1].received_ns + MINUTE - from_ns;

	if (random_u64() % 4)
		filter.since_ns = from_ns + (int64_t)(random_u64() % (uint64_t)span_ns);
	if (random_u64() % 4)
		filter.until_ns = from_ns + (int64_t)(random_u64() % (uint64_t)span_ns);
	if (random_u64() % 8 == 0)
		filter.until_ns = filter.since_ns + (int64_t)(random_u64() % (uint64_t)MINUTE);
	if (random_u64() % 8 == 0)
		filter.since_ns -= filter.since_ns % MINUTE;
	if (random_u64() % 4 == 0)
		filter.vm_id = (int64_t)(random_u64() % 6);
	if (random_u64() % 4 == 0)
		filter.pool = 'A' + (int64_t)(random_u64() % 3);
	if (random_u64() % 4 == 0)
		filter.priority = (int64_t)(random_u64() % 3);
	if (random_u64() % 4 == 0)
		filter.opcode = random_u64() % 5 ? (int64_t)opcodes[random_u64() % VGPU_OPCODE_NUM]
						 : LEDGER_QUERY_OPCODE_UNKNOWN;
	return filter;
}

static void test_statistics_match_brute_force(void **state)
{
	(void)state;
	record_random(REQUESTS_MOST);
	open_query();
	for (unsigned i = 0; i < 60; i++) {
		struct ledger_query_filter filter = random_filter();

		for (enum ledger_query_by by = 0; by <= LEDGER_QUERY_BY_OPCODE; by++)
			compare_stats(&filter, by, false);
	}
	ledger_query_close(query);
}

static void test_exact_statistics_match_brute_force(void **state)
{
	(void)state;
	record_random(REQUESTS_MOST / 2);
	open_query();
	for (unsigned i = 0; i < 25; i++) {
		struct ledger_query_filter filter = random_filter();

		compare_stats(&filter, (enum ledger_query_by)(i % 5), true);
	}
	ledger_query_close(query);
}

static int count_stats(void *arg, const struct ledger_query_stats *stats)
{
	*(uint64_t *)arg += stats->count;
	return 0;
}

/* Where the rows of a part of a minute are gone, the whole minute is counted, and said so. */
static void test_expired_edges_widen_the_window(void **state)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query_window window;
	uint64_t count = 0, want = 0, cut;
	char sql[128];

	(void)state;
	record_random(REQUESTS_MOST / 2);
	cut = known_num / 2;
	filter.since_ns = (int64_t)known[cut].received_ns;
	snprintf(sql, sizeof(sql), "DELETE FROM request WHERE id <= %llu",
		 (unsigned long long)known[cut].id);
	write_sql(sql);
	open_query();
	assert_int_equal(ledger_query_stats(query, &filter, LEDGER_QUERY_BY_VM, false, &window,
					    count_stats, &count),
			 0);
	assert_true(window.widened);
	assert_int_equal(window.since_ns, filter.since_ns - filter.since_ns % MINUTE);
	for (size_t i = 0; i < known_num; i++)
		want += (int64_t)known[i].received_ns >= window.since_ns;
	assert_int_equal(count, want);
	/* The minute after it is whole: nothing is widened. */
	filter.since_ns = window.since_ns + MINUTE + 1;
	count = want = 0;
	assert_int_equal(ledger_query_stats(query, &filter, LEDGER_QUERY_BY_NOTHING, false, &window,
					    count_stats, &count),
			 0);
	assert_false(window.widened);
	for (size_t i = 0; i < known_num; i++)
		want += (int64_t)known[i].received_ns >= filter.since_ns;
	assert_int_equal(count, want);
	ledger_query_close(query);
}

/* --- listings --- */

struct listed {
	struct ledger_query_request row[100];
	size_t num;
};

static int list_request(void *arg, const struct ledger_query_request *request)
{
	struct listed *listed = arg;

	assert_true(listed->num < LEN(listed->row));
	listed->row[listed->num] = *request;
	listed->row[listed->num++].vm_name = NULL;
	return 0;
}

static void assert_same(const struct ledger_request *got, const struct ledger_request *want)
{
	assert_int_equal(got->id, want->id);
	assert_int_equal(got->received_ns, want->received_ns);
	assert_int_equal(got->wait_ns, want->wait_ns);
	assert_int_equal(got->exec_ns, want->exec_ns);
	assert_int_equal(got->total_ns, want->total_ns);
	assert_int_equal(got->vm_id, want->vm_id);
	assert_int_equal(got->guest_request_id, want->guest_request_id);
	assert_int_equal(got->opcode, want->opcode);
	assert_int_equal(got->status, want->status);
	assert_int_equal(got->request_bytes, want->request_bytes);
	assert_int_equal(got->response_bytes, want->response_bytes);
	assert_int_equal(got->pool, want->pool);
	assert_int_equal(got->priority, want->priority);
	assert_int_equal(got->executor, want->executor);
	assert_int_equal(got->transport, want->transport);
}

static void test_requests_newest_first(void **state)
{
	(void)state;
	record_random(5000);
	open_query();
	for (unsigned round = 0; round < 50; round++) {
		struct ledger_query_filter filter = random_filter();
		uint64_t limit = random_u64() % 100;
		struct listed listed = { .num = 0 };
		size_t n = 0;

		if (round % 3 == 0)
			filter.status = round % 2 ? LEDGER_QUERY_STATUS_ERROR : VGPU_ERR_TIMEOUT;
		assert_int_equal(
			ledger_query_requests(query, &filter, limit, list_request, &listed), 0);
		for (size_t i = known_num; i-- > 0 && n < limit;) {
			if (!passes(&filter, &known[i]))
				continue;
			assert_true(n < listed.num);
			assert_same(&listed.row[n].request, &known[i]);
			assert_true(listed.row[n++].times_known);
		}
		assert_int_equal(n, listed.num);
	}
	ledger_query_close(query);
}

static int stop_after_three(void *arg, const struct ledger_query_request *request)
{
	(void)request;
	return ++*(int *)arg == 3 ? -ECANCELED : 0;
}

static void test_a_callback_stops_a_query(void **state)
{
	const struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	int calls = 0;

	(void)state;
	record_random(50);
	open_query();
	assert_int_equal(ledger_query_requests(query, &filter, 50, stop_after_three, &calls),
			 -ECANCELED);
	assert_int_equal(calls, 3);
	ledger_query_close(query);
}

static int check_named(void *arg, const struct ledger_query_request *request)
{
	assert_string_equal(request->vm_name, arg);
	return 0;
}

static void test_follow_and_one(void **state)
{
	const struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	const struct ledger_vm vm = { .id = 2, .name = "vm2" };
	struct ledger_request open_one = random_request(util_now_ns());
	struct listed listed = { .num = 0 };
	struct ledger *ledger = open_ledger();
	char name[] = "vm2";
	uint64_t id;

	(void)state;
	ledger_vm_put(ledger, &vm, NULL, NULL, NULL);
	for (unsigned i = 0; i < 10; i++)
		record(ledger, random_request(util_now_ns()));
	open_one.id = ledger->next_id++;
	open_one.vm_id = 2;
	assert_int_equal(ledger_accepted(ledger, &open_one), 0);
	for (unsigned i = 0; i < 10; i++)
		record(ledger, random_request(util_now_ns()));
	flush(ledger);
	open_query();
	/* 11 runs: nothing behind it is settled. */
	assert_int_equal(ledger_query_settled(query, &id), 0);
	assert_int_equal(id, 10);
	assert_int_equal(ledger_query_request(query, 11, list_request, &listed), -ENOENT);
	ledger_finished(ledger, &open_one);
	flush(ledger);
	assert_int_equal(ledger_query_settled(query, &id), 0);
	assert_int_equal(id, 21);
	assert_int_equal(ledger_query_requests_after(query, &filter, 10, id, UINT64_MAX,
						     list_request, &listed),
			 0);
	assert_int_equal(listed.num, 11);
	for (unsigned i = 0; i < 11; i++)
		assert_int_equal(listed.row[i].request.id, 11 + i);
	assert_int_equal(ledger_query_request(query, 11, check_named, name), 0);
	assert_int_equal(ledger_query_request(query, 22, list_request, &listed), -ENOENT);
	ledger_query_close(query);
	ledger_close(ledger);
}

/* The clock was set back when the second one came, and forth again: its id lies in the window, its time does not. */
static void test_ids_between_those_of_a_window(void **state)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct listed listed = { .num = 0 };
	struct ledger *ledger = open_ledger();

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		record(ledger, random_request(util_now_ns()));
	flush(ledger);
	ledger_close(ledger);
	write_sql("UPDATE request SET received_ns = 999 WHERE id = 2");
	open_query();
	filter.since_ns = 1000;
	assert_int_equal(ledger_query_requests_after(query, &filter, 0, 3, UINT64_MAX, list_request,
						     &listed),
			 0);
	assert_int_equal(listed.num, 2);
	assert_int_equal(listed.row[0].request.id, 1);
	assert_int_equal(listed.row[1].request.id, 3);
	ledger_query_close(query);
}

static int check_event(void *arg, const struct ledger_query_event *event)
{
	unsigned *n = arg;

	assert_string_equal(event->event.kind, "kind-b");
	assert_string_equal(event->event.subject, *n == 0 ? "vm9" : "vm8");
	assert_int_equal(event->event.uid, -1);
	assert_null(event->event.text);
	(*n)++;
	return 0;
}

static int check_session(void *arg, const struct ledger_query_session *session)
{
	unsigned *n = arg;

	assert_int_equal(session->id, 2 - *n);
	assert_true(session->started_ns > 0);
	assert_true(*n == 0 ? session->ended_ns == 0 : session->ended_ns >= session->started_ns);
	assert_string_equal(session->host, "testhost");
	(*n)++;
	return 0;
}

static int check_vm(void *arg, const struct ledger_query_vm *vm)
{
	unsigned *n = arg;

	assert_int_equal(vm->id, *n);
	assert_int_equal(vm->removed, *n == 1);
	(*n)++;
	return 0;
}

static void test_events_sessions_vms(void **state)
{
	struct ledger_event event = { .kind = "kind-a", .uid = -1, .pid = -1 };
	struct ledger_vm vm = { .id = 0, .name = "vm0" };
	struct ledger *ledger = open_ledger();
	unsigned n = 0;

	(void)state;
	ledger_close(ledger);
	ledger = open_ledger();
	ledger_event(ledger, &event);
	event.kind = "kind-b";
	event.subject = "vm8";
	ledger_event(ledger, &event);
	event.subject = "vm9";
	ledger_event(ledger, &event);
	ledger_vm_put(ledger, &vm, NULL, NULL, NULL);
	vm = (struct ledger_vm){ .id = 1, .name = "vm1", .settings = { .pool = 1 } };
	ledger_vm_put(ledger, &vm, NULL, NULL, NULL);
	ledger_vm_delete(ledger, 1, NULL, NULL, NULL);
	flush(ledger);
	open_query();
	assert_int_equal(ledger_query_events(query, 0, INT64_MAX, "kind-b", NULL, 0, UINT64_MAX, 10,
					     check_event, &n),
			 0);
	assert_int_equal(n, 2);
	n = 0;
	assert_int_equal(ledger_query_events(query, 0, INT64_MAX, NULL, NULL, 2, UINT64_MAX, 10,
					     check_event, &n),
			 0);
	assert_int_equal(n, 1);
	n = 0;
	assert_int_equal(ledger_query_events(query, 0, INT64_MAX, NULL, "vm9", 0, UINT64_MAX, 10,
					     check_event, &n),
			 0);
	assert_int_equal(n, 1);
	n = 0;
	assert_int_equal(
		ledger_query_events(query, 0, 1, NULL, NULL, 0, UINT64_MAX, 10, check_event, &n),
		0);
	assert_int_equal(n, 0);
	assert_int_equal(ledger_query_sessions(query, check_session, &n), 0);
	assert_int_equal(n, 2);
	n = 0;
	assert_int_equal(ledger_query_vms(query, check_vm, &n), 0);
	assert_int_equal(n, 2);
	ledger_query_close(query);
	ledger_close(ledger);
}

static void test_of_nothing(void **state)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger *ledger = open_ledger();
	struct ledger_query_window window;
	struct listed listed = { .num = 0 };
	uint64_t id = 1, count = 0;

	(void)state;
	open_query();
	filter.since_ns = 90 * MINUTE + 7;
	assert_int_equal(ledger_query_requests(query, &filter, 10, list_request, &listed), 0);
	assert_int_equal(ledger_query_stats(query, &filter, LEDGER_QUERY_BY_VM, false, &window,
					    count_stats, &count),
			 0);
	assert_int_equal(ledger_query_stats(query, &filter, LEDGER_QUERY_BY_VM, true, &window,
					    count_stats, &count),
			 0);
	assert_int_equal(listed.num + count, 0);
	assert_int_equal(ledger_query_settled(query, &id), 0);
	assert_int_equal(id, 0);
	ledger_query_close(query);
	ledger_close(ledger);
	assert_int_equal(ledger_query_open(&query, "/nonexistent/vgpud.db", why, sizeof(why)),
			 -ENOENT);
	assert_non_null(strstr(why, "/nonexistent/vgpud.db"));
}

/* --- blame --- */

struct shares {
	int64_t ns[8]; /* by VM; the last: no VM's request ran */
	int64_t last;
	int64_t sum;
};

static int note_share(void *arg, const struct ledger_query_share *share)
{
	struct shares *shares = arg;

	assert_true(share->ns > 0 && share->ns <= shares->last);
	shares->last = share->ns;
	shares->sum += share->ns;
	shares->ns[share->vm_id == LEDGER_QUERY_NOBODY ? 7 : share->vm_id] = share->ns;
	return 0;
}

static struct ledger_query_blame blame_vm(int64_t vm_id, const char *pools, struct shares *shares)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query_blame blame;

	*shares = (struct shares){ .last = INT64_MAX };
	filter.vm_id = vm_id;
	assert_int_equal(ledger_query_blame(query, &filter, pools, &blame, note_share, shares), 0);
	assert_int_equal(shares->sum + blame.limited_ns, blame.wait_ns);
	return blame;
}

static void record_span(struct ledger *ledger, uint32_t vm_id, char pool, uint64_t received_ns,
			uint64_t wait_ns, uint64_t exec_ns)
{
	record(ledger, (struct ledger_request){ .vm_id = vm_id,
						.pool = (uint8_t)pool,
						.received_ns = received_ns,
						.wait_ns = wait_ns,
						.exec_ns = exec_ns,
						.total_ns = wait_ns + exec_ns,
						.executor = VGPU_EXECUTOR_CPU });
}

static void test_blame_by_hand(void **state)
{
	struct ledger *ledger = open_ledger();
	struct ledger_query_blame blame;
	struct shares shares;
	uint64_t t = util_now_ns() + 1000;

	(void)state;
	record_span(ledger, 3, 'A', t - 500, 10, 600); /* began long before; runs to t + 110 */
	record_span(ledger, 1, 'A', t, 1000, 50);
	record_span(ledger, 2, 'A', t + 5, 295, 300);  /* t + 300 to t + 600 */
	record_span(ledger, 4, 'B', t + 6, 494, 200);  /* t + 500 to t + 700 */
	record_span(ledger, 1, 'A', t + 100, 950, 50); /* behind its sister: t + 1050 */
	record_span(ledger, 2, 'A', t + 2000, 5, 5);   /* overlaps no wait */
	record(ledger, (struct ledger_request){ .vm_id = 5,
						.pool = 'A',
						.received_ns = t + 3000,
						.wait_ns = 6300,
						.limited_ns = 6000,
						.exec_ns = 10,
						.total_ns = 6310,
						.executor = VGPU_EXECUTOR_CPU });
	record_span(ledger, 2, 'A', t + 8900, 10, 180); /* t + 8910 to t + 9090 */
	flush(ledger);
	open_query();
	blame = blame_vm(1, NULL, &shares);
	assert_int_equal(blame.waited, 2);
	assert_int_equal(blame.wait_ns, 1950);
	/* 100 with one waiting, 10 with two. */
	assert_int_equal(shares.ns[3], 100 + 2 * 10);
	/* Two waiting: 200 alone, then 100 shared with vm 4. */
	assert_int_equal(shares.ns[2], 2 * (200 + 50));
	assert_int_equal(shares.ns[4], 2 * (50 + 100));
	/* Its own first one runs while the second waits. */
	assert_int_equal(shares.ns[1], 50);
	assert_int_equal(shares.ns[7], 2 * (190 + 300));
	/* Pool B has a GPU of its own. */
	blame_vm(1, "A", &shares);
	assert_int_equal(shares.ns[4], 0);
	assert_int_equal(shares.ns[2], 2 * 300);
	blame = blame_vm(6, NULL, &shares);
	assert_int_equal(blame.waited, 0);
	/* The first 6,000 for its limit, when vm 2 had no part in it; then vm 2 ran for 90. */
	blame = blame_vm(5, NULL, &shares);
	assert_int_equal(blame.waited, 1);
	assert_int_equal(blame.wait_ns, 6300);
	assert_int_equal(blame.limited_ns, 6000);
	assert_int_equal(shares.ns[2], 90);
	assert_int_equal(shares.ns[7], 210);
	ledger_query_close(query);
	ledger_close(ledger);
}

/* The shares add up whatever overlaps, and a GPU with one at a time shares nothing. */
static void test_blame_adds_up(void **state)
{
	struct ledger *ledger = open_ledger();
	struct shares shares;
	uint64_t t = util_now_ns(), busy_until = t;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t exec_ns = 1 + random_u64() % 1000, start;

		t += random_u64() % 1000;
		start = busy_until > t ? busy_until : t;
		record_span(ledger, (uint32_t)(random_u64() % 6), 'A', t, start - t, exec_ns);
		busy_until = start + exec_ns;
	}
	for (unsigned i = 0; i < 3000; i++) {
		t += random_u64() % 1000;
		record_span(ledger, (uint32_t)(random_u64() % 6), 'B', t, random_u64() % 5000,
			    random_u64() % 5000);
	}
	flush(ledger);
	open_query();
	for (int64_t vm = 0; vm < 6; vm++)
		assert_true(blame_vm(vm, NULL, &shares).waited > 500);
	ledger_query_close(query);
	ledger_close(ledger);
}

/* --- what a reader may take --- */

static int ignore(void *arg, const struct ledger_query_stats *stats)
{
	(void)arg;
	(void)stats;
	return 0;
}

/* A piece that takes too long ends with an error that names the remedy. */
static void test_one_state_for_a_bounded_time(void **state)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	struct ledger_query_window window;
	int calls = 0;

	(void)state;
	record_random(5000);
	open_query();
	query->most_ns = 0;
	assert_int_equal(
		ledger_query_stats(query, &filter, LEDGER_QUERY_BY_VM, true, &window, ignore, NULL),
		-ETIME);
	assert_non_null(strstr(ledger_query_error(query), "take a shorter window"));
	/* It can be used again. */
	query->most_ns = (uint64_t)UTIL_NS_PER_MINUTE;
	assert_int_equal(ledger_query_requests(query, &filter, 10, stop_after_three, &calls),
			 -ECANCELED);
	ledger_query_close(query);
}

/* The last row of the list goes while its first is shown: with one state it would be there. */
static int remove_oldest(void *arg, const struct ledger_query_request *request)
{
	unsigned *listed = arg;

	assert_int_not_equal(request->request.id, 1);
	if ((*listed)++ == 0)
		write_sql("DELETE FROM request WHERE id = 1");
	return 0;
}

static void test_lists_are_read_in_pieces(void **state)
{
	struct ledger_query_filter filter = LEDGER_QUERY_FILTER_ALL;
	unsigned listed = 0;

	(void)state;
	record_random(1);
	write_sql(
		"WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 120000) "
		"INSERT INTO request SELECT i, received_ns, wait_ns, exec_ns, total_ns, vm_id, "
		"guest_request_id, opcode, status, pool, priority, executor, transport, "
		"request_bytes, response_bytes, limited_ns FROM n, request WHERE id = 1");
	open_query();
	assert_int_equal(ledger_query_requests(query, &filter, UINT64_MAX, remove_oldest, &listed),
			 0);
	assert_int_equal(listed, 119999);
	ledger_query_close(query);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define QUERY_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		QUERY_TEST(test_statistics_match_brute_force),
		QUERY_TEST(test_exact_statistics_match_brute_force),
		QUERY_TEST(test_expired_edges_widen_the_window),
		QUERY_TEST(test_requests_newest_first),
		QUERY_TEST(test_a_callback_stops_a_query),
		QUERY_TEST(test_follow_and_one),
		QUERY_TEST(test_ids_between_those_of_a_window),
		QUERY_TEST(test_events_sessions_vms),
		QUERY_TEST(test_of_nothing),
		QUERY_TEST(test_one_state_for_a_bounded_time),
		QUERY_TEST(test_lists_are_read_in_pieces),
		QUERY_TEST(test_blame_by_hand),
		QUERY_TEST(test_blame_adds_up),
#undef QUERY_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
