/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_quota.c - what a program holds, by the rules of a GPU and of softgpu */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/quota.h"

#define MIB (UINT64_C(1) << 20)

static const struct gpu_memory cuda = {
	.granule = 2 * MIB,
	.small_below = MIB,
	.small_granule = 512,
	.kept_back = 256 * MIB,
};
static const struct gpu_memory soft = { .granule = 256, .small_granule = 256, .of_host = true };

static struct quota_page page;
static struct report_memories memory;
static struct quota quota;

static void set_quota(uint64_t bytes)
{
	page.quota_bytes = bytes;
	page.quota_check = ~bytes;
}

static void begin(const struct gpu_memory *rule, uint64_t quota_bytes, struct budget *budget)
{
	const struct quota_config config = {
		.rule = rule, .page = &page, .slot = 3, .budget = budget
	};

	memset(&page, 0, sizeof(page));
	memset(&memory, 0, sizeof(memory));
	set_quota(quota_bytes);
	quota_begin(&quota, &config, &memory);
}

static uint64_t taken_by(const struct gpu_memory *rule, uint64_t bytes, enum quota_part wanted)
{
	enum quota_part part;
	uint64_t taken = quota_allocation(rule, bytes, &part);

	assert_int_equal(part, wanted);
	return taken;
}

static void allocations_are_rounded(void **state)
{
	(void)state;
	assert_int_equal(taken_by(&soft, 1, QUOTA_LARGE), 256);
	assert_int_equal(taken_by(&soft, 256, QUOTA_LARGE), 256);
	assert_int_equal(taken_by(&soft, 257, QUOTA_LARGE), 512);
	assert_true(taken_by(&soft, UINT64_MAX, QUOTA_LARGE) == UINT64_MAX);
	assert_int_equal(taken_by(&cuda, 1, QUOTA_SMALL), 512);
	assert_int_equal(taken_by(&cuda, MIB - 1, QUOTA_SMALL), MIB);
	/* None lies in two granules. So many fit into one, as was measured: 2,048, 409, 6, 2. */
	assert_int_equal(taken_by(&cuda, 513, QUOTA_SMALL), 2 * MIB / 2048);
	assert_int_equal(taken_by(&cuda, 5000, QUOTA_SMALL), 2 * MIB / 409);
	assert_int_equal(taken_by(&cuda, 300000, QUOTA_SMALL), 2 * MIB / 6);
	assert_int_equal(taken_by(&cuda, 1000000, QUOTA_SMALL), 2 * MIB / 2);
	assert_int_equal(taken_by(&cuda, MIB, QUOTA_LARGE), 2 * MIB);
	assert_int_equal(taken_by(&cuda, 2 * MIB, QUOTA_LARGE), 2 * MIB);
	assert_int_equal(taken_by(&cuda, 2 * MIB + 1, QUOTA_LARGE), 4 * MIB);
}

