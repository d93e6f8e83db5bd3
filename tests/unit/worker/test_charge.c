/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_charge.c - what commands are charged with, on softgpu under the rules of a GPU */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/worker/guest.h"
#include "worker/charge.h"

#define MIB (UINT64_C(1) << 20)
#define THREADS 1000u /* that the imagined GPU can hold */
#define LOCAL 4096u
#define LIMIT_STACK 0
#define LIMIT_TEXT 1
#define LIMIT_HEAP 2
#define STACK_AT_FIRST 1024u

static const char text[] = ".version 6.0\n.target sm_50\n.address_size 64\n"
			   ".visible .global .align 4 .b8 large[1000];\n"
			   ".visible .entry small()\n{\n\tret;\n}\n"
			   ".visible .entry local()\n{\n"
			   "\t.local .align 4 .b8 mine[4096];\n\t.reg .b64 %rd<2>;\n"
			   "\t.reg .b32 %r<2>;\n\tmov.u64 %rd1, mine;\n\tmov.u32 %r1, 7;\n"
			   "\tst.local.u32 [%rd1+4092], %r1;\n\tret;\n}\n";

enum { MODULE = 1, SMALL = 1, WITH_LOCAL = 2 };

static struct quota_page page;
static struct guest guest;

static uint64_t claimed(void)
{
	return page.slots[0].claimed_bytes;
}

static void set_quota(uint64_t bytes)
{
	page.quota_bytes = bytes;
	page.quota_check = ~bytes;
}

/* A program whose GPU takes memory by these rules. */
static void begin(const struct gpu_memory *rule, uint64_t quota_bytes)
{
	memset(&page, 0, sizeof(page));
	set_quota(quota_bytes);
	guest_open(&guest, "cpu memory=64M", HELPERS_MOST);
	guest.gpu->memory = *rule;
	guest.program->quota.config.page = &page;
	charge_begin(guest.program);
	guest_run(&guest, 50);
}

static int32_t set_limit(uint32_t limit, uint64_t value)
{
	return ASK(&guest, 0, NULL, LIMIT_SET, limit_set, .limit = limit, .value = value);
}

static int32_t launch(uint32_t function)
{
	guest_launch(&guest, 1, function, 0, 1, 1, NULL, 0);
	return guest_wait(&guest, 1, NULL);
}

static const struct gpu_memory with_threads = {
	.granule = 256,
	.small_granule = 256,
	.resident_threads = THREADS,
};

static void local_memory_is_taken_for_all_threads(void **state)
{
	const uint64_t more = (LOCAL - STACK_AT_FIRST) * THREADS;

	(void)state;
	begin(&with_threads, QUOTA_NONE);
	assert_int_equal(guest_load(&guest, 0, MODULE, text), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024);
	assert_int_equal(guest_function(&guest, 0, MODULE, SMALL, "small"), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 0, MODULE, WITH_LOCAL, "local"), CUDA_SUCCESS);
	assert_int_equal(launch(SMALL), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024); /* a context has as much */
	set_quota(1024 + more - 1);
	assert_int_equal(launch(WITH_LOCAL), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(launch(SMALL), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024);
	set_quota(1024 + more);
	assert_int_equal(launch(WITH_LOCAL), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024 + more);
	assert_int_equal(launch(WITH_LOCAL), CUDA_SUCCESS); /* once */
	assert_int_equal(claimed(), 1024 + more);
	/* Stacks lie in the same memory: the larger one counts. */
	assert_int_equal(set_limit(LIMIT_STACK, LOCAL), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024 + more);
	assert_int_equal(set_limit(LIMIT_STACK, LOCAL + 1), CUDA_ERROR_OUT_OF_MEMORY);
	/* A lower limit gives back what launches took above it; the next launch takes it again. */
	assert_int_equal(set_limit(LIMIT_STACK, STACK_AT_FIRST), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024);
	assert_int_equal(launch(SMALL), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024);
	assert_int_equal(launch(WITH_LOCAL), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024 + more);
	guest_close(&guest);
}

static void stacks_are_given_back(void **state)
{
	(void)state;
	begin(&with_threads, 10 * MIB);
	assert_int_equal(set_limit(LIMIT_STACK, STACK_AT_FIRST + 1000), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1000 * THREADS);
	assert_int_equal(set_limit(LIMIT_STACK, 100000), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(set_limit(LIMIT_STACK, 512u << 10), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(claimed(), 1000 * THREADS);
	set_quota(QUOTA_NONE);
	assert_int_equal(set_limit(LIMIT_STACK, UINT64_MAX), CUDA_ERROR_OUT_OF_MEMORY);
	/* What the GPU itself refuses is not charged. */
	assert_int_equal(set_limit(LIMIT_STACK, 1u << 20), CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(claimed(), 1000 * THREADS);
	assert_int_equal(set_limit(LIMIT_STACK, STACK_AT_FIRST), CUDA_SUCCESS);
	assert_int_equal(claimed(), 0);
	guest_close(&guest);
}

static void a_heap_that_comes_with_a_module_counts_once(void **state)
{
	const struct gpu_memory rule = {
		.granule = 256, .small_granule = 256, .text_counts = true, .heap_comes_late = true
	};

	(void)state;
	begin(&rule, QUOTA_NONE);
	assert_int_equal(set_limit(LIMIT_HEAP, 8 * MIB + 512), CUDA_SUCCESS);
	assert_int_equal(claimed(), 512);
	/* The module seems to take 1,024 bytes, of which 512 are the heap's. */
	assert_int_equal(guest_load(&guest, 0, MODULE, text), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024);
	assert_int_equal(guest_load(&guest, 0, MODULE + 1, text), CUDA_SUCCESS);
	assert_int_equal(claimed(), 2048);
	assert_int_equal(ASK(&guest, 0, NULL, MODULE_UNLOAD, module_unload, .module = MODULE + 1),
			 CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024);
	assert_int_equal(set_limit(LIMIT_TEXT, 2 * MIB), CUDA_SUCCESS);
	assert_int_equal(claimed(), 1024 + MIB);
	guest_close(&guest);
}

static void a_module_that_is_too_large_is_unloaded(void **state)
{
	struct vgpu_reply reply;

	(void)state;
	begin(&with_threads, 1023);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(guest_load(&guest, 0, MODULE, text), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(claimed(), 0);
	assert_int_equal(ASK(&guest, 0, &reply, MEMORY_INFO, memory_info, ), CUDA_SUCCESS);
	assert_int_equal(reply.value[0], 1023);
	set_quota(1024);
	assert_int_equal(guest_load(&guest, 0, MODULE, text), CUDA_SUCCESS);
	guest_close(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_memory_is_taken_for_all_threads),
		cmocka_unit_test(stacks_are_given_back),
		cmocka_unit_test(a_heap_that_comes_with_a_module_counts_once),
		cmocka_unit_test(a_module_that_is_too_large_is_unloaded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
