/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_memory.c - what memory a program's commands may name */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/memory.h"

#define WINDOW VGPU_WINDOW_BAND_FIRST
#define WINDOW_BYTES VGPU_WINDOW_LEAST

static int start(void **state)
{
	static struct memory memory;

	memory_init(&memory, WINDOW, WINDOW_BYTES);
	*state = &memory;
	return 0;
}

static int end(void **state)
{
	memory_end(*state);
	return 0;
}

static void test_ranges(void **state)
{
	struct memory *memory = *state;

	assert_false(memory_has(memory, 4096, 1));
	assert_int_equal(memory_add(memory, 8192, 4096, 0), 0);
	assert_int_equal(memory_add(memory, 4096, 4096, 0), 0);
	assert_int_equal(memory_add(memory, 4095, 2, 0), -EEXIST);
	assert_int_equal(memory_add(memory, 12287, 1, 0), -EEXIST);
	assert_int_equal(memory_add(memory, 8192, 1, 0), -EEXIST);
	assert_int_equal(memory_add(memory, 1, 100000, 0), -EEXIST);
	assert_true(memory_has(memory, 4096, 4096));
	assert_true(memory_has(memory, 8191, 1));
	assert_true(memory_has(memory, 12287, 1));
	/* Neighbours are two ranges. */
	assert_false(memory_has(memory, 8191, 2));
	assert_false(memory_has(memory, 4095, 1));
	assert_false(memory_has(memory, 12288, 1));
	assert_false(memory_has(memory, 4096, UINT64_MAX));
	assert_false(memory_has(memory, UINT64_MAX, 1));
	assert_true(memory_has(memory, 1, 0));
	assert_int_equal(memory_remove(memory, 4097), -ENOENT);
	assert_int_equal(memory_remove(memory, 4096), 0);
	assert_int_equal(memory_remove(memory, 4096), -ENOENT);
	assert_false(memory_has(memory, 4096, 1));
	assert_true(memory_has(memory, 8192, 4096));
}

static void test_module_variables(void **state)
{
	struct memory *memory = *state;

	assert_int_equal(memory_add(memory, 4096, 16, 3), 0);
	assert_int_equal(memory_add(memory, 8192, 16, 0), 0);
	assert_int_equal(memory_add(memory, 12288, 16, 4), 0);
	/* Not an allocation: it cannot be freed. */
	assert_int_equal(memory_remove(memory, 4096), -ENOENT);
	memory_remove_module(memory, 3);
	assert_false(memory_has(memory, 4096, 1));
	assert_true(memory_has(memory, 8192, 16));
	assert_true(memory_has(memory, 12288, 16));
}

/* As many as a table of its own holds, in an order that puts each in the middle. */
static void test_many_ranges(void **state)
{
	const uint64_t num = 5000, step = 4999; /* without a common factor */
	struct memory *memory = *state;

	for (uint64_t i = 0; i < num; i++)
		assert_int_equal(memory_add(memory, (1 + i * step % num) * 4096, 4096, 0), 0);
	for (uint64_t i = 0; i < num; i++)
		assert_true(memory_has(memory, (1 + i) * 4096, 4096));
	for (uint64_t i = 0; i < num; i += 2)
		assert_int_equal(memory_remove(memory, (1 + i) * 4096), 0);
	for (uint64_t i = 0; i < num; i++)
		assert_int_equal(memory_has(memory, (1 + i) * 4096, 1), i % 2);
}

static void test_bound(void **state)
{
	struct memory *memory = *state;

	for (uint64_t i = 0; i < MEMORY_RANGES_MOST; i++)
		assert_int_equal(memory_add(memory, (1 + i) * 16, 16, 0), 0);
	assert_int_equal(memory_add(memory, 1ull << 40, 16, 0), -ENOSPC);
}

static void test_spans(void **state)
{
	struct memory *memory = *state;
	uint64_t at = 2 * VGPU_PIECE;

	assert_false(memory_is_mapped(memory, WINDOW + at, 1));
	assert_int_equal(memory_map(memory, at, 3 * VGPU_PIECE), 0);
	assert_int_equal(memory_map(memory, 5 * VGPU_PIECE, VGPU_PIECE), 0);
	assert_int_equal(memory_map(memory, 4 * VGPU_PIECE, VGPU_PIECE), -EEXIST);
	assert_int_equal(memory_map(memory, VGPU_PIECE, 2 * VGPU_PIECE), -EEXIST);
	assert_true(memory_is_mapped(memory, WINDOW + at, 3 * VGPU_PIECE));
	assert_true(memory_is_mapped(memory, WINDOW + at + VGPU_PIECE + 5, VGPU_PIECE));
	/* Two spans are not one. */
	assert_false(memory_is_mapped(memory, WINDOW + at, 3 * VGPU_PIECE + 1));
	assert_false(memory_is_mapped(memory, WINDOW + at - 1, 2));
	assert_false(memory_is_mapped(memory, at, 1));
	assert_false(memory_is_mapped(memory, WINDOW + WINDOW_BYTES, 1));
	assert_false(memory_is_mapped(memory, WINDOW + at, UINT64_MAX));
	assert_false(memory_is_span(memory, at, 2 * VGPU_PIECE));
	assert_false(memory_is_span(memory, at + VGPU_PIECE, 2 * VGPU_PIECE));
	assert_false(memory_is_span(memory, 0, 0));
	assert_true(memory_is_span(memory, at, 3 * VGPU_PIECE));
	memory_unmap(memory, at);
	assert_false(memory_is_mapped(memory, WINDOW + at + VGPU_PIECE, 1));
	assert_true(memory_is_mapped(memory, WINDOW + 5 * VGPU_PIECE, VGPU_PIECE));
	assert_int_equal(memory_map(memory, at + VGPU_PIECE, 2 * VGPU_PIECE), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ranges),	TEST(test_module_variables),
		TEST(test_many_ranges), TEST(test_bound),
		TEST(test_spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
