/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_used.c - what a program uses counts in the minute when it does, in a real ledger */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/util.h"
#include "tests/unit/ledger/fixture.h"
#include "vgpud/programs/harvest.h"
#include "vgpud/programs/programs_private.h"

#define S ((uint64_t)UTIL_NS_PER_S)
#define MINUTE ((uint64_t)UTIL_NS_PER_MINUTE)
#define GIB (UINT64_C(1) << 30)

static struct ledger *ledger;
static struct ledger_ops ops; /* the ledger's, but for one that may fail */
static const struct ledger_ops *real;
static unsigned told;
static bool refuse;

static struct broker broker;
static struct programs all = { .broker = &broker };
static struct channel one;
static struct report_page page;
static uint64_t
	first; /* CLOCK_MONOTONIC: a minute of the wall clock begins, before the present one */

/* Of what record.c asks besides. */
struct channel *programs_next(const struct programs *programs, const struct channel *channel)
{
	(void)programs;
	(void)channel;
	return NULL;
}

uint64_t channel_memory(const struct channel *channel)
{
	(void)channel;
	return 0;
}

const char *conf_state_dir(const struct conf *conf)
{
	(void)conf;
	return NULL;
}

static int program_used(struct ledger *of, const struct ledger_program *program, uint64_t at_ns)
{
	if (refuse)
		return -ENOBUFS;
	told++;
	return real->program_used(of, program, at_ns);
}

/* Its page, as a worker leaves it that was stopped while it wrote what comes next. */
static void hold(uint64_t bytes, uint64_t byte_s, uint64_t since_ns)
{
	page.memory.turn++;
	page.memory.state[page.memory.turn % 2] = (struct report_memory){
		.bytes = bytes, .peak_bytes = GIB, .byte_s = byte_s, .since_ns = since_ns
	};
	page.memory.state[(page.memory.turn + 1) % 2] = (struct report_memory){
		.bytes = bytes, .peak_bytes = GIB, .byte_s = byte_s + 1000 * GIB
	};
	assert_int_equal(pwrite(one.report, &page, sizeof(page), 0), sizeof(page));
}

static void begin(uint64_t begun_ns)
{
	one = (struct channel){
		.programs = &all,
		.id = 1,
		.report = memfd_create("page", MFD_CLOEXEC),
		.record = { .id = 1,
			    .begun_ns = begun_ns,
			    .vm_id = 7,
			    .uid = UINT32_MAX,
			    .pool = 'A',
			    .ended_ns = LEDGER_UNKNOWN,
			    .billed_ns = LEDGER_UNKNOWN,
			    LEDGER_FIGURES_UNKNOWN },
		.used = { .at_ns = begun_ns },
	};
	hold(0, 0, begun_ns);
	assert_int_equal(ledger_program_begun(ledger, &one.record), 0);
}

static int set_up(void **state)
{
	uint64_t now_ns = util_now_ns();

	if (fixture_set_up(state) != 0)
		return -1;
	ledger = broker.ledger = fixture_open();
	real = ledger->ops;
	ops = *real;
	ops.program_used = program_used;
	ledger->ops = &ops;
	told = 0;
	refuse = false;
	first = now_ns - (uint64_t)ledger_wall_ns(ledger, now_ns) % MINUTE;
	return 0;
}

static int tear_down(void **state)
{
	close(one.report);
	ledger->ops = real;
	ledger_close(ledger);
	return fixture_tear_down(state);
}

static void look(uint64_t now_ns, uint64_t billed_ns, uint64_t commands)
{
	const struct harvest harvest = { .commands = commands, .launches = commands };

	one.lease.member.billed_ns = billed_ns;
	record_used(&one, &harvest, now_ns);
}

/* Return: a figure of a minute after the first, in the database; -1: there is none. */
static int64_t in_minute(unsigned minute, const char *figure)
{
	char sql[256];

	fixture_flush(ledger);
	snprintf(
		sql, sizeof(sql),
		"SELECT coalesce((SELECT %s FROM program_minute WHERE minute = %lld AND vm_id = 7 AND "
		"pool = 'A'), -1)",
		figure, (long long)(ledger_wall_ns(ledger, first) / UTIL_NS_PER_MINUTE + minute));
	return fixture_number(sql);
}

