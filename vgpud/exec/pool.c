/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.c - when to start the workers of one executor, when to back off, when to give up */

#include "vgpud/exec/pool.h"

void exec_pool_init(struct exec_pool *pool, uint64_t now_ns)
{
	*pool = (struct exec_pool){
		.state = EXEC_POOL_EMPTY,
		.next_ns = now_ns,
		.pause_ns = EXEC_POOL_PAUSE_FIRST_NS,
		.crowded_ns = EXEC_POOL_NEVER,
	};
}

/* Rule 2: the next start comes after a pause, and the pause after that is longer. */
static void back_off(struct exec_pool *pool, uint64_t now_ns)
{
	pool->state = EXEC_POOL_EMPTY;
	pool->next_ns = now_ns + pool->pause_ns;
	pool->pause_ns *= 2;
	if (pool->pause_ns > EXEC_POOL_PAUSE_MOST_NS)
		pool->pause_ns = EXEC_POOL_PAUSE_MOST_NS;
}

/* Rule 5. */
static enum exec_pool_step wait_for_the_dying(struct exec_pool *pool, uint64_t now_ns)
{
	if (pool->crowded_ns == EXEC_POOL_NEVER)
		pool->crowded_ns = now_ns;
	back_off(pool, now_ns);
	return now_ns - pool->crowded_ns < EXEC_POOL_CROWDED_NS ? EXEC_POOL_HELD
								: EXEC_POOL_CROWDED;
}

enum exec_pool_step exec_pool_poll(struct exec_pool *pool, uint64_t now_ns)
{
	if (now_ns < pool->next_ns)
		return EXEC_POOL_WAIT;
	switch (pool->state) {
	case EXEC_POOL_EMPTY:
		if (pool->dying >= EXEC_POOL_DYING_MAX)
			return wait_for_the_dying(pool, now_ns);
		pool->crowded_ns = EXEC_POOL_NEVER;
		return EXEC_POOL_START;
	case EXEC_POOL_STARTING:
		return EXEC_POOL_LATE; /* rule 6 */
	case EXEC_POOL_SPARE:
		break;
	}
	return EXEC_POOL_WAIT;
}

void exec_pool_started(struct exec_pool *pool, uint64_t deadline_ns)
{
	pool->state = EXEC_POOL_STARTING;
	pool->next_ns = deadline_ns;
}

void exec_pool_failed(struct exec_pool *pool, uint64_t now_ns)
{
	back_off(pool, now_ns);
}

bool exec_pool_silent(struct exec_pool *pool, uint64_t now_ns)
{
	back_off(pool, now_ns);
	pool->silent++;
	return pool->silent >= EXEC_POOL_SILENT_MAX;
}

void exec_pool_ready(struct exec_pool *pool)
{
	pool->state = EXEC_POOL_SPARE;
	pool->next_ns = EXEC_POOL_NEVER;
	pool->silent = 0;
	/* An ailing executor's workers become ready and die again: let its pauses grow. */
	if (!pool->ails)
		pool->pause_ns = EXEC_POOL_PAUSE_FIRST_NS;
}

void exec_pool_taken(struct exec_pool *pool, uint64_t now_ns)
{
	if (pool->ails) {
		back_off(pool, now_ns);
		return;
	}
	pool->state = EXEC_POOL_EMPTY; /* rule 1 */
	pool->next_ns = now_ns;
}

void exec_pool_idle_died(struct exec_pool *pool, uint64_t ready_ns, uint64_t now_ns)
{
	pool->ails = now_ns - ready_ns < EXEC_POOL_SOUND_NS;
	if (!pool->ails)
		pool->pause_ns = EXEC_POOL_PAUSE_FIRST_NS;
}

void exec_pool_spare_died(struct exec_pool *pool, uint64_t ready_ns, uint64_t now_ns)
{
	exec_pool_idle_died(pool, ready_ns, now_ns);
	back_off(pool, now_ns);
}

void exec_pool_answered(struct exec_pool *pool)
{
	pool->ails = false;
	pool->pause_ns = EXEC_POOL_PAUSE_FIRST_NS;
}

void exec_pool_killed(struct exec_pool *pool)
{
	pool->dying++;
}

void exec_pool_buried(struct exec_pool *pool)
{
	pool->dying--;
}
