/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_memory.c - device memory: exact ends, gaps, reuse, registered ranges, and the words of a
 * report */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "softgpu/machine/memory.h"

#define BUDGET (1u << 20)

static int setup(void **state)
{
	return sg_memory_new(BUDGET, (struct sg_memory **)state);
}

static int teardown(void **state)
{
	sg_memory_free(*state);
	return 0;
}

static uint64_t alloc(struct sg_memory *m, uint64_t bytes)
{
	uint64_t addr = 0;

	assert_int_equal(sg_memory_alloc(m, bytes, 0, SG_MEMORY_GLOBAL, &addr), 0);
	return addr;
}

static void ends_are_exact(void **state)
{
	struct sg_memory *m = *state;
	uint64_t a = alloc(m, 400), b = alloc(m, 256), c = alloc(m, 1);
	struct sg_memory_cache cache;

	sg_memory_cache_init(&cache, m);
	assert_non_null(sg_memory_at(&cache, a, 400, true));
	assert_non_null(sg_memory_at(&cache, a + 396, 4, true));
	assert_null(sg_memory_at(&cache, a + 397, 4, true));
	assert_null(sg_memory_at(&cache, a - 1, 1, false));
	assert_null(sg_memory_at(&cache, a, 401, false));
	/* Sizes that end at the alignment have a gap behind them, too. */
	assert_null(sg_memory_at(&cache, b + 256, 1, false));
	assert_null(sg_memory_at(&cache, c + 1, 1, false));
	assert_null(sg_memory_at(&cache, 0, 4, false));
	assert_null(sg_memory_at(&cache, UINT64_MAX, 4, false));
	assert_null(sg_memory_at(&cache, a, UINT64_MAX, false));
	assert_int_equal(a % SG_MEMORY_ALIGN, 0);
	assert_non_null(sg_memory_host(m, a + 400, 0));
	assert_null(sg_memory_host(m, a + 399, 2));
}

static void freed_memory_is_gone(void **state)
{
	struct sg_memory *m = *state;
	uint64_t a = alloc(m, 100000), other = alloc(m, 8);
	struct sg_memory_cache cache;
	char text[200];

	sg_memory_cache_init(&cache, m);
	memset(sg_memory_at(&cache, a, 100000, true), 7, 100000);
	assert_int_equal(sg_memory_release(m, a + 256), -ENOENT);
	assert_int_equal(sg_memory_release(m, a), 0);
	/* The cache had it: its generation has changed. */
	assert_null(sg_memory_at(&cache, a, 1, false));
	assert_non_null(sg_memory_at(&cache, other, 8, false));
	assert_int_equal(sg_memory_release(m, a), -ENOENT);
	sg_memory_nearest(m, a + 16, text, sizeof(text));
	assert_non_null(strstr(text, "freed allocation of 100000 bytes"));
}

static void memory_is_zeroed(void **state)
{
	struct sg_memory *m = *state;

	/* More than the arena in all: addresses come back. */
	for (int n = 0; n < 4000; n++) {
		uint64_t bytes = 1000 + (uint64_t)n * 97 % 500000, a = alloc(m, bytes);
		unsigned char *host = sg_memory_host(m, a, bytes);

		for (uint64_t k = 0; k < bytes; k += 61)
			assert_int_equal(host[k], 0);
		assert_int_equal(host[bytes - 1], 0);
		memset(host, 0xff, bytes);
		assert_int_equal(sg_memory_release(m, a), 0);
	}
}

static void the_budget_holds(void **state)
{
	struct sg_memory *m = *state;
	uint64_t free_bytes, total, addr, many[4096];

	sg_memory_info(m, &free_bytes, &total);
	assert_int_equal(free_bytes, BUDGET);
	assert_int_equal(total, BUDGET);
	for (int n = 0; n < 4096; n++)
		many[n] = alloc(m, 1);
	assert_int_equal(sg_memory_alloc(m, 1, 0, SG_MEMORY_GLOBAL, &addr), -ENOMEM);
	for (int n = 0; n < 4096; n += 2)
		assert_int_equal(sg_memory_release(m, many[n]), 0);
	sg_memory_info(m, &free_bytes, &total);
	assert_int_equal(free_bytes, BUDGET / 2);
	for (int n = 1; n < 4096; n += 2)
		assert_int_equal(sg_memory_release(m, many[n]), 0);
	assert_int_equal(sg_memory_alloc(m, BUDGET, 4096, SG_MEMORY_GLOBAL, &addr), 0);
	assert_int_equal(addr % 4096, 0);
	assert_int_equal(sg_memory_alloc(m, 0, 0, SG_MEMORY_GLOBAL, &addr), -EINVAL);
	assert_int_equal(sg_memory_alloc(m, 1, 3000, SG_MEMORY_GLOBAL, &addr), -EINVAL);
	assert_int_equal(sg_memory_alloc(m, UINT64_MAX, 0, SG_MEMORY_GLOBAL, &addr), -ENOMEM);
}

