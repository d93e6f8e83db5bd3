/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sched.h - which request runs next */

#ifndef VGPUD_SCHED_SCHED_H
#define VGPUD_SCHED_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "vgpud/sched/limit.h"

/*
 * The order, numbered as in sched.c and in vgpud(8):
 *  1. a paused VM's requests wait;
 *  2. high before medium before low;
 *  3. within a priority, first come, first served;
 *  4. a request starts only while fewer than its pool's window are on the GPU;
 *  5. each VM's queue is bounded;
 *  6. with aging, a request rises one priority for each aging_ns that it has waited;
 *  7. a request past its deadline ends, waiting or running;
 *  8. a VM with a limit starts one request for each token of its bucket.
 * A change of priority, pool, pause or limit applies to what is queued at once.
 *
 * Pure: no I/O, no clock, no threads, no memory of its own. Times are nanoseconds of any one
 * monotonic clock.
 */

#define SCHED_GPU_MAX 16  /* queues */
#define SCHED_POOL_MAX 26 /* pools, A to Z */
#define SCHED_NEVER UINT64_MAX

/* A pool: the GPU in whose queue its VMs wait, and its bounds. Index 0 is pool A. */
struct sched_pool {
	bool exists;
	unsigned gpu;		   /* index of the queue, below SCHED_GPU_MAX */
	unsigned window;	   /* rule 4, at least 1 */
	uint64_t deadline_ns;	   /* rule 7: from arrival to end */
	uint64_t exec_deadline_ns; /* rule 7: from start to end, less the time behind others */
};

enum sched_state { SCHED_NONE, SCHED_QUEUED, SCHED_STARTED };

struct sched_vm;

/* A request; its owner embeds it. Only sched.c writes the fields. */
struct sched_item {
	TAILQ_ENTRY(sched_item) link; /* in its VM's queue, or in the list of the started */
	struct sched_vm *vm;
	uint64_t order; /* rule 3: smaller came first */
	uint64_t arrived_ns;
	uint64_t started_ns;
	uint64_t limited_ns; /* rule 8: see sched_limited_ns() */
	uint64_t used_ns;    /* time on the GPU, once it is finished: see sched_finish() */
	enum sched_state state;
	uint8_t pool; /* where it started: moving a VM does not move its running requests */
	bool late;    /* its deadline was reported while it ran */
	bool behind;  /* others run before it where it was started */
};

TAILQ_HEAD(sched_list, sched_item);

/*
 * A VM as the scheduler sees it; the owner of a VM embeds it and may set the last five fields at
 * any time: they take effect with the next call. sched_vm_limit() changes the limit.
 */
struct sched_vm {
	TAILQ_ENTRY(sched_vm) link; /* among the VMs with something queued */
	struct sched_list queue;    /* in order of arrival */
	unsigned queued;
	unsigned started;
	struct limit limit;  /* rule 8 */
	uint64_t limited_ns; /* how long its queue has waited for tokens, in waits that are over */
	uint64_t limited_since_ns; /* since when it waits for one; SCHED_NEVER: it does not */
	uint64_t token_ns;	   /* when it gets it */
	uint8_t pool;		   /* index */
	uint8_t priority;	   /* 0 low, 1 medium, 2 high */
	bool paused;		   /* rule 1 */
	bool stalled;	 /* no worker can take its requests now: they wait, other VMs go on */
	bool waits_turn; /* its GPU has programs, and its turn has not come: the same */
};

TAILQ_HEAD(sched_vm_list, sched_vm);

struct sched {
	struct sched_pool pool[SCHED_POOL_MAX];
	struct sched_vm_list waiting; /* VMs with something queued */
	struct sched_list started;
	unsigned started_on[SCHED_GPU_MAX];
	unsigned vm_queue_max; /* rule 5 */
	uint64_t aging_ns;     /* rule 6; 0: off */
	uint64_t token_ns;     /* rule 8: when the next token comes that sched_pop() missed; the
				  caller sets it back to SCHED_NEVER */
	uint64_t next_order;
};

/* vm_queue_max: at least 1. The caller fills in s->pool afterwards. */
void sched_init(struct sched *s, unsigned vm_queue_max, uint64_t aging_ns);

void sched_vm_init(struct sched_vm *vm, uint8_t pool, uint8_t priority, bool paused);

/* Rule 8. Sets the limit as limit_set() does; setting the same limit again changes nothing. */
void sched_vm_limit(struct sched_vm *vm, uint32_t rate_per_s, uint32_t burst, uint64_t now_ns);

/*
 * Rule 8. Return: how long a queued request has waited while its VM had no token; for a request
 * that has left the queue by sched_pop() or sched_expire(), how long it had waited so.
 */
uint64_t sched_limited_ns(const struct sched_item *item, uint64_t now_ns);

/* Rule 5. Return: whether sched_push() would refuse. */
bool sched_full(const struct sched *s, const struct sched_vm *vm);

/* Rule 5. Return: 0, or -EDQUOT: the VM's queue is full. */
int sched_push(struct sched *s, struct sched_vm *vm, struct sched_item *item, uint64_t now_ns);

/* Rules 1 to 4, 6 and 8. Return: the request that starts now on this GPU, or NULL. */
struct sched_item *sched_pop(struct sched *s, unsigned gpu, uint64_t now_ns);

/* Rules 2, 3 and 6. Return: whether a comes before b; both are queued. */
bool sched_before(const struct sched *s, const struct sched_item *a, const struct sched_item *b,
		  uint64_t now_ns);

/* The worker has a started request behind others: its time on the GPU does not count yet; now the
 * request has begun and its time counts. */
void sched_behind(struct sched_item *item);
void sched_begin(struct sched_item *item, uint64_t now_ns);

/*
 * A started item has ended. used_ns: the worker's figure for its time on the GPU; it is cut to the
 * time since the item began. item->used_ns becomes what was counted.
 */
void sched_finish(struct sched *s, struct sched_item *item, uint64_t used_ns, uint64_t now_ns);

/* A started request did not begin after all: it waits again, in its old place. */
void sched_requeue(struct sched *s, struct sched_item *item);

/* Takes a queued request out. */
void sched_remove(struct sched *s, struct sched_item *item);

enum sched_expiry {
	SCHED_EXPIRED_WAITING, /* taken out of its queue */
	SCHED_EXPIRED_PAUSED,  /* taken out of its queue; its VM is paused */
	SCHED_EXPIRED_RUNNING, /* past deadline_ns; still started, reported once */
	SCHED_EXPIRED_HUNG     /* past exec_deadline_ns; still started, the caller finishes it */
};

/*
 * Rule 7. Call it until it returns NULL.
 * Return: a request past its deadline; *how says what happened to it.
 */
struct sched_item *sched_expire(struct sched *s, uint64_t now_ns, enum sched_expiry *how);

/* Return: whether sched_expire() would return one that is started. */
bool sched_is_overdue(const struct sched *s, uint64_t now_ns);

/* Return: when to call sched_expire() next; SCHED_NEVER: no request is here. */
uint64_t sched_next_expiry_ns(const struct sched *s);

#endif