static void test_a_minute_gets_its_part(void **state)
{
	(void)state;
	begin(first + 30 * S);
	look(first + 59 * S + S / 2, 10 * S, 5);
	assert_int_equal(in_minute(0, "billed_ns"), 10 * S);
	look(first + 60 * S + S / 4, 10 * S + S / 2, 9);
	assert_int_equal(in_minute(0, "billed_ns"), 10 * S + S / 3);
	assert_int_equal(in_minute(1, "billed_ns"), S / 2 - S / 3);
	/* Commands of the whole look count in the second. */
	assert_int_equal(in_minute(0, "launches"), 5);
	assert_int_equal(in_minute(1, "launches"), 4);
	assert_int_equal(fixture_number("SELECT billed_ns FROM program"), 10 * S + S / 2);
}

static void test_memory_that_is_held(void **state)
{
	(void)state;
	begin(first + 10 * S);
	hold(GIB, 0, first + 20 * S);
	look(first + 21 * S, 0, 1);
	for (unsigned i = 22; i < 200; i++)
		look(first + i * S, 0, 1);
	assert_int_equal(in_minute(0, "memory_byte_s"), 40 * GIB);
	assert_int_equal(in_minute(1, "memory_byte_s"), 60 * GIB);
	assert_int_equal(in_minute(2, "memory_byte_s"), 60 * GIB);
	/* Once for its command, and for each minute that began twice. */
	assert_int_equal(told, 7);
}

static void test_nothing_new_is_not_told(void **state)
{
	(void)state;
	begin(first);
	for (unsigned i = 1; i < 200; i++)
		look(first + i * S, 0, 0);
	/* Nothing is known of its commands before the first look. */
	assert_true(told <= 1);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT coalesce(sum(billed_ns), 0) FROM program_minute"),
			 0);
}

static void test_what_was_refused_comes_later(void **state)
{
	(void)state;
	begin(first);
	look(first + 30 * S, 20 * S, 3);
	refuse = true;
	look(first + 50 * S, 40 * S, 5);
	look(first + 70 * S, 50 * S, 6);
	refuse = false;
	look(first + 80 * S, 70 * S, 8);
	assert_int_equal(in_minute(0, "billed_ns"), 20 * S + 30 * S);
	assert_int_equal(in_minute(1, "billed_ns"), 20 * S);
	assert_int_equal(in_minute(0, "launches") + in_minute(1, "launches"), 8);
}

/* An end takes what is left; a look that comes after it changes nothing. */
static void test_an_end(void **state)
{
	struct ledger_program late;

	(void)state;
	begin(first);
	look(first + 59 * S, 30 * S, 3);
	fixture_flush(ledger);
	late = one.record;
	one.record.ended_ns = first + 65 * S;
	one.record.billed_ns = 31 * S;
	one.record.launches = 4;
	ledger_program_ended(ledger, &one.record);
	fixture_flush(ledger);
	late.billed_ns = 12 * S;
	assert_int_equal(ledger_program_used(ledger, &late, first + 66 * S), 0);
	assert_int_equal(in_minute(0, "billed_ns"), 30 * S);
	assert_int_equal(in_minute(1, "billed_ns"), S);
	assert_int_equal(in_minute(1, "launches"), 1);
	assert_int_equal(fixture_number("SELECT billed_ns FROM program"), 31 * S);
}

