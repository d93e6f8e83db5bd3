/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pool.h - when to start the workers of one executor, when to back off, when to give up */

#ifndef VGPUD_EXEC_POOL_H
#define VGPUD_EXEC_POOL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The rules, numbered as in pool.c:
 *  1. at any time one worker is starting, or ready as the spare; when the spare is taken, the next
 *     is started at once;
 *  2. a failed start is repeated after a pause; pauses double, from EXEC_POOL_PAUSE_FIRST_NS to
 *     EXEC_POOL_PAUSE_MOST_NS, until a worker is ready;
 *  3. a starting worker that ends without a message may have been killed by chance: only
 *     EXEC_POOL_SILENT_MAX of them in a row are trouble;
 *  4. a worker that dies while it runs nothing, less than EXEC_POOL_SOUND_NS after it was ready,
 *     shows that its executor ails: until a worker answers again, each start comes after a pause;
 *  5. killed workers hold GPU memory until they have ended: with EXEC_POOL_DYING_MAX of them no
 *     worker is started, and after EXEC_POOL_CROWDED_NS that is trouble;
 *  6. a worker that is not ready by its deadline is given up.
 * A worker that dies while it runs a request is no failure of its executor: the broker counts that
 * against the VM (vm_fault()).
 *
 * Pure: no I/O, no clock, no memory of its own. Times are nanoseconds of any one monotonic clock.
 */

#define EXEC_POOL_PAUSE_FIRST_NS UINT64_C(100000000)
#define EXEC_POOL_PAUSE_MOST_NS UINT64_C(30000000000)
#define EXEC_POOL_SOUND_NS EXEC_POOL_PAUSE_MOST_NS
#define EXEC_POOL_CROWDED_NS UINT64_C(10000000000)
#define EXEC_POOL_DYING_MAX 8
#define EXEC_POOL_SILENT_MAX 3
#define EXEC_POOL_NEVER UINT64_MAX

enum exec_pool_state {
	EXEC_POOL_EMPTY,    /* the next start is due at next_ns */
	EXEC_POOL_STARTING, /* a worker starts, and must be ready by next_ns */
	EXEC_POOL_SPARE	    /* a worker is ready */
};

/* Only pool.c writes the fields. */
struct exec_pool {
	enum exec_pool_state state;
	uint64_t next_ns;    /* when to call exec_pool_poll() next */
	uint64_t pause_ns;   /* rule 2: the next pause */
	unsigned silent;     /* rule 3: in a row */
	bool ails;	     /* rule 4 */
	unsigned dying;	     /* rule 5 */
	uint64_t crowded_ns; /* rule 5: since when there are too many, or EXEC_POOL_NEVER */
};

/* A pool whose first worker is to be started at once. */
void exec_pool_init(struct exec_pool *pool, uint64_t now_ns);

enum exec_pool_step {
	EXEC_POOL_WAIT,	   /* nothing to do before pool->next_ns */
	EXEC_POOL_START,   /* start a worker, then call exec_pool_started() or exec_pool_failed() */
	EXEC_POOL_LATE,	   /* rule 6: end the starting worker, then call exec_pool_failed() */
	EXEC_POOL_HELD,	   /* rule 5: start none, and ask again at pool->next_ns */
	EXEC_POOL_CROWDED, /* rule 5: the same, and it has lasted long enough to be trouble */
};

/* Return: what is to be done now. */
enum exec_pool_step exec_pool_poll(struct exec_pool *pool, uint64_t now_ns);

/* A worker was started. deadline_ns: rule 6. */
void exec_pool_started(struct exec_pool *pool, uint64_t deadline_ns);

/* A worker could not be started, reported that it cannot run, or was not ready in time: trouble. */
void exec_pool_failed(struct exec_pool *pool, uint64_t now_ns);

/* Rule 3. A starting worker ended without a message. Return: whether that is trouble by now. */
bool exec_pool_silent(struct exec_pool *pool, uint64_t now_ns);

/* The starting worker is ready: it is the spare. */
void exec_pool_ready(struct exec_pool *pool);

/* A seat took the spare. */
void exec_pool_taken(struct exec_pool *pool, uint64_t now_ns);

/* The spare died. ready_ns: when it became ready. */
void exec_pool_spare_died(struct exec_pool *pool, uint64_t ready_ns, uint64_t now_ns);

/* Rule 4. A worker that was taken died while it ran nothing. */
void exec_pool_idle_died(struct exec_pool *pool, uint64_t ready_ns, uint64_t now_ns);

/* Rule 4. A worker answered a request. */
void exec_pool_answered(struct exec_pool *pool);

/* Rule 5. A worker was killed and has not ended; such a worker has ended. */
void exec_pool_killed(struct exec_pool *pool);
void exec_pool_buried(struct exec_pool *pool);

#endif
