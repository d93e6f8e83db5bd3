/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease_state.h - what a program's worker knows about its lease */

#ifndef VGPU_WORKER_LEASE_STATE_H
#define VGPU_WORKER_LEASE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cuda/cuda_abi.h"
#include "common/lease_page.h"
#include "common/wire/vgpu_cmds.h"
#include "common/worker_wire.h"

#define LEASE_HELD_MOST_BYTES (1u << 20) /* above, the ring itself is not read on */
#define LEASE_ORPHANS_MOST 32u

struct lease_held {
	struct lease_held *next;
	_Alignas(16) uint8_t command[];
};

/* Of the issuing thread. */
struct lease {
	const struct lease_page *page; /* NULL: the program needs no lease */
	struct lease_claims *claims;
	void (*say)(const struct program_state *state); /* to the broker */

	uint64_t number;   /* of the lease that it has, or has been asked to give back; 0: none */
	uint64_t acked;	   /* of the last one that was taken back and acknowledged */
	uint64_t returned; /* of the one that it gave back last: the page may still show it */
	bool busy;
	bool draining; /* asked to give it back, and has acknowledged */
	bool wants;    /* the broker knows that something is held back */

	struct lease_held *first, **last; /* held back, in their order */
	uint32_t held_bytes;
	uint64_t held_since_ns;

	/* Streams on which something was put since they were seen empty. */
	uint16_t *dirty;
	uint32_t dirty_num;
	uint8_t is_dirty[(VGPU_HANDLES_MOST + 1) / 8];
	CUevent orphans[LEASE_ORPHANS_MOST]; /* behind the work of streams that were destroyed */
	uint32_t orphan_num;

	uint64_t active_ns; /* when a command was run or work was seen in flight last */
	uint64_t look_ns, pause_ns;
};

#endif