/* Without an end, it was lost: what its files say counts where it was seen last. */
static void test_one_that_was_lost(void **state)
{
	struct ledger_program left;

	(void)state;
	begin(first);
	look(first + 30 * S, 20 * S, 3);
	fixture_flush(ledger);
	left = one.record;
	left.billed_ns = 21 * S;
	left.launches = 5;
	assert_int_equal(ledger_program_claims(ledger, &left, NULL, NULL, NULL), 0);
	assert_int_equal(in_minute(0, "billed_ns"), 21 * S);
	assert_int_equal(in_minute(0, "launches"), 5);
	/* Twice changes nothing, nor does a claim that is less. */
	left.launches = 2;
	assert_int_equal(ledger_program_claims(ledger, &left, NULL, NULL, NULL), 0);
	assert_int_equal(in_minute(0, "launches"), 5);
	assert_int_equal(fixture_number("SELECT count(*) FROM program_minute"), 1);
	assert_int_equal(fixture_number("SELECT counted_ns - begun_ns FROM program"), 30 * S);
	/* It ran as long as it is billed for. */
	left.billed_ns = 41 * S;
	assert_int_equal(ledger_program_claims(ledger, &left, NULL, NULL, NULL), 0);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT counted_ns - begun_ns FROM program"), 41 * S);
}

static void count(uint64_t launches)
{
	page.commands[VGPU_CMD_LAUNCH] = launches;
	page.submissions = launches / 2;
	page.copy_bytes = 10 * launches;
	page.refused_times = (uint32_t)launches;
	assert_int_equal(pwrite(one.report, &page, sizeof(page), 0), sizeof(page));
}

/* Its worker dies a little later than it ends, and counts until then: its VM's counters are its row. */
static void test_counters_of_the_vm(void **state)
{
	struct vm vm = { 0 };

	(void)state;
	begin(first);
	one.vm = &vm;
	one.recorded = true;
	page.magic = REPORT_MAGIC;
	page.version = REPORT_VERSION;
	page.program_id = one.id;
	count(4);
	one.lease.member.billed_ns = 1000;
	record_end(&one);
	assert_int_equal(vm.programs.launches, 4);
	count(10);
	one.lease.member.billed_ns = 1500;
	record_settle(&one);
	fixture_flush(ledger);
	assert_int_equal(vm.programs.launches, 10);
	assert_int_equal(vm.programs.submissions, 5);
	assert_int_equal(vm.programs.copy_bytes, 100);
	assert_int_equal(vm.programs.refused, 10);
	assert_int_equal(vm.programs.billed_ns, 1500);
	assert_int_equal(fixture_number("SELECT launches = 10 AND submissions = 5 AND "
					"copy_bytes = 100 AND refused = 10 AND billed_ns = 1500 "
					"FROM program"),
			 1);
}

/* No minute has more than its 60 s, however the looks lie, and all have together what was billed. */
static void test_at_random(void **state)
{
	uint64_t now_ns = first + 7 * S, billed_ns = 0, seed = 88172645463325252u;
	char sql[128];

	(void)state;
	begin(now_ns);
	for (unsigned i = 0; i < 400; i++) {
		uint64_t passed_ns;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		passed_ns = 1 + seed % (3 * S);
		now_ns += passed_ns;
		if (i % 3 != 0)
			billed_ns += passed_ns;
		refuse = i % 7 == 0;
		look(now_ns, billed_ns, i / 2);
		if (i % 16 == 0)
			fixture_flush(ledger);
	}
	refuse = false;
	look(now_ns + S, billed_ns, 1000);
	fixture_flush(ledger);
	assert_true(fixture_number("SELECT count(*) FROM program_minute") >= 9);
	snprintf(sql, sizeof(sql),
		 "SELECT sum(billed_ns) = %llu AND max(billed_ns) <= 60000000000 "
		 "FROM program_minute",
		 (unsigned long long)billed_ns);
	assert_int_equal(fixture_number(sql), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define USED_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		USED_TEST(test_a_minute_gets_its_part),
		USED_TEST(test_memory_that_is_held),
		USED_TEST(test_nothing_new_is_not_told),
		USED_TEST(test_what_was_refused_comes_later),
		USED_TEST(test_an_end),
		USED_TEST(test_one_that_was_lost),
		USED_TEST(test_counters_of_the_vm),
		USED_TEST(test_at_random),
#undef USED_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
