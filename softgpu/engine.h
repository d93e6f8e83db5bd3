/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine.h - processors: threads that run the blocks of launched kernels */

#ifndef SOFTGPU_ENGINE_H
#define SOFTGPU_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "softgpu/cta.h"
#include "softgpu/occupancy.h"
#include "softgpu/softgpu.h"

struct sg_command;
struct sg_program;

/*
 * A kernel that was launched. Blocks are taken in order by `next_block`; a processor that took one
 * keeps it resident until it ends. All processors together hold `resident` slots of it.
 */
struct sg_grid {
	TAILQ_ENTRY(sg_grid) in_engine; /* in the order of priority, then of their start */
	struct sg_command *command;	/* that it is of; NULL before it is submitted */
	struct sg_program *program;	/* one reference */
	struct sg_launch launch;
	unsigned char *params;
	struct sg_footprint footprint; /* of one block */
	int priority;
	bool cooperative;
	uint64_t blocks;
	atomic_uint_fast64_t next_block; /* blocks and above: all are taken */
	uint32_t resident;		 /* slots; the device's lock guards it */
	bool faulted;			 /* it does not end any more but with the context */
};

TAILQ_HEAD(sg_grid_list, sg_grid);

/* Slots of one processor: as many as it may hold blocks. */
struct sg_slot {
	struct sg_grid *grid; /* NULL: the slot is empty */
	struct sg_cta *cta;   /* NULL: it could not be made, and state is FAULT */
	enum sg_cta_state state;
	uint64_t warp_insns, lane_insns; /* of the slot's blocks that were counted already */
};

struct sg_processor {
	struct softgpu *gpu;
	uint32_t index;
	uint64_t thread;
	struct sg_slot slots[SG_OCCUPANCY_BLOCKS];
	struct sg_footprint used; /* by its slots together */
	bool stalled;		  /* no block ended in the last round: one more may be needed */
	bool in_round;		  /* it runs blocks without the lock */
	uint64_t rounds;
};

/* The device's lock guards it but for the atomics. */
struct sg_engine {
	struct sg_grid_list grids; /* started, not ended */
	struct sg_processor *processors;
	uint32_t processor_count;
	pthread_cond_t work;	     /* grids came, or the end */
	struct sg_grid *cooperative; /* the one that is being made resident or runs */
	uint64_t last_grid_id;
	uint32_t grid_count;
	uint64_t kernels_ended;
	/* Processors look at these between two steps, without the lock. */
	atomic_bool abort;	 /* let go of all blocks: the context has an error */
	atomic_uint attention;	 /* calls that wait until processors have left their round */
	atomic_int best_waiting; /* the highest priority (lowest number) of blocks not taken */
	atomic_uint_fast64_t lane_instructions;
	atomic_uint_fast64_t blocks_ended;
};

#define SG_ENGINE_GRIDS                                                           \
	128u /* kernels at once, as on a real device; others wait in their stream \
	      */

void sg_engine_init(struct sg_engine *engine);
/*
 * Starts the processors. Return: SUCCESS, OUT_OF_MEMORY, OPERATING_SYSTEM.
 * sg_engine_end may follow either.
 */
enum softgpu_result sg_engine_start(struct softgpu *gpu, uint32_t processors);
/* Ends the processors' threads; the context has an error and gpu->closing is set. */
void sg_engine_end(struct softgpu *gpu);

/* The functions below are called with the device's lock held. */

/* Whether a further kernel may start. */
bool sg_engine_has_room(const struct sg_engine *engine);
/* Runs a started command's grid; ends the command when it has run. */
void sg_engine_run(struct softgpu *gpu, struct sg_command *command);
/* Has processors let go of all blocks. Their commands end when none is left on a processor. */
void sg_engine_abort(struct softgpu *gpu);
/* Waits until each processor has left the round that it is in now. Bounded: some ms. */
void sg_engine_pass_rounds(struct softgpu *gpu);

void sg_grid_free(struct softgpu *gpu, struct sg_grid *grid);

#endif
