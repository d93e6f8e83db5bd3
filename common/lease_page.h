/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_page.h - the memory by which a program's worker knows whether it may use the GPU */

#ifndef VGPU_COMMON_LEASE_PAGE_H
#define VGPU_COMMON_LEASE_PAGE_H

#include <stdint.h>

/*
 * Theory of operation. The broker writes struct lease_page, which the worker cannot map for writing; the
 * worker writes struct lease_claims. Each is a memfd of one page of the program's own.
 *
 * A worker that has the lease looks at `grant` before each command that submits to the GPU. It is
 * *busy* while it has something in flight, to issue or held back. A worker that is not busy keeps its
 * lease without a message: it becomes busy by writing `busy`, then looking at `grant`. The broker takes
 * a lease back by clearing `grant`, then looking at `busy`: with a fence between on both sides, at least
 * one of them sees the other. So a lease whose holder rests is taken back at once, and a program that is
 * alone sends no message at all.
 *
 * A process that sleeps takes a while to wake up, in which the GPU would have nothing to do. So a worker
 * that wants the lease polls this page for LEASE_SOON_NS after `soon` has changed.
 *
 * What else happens is said by messages (common/worker_wire.h): the worker wants the lease, gives it
 * back, acknowledges that it was taken back, drains and has drained.
 */
struct lease_page {
	uint64_t grant;	    /* number of the lease that the worker has; 0: none */
	uint64_t asked;	    /* of the last one that it has to acknowledge as taken back; 0: none */
	uint32_t contended; /* others want it: give it back when there is nothing to do */
	uint32_t idle_us;   /* after so long without anything in flight or to issue */
	uint32_t in_flight_us; /* work that may be in flight */
	uint32_t yield_us;     /* if nothing of it finishes for so long there may be more */
	uint32_t soon;	       /* counts up: the next turn may be this worker's, if it wants one */
	uint32_t may_poll;     /* there are processors for a worker that polls this page */
	uint64_t clear_ns;     /* since when no other program has work in flight; 0: one may have */
};

/*
 * A claim: it counts as far as no other program could have had the GPU. A worker that finds its page
 * other than it wrote it ends itself.
 */
struct lease_claims {
	uint32_t busy;
	uint32_t held;		/* commands that are held back now */
	uint64_t idle_since_ns; /* CLOCK_MONOTONIC; while not busy */
	uint64_t idle_ns;	/* the sum of all earlier rests */
	uint64_t held_ns;	/* time in which something was held back, without the present one */
};

#define LEASE_PAGE_BYTES 4096u
#define LEASE_SOON_NS UINT64_C(2000000)

static inline uint64_t lease_page_load(const uint64_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static inline void lease_page_store(uint64_t *at, uint64_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

/* Between one's own store and the load of what the other side stores. */
static inline void lease_page_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
