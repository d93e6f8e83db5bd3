/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_report.c - what a worker counts: commands, bytes, submissions, refused functions */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/report.h"

#define SECOND UINT64_C(1000000000)

static struct report report;
/* As its file is: the trace's switch is behind the file.page. */
static union {
	struct report_page page;
	uint8_t bytes[TRACE_FILE_BYTES];
} file;

static int set_up(void **state)
{
	(void)state;
	memset(&file, 0, sizeof(file));
	report_begin(&report, &file.page);
	return 0;
}

static void take(uint16_t op, const void *args, size_t args_bytes, uint32_t tail_bytes)
{
	_Alignas(16) uint8_t bytes[512] = { 0 };
	struct vgpu_command *command = (struct vgpu_command *)bytes;

	command->op = op;
	command->bytes = (uint32_t)(sizeof(*command) + args_bytes + tail_bytes);
	if (args != NULL)
		memcpy(command + 1, args, args_bytes);
	report_command(&report, cmds_find(op), command);
}

static void launch(void)
{
	take(VGPU_CMD_LAUNCH, NULL, sizeof(struct vgpu_cmd_launch), 0);
}

static void test_a_submission_goes_on_until_a_wait_ends(void **state)
{
	(void)state;
	take(VGPU_CMD_NOP, NULL, 0, 0);
	assert_int_equal(file.page.open_since_ns, 0); /* it gives the GPU nothing to do */
	launch();
	launch();
	take(VGPU_CMD_STREAM_SYNCHRONIZE, NULL, sizeof(struct vgpu_cmd_stream_synchronize), 0);
	assert_int_not_equal(file.page.open_since_ns, 0);
	assert_int_equal(file.page.open_commands, 2);
	assert_int_equal(file.page.submissions, 0);
	report_close(&report, file.page.open_since_ns + 5000);
	assert_int_equal(file.page.submissions, 1);
	assert_int_equal(file.page.latency_sum_ns, 5000);
	assert_int_equal(file.page.latency_max_ns, 5000);
	assert_int_equal(file.page.latency[hist_index(5000)], 1);
	assert_int_equal(file.page.open_since_ns, 0);
	assert_int_equal(file.page.open_commands, 0);
	report_close(&report, UINT64_MAX); /* another thread's wait, with nothing behind it */
	assert_int_equal(file.page.submissions, 1);
	assert_int_equal(file.page.commands[VGPU_CMD_LAUNCH], 2);
	assert_int_equal(file.page.commands[VGPU_CMD_NOP], 1);
	assert_int_equal(file.page.commands[VGPU_CMD_STREAM_SYNCHRONIZE], 1);
}

static void test_latencies_have_their_buckets(void **state)
{
	static const uint64_t took_ns[] = {
		0, 1, 2, 3, 4, 1023, 1024, UINT64_C(1) << 39, UINT64_C(1) << 62
	};
	struct hist hist = { 0 };
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(took_ns) / sizeof(took_ns[0]); i++) {
		launch();
		report_close(&report, file.page.open_since_ns + took_ns[i]);
		hist_add(&hist, took_ns[i]);
		sum += took_ns[i];
		assert_memory_equal(file.page.latency, hist.count, sizeof(hist.count));
		assert_int_equal(file.page.latency_sum_ns, sum);
	}
	launch();
	report_close(&report, file.page.open_since_ns - 1); /* a clock read before it began */
	assert_int_equal(file.page.latency_sum_ns, sum);
	assert_int_equal(file.page.latency_max_ns, UINT64_C(1) << 62);
}

/* --- the ring of those that are closed --- */

/* So many launches, closed after took_ns. */
static void submit(unsigned launches, uint64_t took_ns)
{
	for (unsigned i = 0; i < launches; i++)
		launch();
	report_close(&report, file.page.open_since_ns + took_ns);
}

