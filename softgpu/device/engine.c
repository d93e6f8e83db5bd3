/* SPDX-License-Identifier: GPL-2.0-or-later */
/* engine.c - processors: threads that run the blocks of launched kernels */

#include <limits.h>
#include <stdlib.h>

#include "common/util.h"
#include "softgpu/device/device.h"
#include "softgpu/device/engine.h"
#include "softgpu/device/watch.h"

/*
 * Theory of operation. A processor repeats: under the lock it takes a block if it wants one; then,
 * without the lock, a round runs each of its resident blocks for a share; under the lock again it
 * lets go of those that ended.
 *
 * It takes one block at a time, and a further one only after a round in which none ended: so
 * blocks that need no other run one after the other, in a warm cache, and blocks that wait for one
 * another become resident together, up to what occupancy allows. Within a round a slot whose block
 * ended takes the next block of its grid by itself, with one atomic addition.
 *
 * A round is short (SHARE warp instructions for each block), so whatever needs the processor's
 * attention has it within some ms: the end of all work, a kernel of higher priority, a call that
 * waits until memory which it took away is in use no more.
 */
#define STEP 4096u   /* warp instructions between two looks at the atomics */
#define SHARE 16384u /* warp instructions of one slot in one round */
/*
 * The same for a cooperative grid, whose blocks are all resident and wait for one another most of
 * the time: a block that waits uses up its share with looking.
 */
#define SHARE_COOPERATIVE 512u
#define BLOCK_LEAST 64u /* what a block counts at least: making it costs as much */
#define SLEEP_MOST_NS (UTIL_NS_PER_MS)

void sg_engine_init(struct sg_engine *engine)
{
	TAILQ_INIT(&engine->grids);
	sg_device_condition(&engine->work);
	atomic_init(&engine->best_waiting, INT_MAX);
}

bool sg_engine_has_room(const struct sg_engine *engine)
{
	return engine->grid_count < SG_ENGINE_GRIDS;
}

/* --- grids, with the lock ---------------------------------------------------------------- */

static bool all_taken(const struct sg_grid *grid)
{
	return atomic_load_explicit(&grid->next_block, memory_order_relaxed) >= grid->blocks;
}

static void update_best_waiting(struct sg_engine *engine)
{
	const struct sg_grid *grid;
	int best = INT_MAX;

	TAILQ_FOREACH(grid, &engine->grids, in_engine) {
		if (!all_taken(grid)) {
			best = grid->priority;
			break;
		}
	}
	atomic_store_explicit(&engine->best_waiting, best, memory_order_relaxed);
}

void sg_engine_run(struct softgpu *gpu, struct sg_command *command)
{
	struct sg_engine *engine = &gpu->engine;
	struct sg_grid *grid = command->grid, *other;

	grid->command = command;
	engine->grid_count++;
	TAILQ_FOREACH(other, &engine->grids, in_engine) {
		if (other->priority > grid->priority)
			break;
	}
	if (other)
		TAILQ_INSERT_BEFORE(other, grid, in_engine);
	else
		TAILQ_INSERT_TAIL(&engine->grids, grid, in_engine);
	update_best_waiting(engine);
	pthread_cond_broadcast(&engine->work);
}

/* Ends a grid that has no slot any more and will get none. */
static void end_if_over(struct softgpu *gpu, struct sg_grid *grid)
{
	struct sg_engine *engine = &gpu->engine;

	if (grid->resident > 0)
		return;
	if (gpu->error == SOFTGPU_SUCCESS && (grid->faulted || !all_taken(grid)))
		return;
	TAILQ_REMOVE(&engine->grids, grid, in_engine);
	engine->grid_count--;
	engine->kernels_ended++;
	if (engine->cooperative == grid) {
		engine->cooperative = NULL;
		pthread_cond_broadcast(&engine->work);
	}
	sg_device_command_ended(gpu, grid->command);
}

void sg_engine_abort(struct softgpu *gpu)
{
	struct sg_grid *grid, *next;

	atomic_store(&gpu->engine.abort, true);
	for (grid = TAILQ_FIRST(&gpu->engine.grids); grid; grid = next) {
		next = TAILQ_NEXT(grid, in_engine);
		end_if_over(gpu, grid);
	}
	pthread_cond_broadcast(&gpu->engine.work);
}

