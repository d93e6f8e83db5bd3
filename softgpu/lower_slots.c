/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower_slots.c - slots for registers: lives measured, places shared */

#include <errno.h>
#include <string.h>

#include "softgpu/lower_private.h"

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
 *
 * Most registers live inside of one block; only the others take part in the data flow. A guarded
 * write leaves old values in some lanes: it kills nothing.
 */

#define WORK_MAX (1ull << 27)	      /* steps of the data flow over words of 64 registers */
#define FLOW_BYTES_MAX (256ull << 20) /* its sets */
#define FRAME_BYTES_MAX (16u << 20)

enum { BLOCK_NONE = -1, BLOCK_SEVERAL = -2 };

struct life {
	uint32_t start, end; /* instructions; start > end: never mentioned */
};

struct block {
	uint32_t first, last; /* instructions */
};

struct flow {
	struct sg_lower *l;
	uint32_t reg_count;
	uint32_t insn_count;
	struct life *lives;
	struct block *blocks;
	uint32_t block_count;
	uint32_t *block_of; /* of each instruction */
	int32_t *home;	    /* of each register: its only block, BLOCK_NONE, BLOCK_SEVERAL */
	bool *upward;	    /* read, or written under a guard, before it was written in its block */
	uint32_t *global;   /* of each register: its bit in the sets + 1; 0: it has none */
	uint32_t global_count;
	uint32_t words; /* of a set */
	uint64_t *in, *out, *use, *def;
};

/* --- what an instruction mentions --------------------------------------------------------------
 */

typedef void (*visit_fn)(void *arg, uint32_t *slot, bool written);

static void visit_extra(struct sg_lower *l, uint32_t first, uint32_t count, bool written,
			visit_fn visit, void *arg)
{
	for (uint32_t i = 0; i < count; i++)
		if (l->extra[first + i] != SG_SLOT_NONE)
			visit(arg, &l->extra[first + i], written);
}

static void visit_places(struct sg_code_place *places, uint32_t count, bool written, visit_fn visit,
			 void *arg)
{
	for (uint32_t i = 0; i < count; i++)
		if (!places[i].in_frame)
			visit(arg, &places[i].at, written);
}

/* Visits every operand of an instruction, what is read before what is written. */
static void each_operand(struct sg_lower *l, struct sg_code_insn *insn, visit_fn visit, void *arg)
{
	bool vector = insn->vec > 1;
	struct sg_code_call *call = insn->op == SG_OP_CALL ? &l->calls[insn->target] : NULL;

	if (insn->guard != SG_SLOT_NONE)
		visit(arg, &insn->guard, false);
	for (unsigned i = 0; i < SG_CODE_SRC_MAX; i++)
		if (insn->src[i] != SG_SLOT_NONE)
			visit(arg, &insn->src[i], false);
	if (call != NULL)
		visit_places(call->args, call->arg_count, false, visit, arg);
	if (vector && (insn->op == SG_OP_ST || insn->op == SG_OP_RED || insn->op == SG_OP_PACK))
		visit_extra(l, insn->target, insn->vec, false, visit, arg);
	if (vector && insn->op == SG_OP_ATOM)
		visit_extra(l, insn->target + insn->vec, insn->vec, false, visit, arg);
	if (insn->dst != SG_SLOT_NONE)
		visit(arg, &insn->dst, true);
	if (insn->dst2 != SG_SLOT_NONE)
		visit(arg, &insn->dst2, true);
	if (vector && (insn->op == SG_OP_LD || insn->op == SG_OP_ATOM || insn->op == SG_OP_UNPACK))
		visit_extra(l, insn->target, insn->vec, true, visit, arg);
	if (call != NULL)
		visit_places(call->rets, call->ret_count, true, visit, arg);
}

/* RET hands back what stands in the registers of the function's results. */
static void each_mention(struct sg_lower *l, struct sg_code_insn *insn, visit_fn visit, void *arg)
{
	if (insn->op == SG_OP_RET)
		visit_places(l->code->rets, l->code->ret_count, false, visit, arg);
	each_operand(l, insn, visit, arg);
}

/* --- blocks ---------------------------------------------------------------------------------- */