static void test_each_has_an_entry(void **state)
{
	(void)state;
	submit(2, 50);
	submit(3, 70);
	assert_int_equal(file.page.head, 2);
	assert_int_equal(file.page.ring[0].first, 1);
	assert_int_equal(file.page.ring[0].count, 1);
	assert_int_equal(file.page.ring[0].commands, 2);
	assert_int_equal(file.page.ring[1].first, 2);
	assert_int_equal(file.page.ring[1].commands, 3);
	assert_int_equal(file.page.ring[1].took_ns, 70);
	assert_int_equal(file.page.ring[1].most_ns, 70);
	assert_int_equal(file.page.ring[1].ended_ns, file.page.ring[1].begun_ns + 70);
	assert_true(file.page.ring[0].begun_ns <= file.page.ring[1].begun_ns);
	assert_int_equal(file.page.turn, 8);
}

static void test_a_full_ring_goes_on_in_the_newest(void **state)
{
	const struct report_submission *newest = &file.page.ring[REPORT_RING - 1];

	(void)state;
	for (unsigned i = 0; i < REPORT_RING + 4; i++)
		submit(1, i + 1);
	assert_int_equal(file.page.head, REPORT_RING);
	assert_int_equal(file.page.submissions, REPORT_RING + 4);
	assert_int_equal(newest->first, REPORT_RING);
	assert_int_equal(newest->count, 5);
	assert_int_equal(newest->commands, 5);
	assert_int_equal(newest->took_ns, 5 * (REPORT_RING + 2));
	assert_int_equal(newest->most_ns, REPORT_RING + 4);
	file.page.taken = 2; /* the broker has two */
	submit(1, 9);
	assert_int_equal(file.page.head, REPORT_RING + 1);
	assert_int_equal(file.page.ring[0].first, REPORT_RING + 5);
	assert_int_equal(file.page.ring[0].count, 1);
	assert_int_equal(newest->count, 5);
}

/*
 * Killed at any store: what the page has then, set right as the reader does it, is what it had before or
 * after the submission was closed. Each word of it is in turn the first that was not written.
 */
static void test_killed_between_any_two_stores(void **state)
{
	struct report_page before, after, torn;
	uint64_t *words = (uint64_t *)&torn;
	const uint64_t *old = (const uint64_t *)&before, *new = (const uint64_t *)&after;
	unsigned changed = 0;

	(void)state;
	for (unsigned i = 0; i < REPORT_RING + 2; i++)
		submit(1, 3);
	launch();
	before = file.page;
	report_close(&report, file.page.open_since_ns + 1000);
	after = file.page;
	for (size_t stop = 0; stop < sizeof(torn) / sizeof(uint64_t); stop++) {
		if (old[stop] == new[stop])
			continue;
		torn = before;
		torn.closing = after.closing;
		torn.turn = before.turn + 3;
		for (size_t i = 0; i < stop; i++)
			if (&words[i] != &torn.turn)
				words[i] = new[i];
		report_page_close(&torn);
		torn.turn = after.turn;
		assert_memory_equal(&torn, &after, sizeof(torn));
		changed++;
	}
	assert_true(changed > 10);
}

static void test_a_submission_has_at_most_so_many_commands(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * REPORT_COMMANDS_MOST + 1; i++)
		launch();
	assert_int_equal(file.page.submissions, 2);
	assert_int_equal(file.page.open_commands, 1);
	assert_int_equal(file.page.commands[VGPU_CMD_LAUNCH], 2 * REPORT_COMMANDS_MOST + 1);
}

static void test_a_submission_lasts_a_second(void **state)
{
	uint64_t since_ns;

	(void)state;
	launch();
	since_ns = file.page.open_since_ns;
	report_look(&report, since_ns + SECOND - 1);
	assert_int_equal(file.page.submissions, 0);
	report_look(&report, since_ns + 100 * SECOND); /* the worker slept */
	assert_int_equal(file.page.submissions, 1);
	assert_int_equal(file.page.latency_max_ns, SECOND);
	report_look(&report, since_ns + 200 * SECOND);
	assert_int_equal(file.page.submissions, 1);
}

