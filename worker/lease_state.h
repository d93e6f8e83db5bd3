/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_state.h - what a program's worker knows about its lease */

#ifndef VGPU_WORKER_LEASE_STATE_H
#define VGPU_WORKER_LEASE_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/cuda/cuda_abi.h"
#include "common/lease_page.h"
#include "common/wire/vgpu_cmds.h"
#include "common/worker_wire.h"

#define LEASE_HELD_MOST_BYTES (1u << 20) /* above, the ring itself is not read on */

/* A command that is held back. */
struct lease_held {
	struct lease_held *next;
	_Alignas(16) uint8_t command[];
};

/* held.c: the commands that are held back, in their order. */
struct held_list {
	struct lease_held *first, **last;
	uint32_t bytes;
	uint32_t waits;	   /* of them wait for an event or a stream */
	uint64_t since_ns; /* since when there are some */
	/* What was released last may have been all that some of those waited for. */
	bool event_freed, stream_freed;
	uint32_t freed_event, freed_stream;
};

#define DIRTY_ORPHANS_MOST 32u

/* dirty.c: the streams on which something was put since they were seen empty. */
struct dirty {
	uint16_t *streams; /* num of them, by number */
	uint32_t num;
	uint8_t is_dirty[(VGPU_HANDLES_MOST + 1) / 8];
	CUevent orphans[DIRTY_ORPHANS_MOST]; /* behind the work of streams that were destroyed */
	uint32_t orphan_num;
};

/* drain.c: the turns of a program that rests after each of them. */
struct drain_turns {
	uint64_t since_ns;    /* since when it has the lease; 0: it is not known */
	uint64_t run_ns;      /* how long it had something in flight in its turns */
	uint32_t steady_runs; /* so many in a row took about as long */
};

#define FLIGHT_MARKERS 64u

/* flight.c: kernels of one stream. Free-running counts: done <= marked <= issued. */
struct flight_stream {
	uint32_t issued;
	uint32_t done;	 /* known to be */
	uint32_t marked; /* issued when its last marker was put */
};

struct flight_marker {
	CUevent event;
	uint16_t stream;
	bool live;	/* false: it says nothing any more */
	uint32_t count; /* of the stream that are done when it is */
};

struct flight {
	uint32_t bound;	      /* so many may be in flight */
	uint32_t num;	      /* are in flight, as far as is known */
	bool presses;	      /* the program submits quicker than the GPU works */
	uint64_t each_ns;     /* what one takes; 0: not known */
	uint32_t eager;	      /* so many go without waiting until the one before is about to end */
	uint64_t since_ns;    /* when one finished last, or the first of those in flight began */
	uint64_t finished_ns; /* the same, or when the bound grew */
	uint64_t look_ns;     /* when to look again whether there is room */
	struct flight_stream *streams; /* by number */
	struct flight_marker markers[FLIGHT_MARKERS];
	unsigned marker_num;
	CUevent spares[FLIGHT_MARKERS];
	unsigned spare_num;
	uint8_t seen[(VGPU_HANDLES_MOST + 1) / 8]; /* functions that were launched */
};

/* Of the issuing thread, but for what has a lock. */
struct lease {
	const struct lease_page *page; /* NULL: the program needs no lease */
	struct lease_claims *claims;
	struct lease_claims own; /* what this thread wrote to its claims, which it never reads */
	void (*say)(const struct program_state *state); /* to the broker */

	pthread_mutex_t told_lock; /* guards the next one */
	uint64_t told; /* of the last one that was taken back and whose acknowledgement was sent */

	uint64_t number;   /* of the lease that it has, or has been asked to give back; 0: none */
	uint64_t acked;	   /* of the last one that was taken back, as this thread knows */
	uint64_t returned; /* of the one that it gave back last: the page may still show it */
	bool busy;
	bool draining; /* asked to give it back, and has acknowledged, or gives it back early */
	bool drains;   /* the broker knows that what is in flight ends in a moment */
	bool wants;    /* the broker knows that something is held back */

	uint32_t soon;		 /* of the page, as it was seen last */
	uint64_t awake_until_ns; /* the lease may come at any moment */

	struct held_list held;
	struct dirty dirty;
	struct drain_turns turns;
	struct flight flight;
	bool is_bounded; /* it has the lease, and what is held back waits for room in flight */

	uint64_t active_ns;  /* when a command was run or work was seen in flight last */
	uint32_t long_rests; /* in a row */
	uint64_t look_ns, pause_ns;
};

/* Return: whether other programs want the GPU, too, as far as this one knows. */
static inline bool lease_has_rivals(const struct lease *lease)
{
	return lease->page != NULL &&
	       __atomic_load_n(&lease->page->contended, __ATOMIC_ACQUIRE) != 0;
}

#endif