void sg_engine_pass_rounds(struct softgpu *gpu)
{
	struct sg_engine *engine = &gpu->engine;

	atomic_fetch_add(&engine->attention, 1);
	for (uint32_t i = 0; i < engine->processor_count; i++) {
		const struct sg_processor *processor = &engine->processors[i];
		const uint64_t seen = processor->rounds;

		while (processor->in_round && processor->rounds == seen)
			pthread_cond_wait(&gpu->changed, &gpu->lock);
	}
	atomic_fetch_sub(&engine->attention, 1);
}

/* --- one slot, without the lock ---------------------------------------------------------- */

/* Takes the next block of a grid. Return: whether there was one. */
static bool take_block(struct sg_grid *grid, uint32_t index[3])
{
	const uint32_t *size = grid->launch.grid;
	uint64_t number;

	/* Looked at first, so that the counter cannot run far beyond the end. */
	if (all_taken(grid))
		return false;
	number = atomic_fetch_add_explicit(&grid->next_block, 1, memory_order_relaxed);
	if (number >= grid->blocks)
		return false;
	index[0] = (uint32_t)(number % size[0]);
	index[1] = (uint32_t)(number / size[0] % size[1]);
	index[2] = (uint32_t)(number / size[0] / size[1]);
	return true;
}

/*
 * Counts a block that ended; the machine's own counts go on over all blocks of a slot.
 * Return: its warp instructions, BLOCK_LEAST at least.
 */
static uint64_t count_block(struct sg_engine *engine, struct sg_slot *slot)
{
	uint64_t warp_insns, lane_insns, before = slot->warp_insns;

	sg_cta_count(slot->cta, &warp_insns, &lane_insns);
	atomic_fetch_add_explicit(&engine->lane_instructions, lane_insns - slot->lane_insns,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&engine->blocks_ended, 1, memory_order_relaxed);
	slot->warp_insns = warp_insns;
	slot->lane_insns = lane_insns;
	return warp_insns - before > BLOCK_LEAST ? warp_insns - before : BLOCK_LEAST;
}

/* Puts the grid's next block into a slot whose block is done. Return: whether it did. */
static bool refill(struct sg_processor *processor, struct sg_slot *slot)
{
	struct sg_engine *engine = &processor->gpu->engine;
	uint32_t index[3];

	if (slot->grid->priority >
	    atomic_load_explicit(&engine->best_waiting, memory_order_relaxed))
		return false;
	if (!take_block(slot->grid, index))
		return false;
	if (sg_cta_reset(slot->cta, index, processor->index) == 0) {
		slot->state = SG_CTA_RUNNING;
		return true;
	}
	sg_cta_free(slot->cta);
	slot->cta = NULL;
	slot->state = SG_CTA_FAULT;
	return false;
}

/* Runs a slot for its share. Return: whether a block of it ended. */
static bool run_slot(struct sg_processor *processor, struct sg_slot *slot)
{
	struct sg_engine *engine = &processor->gpu->engine;
	const uint64_t share = slot->grid->cooperative ? SHARE_COOPERATIVE : SHARE;
	const uint64_t step = share < STEP ? share : STEP;
	uint64_t used = 0;
	bool ended = false;

	do {
		slot->state = sg_cta_step(slot->cta, step);
		if (slot->state == SG_CTA_BLOCKED || slot->state == SG_CTA_FAULT)
			break;
		if (slot->state == SG_CTA_RUNNING) {
			used += step;
			continue;
		}
		used += count_block(engine, slot);
		ended = true;
		if (!refill(processor, slot))
			break;
	} while (used < share && !atomic_load_explicit(&engine->abort, memory_order_relaxed) &&
		 atomic_load_explicit(&engine->attention, memory_order_relaxed) == 0);
	return ended;
}

/* Return: whether the slot holds a block that can be stepped, now. */
static bool is_ready(const struct sg_slot *slot, uint64_t now_ns)
{
	if (!slot->cta)
		return false;
	return slot->state == SG_CTA_RUNNING ||
	       (slot->state == SG_CTA_BLOCKED && sg_cta_wake_ns(slot->cta) <= now_ns);
}

