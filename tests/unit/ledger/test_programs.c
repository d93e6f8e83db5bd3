/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_programs.c - rows of programs: exactly once, lost ones, full rings, retention */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sqlite3.h>

#include "common/util.h"
#include "common/wire/vgpu_ends.h"
#include "common/wire/vgpu_proto.h"
#include "tests/unit/ledger/fixture.h"

/* A program whose every figure follows from its id. */
static struct ledger_program program_of(uint64_t id)
{
	struct ledger_program program = {
		.id = id,
		.begun_ns = util_now_ns(),
		.vm_id = (uint32_t)(id % 3),
		.uid = id % 2 ? UINT32_MAX : 1000,
		.pid = (uint32_t)id + 100,
		.pool = 'B',
		.priority = 1,
		.executor = VGPU_EXECUTOR_CPU,
		.billed_ns = LEDGER_UNKNOWN,
		.memory_peak_bytes = id * 2,
		.memory_byte_s = id * 3,
		.submissions = id * 4,
		.commands = id * 5,
		.launches = id * 6,
		.copies = id * 7,
		.copy_bytes = UINT64_MAX - 1, /* what a worker may claim */
		.refused = LEDGER_UNKNOWN,
	};

	snprintf(program.name, sizeof(program.name), "prog'%llu", (unsigned long long)id);
	return program;
}

/* Waits for the writer when the ring is full. Return: the program, which runs. */
static struct ledger_program begin(struct ledger *ledger)
{
	struct ledger_program program = program_of(ledger->next_program_id++);

	while (ledger_program_begun(ledger, &program) != 0)
		poll(NULL, 0, 1);
	return program;
}

static void end(struct ledger *ledger, struct ledger_program *program, enum vgpu_end why)
{
	program->ended_ns = util_now_ns();
	program->why = why;
	ledger_program_ended(ledger, program);
}

static void begin_and_end(struct ledger *ledger, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct ledger_program program = begin(ledger);

		end(ledger, &program, VGPU_END_NONE);
	}
}

static void test_a_row_from_beginning_to_end(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_program first, second;

	(void)state;
	first = begin(ledger);
	second = begin(ledger);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE why IS NULL AND "
					"ended_ns IS NULL AND pool = 'B' AND vm_id = id % 3 AND "
					"name = 'prog''' || id AND pid = id + 100"),
			 2);
	assert_int_equal(fixture_number("SELECT uid FROM program WHERE id = 2"), 1000);
	assert_int_equal(fixture_number("SELECT uid IS NULL FROM program WHERE id = 1"), 1);
	end(ledger, &second, VGPU_END_KILLED);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE why IS NULL"), 1);
	end(ledger, &first, VGPU_END_NONE);
	fixture_flush(ledger);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM program WHERE ended_ns >= begun_ns AND "
			       "memory_peak_bytes = id * 2 AND memory_byte_s = id * 3 AND "
			       "submissions = id * 4 AND commands = id * 5 AND launches = id * 6 "
			       "AND copies = id * 7 AND copy_bytes = 9223372036854775807 AND "
			       "billed_ns IS NULL AND refused IS NULL AND name = 'prog''' || id"),
		2);
	assert_int_equal(fixture_number("SELECT count(*) FROM program_v WHERE id = 2 AND "
					"why = 'killed' AND executor = 'cpu'"),
			 1);
	/* Where to look for those of a time. */
	assert_int_equal(fixture_number("SELECT count(*) FROM program_span WHERE span = 0 AND "
					"begun_from_ns = (SELECT min(begun_ns) FROM program) AND "
					"ended_to_ns = (SELECT max(ended_ns) FROM program)"),
			 1);
	assert_int_equal(fixture_number("SELECT count(*) FROM event_span WHERE span = 0 AND "
					"time_from_ns = (SELECT min(time_ns) FROM event) AND "
					"time_to_ns = (SELECT max(time_ns) FROM event)"),
			 fixture_number("SELECT count(*) > 0 FROM event"));
	ledger_close(ledger);
	ledger = fixture_open();
	assert_int_equal(ledger->next_program_id, 3);
	assert_int_equal(fixture_events("programs-lost"), 0);
	ledger_close(ledger);
}

/* --- kill -9 --- */

/* 1 and 2 are in the database, 2 to 4 have ended, 3 to 5 are in the ring alone. */
static void leave_some(struct ledger *ledger)
{
	struct ledger_program two, more;

	begin(ledger);
	two = begin(ledger);
	ledger_flush(ledger, NULL, NULL);
	ledger_wait(ledger, FIXTURE_WAIT_MS);
	end(ledger, &two, VGPU_END_KILLED);
	more = begin(ledger);
	end(ledger, &more, VGPU_END_NONE);
	more = begin(ledger);
	end(ledger, &more, VGPU_END_NONE);
	begin(ledger);
}

