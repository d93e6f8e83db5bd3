/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_claims.c - claims of workers in a page that they share, and that may hold anything */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/claims.h"

static struct quota_page page;

static void set_quota(uint64_t bytes)
{
	page.quota_bytes = bytes;
	page.quota_check = ~bytes;
}

static int setup(void **state)
{
	(void)state;
	memset(&page, 0, sizeof(page));
	set_quota(1000);
	return 0;
}

static enum claims_result claim(uint32_t slot, uint64_t bytes)
{
	const struct claims claims = { &page, slot };

	return claims_set(&claims, bytes);
}

static void the_sum_stays_within_the_quota(void **state)
{
	const struct claims any = { &page, 0 };

	(void)state;
	assert_int_equal(claim(0, 600), CLAIMS_TAKEN);
	assert_int_equal(claim(1, 401), CLAIMS_OVER);
	assert_int_equal(claim(1, 400), CLAIMS_TAKEN);
	assert_int_equal(claim(QUOTA_SLOTS - 1, 1), CLAIMS_OVER);
	assert_int_equal(claim(0, 601), CLAIMS_OVER);
	assert_int_equal(claims_sum(&any), 1000);
	assert_int_equal(claim(0, 599), CLAIMS_TAKEN);
	assert_int_equal(claim(QUOTA_SLOTS - 1, 1), CLAIMS_TAKEN);
	assert_int_equal(claims_sum(&any), 1000);
	assert_int_equal(page.lock, 0);
}

static void no_quota_bounds_nothing(void **state)
{
	const struct claims any = { &page, 0 };

	(void)state;
	set_quota(QUOTA_NONE);
	assert_int_equal(claim(0, UINT64_MAX), CLAIMS_TAKEN);
	assert_int_equal(claim(1, UINT64_MAX), CLAIMS_TAKEN);
	assert_true(claims_sum(&any) == UINT64_MAX); /* it does not wrap around */
}

static void a_lowered_quota_gives_nothing_more(void **state)
{
	(void)state;
	assert_int_equal(claim(0, 900), CLAIMS_TAKEN);
	set_quota(500);
	assert_int_equal(claim(0, 901), CLAIMS_OVER);
	assert_int_equal(claim(1, 1), CLAIMS_OVER);
	assert_int_equal(claim(0, 600), CLAIMS_TAKEN); /* less is always taken */
	assert_int_equal(claim(1, 1), CLAIMS_OVER);
	assert_int_equal(claim(0, 499), CLAIMS_TAKEN);
	assert_int_equal(claim(1, 1), CLAIMS_TAKEN);
}

static void what_a_killed_worker_has_is_awaited(void **state)
{
	(void)state;
	assert_int_equal(claim(0, 900), CLAIMS_TAKEN);
	page.slots[0].ending = 1;
	assert_int_equal(claim(1, 200), CLAIMS_ENDING);
	page.slots[0] = (struct quota_slot){ 0 };
	assert_int_equal(claim(1, 200), CLAIMS_TAKEN);
	page.slots[2].ending = 1; /* one that has nothing is not waited for */
	assert_int_equal(claim(1, 1001), CLAIMS_OVER);
}

/* A quota that is just being written is read again; one that never fits gives nothing. */
static void a_quota_that_makes_no_sense(void **state)
{
	const struct claims any = { &page, 0 };

	(void)state;
	page.quota_check = 0;
	assert_int_equal(claims_quota(&any), 0);
	assert_int_equal(claim(0, 1), CLAIMS_OVER);
	assert_int_equal(claim(0, 0), CLAIMS_TAKEN);
}

static uint64_t seed = 15;

static uint64_t number(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return seed >> 16;
}

static void a_page_of_garbage(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		const struct claims any = { &page, (uint32_t)(number() % QUOTA_SLOTS) };

		for (size_t i = 0; i < sizeof(page); i++)
			((uint8_t *)&page)[i] = (uint8_t)number();
		page.lock = 0; /* else it waits a second, as below */
		(void)claims_sum(&any);
		(void)claims_set(&any, number());
		assert_int_equal(page.lock, 0);
		assert_int_equal(claims_set(&any, 0), CLAIMS_TAKEN);
		assert_int_equal(page.slots[any.slot].claimed_bytes, 0);
	}
}

static void a_lock_that_is_never_released(void **state)
{
	(void)state;
	page.lock = 77;
	assert_int_equal(claim(0, 1), CLAIMS_STUCK);
	assert_int_equal(claim(0, 0), CLAIMS_TAKEN);
	assert_int_equal(page.lock, 77);
}

/* --- a race ------------------------------------------------------------------------------ */

#define THREADS 8
#define ROUNDS 20000

static uint64_t refused[THREADS];

/* Takes 100 and gives them back. So at most THREADS - 1 others have theirs at any moment. */
static void *take_and_give(void *arg)
{
	uint32_t slot = (uint32_t)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (claim(slot, 100) != CLAIMS_TAKEN)
			refused[slot]++;
		claim(slot, 0);
	}
	return NULL;
}

static atomic_bool races;

static void *watch(void *arg)
{
	const struct claims any = { &page, 0 };
	uint64_t most = 0;

	while (races) {
		uint64_t sum = claims_sum(&any);

		if (sum > most)
			most = sum;
	}
	*(uint64_t *)arg = most;
	return NULL;
}

static uint64_t race(uint64_t quota)
{
	pthread_t threads[THREADS], watcher;
	uint64_t most = 0, refusals = 0;

	set_quota(quota);
	races = true;
	memset(refused, 0, sizeof(refused));
	assert_int_equal(pthread_create(&watcher, NULL, watch, &most), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)i), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		refusals += refused[i];
	}
	races = false;
	pthread_join(watcher, NULL);
	assert_true(most <= quota);
	return refusals;
}

static void a_race_exceeds_nothing(void **state)
{
	(void)state;
	race(300);
	/* Where there is room for all of them, none is ever refused for what another one tries. */
	assert_int_equal(race(100 * THREADS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_sum_stays_within_the_quota, setup),
		cmocka_unit_test_setup(no_quota_bounds_nothing, setup),
		cmocka_unit_test_setup(a_lowered_quota_gives_nothing_more, setup),
		cmocka_unit_test_setup(what_a_killed_worker_has_is_awaited, setup),
		cmocka_unit_test_setup(a_quota_that_makes_no_sense, setup),
		cmocka_unit_test_setup(a_page_of_garbage, setup),
		cmocka_unit_test_setup(a_lock_that_is_never_released, setup),
		cmocka_unit_test_setup(a_race_exceeds_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