static void run_round(struct sg_processor *processor)
{
	const uint64_t now_ns = sg_device_now_ns(processor->gpu);
	bool ended = false;

	for (uint32_t i = 0; i < SG_OCCUPANCY_BLOCKS; i++) {
		if (is_ready(&processor->slots[i], now_ns))
			ended |= run_slot(processor, &processor->slots[i]);
		if (atomic_load_explicit(&processor->gpu->engine.abort, memory_order_relaxed))
			return;
	}
	processor->stalled = !ended;
}

/* --- a processor between two rounds, with the lock --------------------------------------- */

/* The grid that the processor takes a block of next, NULL: none. */
static struct sg_grid *pick(struct softgpu *gpu, const struct sg_processor *processor)
{
	const struct sg_engine *engine = &gpu->engine;
	struct sg_grid *grid;

	TAILQ_FOREACH(grid, &engine->grids, in_engine) {
		/* Two cooperative grids, each half resident, would wait for ever. */
		if (all_taken(grid) ||
		    (grid->cooperative && engine->cooperative && engine->cooperative != grid))
			continue;
		if (sg_occupancy_fits(&processor->used, &grid->footprint))
			return grid;
		/* A large block waits for room, unless what has the room may wait for others. */
		if (!processor->stalled)
			return NULL;
	}
	return NULL;
}

/* Whether a block is waiting that goes before all that the processor has. */
static bool is_urgent(const struct sg_processor *processor)
{
	int best = INT_MAX;

	for (uint32_t i = 0; i < SG_OCCUPANCY_BLOCKS; i++) {
		const struct sg_grid *grid = processor->slots[i].grid;

		if (grid && grid->priority < best)
			best = grid->priority;
	}
	return atomic_load(&processor->gpu->engine.best_waiting) < best;
}

static void fill_slot(struct softgpu *gpu, struct sg_processor *processor, struct sg_grid *grid,
		      const uint32_t index[3])
{
	struct sg_slot *slot = processor->slots;

	while (slot->grid)
		slot++; /* one is empty: the footprint fitted */
	*slot = (struct sg_slot){ .grid = grid, .state = SG_CTA_RUNNING };
	if (sg_cta_new(&grid->launch, index, processor->index, &slot->cta) < 0) {
		slot->cta = NULL;
		slot->state = SG_CTA_FAULT;
	}
	grid->resident++;
	sg_occupancy_add(&processor->used, &grid->footprint);
	if (grid->cooperative)
		gpu->engine.cooperative = grid;
}

/* Takes one block if the processor wants one. Return: whether it did. */
static bool admit(struct softgpu *gpu, struct sg_processor *processor)
{
	struct sg_grid *grid;
	uint32_t index[3];

	if (gpu->error != SOFTGPU_SUCCESS ||
	    (processor->used.blocks > 0 && !processor->stalled && !is_urgent(processor)))
		return false;
	grid = pick(gpu, processor);
	if (!grid || !take_block(grid, index))
		return false;
	fill_slot(gpu, processor, grid, index);
	update_best_waiting(&gpu->engine);
	processor->stalled = false;
	return true;
}

static void report(struct softgpu *gpu, struct sg_slot *slot)
{
	const struct sg_fault *fault;

	slot->grid->faulted = true;
	if (!slot->cta) {
		sg_watch_fault(gpu, SOFTGPU_OUT_OF_MEMORY,
			       "the host has no memory for a block of a kernel: give the process "
			       "more, or launch smaller blocks");
		return;
	}
	fault = sg_cta_fault(slot->cta);
	sg_watch_fault(gpu, (enum softgpu_result)fault->code, fault->text);
}

static void empty_slot(struct softgpu *gpu, struct sg_processor *processor, struct sg_slot *slot)
{
	struct sg_grid *grid = slot->grid;

	sg_cta_free(slot->cta);
	*slot = (struct sg_slot){ 0 };
	sg_occupancy_subtract(&processor->used, &grid->footprint);
	grid->resident--;
	end_if_over(gpu, grid);
}