static void assert_left_ones(void)
{
	assert_int_equal(fixture_number("SELECT count(*) FROM program"), 5);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE id IN (1, 5) AND "
					"why = 33 AND ended_ns IS NULL AND launches IS NULL AND "
					"name = 'prog''' || id"),
			 2);
	assert_int_equal(fixture_number("SELECT why FROM program WHERE id = 2"), VGPU_END_KILLED);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE id IN (3, 4) AND "
					"why = 0 AND launches = id * 6"),
			 2);
	assert_int_equal(fixture_events("programs-lost"), 1);
}

static void test_a_killed_vgpud_leaves_each_once(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger;

	(void)state;
	fixture.config.batch_ms = 10000;
	fixture_in_killed_child(leave_some);
	for (int i = 0; i < 2; i++) {
		ledger = fixture_open();
		ledger_stats(ledger, &stats);
		assert_int_equal(stats.duplicates, 0);
		assert_int_equal(ledger->next_program_id, 6);
		assert_left_ones();
		ledger_close(ledger);
	}
}

/* A database that forgot its last batches: the ring has them, and what it kept is not changed. */
static void test_records_that_are_taken_twice(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger = fixture_open();

	(void)state;
	begin_and_end(ledger, 20);
	ledger_close(ledger);
	fixture_write_sql("DELETE FROM program WHERE id > 8;"
			  "UPDATE program SET name = 'kept', launches = 1;"
			  "UPDATE ledger SET ring_position = 0, last_program_id = 8");
	ledger = fixture_open();
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.duplicates, 8);
	assert_int_equal(ledger->next_program_id, 21);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE why = 0"), 20);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE launches = 1 AND "
					"name = 'kept'"),
			 8);
	ledger_close(ledger);
}

/* The beginning is damaged in the ring: the end alone makes a row, without a name. */
static void test_an_end_without_its_beginning(void **state)
{
	struct ledger *ledger;

	(void)state;
	fixture.config.batch_ms = 10000;
	fixture_in_killed_child(leave_some);
	/* Positions 0 to 7: 1 and 2 begin; 2 ends; 3, 4 begin and end; 5 begins. */
	fixture_overwrite(fixture.ring_path, 4096 + 3 * 128, 128);
	ledger = fixture_open();
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE id = 3 AND why = 0 AND "
					"name IS NULL AND pid = 103 AND launches = 18"),
			 1);
	assert_int_equal(fixture_number("SELECT count(*) FROM program"), 5);
	ledger_close(ledger);
}

static void test_a_new_database_goes_on_counting(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	begin_and_end(ledger, 7);
	ledger_close(ledger);
	fixture_overwrite(fixture.db_path, 0, 4096);
	ledger = fixture_open();
	assert_int_equal(ledger->next_program_id, 8);
	ledger_close(ledger);
}

/* --- no room --- */

static void test_a_full_ring_refuses_programs(void **state)
{
	struct ledger_program program = program_of(1), begun[256];
	struct ledger *ledger = fixture_open();
	sqlite3 *conn = fixture_block_writer();
	unsigned num = 0;
	int result = 0;

	(void)state;
	while (num < 256 && (result = ledger_program_begun(ledger, &program)) == 0) {
		begun[num++] = program;
		program = program_of(num + 1);
	}
	assert_int_equal(result, -ENOSPC);
	assert_true(num >= 64); /* of 256 records half is kept for others, and each needs two */
	for (unsigned i = 0; i < num; i++)
		end(ledger, &begun[i], VGPU_END_NONE);
	sqlite3_close(conn);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE why = 0"), num);
	ledger_close(ledger);
}

static void test_a_lossy_ledger_lets_them_run(void **state)
{
	struct ledger_program program;
	struct ledger_stats stats;
	struct ledger *ledger;
	sqlite3 *conn;
	unsigned num = 0;
	int result;

	(void)state;
	fixture.config.lossy = true;
	ledger = fixture_open();
	conn = fixture_block_writer();
	do {
		program = program_of(++num);
		result = ledger_program_begun(ledger, &program);
	} while (result == 0 && num < 256);
	assert_int_equal(result, 1);
	ledger_stats(ledger, &stats);
	assert_int_equal(stats.dropped, 1);
	sqlite3_close(conn);
	ledger_close(ledger);
	ledger = fixture_open(); /* those that ran then are lost: none ended */
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE why = 33"), num - 1);
	ledger_close(ledger);
}