static bool ends_block(const struct sg_code_insn *insn)
{
	return insn->op == SG_OP_BRA || insn->op == SG_OP_BRX || insn->op == SG_OP_RET ||
	       insn->op == SG_OP_EXIT || insn->op == SG_OP_TRAP;
}

static bool falls_through(const struct sg_code_insn *insn)
{
	return !ends_block(insn) || insn->guard != SG_SLOT_NONE;
}

static void mark_leaders(const struct flow *f, bool *leader)
{
	leader[0] = true;
	for (uint32_t i = 0; i < f->insn_count; i++) {
		const struct sg_code_insn *insn = &f->l->insns[i];

		if (insn->op == SG_OP_BRA)
			leader[insn->target] = true;
		if (insn->op == SG_OP_BRX)
			for (uint32_t k = 1; k <= f->l->extra[insn->target]; k++)
				leader[f->l->extra[insn->target + k]] = true;
		if (ends_block(insn) && i + 1 < f->insn_count)
			leader[i + 1] = true;
	}
}

static void cut_blocks(struct flow *f)
{
	bool *leader = sg_load_alloc(f->l->load, f->insn_count);
	uint32_t block = 0;

	mark_leaders(f, leader);
	for (uint32_t i = 0; i < f->insn_count; i++)
		f->block_count += leader[i];
	f->blocks = sg_load_array(f->l->load, f->block_count, sizeof(*f->blocks));
	f->block_of = sg_load_array(f->l->load, f->insn_count, sizeof(*f->block_of));
	for (uint32_t i = 0; i < f->insn_count; i++) {
		if (leader[i] && i > 0)
			block++;
		if (leader[i])
			f->blocks[block].first = i;
		f->blocks[block].last = i;
		f->block_of[i] = block;
	}
}

/* --- which registers leave their block ---------------------------------------------------------
 */

struct scan {
	struct flow *f;
	uint32_t at; /* the instruction */
	bool guarded;
	uint64_t *use, *def; /* of the block, in the second pass */
};

static void note_mention(void *arg, uint32_t *slot, bool written)
{
	struct scan *scan = arg;
	struct flow *f = scan->f;
	int32_t block = (int32_t)f->block_of[scan->at];
	uint32_t reg = *slot;

	if ((reg & SG_LOWER_CONSTANT) != 0)
		return;
	if (f->lives[reg].start > scan->at)
		f->lives[reg].start = scan->at;
	if (f->lives[reg].end < scan->at)
		f->lives[reg].end = scan->at;
	if (f->home[reg] == BLOCK_NONE)
		f->upward[reg] = !written || scan->guarded;
	if (f->home[reg] == BLOCK_NONE)
		f->home[reg] = block;
	else if (f->home[reg] != block)
		f->home[reg] = BLOCK_SEVERAL;
}

static void find_homes(struct flow *f)
{
	for (uint32_t r = 0; r < f->reg_count; r++) {
		f->lives[r] = (struct life){ .start = UINT32_MAX };
		f->home[r] = BLOCK_NONE;
	}
	for (uint32_t i = 0; i < f->insn_count; i++) {
		struct scan scan = { .f = f, .at = i };

		scan.guarded = f->l->insns[i].guard != SG_SLOT_NONE;
		each_mention(f->l, &f->l->insns[i], note_mention, &scan);
	}
	for (uint32_t r = 0; r < f->reg_count; r++)
		if (f->home[r] == BLOCK_SEVERAL || (f->home[r] >= 0 && f->upward[r]))
			f->global[r] = ++f->global_count;
}

/* --- data flow ------------------------------------------------------------------------------- */

static bool has_bit(const uint64_t *set, uint32_t bit)
{
	return (set[bit / 64] >> (bit % 64) & 1) != 0;
}

static void set_bit(uint64_t *set, uint32_t bit)
{
	set[bit / 64] |= 1ull << (bit % 64);
}

static void note_flow(void *arg, uint32_t *slot, bool written)
{
	struct scan *scan = arg;
	uint32_t bit;

	if ((*slot & SG_LOWER_CONSTANT) != 0 || scan->f->global[*slot] == 0)
		return;
	bit = scan->f->global[*slot] - 1;
	if (!written || scan->guarded) {
		if (!has_bit(scan->def, bit))
			set_bit(scan->use, bit);
	} else {
		set_bit(scan->def, bit);
	}
}

