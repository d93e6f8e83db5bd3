/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower_lives.c - from where to where each register holds a value that is still read */

#include "softgpu/ptx/lower_private.h"

/*
 * Theory of operation
 *
 * Most registers live inside of one block; only the others take part in the data flow. A guarded
 * write leaves old values in some lanes: it kills nothing.
 */

#define WORK_MAX (1ull << 26)	      /* steps of a module's data flow over words of 64 registers */
#define FLOW_BYTES_MAX (256ull << 20) /* its sets */

struct block {
	uint32_t first, last; /* instructions */
};

enum { BLOCK_NONE = -1, BLOCK_SEVERAL = -2 };

struct flow {
	struct sg_lower *l;
	uint32_t reg_count;
	uint32_t insn_count;
	struct sg_lower_life *lives;
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

static void visit_extra(struct sg_lower *l, uint32_t first, uint32_t count, bool written,
			sg_lower_visit_fn *visit, void *arg)
{
	for (uint32_t i = 0; i < count; i++)
		if (l->extra[first + i] != SG_SLOT_NONE)
			visit(arg, &l->extra[first + i], written);
}

void sg_lower_visit_places(struct sg_code_place *places, uint32_t count, bool written,
			   sg_lower_visit_fn *visit, void *arg)
{
	for (uint32_t i = 0; i < count; i++)
		if (!places[i].in_frame)
			visit(arg, &places[i].at, written);
}

void sg_lower_each_operand(struct sg_lower *l, struct sg_code_insn *insn, sg_lower_visit_fn *visit,
			   void *arg)
{
	bool vector = insn->vec > 1;
	struct sg_code_call *call = insn->op == SG_OP_CALL ? &l->calls[insn->target] : NULL;

	if (insn->guard != SG_SLOT_NONE)
		visit(arg, &insn->guard, false);
	for (unsigned i = 0; i < SG_CODE_SRC_MAX; i++)
		if (insn->src[i] != SG_SLOT_NONE)
			visit(arg, &insn->src[i], false);
	if (call != NULL)
		sg_lower_visit_places(call->args, call->arg_count, false, visit, arg);
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
		sg_lower_visit_places(call->rets, call->ret_count, true, visit, arg);
}

/* RET hands back what stands in the registers of the function's results. */
static void each_mention(struct sg_lower *l, struct sg_code_insn *insn, sg_lower_visit_fn *visit,
			 void *arg)
{
	if (insn->op == SG_OP_RET)
		sg_lower_visit_places(l->code->rets, l->code->ret_count, false, visit, arg);
	sg_lower_each_operand(l, insn, visit, arg);
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

/* Instructions that branch through one table share it: its targets are looked at once. */
static void mark_targets(const struct flow *f, uint32_t table, bool *seen, bool *leader)
{
	if (seen[table])
		return;
	seen[table] = true;
	for (uint32_t k = 1; k <= f->l->extra[table]; k++)
		leader[f->l->extra[table + k]] = true;
}

static void mark_leaders(const struct flow *f, bool *leader)
{
	bool *seen = sg_load_alloc(f->l->load, f->l->extra_count);

	leader[0] = true;
	for (uint32_t i = 0; i < f->insn_count; i++) {
		const struct sg_code_insn *insn = &f->l->insns[i];

		if (insn->op == SG_OP_BRA)
			leader[insn->target] = true;
		if (insn->op == SG_OP_BRX)
			mark_targets(f, insn->target, seen, leader);
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
		f->lives[r] = (struct sg_lower_life){ .start = UINT32_MAX };
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

/* Return: the steps that flow_block() takes. */
static uint64_t block_work(const struct flow *f, uint32_t b)
{
	const struct sg_code_insn *last = &f->l->insns[f->blocks[b].last];
	uint64_t joins = last->op == SG_OP_BRX ? f->l->extra[last->target] : 1;

	return (joins + 1) * f->words;
}

/* Return: the block's live-in grew. */
static bool flow_block(struct flow *f, uint32_t b)
{
	const struct sg_code_insn *last = &f->l->insns[f->blocks[b].last];
	uint64_t *out = f->out + (size_t)b * f->words, *in = f->in + (size_t)b * f->words;
	const uint64_t *use = f->use + (size_t)b * f->words, *def = f->def + (size_t)b * f->words;
	bool grew = false;

	if (falls_through(last) && f->blocks[b].last + 1 < f->insn_count)
		join(f, out, f->blocks[b].last + 1);
	if (last->op == SG_OP_BRA)
		join(f, out, last->target);
	if (last->op == SG_OP_BRX)
		for (uint32_t k = 1; k <= f->l->extra[last->target]; k++)
			join(f, out, f->l->extra[last->target + k]);
	for (uint32_t w = 0; w < f->words; w++) {
		uint64_t now = use[w] | (out[w] & ~def[w]);

		grew |= now != in[w];
		in[w] = now;
	}
	return grew;
}

/* Return: false if a graph was made to take long; sharing less is always right. */
static bool settle(struct flow *f)
{
	uint64_t *work = &f->l->load->flow_work;
	bool grew = true;

	while (grew) {
		grew = false;
		for (uint32_t b = f->block_count; b > 0; b--) {
			*work += block_work(f, b - 1);
			if (*work > WORK_MAX)
				return false;
			grew |= flow_block(f, b - 1);
		}
	}
	return true;
}

static void live_everywhere(struct flow *f)
{
	for (uint32_t r = 0; r < f->reg_count; r++)
		if (f->global[r] != 0)
			f->lives[r] = (struct sg_lower_life){ .start = 0,
							      .end = f->insn_count - 1 };
}

/*
 * The registers of a set are alive at an instruction. Only those that no set had before are looked
 * at: sets come in the order of the instructions, or against it.
 */
static void extend(struct flow *f, const uint32_t *reg_of, const uint64_t *set, uint32_t at,
		   uint64_t *seen)
{
	for (uint32_t w = 0; w < f->words; w++) {
		for (uint64_t left = set[w] & ~seen[w]; left != 0; left &= left - 1) {
			struct sg_lower_life *life =
				&f->lives[reg_of[w * 64 + (uint32_t)__builtin_ctzll(left)]];

			life->start = life->start > at ? at : life->start;
			life->end = life->end < at ? at : life->end;
		}
		seen[w] |= set[w];
	}
}

static void extend_lives(struct flow *f)
{
	uint32_t *reg_of = sg_load_array(f->l->load, f->global_count, sizeof(*reg_of));
	uint64_t *forth = sg_load_array(f->l->load, f->words, sizeof(*forth));
	uint64_t *back = sg_load_array(f->l->load, f->words, sizeof(*back));

	for (uint32_t r = 0; r < f->reg_count; r++)
		if (f->global[r] != 0)
			reg_of[f->global[r] - 1] = r;
	for (uint32_t b = 0; b < f->block_count; b++) {
		extend(f, reg_of, f->in + (size_t)b * f->words, f->blocks[b].first, forth);
		extend(f, reg_of, f->out + (size_t)b * f->words, f->blocks[b].last, forth);
	}
	for (uint32_t b = f->block_count; b > 0; b--) {
		const struct block *block = &f->blocks[b - 1];

		extend(f, reg_of, f->out + (size_t)(b - 1) * f->words, block->last, back);
		extend(f, reg_of, f->in + (size_t)(b - 1) * f->words, block->first, back);
	}
}

static void run_flow(struct flow *f)
{
	size_t set_words;

	f->words = (f->global_count + 63) / 64;
	set_words = (size_t)f->words * f->block_count;
	if (f->global_count == 0)
		return;
	/* sets that would not be used are not made, either */
	if (set_words * 32 > FLOW_BYTES_MAX || f->l->load->flow_work + set_words * 2 > WORK_MAX) {
		live_everywhere(f);
		return;
	}
	f->in = sg_load_array(f->l->load, set_words, sizeof(uint64_t));
	f->out = sg_load_array(f->l->load, set_words, sizeof(uint64_t));
	f->use = sg_load_array(f->l->load, set_words, sizeof(uint64_t));
	f->def = sg_load_array(f->l->load, set_words, sizeof(uint64_t));
	fill_sets(f);
	if (settle(f))
		extend_lives(f);
	else
		live_everywhere(f);
}

/* Formal parameters in registers are written before the first instruction. */
static void keep_formals(struct flow *f, const struct sg_code_place *places, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct sg_lower_life *life;

		if (places[i].in_frame)
			continue;
		life = &f->lives[places[i].at];
		if (life->start > life->end)
			life->end = 0;
		life->start = 0;
	}
}

struct sg_lower_life *sg_lower_lives(struct sg_lower *l)
{
	struct flow f = { .l = l, .reg_count = (uint32_t)l->reg_count };

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
	return f.lives;
}