static void test_waits_in_helpers(void **state)
{
	(void)state;
	launch();
	report_waited(&report);
	assert_int_equal(file.page.submissions, 0); /* the issuing thread writes the page */
	report_look(&report, file.page.open_since_ns);
	assert_int_equal(file.page.submissions, 1);
	report_look(&report, UINT64_MAX);
	assert_int_equal(file.page.submissions, 1);
	/* What begins after the wait's end is not of that wait. */
	report.waited_ns = 5;
	launch();
	report_look(&report, file.page.open_since_ns);
	assert_int_equal(file.page.submissions, 1);
	assert_int_equal(report.waited_ns, 0);
}

static void test_copies_and_their_bytes(void **state)
{
	const struct vgpu_cmd_copy copy = { .bytes = 1000 };
	const struct vgpu_cmd_copy_wait wait = { .bytes = 200000 };
	struct vgpu_cmd_copy_box box = { .width_bytes = 10, .rows = 20, .planes = 30 };

	(void)state;
	take(VGPU_CMD_COPY_IN, NULL, sizeof(struct vgpu_cmd_copy_in), 77);
	assert_int_equal(file.page.copy_bytes, 77);
	take(VGPU_CMD_COPY, &copy, sizeof(copy), 0);
	assert_int_equal(file.page.copy_bytes, 1077);
	take(VGPU_CMD_COPY_WAIT, &wait, sizeof(wait), 0);
	assert_int_equal(file.page.copy_bytes, 201077);
	take(VGPU_CMD_COPY_BOX, &box, sizeof(box), 0);
	assert_int_equal(file.page.copy_bytes, 207077);
	box.rows = UINT64_MAX; /* refused later; nothing that can be counted */
	take(VGPU_CMD_COPY_BOX, &box, sizeof(box), 0);
	assert_int_equal(file.page.copy_bytes, 207077);
	assert_int_equal(file.page.open_commands, 5);
}

static void test_refused_functions_by_name(void **state)
{
	char name[32];

	(void)state;
	report_refused(&report, "cuIpcGetMemHandle", 1);
	report_refused(&report, "cuMemAllocManaged", 2);
	report_refused(&report, "cuIpcGetMemHandle", 3);
	assert_int_equal(file.page.refused_times, 6);
	assert_int_equal(file.page.refused[0].times, 4);
	assert_string_equal(file.page.refused[0].name, "cuIpcGetMemHandle");
	assert_int_equal(file.page.refused[1].times, 2);
	for (unsigned i = 0; i < 2 * REPORT_NAMES; i++) {
		snprintf(name, sizeof(name), "cuFunction%u", i);
		report_refused(&report, name, 1);
	}
	assert_int_equal(file.page.refused_times, 6 + 2 * REPORT_NAMES); /* also without a place */
	assert_string_equal(file.page.refused[REPORT_NAMES - 1].name, "cuFunction13");
}

static void test_without_a_page(void **state)
{
	(void)state;
	report_begin(&report, NULL);
	launch();
	assert_int_equal(report.page->commands[VGPU_CMD_LAUNCH], 1);
	assert_int_equal(file.page.commands[VGPU_CMD_LAUNCH], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define REPORT_TEST(f) cmocka_unit_test_setup(f, set_up)
		REPORT_TEST(test_a_submission_goes_on_until_a_wait_ends),
		REPORT_TEST(test_latencies_have_their_buckets),
		REPORT_TEST(test_each_has_an_entry),
		REPORT_TEST(test_a_full_ring_goes_on_in_the_newest),
		REPORT_TEST(test_killed_between_any_two_stores),
		REPORT_TEST(test_a_submission_has_at_most_so_many_commands),
		REPORT_TEST(test_a_submission_lasts_a_second),
		REPORT_TEST(test_waits_in_helpers),
		REPORT_TEST(test_copies_and_their_bytes),
		REPORT_TEST(test_refused_functions_by_name),
		REPORT_TEST(test_without_a_page),
#undef REPORT_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
