/* SPDX-License-Identifier: GPL-2.0-or-later */
/* quota.c - how much of the GPU's memory a program holds, and whether it may have more */

#include "worker/quota.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "common/util.h"

#define TRIES_MOST 2000 /* of a millisecond: until a killed worker has been reaped */

struct quota_page *quota_map(int fd)
{
	struct quota_page *page = mmap(NULL, QUOTA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				       0);

	if (page == MAP_FAILED)
		return NULL;
	return page;
}

void quota_begin(struct quota *quota, const struct quota_config *config,
		 struct report_memories *report)
{
	memset(quota, 0, sizeof(*quota));
	quota->config = *config;
	quota->report = report;
	pthread_mutex_init(&quota->lock, NULL);
	pthread_mutex_init(&quota->pool_lock, NULL);
	pthread_mutex_init(&quota->limit_lock, NULL);
}

void quota_end(struct quota *quota)
{
	pthread_mutex_destroy(&quota->lock);
	pthread_mutex_destroy(&quota->pool_lock);
	pthread_mutex_destroy(&quota->limit_lock);
}

/* --- arithmetic --- */

static uint64_t round_up(uint64_t bytes, uint64_t granule)
{
	uint64_t over = granule > 1 ? bytes % granule : 0;

	if (over == 0)
		return bytes;
	return bytes <= UINT64_MAX - granule ? bytes - over + granule : UINT64_MAX;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a <= UINT64_MAX - b ? a + b : UINT64_MAX;
}

uint64_t quota_allocation(const struct gpu_memory *rule, uint64_t bytes, enum quota_part *part)
{
	uint64_t small = round_up(bytes, rule->small_granule);

	*part = bytes < rule->small_below ? QUOTA_SMALL : QUOTA_LARGE;
	if (*part == QUOTA_LARGE)
		return round_up(bytes, rule->granule);
	/* None lies in two granules: what is left behind those that fit into one is theirs, too. */
	return small > 0 ? rule->granule / (rule->granule / small) : 0;
}

/* Return: what all parts take together. */
static uint64_t total_of(const struct gpu_memory *rule, const uint64_t *parts)
{
	uint64_t total = round_up(parts[QUOTA_SMALL], rule->granule);

	for (unsigned i = 0; i < QUOTA_PART_NUM; i++)
		if (i != QUOTA_SMALL)
			total = add(total, parts[i]);
	return total;
}

/* --- what is told --- */

static void set(uint64_t *word, uint64_t number)
{
	__atomic_store_n(word, number, __ATOMIC_RELAXED);
}

