/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_output.c - what kernels printed, until the program fetches it */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/output.h"

static void check_take(struct output *output, uint32_t most, enum output_kind kind,
		       const char *text, uint32_t left)
{
	char got[64] = "";
	enum output_kind got_kind;
	uint32_t got_left, bytes = output_take(output, got, most, &got_kind, &got_left);

	assert_int_equal(bytes, strlen(text));
	assert_memory_equal(got, text, bytes);
	assert_int_equal(got_kind, kind);
	assert_int_equal(got_left, left);
}

static void test_order(void **state)
{
	static struct output output;

	(void)state;
	output_init(&output);
	assert_int_equal(output_waiting(&output), 0);
	check_take(&output, 10, OUTPUT_STDOUT, "", 0);
	output_add(&output, OUTPUT_STDOUT, "one", 3);
	output_add(&output, OUTPUT_STDOUT, "two", 3);
	output_add(&output, OUTPUT_STDERR, "bad", 3);
	output_add(&output, OUTPUT_STDOUT, "three", 5);
	assert_int_equal(output_waiting(&output), 14);
	check_take(&output, 4, OUTPUT_STDOUT, "onet", 10);
	check_take(&output, 60, OUTPUT_STDOUT, "wo", 8);
	check_take(&output, 60, OUTPUT_STDERR, "bad", 5);
	output_add(&output, OUTPUT_STDOUT, "!", 1);
	check_take(&output, 60, OUTPUT_STDOUT, "three!", 0);
	output_end(&output);
}

/* What a program does not fetch is lost above the bound, and told. */
static void test_bound(void **state)
{
	static struct output output;
	const size_t bytes = OUTPUT_MOST / 4;
	char *text = calloc(4, bytes);
	enum output_kind kind;
	uint32_t left;
	uint64_t all = 0;

	(void)state;
	assert_non_null(text);
	output_init(&output);
	for (int i = 0; i < 5; i++)
		output_add(&output, OUTPUT_STDOUT, text, bytes);
	assert_int_equal(output_waiting(&output), OUTPUT_MOST);
	do
		all += output_take(&output, text, (uint32_t)bytes, &kind, &left);
	while (left > 0 && kind == OUTPUT_STDOUT && all < OUTPUT_MOST);
	check_take(&output, 60, OUTPUT_STDERR,
		   "vgpu: 2097152 bytes that kernels printed were lost\n", 0);
	output_end(&output);
	free(text);
}

static void test_many_runs(void **state)
{
	static struct output output;

	(void)state;
	output_init(&output);
	for (uint32_t i = 0; i < OUTPUT_RUNS + 5; i++)
		output_add(&output, i % 2 == 0 ? OUTPUT_STDOUT : OUTPUT_STDERR, "x", 1);
	assert_int_equal(output.run_num, OUTPUT_RUNS);
	/* What has the kind of the last run still comes in, as does the line about the loss. */
	assert_true(output_waiting(&output) > OUTPUT_RUNS);
	output_end(&output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_many_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
