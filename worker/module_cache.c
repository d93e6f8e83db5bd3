/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_cache.c - asks the broker for code that a program of the VM has compiled before */

#include "worker/module_cache.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"

/* A broker that is asked for nothing else answers within 0.1 ms. */
#define PATIENCE_NS (50 * UTIL_NS_PER_MS)

void module_cache_init(struct module_cache *cache, int fd)
{
	pthread_condattr_t clock;

	*cache = (struct module_cache){ .fd = fd, .patience_ns = PATIENCE_NS, .file = -1 };
	pthread_mutex_init(&cache->turn, NULL);
	pthread_mutex_init(&cache->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&cache->came, &clock);
	pthread_condattr_destroy(&clock);
}

/* A broker that is slow to read is not waited for. Return: whether it was told. */
static bool tell(const struct module_cache *cache, const struct program_state *state)
{
	return send(cache->fd, state, sizeof(*state), MSG_NOSIGNAL | MSG_DONTWAIT) ==
	       sizeof(*state);
}

void module_cache_made(const struct module_cache *cache, uint32_t question, uint64_t bytes)
{
	const struct program_state made = {
		.what = PROGRAM_MODULE_MADE,
		.module_question = question,
		.module_bytes = bytes,
	};

	(void)tell(cache, &made);
}

/* Under the lock. */
static void wait_for_answer(struct module_cache *cache)
{
	uint64_t until_ns = util_now_ns() + cache->patience_ns;
	const struct timespec until = {
		.tv_sec = (time_t)(until_ns / UTIL_NS_PER_S),
		.tv_nsec = (long)(until_ns % UTIL_NS_PER_S),
	};

	cache->waits = true;
	while (cache->answered != cache->asked &&
	       pthread_cond_timedwait(&cache->came, &cache->lock, &until) != ETIMEDOUT)
		;
	cache->waits = false;
}

/* With the turn. */
static enum program_module ask(struct module_cache *cache, const uint8_t *key, int *file,
			       uint32_t *question)
{
	struct program_state state = { .what = PROGRAM_MODULE_ASKED };
	enum program_module answer = PROGRAM_MODULE_NONE;

	memcpy(state.module_key, key, sizeof(state.module_key));
	pthread_mutex_lock(&cache->lock);
	if (cache->asked == cache->answered) {
		*question = cache->asked + 1 != 0 ? cache->asked + 1 : 1;
		state.module_question = *question;
		if (tell(cache, &state)) {
			cache->asked = *question;
			wait_for_answer(cache);
		}
		/* Not there: it was not told, or is late. */
		if (cache->file >= 0) {
			answer = (enum program_module)cache->module;
			*file = cache->file;
			cache->file = -1;
		}
	}
	pthread_mutex_unlock(&cache->lock);
	return answer;
}

enum program_module module_cache_ask(struct module_cache *cache, const uint8_t *key, int *file,
				     uint32_t *question)
{
	enum program_module answer;

	*file = -1;
	pthread_mutex_lock(&cache->turn);
	answer = ask(cache, key, file, question);
	pthread_mutex_unlock(&cache->turn);
	return answer;
}

void module_cache_answered(struct module_cache *cache, const struct program_order *order, int file)
{
	bool wanted;

	pthread_mutex_lock(&cache->lock);
	wanted = cache->waits && order->module_question == cache->asked;
	if (wanted) {
		cache->module = order->module;
		cache->file = file;
	}
	cache->answered = order->module_question;
	pthread_cond_broadcast(&cache->came);
	pthread_mutex_unlock(&cache->lock);
	if (wanted || file < 0)
		return;
	close(file);
	if (order->module == PROGRAM_MODULE_BLANK)
		module_cache_made(cache, order->module_question, 0);
}