static void fill_sets(struct flow *f)
{
	for (uint32_t b = 0; b < f->block_count; b++) {
		struct scan scan = { .f = f };

		scan.use = f->use + (size_t)b * f->words;
		scan.def = f->def + (size_t)b * f->words;
		for (uint32_t i = f->blocks[b].first; i <= f->blocks[b].last; i++) {
			scan.guarded = f->l->insns[i].guard != SG_SLOT_NONE;
			each_mention(f->l, &f->l->insns[i], note_flow, &scan);
		}
	}
}

static void join(struct flow *f, uint64_t *out, uint32_t insn)
{
	const uint64_t *in = f->in + (size_t)f->block_of[insn] * f->words;

	for (uint32_t w = 0; w < f->words; w++)
		out[w] |= in[w];
}

/* Return: the block's live-in grew. */
static bool flow_block(struct flow *f, uint32_t b, uint64_t *work)
{
	const struct sg_code_insn *last = &f->l->insns[f->blocks[b].last];
	uint64_t *out = f->out + (size_t)b * f->words, *in = f->in + (size_t)b * f->words;
	const uint64_t *use = f->use + (size_t)b * f->words, *def = f->def + (size_t)b * f->words;
	bool grew = false;

	*work += f->words * 2;
	if (falls_through(last) && f->blocks[b].last + 1 < f->insn_count)
		join(f, out, f->blocks[b].last + 1);
	if (last->op == SG_OP_BRA)
		join(f, out, last->target);
	if (last->op == SG_OP_BRX) {
		*work += (uint64_t)f->l->extra[last->target] * f->words;
		for (uint32_t k = 1; k <= f->l->extra[last->target]; k++)
			join(f, out, f->l->extra[last->target + k]);
	}
	for (uint32_t w = 0; w < f->words; w++) {
		uint64_t now = use[w] | (out[w] & ~def[w]);

		grew |= now != in[w];
		in[w] = now;
	}
	return grew;
}

static void live_everywhere(struct flow *f)
{
	for (uint32_t r = 0; r < f->reg_count; r++)
		if (f->global[r] != 0)
			f->lives[r] = (struct life){ .start = 0, .end = f->insn_count - 1 };
}

static void extend(struct flow *f, const uint32_t *reg_of, const uint64_t *set, uint32_t at)
{
	for (uint32_t w = 0; w < f->words; w++) {
		for (uint64_t left = set[w]; left != 0; left &= left - 1) {
			struct life *life =
				&f->lives[reg_of[w * 64 + (uint32_t)__builtin_ctzll(left)]];

			life->start = life->start > at ? at : life->start;
			life->end = life->end < at ? at : life->end;
		}
	}
}

static void extend_lives(struct flow *f)
{
	uint32_t *reg_of = sg_load_array(f->l->load, f->global_count, sizeof(*reg_of));

	for (uint32_t r = 0; r < f->reg_count; r++)
		if (f->global[r] != 0)
			reg_of[f->global[r] - 1] = r;
	for (uint32_t b = 0; b < f->block_count; b++) {
		extend(f, reg_of, f->in + (size_t)b * f->words, f->blocks[b].first);
		extend(f, reg_of, f->out + (size_t)b * f->words, f->blocks[b].last);
	}
}

static void run_flow(struct flow *f)
{
	size_t set_words;
	uint64_t work = 0;
	bool grew = true;

	f->words = (f->global_count + 63) / 64;
	set_words = (size_t)f->words * f->block_count;
	if (f->global_count == 0)
		return;
	if (set_words * 32 > FLOW_BYTES_MAX) {
		live_everywhere(f);
		return;
	}
	f->in = sg_load_array(f->l->load, set_words, sizeof(uint64_t));
	f->out = sg_load_array(f->l->load, set_words, sizeof(uint64_t));
	f->use = sg_load_array(f->l->load, set_words, sizeof(uint64_t));
	f->def = sg_load_array(f->l->load, set_words, sizeof(uint64_t));
	fill_sets(f);
	while (grew) {
		grew = false;
		for (uint32_t b = f->block_count; b > 0; b--)
			grew |= flow_block(f, b - 1, &work);
		/* a graph made to take long: sharing less is always right */
		if (work > WORK_MAX) {
			live_everywhere(f);
			return;
		}
	}
	extend_lives(f);
}