/* --- retention --- */

static void test_old_programs_go_by_their_end(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	begin_and_end(ledger, 100);
	ledger_close(ledger);
	fixture_write_sql(
		"UPDATE program SET begun_ns = begun_ns - 2 * 86400000000000 WHERE id <= 40;"
		"UPDATE program SET ended_ns = ended_ns - 2 * 86400000000000 WHERE id <= 40 AND "
		"id <> 5;" /* a long one, that ended lately */
		"UPDATE program SET why = 33, ended_ns = NULL WHERE id = 1");
	fixture.config.retention_days = 1;
	ledger = fixture_open();
	fixture_wait_until("SELECT count(*) FROM program", 61);
	assert_int_equal(fixture_number("SELECT min(id) FROM program"), 5);
	ledger_close(ledger);
}

/* One that runs since long ago stays, and the older ones behind it go. */
static void test_old_programs_that_run_stay(void **state)
{
	struct ledger_program runs;
	struct ledger *ledger = fixture_open();

	(void)state;
	runs = begin(ledger);
	begin_and_end(ledger, 50);
	fixture_flush(ledger);
	fixture.config.retention_days = 1;
	ledger_close(ledger); /* without its end */
	fixture_write_sql("UPDATE program SET begun_ns = 1, ended_ns = NULL WHERE id = 1;"
			  "UPDATE program SET begun_ns = 1, ended_ns = 2 WHERE id BETWEEN 2 AND 9;"
			  "UPDATE program SET why = NULL WHERE id = 1;"
			  "CREATE TRIGGER keep BEFORE UPDATE OF why ON program WHEN new.id = 1 "
			  "BEGIN SELECT raise(IGNORE); END");
	ledger = fixture_open();
	fixture_wait_until("SELECT count(*) FROM program", 43);
	assert_int_equal(fixture_number("SELECT why IS NULL FROM program WHERE id = 1"), 1);
	assert_int_equal(runs.id, 1);
	ledger_close(ledger);
}

/* What they used is known for as long as other minutes, with their rows and without. */
static void test_old_minutes_of_programs(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	begin_and_end(ledger, 20);
	ledger_close(ledger);
	fixture_write_sql("DELETE FROM program;"
			  "UPDATE program_minute SET minute = 1 WHERE program_id <= 5");
	fixture.config.minute_days = 1;
	ledger = fixture_open();
	fixture_wait_until("SELECT count(*) FROM program_minute", 15);
	assert_int_equal(fixture_number("SELECT min(program_id) FROM program_minute"), 6);
	ledger_close(ledger);
}

static void test_a_vm_that_fills_it_loses_its_own(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	begin_and_end(ledger, 3);
	fixture_do_requests(ledger, 200);
	ledger_close(ledger);
	fixture_write_sql(
		"WITH RECURSIVE n (i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) "
		"INSERT INTO program (id, begun_ns, ended_ns, why, vm_id, name, pool, priority, "
		"executor, device) SELECT i, (SELECT max(begun_ns) FROM program), (SELECT "
		"max(ended_ns) FROM program), 0, 7, 'x', 'A', 0, 1, 0 FROM n");
	fixture.config.max_bytes = 1 << 20;
	ledger = fixture_open();
	for (int i = 0; i < FIXTURE_WAIT_MS / 10 &&
			fixture_number("SELECT (page_count - freelist_count) * 4096 FROM "
				       "pragma_page_count, pragma_freelist_count") > 1 << 20;
	     i++)
		poll(NULL, 0, 10);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE vm_id <> 7"), 3);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 200);
	assert_true(fixture_number("SELECT count(*) FROM program") < 29000);
	assert_int_equal(fixture_number("SELECT max(id) FROM program"), 30000);
	ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_a_row_from_beginning_to_end),
		FIXTURE_TEST(test_a_killed_vgpud_leaves_each_once),
		FIXTURE_TEST(test_records_that_are_taken_twice),
		FIXTURE_TEST(test_an_end_without_its_beginning),
		FIXTURE_TEST(test_a_new_database_goes_on_counting),
		FIXTURE_TEST(test_a_full_ring_refuses_programs),
		FIXTURE_TEST(test_a_lossy_ledger_lets_them_run),
		FIXTURE_TEST(test_old_programs_go_by_their_end),
		FIXTURE_TEST(test_old_programs_that_run_stay),
		FIXTURE_TEST(test_old_minutes_of_programs),
		FIXTURE_TEST(test_a_vm_that_fills_it_loses_its_own),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
