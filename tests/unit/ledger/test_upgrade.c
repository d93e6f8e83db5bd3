/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_upgrade.c - ledgers that older vgpuds left when they were killed, as files */

/*
 * tests/lib/oldledgers holds what vgpuds of their time left in their state directories: one
 * answered ten requests that were in the database, then eight that were in the ring alone, the last
 * of which had no end, and was killed. README there says how such an archive is made.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/ledger/fixture.h"
#include "tests/unit/ledger/kill_statement.h"
#include "vgpud/ledger/ring.h"
#include "vgpud/ledger/schema.h"

static const struct {
	const char *name;
	int schema;
	int limited;  /* requests that waited for their VM's limit */
	int programs; /* one that ended, and one that was lost with it; from schema 5 on, one more */
	int submissions, open; /* of that one */
} archives[] = {
	{ "schema-1-ring-1", 1, 0, 0, 0, 0 }, { "schema-2-ring-1", 2, 4, 0, 0, 0 },
	{ "schema-3-ring-2", 3, 4, 0, 0, 0 }, { "schema-4-ring-2", 4, 4, 2, 0, 0 },
	{ "schema-5-ring-2", 5, 4, 3, 5, 1 }, { "schema-6-ring-2", 6, 4, 3, 6, 1 },
};

#define ARCHIVES (sizeof(archives) / sizeof(archives[0]))
#define ROWS 18

static char pristine[160]; /* what was unpacked last */

static void run(const char *command)
{
	int status = system(command);

	if (status != 0)
		fail_msg("%s: status %d", command, status);
}

static void copy_file(const char *name, const char *to)
{
	char from[256], bytes[4096];
	FILE *in, *out = fopen(to, "w");
	size_t n;

	snprintf(from, sizeof(from), "%s/%s", pristine, name);
	in = fopen(from, "r");
	assert_true(in && out);
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

/* Puts what was unpacked in the place of the ledger that is there. */
static void put_back(int schema)
{
	static const char *const suffixes[] = { "-wal", "-shm", ".lock" };
	char name[160];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", fixture.db_path, suffixes[i]);
		unlink(name);
	}
	snprintf(name, sizeof(name), "%s.schema-%d", fixture.db_path, schema);
	unlink(name);
	copy_file("vgpud.db", fixture.db_path);
	snprintf(name, sizeof(name), "%s-wal", fixture.db_path);
	copy_file("vgpud.db-wal", name);
	copy_file("vgpud.ring", fixture.ring_path);
}

static void unpack(size_t archive)
{
	char command[512];
	const char *file = __FILE__;
	int top = (int)(strstr(file, "tests/unit/ledger") - file);

	snprintf(pristine, sizeof(pristine), "%s/%s", fixture.directory, archives[archive].name);
	snprintf(command, sizeof(command),
		 "mkdir '%s' && tar -C '%s' -xJf '%.*stests/lib/oldledgers/%s.tar.xz'", pristine,
		 pristine, top, file, archives[archive].name);
	run(command);
	put_back(archives[archive].schema);
}

static void pack_off(void)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -r '%s'", pristine);
	run(command);
}

/* Return: whether it is not of today's schema. */
static bool is_older(size_t i)
{
	return archives[i].schema < SCHEMA_VERSION;
}