/* Lets go of blocks that ended, and of all once the context has an error. */
static void retire(struct softgpu *gpu, struct sg_processor *processor)
{
	for (uint32_t i = 0; i < SG_OCCUPANCY_BLOCKS; i++) {
		struct sg_slot *slot = &processor->slots[i];

		if (slot->grid && slot->state == SG_CTA_FAULT)
			report(gpu, slot);
	}
	for (uint32_t i = 0; i < SG_OCCUPANCY_BLOCKS; i++) {
		struct sg_slot *slot = &processor->slots[i];

		if (slot->grid && (gpu->error != SOFTGPU_SUCCESS || slot->state == SG_CTA_DONE ||
				   slot->state == SG_CTA_FAULT))
			empty_slot(gpu, processor, slot);
	}
}

/* Return: ns until one of the processor's blocks can be stepped, 0: now. */
static uint64_t ns_until_ready(struct softgpu *gpu, const struct sg_processor *processor)
{
	const uint64_t now_ns = sg_device_now_ns(gpu);
	uint64_t least = SLEEP_MOST_NS;

	for (uint32_t i = 0; i < SG_OCCUPANCY_BLOCKS; i++) {
		const struct sg_slot *slot = &processor->slots[i];
		uint64_t wake_ns;

		if (!slot->grid)
			continue;
		if (!slot->cta || is_ready(slot, now_ns))
			return 0;
		wake_ns = sg_cta_wake_ns(slot->cta);
		if (wake_ns - now_ns < least)
			least = wake_ns - now_ns;
	}
	return least;
}

static void *processor_main(void *argument)
{
	struct sg_processor *processor = argument;
	struct softgpu *gpu = processor->gpu;
	uint64_t sleep_ns;

	pthread_mutex_lock(&gpu->lock);
	while (!gpu->closing || processor->used.blocks > 0) {
		(void)admit(gpu, processor);
		if (processor->used.blocks == 0) {
			pthread_cond_wait(&gpu->engine.work, &gpu->lock);
			continue;
		}
		sleep_ns = ns_until_ready(gpu, processor);
		if (sleep_ns > 0 && gpu->error == SOFTGPU_SUCCESS) {
			sg_device_sleep(gpu, &gpu->engine.work, sleep_ns);
			processor->stalled = true;
		}
		processor->in_round = true;
		pthread_mutex_unlock(&gpu->lock);
		run_round(processor);
		pthread_mutex_lock(&gpu->lock);
		processor->in_round = false;
		processor->rounds++;
		if (atomic_load(&gpu->engine.attention) > 0)
			pthread_cond_broadcast(&gpu->changed);
		retire(gpu, processor);
	}
	pthread_mutex_unlock(&gpu->lock);
	return NULL;
}

/* --- start and end ----------------------------------------------------------------------- */

enum softgpu_result sg_engine_start(struct softgpu *gpu, uint32_t processors)
{
	const struct softgpu_host *host = gpu->config.host;
	struct sg_engine *engine = &gpu->engine;

	engine->processors = calloc(processors, sizeof(*engine->processors));
	if (!engine->processors)
		return SOFTGPU_OUT_OF_MEMORY;
	for (uint32_t i = 0; i < processors; i++) {
		struct sg_processor *processor = &engine->processors[i];

		processor->gpu = gpu;
		processor->index = i;
		if (host->thread_start(host->owner, "sg-processor", processor_main, processor,
				       &processor->thread) < 0)
			return SOFTGPU_OPERATING_SYSTEM;
		pthread_mutex_lock(&gpu->lock);
		engine->processor_count++;
		pthread_mutex_unlock(&gpu->lock);
	}
	return SOFTGPU_SUCCESS;
}

void sg_engine_end(struct softgpu *gpu)
{
	const struct softgpu_host *host = gpu->config.host;
	struct sg_engine *engine = &gpu->engine;

	pthread_mutex_lock(&gpu->lock);
	pthread_cond_broadcast(&engine->work);
	pthread_mutex_unlock(&gpu->lock);
	for (uint32_t i = 0; i < engine->processor_count; i++)
		host->thread_join(host->owner, engine->processors[i].thread);
	free(engine->processors);
	pthread_cond_destroy(&engine->work);
}