static void small_ones_share_granules(void **state)
{
	(void)state;
	begin(&cuda, 6 * MIB, NULL);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(quota_take(&quota, QUOTA_SMALL, 512), CUDA_SUCCESS);
	assert_int_equal(page.slots[3].claimed_bytes, 2 * MIB);
	assert_int_equal(quota_take(&quota, QUOTA_LARGE, 4 * MIB), CUDA_SUCCESS);
	assert_int_equal(quota_take(&quota, QUOTA_SMALL, 512), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(page.slots[3].claimed_bytes, 6 * MIB);
	quota_give(&quota, QUOTA_SMALL, 512);
	assert_int_equal(page.slots[3].claimed_bytes, 6 * MIB); /* its granule is in use */
	assert_int_equal(quota_take(&quota, QUOTA_SMALL, 512), CUDA_SUCCESS);
	quota_give(&quota, QUOTA_LARGE, 4 * MIB);
	quota_give(&quota, QUOTA_SMALL, 4096 * 512);
	assert_int_equal(page.slots[3].claimed_bytes, 0);
	quota_end(&quota);
}

static void sums_do_not_wrap_around(void **state)
{
	(void)state;
	begin(&soft, QUOTA_NONE, NULL);
	assert_int_equal(quota_take(&quota, QUOTA_LIMITS, UINT64_MAX), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(quota_take(&quota, QUOTA_LARGE, UINT64_MAX - 1), CUDA_SUCCESS);
	assert_int_equal(quota_take(&quota, QUOTA_POOLS, 1), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(quota_take(&quota, QUOTA_SMALL, UINT64_MAX), CUDA_ERROR_OUT_OF_MEMORY);
	quota_give(&quota, QUOTA_POOLS, UINT64_MAX); /* more than there is */
	assert_true(page.slots[3].claimed_bytes == UINT64_MAX - 1);
	quota_end(&quota);
}

/* What a reader finds. */
static struct report_memory *told(void)
{
	return &memory.state[memory.turn % 2];
}

static void figures_are_told(void **state)
{
	struct report_memory before;

	(void)state;
	begin(&soft, QUOTA_NONE, NULL);
	quota_take(&quota, QUOTA_LARGE, 10 * MIB);
	quota_take(&quota, QUOTA_POOLS, 20 * MIB);
	quota_give(&quota, QUOTA_LARGE, 10 * MIB);
	assert_int_equal(told()->bytes, 20 * MIB);
	assert_int_equal(told()->peak_bytes, 30 * MIB);
	/* A hundred seconds are pretended to have passed. */
	told()->since_ns -= UINT64_C(100000000000);
	before = *told();
	quota_take(&quota, QUOTA_LARGE, 256);
	assert_in_range(told()->byte_s, 100 * 20 * MIB, 130 * 20 * MIB);
	/* Until the turn, all that was told stays as it was. */
	memory.turn--;
	assert_memory_equal(told(), &before, sizeof(before));
	quota_end(&quota);
}

/* What cuMemGetInfo says. */
static void assert_info(uint64_t gpu_free, uint64_t gpu_total, uint64_t is_free, uint64_t total)
{
	quota_info(&quota, &gpu_free, &gpu_total);
	assert_int_equal(gpu_free, is_free);
	assert_int_equal(gpu_total, total);
}

static void a_program_sees_its_quota(void **state)
{
	(void)state;
	begin(&cuda, QUOTA_NONE, NULL);
	assert_false(quota_is_bounded(&quota));
	assert_info(5000 * MIB, 8000 * MIB, 5000 * MIB, 8000 * MIB);
	set_quota(1000 * MIB);
	assert_true(quota_is_bounded(&quota));
	assert_info(5000 * MIB, 8000 * MIB, 1000 * MIB, 1000 * MIB);
	page.slots[0].claimed_bytes = 300 * MIB; /* another program */
	assert_info(5000 * MIB, 8000 * MIB, 700 * MIB, 1000 * MIB);
	assert_info(900 * MIB, 8000 * MIB, 644 * MIB, 1000 * MIB); /* the GPU has no more */
	assert_info(200 * MIB, 8000 * MIB, 0, 1000 * MIB);
	assert_info(500 * MIB, 800 * MIB, 244 * MIB, 800 * MIB);
	page.slots[0].claimed_bytes = 1300 * MIB; /* the quota was lowered */
	assert_info(5000 * MIB, 8000 * MIB, 0, 1000 * MIB);
	quota_end(&quota);
}

/* --- the host's budget ------------------------------------------------------------------- */

struct broker {
	int fd;
	uint64_t most_bytes; /* that it grants */
	uint64_t granted_bytes;
	unsigned asked, ending; /* how often it says that a killed worker still has some */
	struct budget *budget;
};

/* Answers as the broker does, until the other end is closed. */
static void *grant(void *arg)
{
	struct broker *broker = arg;
	struct program_state state;

	while (recv(broker->fd, &state, sizeof(state), 0) == (ssize_t)sizeof(state)) {
		struct program_order order = { .what = PROGRAM_GRANT };

		if (state.memory_bytes <= broker->most_bytes)
			broker->granted_bytes = state.memory_bytes;
		if (state.memory_question == 0)
			continue;
		broker->asked++;
		order.memory_question = state.memory_question;
		order.memory_bytes = broker->granted_bytes;
		order.memory_left_bytes = broker->most_bytes - broker->granted_bytes;
		if (broker->ending > 0 && state.memory_bytes > broker->most_bytes) {
			order.memory_ending = 1;
			if (--broker->ending == 0)
				broker->most_bytes = state.memory_bytes;
		}
		budget_answered(broker->budget, &order);
	}
	return NULL;
}

static void softgpus_memory_is_granted(void **state)
{
	struct broker broker = { .most_bytes = 10 * MIB };
	struct budget budget;
	pthread_t thread;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	budget_init(&budget, pair[0]);
	broker.fd = pair[1];
	broker.budget = &budget;
	assert_int_equal(pthread_create(&thread, NULL, grant, &broker), 0);
	begin(&soft, 20 * MIB, &budget);
	assert_int_equal(quota_take(&quota, QUOTA_LARGE, 6 * MIB), CUDA_SUCCESS);
	assert_int_equal(quota_take(&quota, QUOTA_LARGE, 5 * MIB), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(page.slots[3].claimed_bytes,
			 6 * MIB); /* of the VM's quota nothing is lost */
	assert_info(0, 10 * MIB, 4 * MIB, 10 * MIB);
	quota_give(&quota, QUOTA_LARGE, 2 * MIB);
	assert_info(0, 10 * MIB, 6 * MIB, 10 * MIB);
	assert_int_equal(quota_take(&quota, QUOTA_LARGE, 21 * MIB), CUDA_ERROR_OUT_OF_MEMORY);
	assert_int_equal(broker.asked, 4); /* what the quota refuses is not asked for */
	broker.ending = 3;
	assert_int_equal(quota_take(&quota, QUOTA_LARGE, 8 * MIB), CUDA_SUCCESS); /* it waits */
	assert_int_equal(broker.asked, 8);
	shutdown(pair[0], SHUT_WR);
	pthread_join(thread, NULL);
	quota_end(&quota);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_rounded),
		cmocka_unit_test(small_ones_share_granules),
		cmocka_unit_test(sums_do_not_wrap_around),
		cmocka_unit_test(figures_are_told),
		cmocka_unit_test(a_program_sees_its_quota),
		cmocka_unit_test(softgpus_memory_is_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