/* All that the old one answered, each once, and the one that it did not. */
static void check(size_t i)
{
	char sql[128];

	assert_int_equal(fixture_number("PRAGMA user_version"), SCHEMA_VERSION);
	assert_int_equal(fixture_number("SELECT count(*) FROM pragma_integrity_check "
					"WHERE integrity_check = 'ok'"),
			 1);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), ROWS);
	assert_int_equal(fixture_number("SELECT count(DISTINCT vm_id || ' ' || guest_request_id) "
					"FROM request WHERE guest_request_id BETWEEN 100 AND 104"),
			 10);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE status = 0 AND "
					"guest_request_id IN (201, 203, 205, 299)"),
			 4);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE status = 3 AND "
					"guest_request_id IN (200, 202, 204) AND opcode = 0x77"),
			 3);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE status = 7 AND "
					"guest_request_id = 300 AND total_ns IS NULL"),
			 1);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE received_ns < "
					"(SELECT started_ns FROM session WHERE id = 1)"),
			 0);
	assert_int_equal(fixture_number("SELECT count(*) FROM request WHERE limited_ns > 0"),
			 archives[i].limited);
	assert_int_equal(fixture_number("SELECT count(*) FROM vm WHERE name IN ('vm1', 'vm2') AND "
					"paused = (id = 2)"),
			 2);
	assert_int_equal(fixture_number("SELECT count(*) FROM program_v"), archives[i].programs);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE name = 'first' AND "
					"why = 0 AND latency_sum_ns = 0 AND submissions_to = 0"),
			 archives[i].programs / 2);
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE name = 'second' AND "
					"why = 33 AND latency_hist IS NULL"),
			 archives[i].programs / 2);
	assert_int_equal(fixture_number("SELECT last_program_id FROM ledger"),
			 archives[i].programs);
	assert_int_equal(fixture_number("SELECT coalesce(sum(count), 0) FROM submission"),
			 archives[i].submissions);
	assert_int_equal(fixture_number("SELECT coalesce(sum(count + open), 0) FROM "
					"submission_minute"),
			 archives[i].submissions);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM submission AS s LEFT JOIN submission_span "
			       "AS w ON w.span = s.id >> 12 AND s.begun_ns BETWEEN "
			       "begun_from_ns AND begun_to_ns AND vms <> -1 AND "
			       "vms >> vm_id & 1 AND programs >> program_id & 1 "
			       "WHERE w.span IS NULL"),
		0);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM event AS e LEFT JOIN event_span AS w ON "
			       "w.span = e.id >> 12 AND e.time_ns BETWEEN time_from_ns AND "
			       "time_to_ns WHERE w.span IS NULL"),
		0);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM program AS g LEFT JOIN program_span AS w "
			       "ON w.span = g.id >> 12 AND begun_ns >= begun_from_ns AND "
			       "coalesce(ended_ns, begun_ns) <= ended_to_ns WHERE w.span IS NULL"),
		0);
	assert_int_equal(fixture_number("SELECT coalesce(sum(open), 0) FROM submission_minute"),
			 archives[i].open);
	assert_int_equal(
		fixture_number("SELECT count(*) FROM program WHERE name = 'victim' AND "
			       "why = 0 AND submissions_to = submissions AND billed_ns > 0 "
			       "AND latency_hist IS NOT NULL"),
		archives[i].open);
	assert_int_equal(fixture_number("SELECT count(*) FROM wait_minute_v WHERE cause = 'paused' "
					"AND wait_ns > 0"),
			 archives[i].open);
	assert_int_equal(fixture_events("ledger-migrated"), is_older(i));
	assert_int_equal(fixture_events("ring-set-aside"), 0);
	fixture_assert_minutes();
	snprintf(sql, sizeof(sql), ".schema-%d", archives[i].schema);
	assert_int_equal(fixture_is_there(fixture.db_path, sql), is_older(i));
}

static void test_old_ledgers_are_taken_over(void **state)
{
	struct ledger_stats stats;
	struct ledger *ledger;

	(void)state;
	for (size_t i = 0; i < ARCHIVES; i++) {
		unpack(i);
		ledger = fixture_open();
		ledger_stats(ledger, &stats);
		assert_int_equal(stats.lost, 1);
		assert_int_equal(stats.damaged, 0);
		assert_int_equal(stats.ring_records, 256);
		assert_int_equal(ledger->next_id, ROWS + 1);
		assert_int_equal(ledger->next_program_id, 1 + (unsigned)archives[i].programs);
		check(i);
		fixture_do_requests(ledger, 300); /* a lap and more of the new ring */
		fixture_flush(ledger);
		ledger_close(ledger);
		assert_int_equal(fixture_number("SELECT count(*) FROM request"), ROWS + 300);
		assert_int_equal(fixture_number("SELECT max(id) FROM request"), ROWS + 300);
		pack_off();
	}
}

/* A ring of the same number of records is replaced, too: its records are shorter. */
static void test_the_size_of_the_ring_does_not_matter(void **state)
{
	struct ledger *ledger;

	(void)state;
	unpack(1);
	fixture.config.ring_records = 64;
	ledger = fixture_open();
	fixture_do_requests(ledger, 100);
	ledger_close(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), ROWS + 100);
	pack_off();
}

/* --- killed in the middle --- */

/* Return: whether it was killed; else it came to its end. */
static bool open_and_kill(unsigned statement)
{
	struct ledger *ledger;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		kill_statement_after(statement);
		_exit(ledger_sqlite_open(&ledger, &fixture.config, fixture.why,
					 sizeof(fixture.why)));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/*
 * Killed before or after a statement, the next start finds all, and takes nothing twice. The moments
 * are some two hundred; UPGRADE_ALL=1 takes each of them, else it is every fourth.
 */
static void test_killed_in_the_middle_of_it(void **state)
{
	struct ledger *ledger;

	(void)state;
	for (size_t i = 0; i < ARCHIVES; i++) {
		unsigned statement = 0, step = getenv("UPGRADE_ALL") ? 1 : 4;

		unpack(i);
		for (;; statement += step) {
			bool killed;

			put_back(archives[i].schema);
			killed = open_and_kill(statement);
			ledger = fixture_open();
			ledger_close(ledger);
			check(i);
			if (!killed)
				break;
		}
		assert_true(statement > (is_older(i) ? 40 : 15));
		pack_off();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_old_ledgers_are_taken_over),
		FIXTURE_TEST(test_the_size_of_the_ring_does_not_matter),
		FIXTURE_TEST(test_killed_in_the_middle_of_it),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