/* Formal parameters in registers are written before the first instruction. */
static void keep_formals(struct flow *f, const struct sg_code_place *places, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct life *life;

		if (places[i].in_frame)
			continue;
		life = &f->lives[places[i].at];
		if (life->start > life->end)
			life->end = 0;
		life->start = 0;
	}
}

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

static void take(struct flow *f, struct places *p, uint32_t reg)
{
	uint8_t lane = f->l->lanes[reg];
	unsigned class = class_of(lane);

	p->number[reg] = p->free_count[class] > 0 ? p->free[class][--p->free_count[class]]
						  : p->count[class]++;
	p->words += (lane + 3u) / 4;
	if (p->words > p->words_most)
		p->words_most = p->words;
}

static void give(struct flow *f, struct places *p, uint32_t reg)
{
	uint8_t lane = f->l->lanes[reg];
	unsigned class = class_of(lane);

	p->free[class][p->free_count[class]++] = p->number[reg];
	p->words -= (lane + 3u) / 4;
}

/* Lists of registers by the instruction where they start or end: heads by instruction, next by
 * register. */
static void chain(struct flow *f, uint32_t *heads, uint32_t *next, bool by_start)
{
	memset(heads, 0xff, f->insn_count * sizeof(*heads));
	for (uint32_t r = f->reg_count; r > 0; r--) {
		const struct life *life = &f->lives[r - 1];
		uint32_t at = by_start ? life->start : life->end;

		if (life->start > life->end)
			continue;
		next[r - 1] = heads[at];
		heads[at] = r - 1;
	}
}

static void share(struct flow *f, struct places *p)
{
	struct sg_load *load = f->l->load;
	uint32_t *starts = sg_load_array(load, f->insn_count, sizeof(*starts));
	uint32_t *ends = sg_load_array(load, f->insn_count, sizeof(*ends));
	uint32_t *next_start = sg_load_array(load, f->reg_count, sizeof(*next_start));
	uint32_t *next_end = sg_load_array(load, f->reg_count, sizeof(*next_end));

	p->number = sg_load_array(load, f->reg_count, sizeof(*p->number));
	for (unsigned c = 0; c < CLASS_NUM; c++)
		p->free[c] = sg_load_array(load, f->reg_count, sizeof(uint32_t));
	chain(f, starts, next_start, true);
	chain(f, ends, next_end, false);
	for (uint32_t i = 0; i < f->insn_count; i++) {
		for (uint32_t r = starts[i]; r != UINT32_MAX; r = next_start[r])
			take(f, p, r);
		for (uint32_t r = ends[i]; r != UINT32_MAX; r = next_end[r])
			give(f, p, r);
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
	struct flow f = { .l = l, .reg_count = (uint32_t)l->reg_count };
	struct places places = { 0 };
	struct rewrite rewrite = { .l = l, .places = &places };

	f.insn_count = (uint32_t)l->insn_count;
	f.lives = sg_load_array(l->load, f.reg_count, sizeof(*f.lives));
	f.home = sg_load_array(l->load, f.reg_count, sizeof(*f.home));
	f.upward = sg_load_array(l->load, f.reg_count, sizeof(*f.upward));
	f.global = sg_load_array(l->load, f.reg_count, sizeof(*f.global));
	cut_blocks(&f);
	find_homes(&f);
	run_flow(&f);
	keep_formals(&f, l->code->params, l->code->param_count);
	keep_formals(&f, l->code->rets, l->code->ret_count);
	share(&f, &places);
	lay_out(l, &places, &rewrite);
	for (size_t i = 0; i < l->insn_count; i++)
		each_operand(l, &l->insns[i], rewrite_slot, &rewrite);
	visit_places(l->code->params, l->code->param_count, false, rewrite_slot, &rewrite);
	visit_places(l->code->rets, l->code->ret_count, false, rewrite_slot, &rewrite);
	count_registers(l, &places);
	sg_load_release(l->load, mark);
}
