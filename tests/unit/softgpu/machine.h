/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.h - for tests: PTX text run block by block on this thread, without device, streams or
 * engine */

#ifndef TEST_SOFTGPU_MACHINE_H
#define TEST_SOFTGPU_MACHINE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/machine/bind.h"
#include "softgpu/machine/cta.h"
#include "softgpu/ptx/module.h"
#include "tests/unit/softgpu/find.h"

#define MACHINE_BYTES (64ull << 20)

struct machine {
	struct sg_memory *memory;
	uint64_t globals, constants; /* where the module's variables are; 0: it has none */
	struct sg_module *module;
	struct sg_cta_heap heap;
	struct sg_error error;
	struct sg_fault fault; /* of the last launch */
	uint64_t now_ns;       /* the clock: one more at every look */
	uint64_t steps_left;   /* of sg_cta_step in a launch; 0 gives up */
	uint64_t budget;       /* of one step */
	uint32_t resident;     /* blocks at once */
	uint32_t shared_bytes; /* dynamic */
	uint64_t warp_insns, lane_insns;
	bool races;
	size_t print_room; /* bytes that printf may write still */
	char printed[4096], asserted[2048], raced[4096];
};

static uint64_t machine_now(void *arg)
{
	return ((struct machine *)arg)->now_ns++;
}

static int machine_print(void *arg, const char *text, size_t bytes)
{
	struct machine *m = arg;
	size_t used = strlen(m->printed);

	if (bytes > m->print_room || bytes >= sizeof(m->printed) - used)
		return -ENOSPC;
	m->print_room -= bytes;
	memcpy(m->printed + used, text, bytes);
	m->printed[used + bytes] = '\0';
	return 0;
}

static void machine_keep(char *to, size_t to_bytes, const char *text)
{
	size_t used = strlen(to);

	snprintf(to + used, to_bytes - used, "%s\n", text);
}

static void machine_assert(void *arg, const char *text)
{
	machine_keep(((struct machine *)arg)->asserted, 2048, text);
}

static void machine_race(void *arg, const char *text)
{
	machine_keep(((struct machine *)arg)->raced, 4096, text);
}

/*
 * memory: of an earlier machine, which is then this one's; NULL: a new one.
 * Return: 0, or the error of loading; m->error says more.
 */
static inline int machine_load_into(struct machine *m, struct sg_memory *memory, const char *text,
				    size_t bytes)
{
	const struct sg_module_text one = { .text = text, .len_bytes = bytes };
	const struct sg_code_function *function;
	int err;

	memset(m, 0, sizeof(*m));
	m->memory = memory;
	m->steps_left = 100000;
	m->budget = 10000;
	m->resident = 4;
	m->print_room = sizeof(m->printed);
	m->heap.limit_bytes = 8 << 20;
	err = sg_module_load(&one, 1, NULL, &m->module, &m->error);
	if (err)
		return err;
	if (sg_bind_module(m->module, &function))
		return -ENOTSUP;
	err = memory ? 0 : sg_memory_new(MACHINE_BYTES, &m->memory);
	if (err)
		return err;
	if (m->module->global_bytes)
		err = sg_memory_alloc(m->memory, m->module->global_bytes, m->module->global_align,
				      SG_MEMORY_VARIABLE, &m->globals);
	if (!err && m->module->constant_bytes)
		err = sg_memory_alloc(m->memory, m->module->constant_bytes,
				      m->module->constant_align, SG_MEMORY_CONST, &m->constants);
	if (err)
		return err;
	sg_module_place(m->module, m->globals, m->constants);
	if (m->module->global_image_bytes)
		memcpy(sg_memory_host(m->memory, m->globals, m->module->global_bytes),
		       m->module->global_image, m->module->global_image_bytes);
	if (m->module->constant_image_bytes)
		memcpy(sg_memory_host(m->memory, m->constants, m->module->constant_bytes),
		       m->module->constant_image, m->module->constant_image_bytes);
	return 0;
}

static inline int machine_load(struct machine *m, const char *text, size_t bytes)
{
	return machine_load_into(m, NULL, text, bytes);
}