/* The lock is held. */
static void tell(struct quota *quota)
{
	struct report_memories *memory = quota->report;
	const struct report_memory *last = &memory->state[memory->turn % 2];
	struct report_memory *next = &memory->state[(memory->turn + 1) % 2];
	uint64_t now_ns = util_now_ns(), since_ns = last->since_ns;
	unsigned __int128 byte_ns;

	if (since_ns == 0)
		since_ns = now_ns;
	byte_ns = (unsigned __int128)last->bytes * (now_ns - since_ns) + quota->rest_byte_ns;
	quota->rest_byte_ns = (uint64_t)(byte_ns % UTIL_NS_PER_S);
	/* Who reads a word of the next state must see that the turn is not the last one's any more. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	set(&next->byte_s, last->byte_s + (uint64_t)(byte_ns / UTIL_NS_PER_S));
	set(&next->since_ns, now_ns);
	set(&next->bytes, quota->total_bytes);
	set(&next->peak_bytes,
	    quota->total_bytes > last->peak_bytes ? quota->total_bytes : last->peak_bytes);
	__atomic_store_n(&memory->turn, memory->turn + 1, __ATOMIC_RELEASE);
}

/* --- claims --- */

static struct claims claims_of(const struct quota *quota)
{
	return (struct claims){ quota->config.page, quota->config.slot };
}

/* More than before is claimed of the VM's quota, then of the host's budget. The lock is held. */
static enum claims_result claim(struct quota *quota, uint64_t total_bytes)
{
	const struct claims claims = claims_of(quota);
	enum claims_result result = CLAIMS_TAKEN;
	struct budget_answer answer;

	if (claims.page != NULL)
		result = claims_set(&claims, total_bytes);
	if (result != CLAIMS_TAKEN || quota->config.budget == NULL)
		return result;
	answer = budget_ask(quota->config.budget, total_bytes);
	if (answer.granted_bytes == total_bytes)
		return CLAIMS_TAKEN;
	if (claims.page != NULL)
		claims_set(&claims, quota->total_bytes);
	return answer.ending ? CLAIMS_ENDING : CLAIMS_OVER;
}

static enum claims_result try_to_take(struct quota *quota, enum quota_part part, uint64_t bytes)
{
	enum claims_result result = CLAIMS_TAKEN;
	uint64_t parts[QUOTA_PART_NUM], total_bytes;

	pthread_mutex_lock(&quota->lock);
	memcpy(parts, quota->parts, sizeof(parts));
	parts[part] = add(parts[part], bytes);
	total_bytes = total_of(quota->config.rule, parts);
	if (total_bytes > quota->total_bytes)
		result = total_bytes < UINT64_MAX ? claim(quota, total_bytes) : CLAIMS_OVER;
	if (result == CLAIMS_TAKEN) {
		quota->parts[part] = parts[part];
		quota->total_bytes = total_bytes;
		tell(quota);
	}
	pthread_mutex_unlock(&quota->lock);
	return result;
}

CUresult quota_take(struct quota *quota, enum quota_part part, uint64_t bytes)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	enum claims_result result;

	if (bytes == 0)
		return CUDA_SUCCESS;
	for (unsigned i = 0; i < TRIES_MOST; i++) {
		result = try_to_take(quota, part, bytes);
		if (result != CLAIMS_ENDING)
			break;
		nanosleep(&pause, NULL);
	}
	return result == CLAIMS_TAKEN ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

void quota_give(struct quota *quota, enum quota_part part, uint64_t bytes)
{
	const struct claims claims = claims_of(quota);
	uint64_t before;

	if (bytes == 0)
		return;
	pthread_mutex_lock(&quota->lock);
	before = quota->total_bytes;
	quota->parts[part] -= bytes < quota->parts[part] ? bytes : quota->parts[part];
	quota->total_bytes = total_of(quota->config.rule, quota->parts);
	if (quota->total_bytes < before) {
		if (claims.page != NULL)
			claims_set(&claims, quota->total_bytes);
		if (quota->config.budget != NULL)
			budget_lower(quota->config.budget, quota->total_bytes);
		tell(quota);
	}
	pthread_mutex_unlock(&quota->lock);
}

bool quota_is_bounded(const struct quota *quota)
{
	const struct claims claims = claims_of(quota);

	return quota->config.budget != NULL ||
	       (claims.page != NULL && claims_quota(&claims) != QUOTA_NONE);
}

void quota_info(struct quota *quota, uint64_t *free_bytes, uint64_t *total_bytes)
{
	const struct claims claims = claims_of(quota);
	uint64_t limit = claims.page != NULL ? claims_quota(&claims) : QUOTA_NONE, sum, kept_back;

	pthread_mutex_lock(&quota->lock);
	if (quota->config.budget != NULL)
		*free_bytes = budget_ask(quota->config.budget, quota->total_bytes).left_bytes;
	pthread_mutex_unlock(&quota->lock);
	if (limit == QUOTA_NONE)
		return;
	kept_back = quota->config.rule->kept_back;
	*free_bytes -= *free_bytes > kept_back ? kept_back : *free_bytes;
	sum = claims_sum(&claims);
	if (*free_bytes > limit - (sum < limit ? sum : limit))
		*free_bytes = limit - (sum < limit ? sum : limit);
	if (*total_bytes > limit)
		*total_bytes = limit;
}
