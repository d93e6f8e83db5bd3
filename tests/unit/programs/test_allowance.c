/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_allowance.c - the page of a VM's memory, as the broker makes and reads it */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vgpud/programs/allowance.h"
#include "worker/claims.h"

/* The page, and how a worker has it. */
struct house {
	struct allowance *allowance;
	struct quota_page *page;
};

static int setup(void **state)
{
	struct house *house = test_calloc(1, sizeof(*house));

	assert_int_equal(allowance_new(&house->allowance, 1000), 0);
	house->page = mmap(NULL, QUOTA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			   allowance_fd(house->allowance), 0);
	assert_true(house->page != MAP_FAILED);
	*state = house;
	return 0;
}

static int teardown(void **state)
{
	struct house *house = *state;

	munmap(house->page, QUOTA_BYTES);
	allowance_put(house->allowance);
	test_free(house);
	return 0;
}

static enum claims_result claim(const struct house *house, unsigned slot, uint64_t bytes)
{
	const struct claims claims = { house->page, slot };

	return claims_set(&claims, bytes);
}

static void a_worker_finds_what_the_broker_wrote(void **state)
{
	struct house *house = *state;
	const struct claims claims = { house->page, 0 };

	assert_int_equal(house->page->magic, QUOTA_MAGIC);
	assert_int_equal(claims_quota(&claims), 1000);
	allowance_set(house->allowance, 5);
	assert_int_equal(claims_quota(&claims), 5);
	allowance_set(house->allowance, 0);
	assert_true(claims_quota(&claims) == QUOTA_NONE);
}

static void slots_are_given_and_freed(void **state)
{
	struct house *house = *state;

	for (unsigned i = 0; i < QUOTA_SLOTS; i++) {
		assert_int_equal(allowance_take_slot(house->allowance, 70 + i), i);
		assert_int_equal(house->page->slots[i].program_id, 70 + i);
	}
	assert_int_equal(allowance_take_slot(house->allowance, 7), -ENOSPC);
	assert_int_equal(claim(house, 5, 600), CLAIMS_TAKEN);
	assert_int_equal(claim(house, 6, 300), CLAIMS_TAKEN);
	assert_int_equal(allowance_claimed(house->allowance, 5), 600);
	assert_int_equal(allowance_sum(house->allowance), 900);
	assert_int_equal(claim(house, 7, 101), CLAIMS_OVER);
	allowance_slot_ends(house->allowance, 5);
	assert_int_equal(claim(house, 7, 101), CLAIMS_ENDING);
	allowance_free_slot(house->allowance, 5);
	assert_int_equal(claim(house, 7, 700), CLAIMS_TAKEN);
	assert_int_equal(allowance_sum(house->allowance), 1000);
	assert_int_equal(allowance_take_slot(house->allowance, 7), 5);
	assert_int_equal(house->page->slots[5].ending, 0);
}

static void a_dead_workers_lock_is_released(void **state)
{
	struct house *house = *state;

	allowance_take_slot(house->allowance, 1);
	allowance_take_slot(house->allowance, 2);
	house->page->lock = 2;
	allowance_free_slot(house->allowance, 0);
	assert_int_equal(house->page->lock, 2); /* it is another one's */
	allowance_free_slot(house->allowance, 1);
	assert_int_equal(house->page->lock, 0);
}

/* What a worker wrote is bounded, and what is in nobody's slot is not counted. */
static void garbage_is_bounded(void **state)
{
	struct house *house = *state;
	const uint64_t most = UINT64_C(1) << 53;

	assert_int_equal(allowance_take_slot(house->allowance, 1), 0);
	memset(house->page, 0xff, sizeof(*house->page));
	assert_true(allowance_claimed(house->allowance, 0) == most);
	assert_true(allowance_sum(house->allowance) == most);
	allowance_set(house->allowance, 1000);
	allowance_free_slot(house->allowance, 0);
	assert_int_equal(allowance_sum(house->allowance), 0);
}

static void garbage_goes_with_a_program(void **state)
{
	struct house *house = *state;
	const struct claims claims = { house->page, 1 };

	for (unsigned byte = 0; byte < 256; byte += 51) {
		assert_int_equal(allowance_take_slot(house->allowance, 1), 0);
		assert_int_equal(allowance_take_slot(house->allowance, 2), 1);
		memset(house->page, (int)byte, sizeof(*house->page));
		allowance_free_slot(house->allowance, 0);
		assert_int_equal(house->page->magic, QUOTA_MAGIC);
		assert_int_equal(house->page->lock, 0);
		/* The other one's own claim is what it says next. */
		assert_int_equal(claims_set(&claims, 0), CLAIMS_TAKEN);
		assert_int_equal(claims_sum(&claims), 0);
		assert_int_equal(claim(house, 1, 1001), CLAIMS_OVER);
		assert_int_equal(claim(house, 1, 1000), CLAIMS_TAKEN);
		memset(house->page, (int)byte, sizeof(*house->page));
		allowance_free_slot(house->allowance, 1);
		assert_int_equal(claims_sum(&claims), 0);
		assert_int_equal(claims_quota(&claims), 1000);
	}
}

static void a_page_that_was_given_back_to_the_kernel(void **state)
{
	struct house *house = *state;

	assert_int_equal(allowance_take_slot(house->allowance, 1), 0);
	assert_int_equal(claim(house, 0, 5), CLAIMS_TAKEN);
	assert_int_equal(madvise(house->page, QUOTA_BYTES, MADV_REMOVE), 0);
	assert_int_equal(allowance_sum(house->allowance), 0);
	assert_int_equal(claim(house, 0, 5), CLAIMS_OVER); /* its quota makes no sense any more */
	assert_int_equal(ftruncate(allowance_fd(house->allowance), 0), -1);
	allowance_set(house->allowance, 1000);
	assert_int_equal(claim(house, 0, 5), CLAIMS_TAKEN);
}

static void it_lives_as_long_as_anyone_has_it(void **state)
{
	struct house *house = *state;
	struct allowance *again = allowance_get(house->allowance);

	allowance_put(again);
	assert_true(fcntl(allowance_fd(house->allowance), F_GETFD) >= 0);
	allowance_put(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_worker_finds_what_the_broker_wrote),
		TEST(slots_are_given_and_freed),
		TEST(a_dead_workers_lock_is_released),
		TEST(garbage_is_bounded),
		TEST(garbage_goes_with_a_program),
		TEST(a_page_that_was_given_back_to_the_kernel),
		TEST(it_lives_as_long_as_anyone_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
