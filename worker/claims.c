/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claims.c - a worker's claim in the page of its VM's memory */

#include "worker/claims.h"

#include <sched.h>
#include <stddef.h>
#include <time.h>

#define READS_MOST 1000	 /* of a quota that is being written */
#define SPINS_MOST 200	 /* before the processor is given away */
#define YIELDS_MOST 200	 /* before sleeping */
#define SLEEPS_MOST 1000 /* of a millisecond */

uint64_t claims_quota(const struct claims *claims)
{
	const struct quota_page *page = claims->page;

	for (unsigned i = 0; i < READS_MOST; i++) {
		uint64_t quota = __atomic_load_n(&page->quota_bytes, __ATOMIC_ACQUIRE);

		if (quota == ~__atomic_load_n(&page->quota_check, __ATOMIC_ACQUIRE))
			return quota;
		sched_yield();
	}
	return 0;
}

/* Return: the sum of all slots, without this one unless it is NULL. */
static uint64_t sum_without(const struct quota_page *page, const struct quota_slot *without)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < QUOTA_SLOTS; i++) {
		const struct quota_slot *slot = &page->slots[i];
		uint64_t bytes = __atomic_load_n(&slot->claimed_bytes, __ATOMIC_RELAXED);

		if (slot != without && __builtin_add_overflow(sum, bytes, &sum))
			return UINT64_MAX;
	}
	return sum;
}

uint64_t claims_sum(const struct claims *claims)
{
	return sum_without(claims->page, NULL);
}

static bool any_ending(const struct quota_page *page)
{
	for (uint32_t i = 0; i < QUOTA_SLOTS; i++)
		if (__atomic_load_n(&page->slots[i].ending, __ATOMIC_RELAXED) != 0 &&
		    __atomic_load_n(&page->slots[i].claimed_bytes, __ATOMIC_RELAXED) != 0)
			return true;
	return false;
}

/*
 * The lock is held for some hundred loads. Its word names the holder, so that the broker can release
 * it when that one was killed meanwhile. Return: whether it was taken.
 */
static bool take_lock(const struct claims *claims)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (unsigned i = 0; i < SPINS_MOST + YIELDS_MOST + SLEEPS_MOST; i++) {
		uint32_t none = 0;

		if (__atomic_compare_exchange_n(&claims->page->lock, &none, claims->slot + 1, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
		if (i < SPINS_MOST)
			__builtin_ia32_pause();
		else if (i < SPINS_MOST + YIELDS_MOST)
			sched_yield();
		else
			nanosleep(&pause, NULL);
	}
	return false;
}

/* The lock is held. */
static enum claims_result judge(const struct claims *claims, uint64_t bytes)
{
	uint64_t quota = claims_quota(claims), others;

	if (quota == QUOTA_NONE)
		return CLAIMS_TAKEN;
	others = sum_without(claims->page, &claims->page->slots[claims->slot]);
	if (bytes <= quota && others <= quota - bytes)
		return CLAIMS_TAKEN;
	return any_ending(claims->page) ? CLAIMS_ENDING : CLAIMS_OVER;
}

enum claims_result claims_set(const struct claims *claims, uint64_t bytes)
{
	uint64_t *own = &claims->page->slots[claims->slot].claimed_bytes;
	enum claims_result result;

	/* Nobody else writes this word, and a sum that is too large for a moment does no harm. */
	if (bytes <= __atomic_load_n(own, __ATOMIC_RELAXED)) {
		__atomic_store_n(own, bytes, __ATOMIC_RELEASE);
		return CLAIMS_TAKEN;
	}
	if (!take_lock(claims))
		return CLAIMS_STUCK;
	result = judge(claims, bytes);
	if (result == CLAIMS_TAKEN)
		__atomic_store_n(own, bytes, __ATOMIC_RELEASE);
	__atomic_store_n(&claims->page->lock, 0, __ATOMIC_RELEASE);
	return result;
}