/* Frees all but the memory, which is empty again but for what machine_alloc() made. */
static inline struct sg_memory *machine_take_memory(struct machine *m)
{
	if (m->globals)
		sg_memory_release(m->memory, m->globals);
	if (m->constants)
		sg_memory_release(m->memory, m->constants);
	sg_module_free(m->module);
	return m->memory;
}

static inline void machine_free(struct machine *m)
{
	sg_module_free(m->module);
	sg_memory_free(m->memory);
}

static inline uint64_t machine_alloc(struct machine *m, uint64_t bytes)
{
	uint64_t addr = 0;

	if (sg_memory_alloc(m->memory, bytes, 0, SG_MEMORY_GLOBAL, &addr))
		abort();
	return addr;
}

static inline void *machine_host(struct machine *m, uint64_t addr)
{
	return sg_memory_host(m->memory, addr, 1);
}

/* Start a block that is done as the next of the grid, or free it when there is none. */
static inline bool machine_next(struct machine *m, const struct sg_launch *launch,
				struct sg_cta **cta, uint32_t sm, uint64_t *next, uint64_t blocks)
{
	const uint32_t *grid = launch->grid;
	uint64_t n = *next;

	if (n == blocks) {
		uint64_t warp, lane;

		sg_cta_count(*cta, &warp, &lane);
		m->warp_insns += warp;
		m->lane_insns += lane;
		sg_cta_free(*cta);
		*cta = NULL;
		return true;
	}
	(*next)++;
	return sg_cta_reset(*cta,
			    (const uint32_t[3]){ (uint32_t)(n % grid[0]),
						 (uint32_t)(n / grid[0] % grid[1]),
						 (uint32_t)(n / grid[0] / grid[1]) },
			    sm) == 0;
}

/* Step up to m->resident blocks in turn until all are done. Return: false on a fault or too many
 * steps. */
static inline bool machine_blocks(struct machine *m, const struct sg_launch *launch)
{
	uint64_t blocks = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2], next = 0;
	struct sg_cta **cta = calloc(m->resident, sizeof(*cta));
	uint32_t active = 0;
	bool ok = true;

	while (ok && (next < blocks || active)) {
		for (uint32_t n = 0; n < m->resident && ok; n++) {
			enum sg_cta_state state;

			if (!cta[n] && next < blocks) {
				uint32_t index[3] = {
					(uint32_t)(next % launch->grid[0]),
					(uint32_t)(next / launch->grid[0] % launch->grid[1]),
					(uint32_t)(next / launch->grid[0] / launch->grid[1])
				};

				ok = sg_cta_new(launch, index, n, &cta[n]) == 0;
				active += ok;
				next++;
			}
			if (!ok || !cta[n])
				continue;
			state = sg_cta_step(cta[n], m->budget);
			if (state == SG_CTA_FAULT) {
				m->fault = *sg_cta_fault(cta[n]);
				ok = false;
			} else if (state == SG_CTA_DONE) {
				ok = machine_next(m, launch, &cta[n], n, &next, blocks);
				active -= cta[n] == NULL;
			} else if (m->steps_left-- == 0) {
				ok = false;
			}
		}
	}
	for (uint32_t n = 0; n < m->resident; n++)
		sg_cta_free(cta[n]);
	free(cta);
	return ok;
}

/* Run a kernel of grid x block threads with the bytes of its parameters. */
static inline bool machine_run(struct machine *m, const char *entry, uint32_t grid, uint32_t block,
			       const void *params, size_t params_bytes)
{
	unsigned char all[4096] = { 0 };
	const struct sg_launch launch = {
		.module = m->module,
		.entry = find_function(m->module, entry),
		.memory = m->memory,
		.hooks = &(struct sg_cta_hooks){ .arg = m,
						 .now_ns = machine_now,
						 .print = machine_print,
						 .failed_assert = machine_assert,
						 .race = machine_race },
		.heap = &m->heap,
		.params = all,
		.params_bytes = sizeof(all),
		.grid = { grid, 1, 1 },
		.block = { block, 1, 1 },
		.shared_bytes = m->shared_bytes,
		.sm = 1,
		.races = m->races,
	};

	if (!launch.entry || params_bytes > sizeof(all))
		return false;
	memcpy(all, params, params_bytes);
	m->fault.code = SG_FAULT_NONE;
	return machine_blocks(m, &launch);
}

#endif
