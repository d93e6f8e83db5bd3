/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower_slots.c - slots for registers: places shared where lives do not meet */

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/lower_private.h"

/*
 * Theory of operation
 *
 * PTX has as many registers as its compiler likes, each written once or twice; a frame with a slot
 * for each would not fit into any cache. So registers share slots by linear scan: a register lives
 * from its first to its last mention, and through every block into or out of which its value is
 * alive; two registers share a slot when their lives do not meet. Lanes may be anywhere in the code
 * at one time, but each lane has its own column of a slot, and liveness holds along each lane's own
 * way.
 *
 * What is read and what is written by one instruction never share a slot: handlers of mixed widths
 * could not run in place.
 */

#define FRAME_BYTES_MAX (16u << 20)

/* --- places ---------------------------------------------------------------------------------- */

enum { CLASS_16, CLASS_8, CLASS_4, CLASS_2, CLASS_PREDICATE, CLASS_NUM };

static const uint32_t class_bytes[CLASS_NUM] = { 512, 256, 128, 64, 4 };

static unsigned class_of(uint8_t lane)
{
	switch (lane) {
	case 16:
		return CLASS_16;
	case 8:
		return CLASS_8;
	case 4:
		return CLASS_4;
	case 2:
		return CLASS_2;
	default:
		return CLASS_PREDICATE;
	}
}

struct places {
	uint32_t *number; /* of each register: its place among those of its class */
	uint32_t *free[CLASS_NUM];
	uint32_t free_count[CLASS_NUM];
	uint32_t count[CLASS_NUM];  /* places that were ever taken */
	uint32_t words, words_most; /* alive now, in registers of 32 bits */
};

static void take(struct sg_lower *l, struct places *p, uint32_t reg)
{
	uint8_t lane = l->lanes[reg];
	unsigned class = class_of(lane);

	p->number[reg] = p->free_count[class] > 0 ? p->free[class][--p->free_count[class]]
						  : p->count[class]++;
	p->words += (lane + 3u) / 4;
	if (p->words > p->words_most)
		p->words_most = p->words;
}

static void give(struct sg_lower *l, struct places *p, uint32_t reg)
{
	uint8_t lane = l->lanes[reg];
	unsigned class = class_of(lane);

	p->free[class][p->free_count[class]++] = p->number[reg];
	p->words -= (lane + 3u) / 4;
}

/* Lists of registers by the instruction where they start or end: heads by instruction, next by
 * register. */
static void chain(const struct sg_lower *l, const struct sg_lower_life *lives, uint32_t *heads,
		  uint32_t *next, bool by_start)
{
	memset(heads, 0xff, l->insn_count * sizeof(*heads));
	for (uint32_t r = (uint32_t)l->reg_count; r > 0; r--) {
		const struct sg_lower_life *life = &lives[r - 1];
		uint32_t at = by_start ? life->start : life->end;

		if (life->start > life->end)
			continue;
		next[r - 1] = heads[at];
		heads[at] = r - 1;
	}
}

static void share(struct sg_lower *l, const struct sg_lower_life *lives, struct places *p)
{
	struct sg_load *load = l->load;
	uint32_t *starts = sg_load_array(load, l->insn_count, sizeof(*starts));
	uint32_t *ends = sg_load_array(load, l->insn_count, sizeof(*ends));
	uint32_t *next_start = sg_load_array(load, l->reg_count, sizeof(*next_start));
	uint32_t *next_end = sg_load_array(load, l->reg_count, sizeof(*next_end));

	p->number = sg_load_array(load, l->reg_count, sizeof(*p->number));
	for (unsigned c = 0; c < CLASS_NUM; c++)
		p->free[c] = sg_load_array(load, l->reg_count, sizeof(uint32_t));
	chain(l, lives, starts, next_start, true);
	chain(l, lives, ends, next_end, false);
	for (uint32_t i = 0; i < l->insn_count; i++) {
		for (uint32_t r = starts[i]; r != UINT32_MAX; r = next_start[r])
			take(l, p, r);
		for (uint32_t r = ends[i]; r != UINT32_MAX; r = next_end[r])
			give(l, p, r);
	}
}

/* --- rewriting ------------------------------------------------------------------------------- */

struct rewrite {
	struct sg_lower *l;
	const struct places *places;
	uint32_t base[CLASS_NUM];
};

static void rewrite_slot(void *arg, uint32_t *slot, bool written)
{
	const struct rewrite *r = arg;
	uint32_t reg = *slot;
	unsigned class;

	(void)written;
	if ((reg & SG_LOWER_CONSTANT) != 0) {
		*slot = r->l->constants[reg & ~SG_LOWER_CONSTANT].slot;
		return;
	}
	class = class_of(r->l->lanes[reg]);
	*slot = r->base[class] + r->places->number[reg] * class_bytes[class];
}

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + SG_SLOT_ALIGN - 1) & ~(uint64_t)(SG_SLOT_ALIGN - 1);
}

/* Registers first, widest first; constants behind them in the same order. */
static void lay_out(struct sg_lower *l, const struct places *p, struct rewrite *out)
{
	uint64_t at = 0;

	for (unsigned c = 0; c < CLASS_NUM; c++) {
		out->base[c] = (uint32_t)at;
		at = round_up(at + (uint64_t)p->count[c] * class_bytes[c]);
	}
	for (unsigned c = 0; c < CLASS_NUM; c++) {
		for (size_t i = 0; i < l->constant_count; i++) {
			if (class_of(l->constants[i].bytes) != c)
				continue;
			l->constants[i].slot = (uint32_t)at;
			at += class_bytes[c];
		}
	}
	at = round_up(at);
	if (at > FRAME_BYTES_MAX)
		sg_load_fail(
			l->load, -E2BIG, l->func->line, 0,
			"'%.80s' keeps more than %u bytes of registers and constants for a warp",
			l->func->name, FRAME_BYTES_MAX);
	l->code->register_bytes = (uint32_t)at;
}

static void count_registers(struct sg_lower *l, const struct places *p)
{
	uint32_t words = p->words_most + 8; /* addresses, barriers: what a real allocation adds */

	l->code->reg_count = words < 16 ? 16 : words > 255 ? 255 : words;
}

void sg_lower_slots(struct sg_lower *l)
{
	struct sg_load_mark mark = sg_load_mark(l->load);
	struct places places = { 0 };
	struct rewrite rewrite = { .l = l, .places = &places };

	share(l, sg_lower_lives(l), &places);
	lay_out(l, &places, &rewrite);
	for (size_t i = 0; i < l->insn_count; i++)
		sg_lower_each_operand(l, &l->insns[i], rewrite_slot, &rewrite);
	sg_lower_visit_places(l->code->params, l->code->param_count, false, rewrite_slot, &rewrite);
	sg_lower_visit_places(l->code->rets, l->code->ret_count, false, rewrite_slot, &rewrite);
	count_registers(l, &places);
	sg_load_release(l->load, mark);
}