static void constants_have_a_kind(void **state)
{
	struct sg_memory *m = *state;
	struct sg_memory_cache cache;
	struct sg_memory_range range;
	uint64_t a;

	assert_int_equal(sg_memory_alloc(m, 64, 0, SG_MEMORY_CONST, &a), 0);
	sg_memory_cache_init(&cache, m);
	assert_non_null(sg_memory_at(&cache, a, 64, false));
	assert_non_null(sg_memory_at(&cache, a, 4, true));
	assert_int_equal(sg_memory_cached_kind(&cache, a), SG_MEMORY_CONST);
	assert_int_equal(sg_memory_find(m, a + 63, &range), 0);
	assert_int_equal(range.base, a);
	assert_int_equal(sg_memory_find(m, a + 64, &range), -ENOENT);
}

static void registered_ranges(void **state)
{
	struct sg_memory *m = *state;
	struct sg_memory_cache cache;
	unsigned char window[128];
	uint64_t at = 0x7f0000001000, in_arena = alloc(m, 16);
	char text[200];

	assert_int_equal(sg_memory_register(m, at, window, sizeof(window), false), 0);
	assert_int_equal(sg_memory_register(m, at + 127, window, 1, false), -EEXIST);
	assert_int_equal(sg_memory_register(m, at - 1, window, 2, false), -EEXIST);
	assert_int_equal(sg_memory_register(m, at + 128, window, 16, true), 0);
	assert_int_equal(sg_memory_register(m, in_arena, window, 16, false), -EINVAL);
	assert_int_equal(sg_memory_register(m, 8, window, 16, false), -EINVAL);
	assert_int_equal(sg_memory_register(m, SG_MEMORY_LOCAL_BASE, window, 16, false), -EINVAL);
	assert_int_equal(sg_memory_register(m, UINT64_MAX - 4, window, 16, false), -EINVAL);
	sg_memory_cache_init(&cache, m);
	assert_ptr_equal(sg_memory_at(&cache, at + 5, 1, true), window + 5);
	/* Two neighbours are two ranges: no access spans them. */
	assert_null(sg_memory_at(&cache, at + 126, 4, false));
	assert_null(sg_memory_at(&cache, at + 128, 4, true));
	assert_non_null(sg_memory_at(&cache, at + 128, 4, false));
	assert_int_equal(sg_memory_release(m, at), -ENOENT);
	assert_int_equal(sg_memory_unregister(m, in_arena), -ENOENT);
	assert_int_equal(sg_memory_unregister(m, at), 0);
	assert_null(sg_memory_at(&cache, at + 5, 1, true));
	sg_memory_nearest(m, at + 120, text, sizeof(text));
	assert_string_equal(
		text, "8 bytes before the read-only host range of 16 bytes at 0x7f0000001080");
	sg_memory_nearest(m, 4, text, sizeof(text));
	assert_string_equal(text, "null page");
}

static void words_of_a_report(void **state)
{
	struct sg_memory *m = *state;
	uint64_t a;
	char text[200], want[200];

	sg_memory_nearest(m, SG_MEMORY_ARENA_BASE, text, sizeof(text));
	assert_string_equal(text, "there is no allocation");
	a = alloc(m, 400);
	snprintf(want, sizeof(want),
		 "4 bytes after the end of the allocation of 400 bytes at 0x%llx",
		 (unsigned long long)a);
	sg_memory_nearest(m, a + 404, text, sizeof(text));
	assert_string_equal(text, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ends_are_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(freed_memory_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_is_zeroed, setup, teardown),
		cmocka_unit_test_setup_teardown(the_budget_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(constants_have_a_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(registered_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(words_of_a_report, setup, teardown),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
