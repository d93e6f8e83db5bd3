/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_call.c - calls: registers and local memory of active functions, arguments and results */

#include <stdlib.h>
#include <string.h>

#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

#define SPARES_MAX 64
#define LOCAL_START_BYTES 1024u

static uint32_t round_up(uint32_t value, uint32_t align)
{
	return (value + align - 1) & ~(align - 1);
}

/* Give every constant's slot its value, in all lanes. */
static void place_constants(struct sg_exec_call *call)
{
	const struct sg_code_function *f = call->function;

	for (uint32_t n = 0; n < f->constant_count; n++) {
		const struct sg_code_constant *c = &f->constants[n];
		unsigned char *to = call->registers + c->slot;

		if (c->bytes == 0) {
			*(lane_u32 *)(void *)to = c->value ? SG_EXEC_ALL : 0;
			continue;
		}
		for (unsigned l = 0; l < SG_LANES; l++) {
			memcpy(to + l * c->bytes, &c->value, c->bytes < 8 ? c->bytes : 8);
			if (c->bytes == 16)
				memcpy(to + l * 16 + 8, &c->value_high, 8);
		}
	}
}

static struct sg_exec_call *take_spare(struct sg_cta *cta, const struct sg_code_function *function)
{
	struct sg_exec_call *at, *fits = NULL;

	LIST_FOREACH(at, &cta->spares, siblings) {
		if (at->function == function)
			break;
		if (!fits && at->capacity >= function->register_bytes)
			fits = at;
	}
	if (!at && cta->spare_count >= SPARES_MAX)
		at = fits;
	if (at) {
		LIST_REMOVE(at, siblings);
		cta->spare_count--;
	}
	return at;
}

struct sg_exec_call *sg_exec_call_new(struct sg_cta *cta, const struct sg_code_function *function)
{
	struct sg_exec_call *call = take_spare(cta, function);
	bool placed = call && call->function == function;

	if (!call) {
		uint32_t bytes = round_up(function->register_bytes, SG_SLOT_ALIGN) + SG_SLOT_ALIGN;

		call = calloc(1, sizeof(*call));
		if (!call)
			return NULL;
		call->registers = aligned_alloc(SG_SLOT_ALIGN, bytes);
		if (!call->registers) {
			free(call);
			return NULL;
		}
		memset(call->registers, 0, bytes);
		call->capacity = bytes;
	}
	call->function = function;
	call->parent = NULL;
	call->site = NULL;
	call->lanes = 0;
	LIST_INIT(&call->children);
	if (!placed)
		place_constants(call);
	return call;
}

static void put_spare(struct sg_cta *cta, struct sg_exec_call *call)
{
	LIST_INSERT_HEAD(&cta->spares, call, siblings);
	cta->spare_count++;
}

void sg_exec_call_end(struct sg_cta *cta, struct sg_exec_call *call)
{
	struct sg_exec_call *at = call;

	if (call->parent)
		LIST_REMOVE(call, siblings);
	/* Leaves first, without recursion: calls nest deeply. */
	while (at) {
		struct sg_exec_call *child = LIST_FIRST(&at->children), *parent = at->parent;

		if (child) {
			LIST_REMOVE(child, siblings);
			child->parent = at;
			at = child;
			continue;
		}
		put_spare(cta, at);
		at = at == call ? NULL : parent;
	}
}

bool sg_exec_call_local(struct sg_exec_warp *w, const struct sg_code_insn *insn, uint64_t top)
{
	uint32_t most = w->cta->launch->stack_bytes, capacity = w->local_capacity;
	unsigned char *new;

	if (most == 0 || most > SG_CTA_LOCAL_MAX)
		most = SG_CTA_LOCAL_MAX;
	if (top <= capacity)
		return true;
	if (top > most) {
		sg_exec_fault(w, insn, (unsigned)__builtin_ctz(sg_exec_group(w)->mask),
			      SG_FAULT_STACK,
			      "a thread's calls need %llu bytes of local memory, the limit is %u",
			      (unsigned long long)top, most);
		return false;
	}
	capacity = capacity ? capacity : LOCAL_START_BYTES;
	while (capacity < top)
		capacity *= 2;
	new = calloc(SG_LANES, capacity);
	if (!new) {
		sg_exec_fault(w, insn, 0, SG_FAULT_OUT_OF_MEMORY,
			      "no host memory for local memory");
		return false;
	}
	for (unsigned l = 0; l < SG_LANES && w->local; l++)
		memcpy(new + (size_t)l *capacity, w->local + (size_t)l * w->local_capacity,
		       w->local_capacity);
	free(w->local);
	w->local = new;
	w->local_capacity = capacity;
	return true;
}

static unsigned char *place_at(struct sg_exec_warp *w, const struct sg_exec_call *call,
			       const struct sg_code_place *place, unsigned lane)
{
	if (place->in_frame)
		return w->local + (size_t)lane * w->local_capacity + call->local_base + place->at;
	return call->registers + place->at + (size_t)lane * place->lane;
}

/* Copy one value from a place of one call to a place of another. */
static void copy_place(struct sg_exec_warp *w, uint32_t mask, const struct sg_exec_call *from_call,
		       const struct sg_code_place *from, const struct sg_exec_call *to_call,
		       const struct sg_code_place *to)
{
	bool from_predicate = !from->in_frame && from->lane == 0;
	bool to_predicate = !to->in_frame && to->lane == 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		const unsigned char *source = place_at(w, from_call, from, l);
		unsigned char *target = place_at(w, to_call, to, l), bit;
		uint32_t bytes = from->bytes < to->bytes ? from->bytes : to->bytes;

		if (from_predicate) {
			bit = *(const lane_u32 *)(const void *)source >> l & 1;
			source = &bit;
			bytes = 1;
		}
		if (to_predicate) {
			lane_u32 *p = (lane_u32 *)(void *)target;

			*p = (*p & ~(1u << l)) | (uint32_t)(*source & 1) << l;
			continue;
		}
		if (!to->in_frame)
			memset(target, 0, to->lane);
		memcpy(target, source, bytes);
	}
}

/* Whether an indirect call's actual arguments fit the function that it turned out to be. */
static bool fits(const struct sg_code_call *site, const struct sg_code_function *f)
{
	if (f->entry || site->arg_count != f->param_count || site->ret_count != f->ret_count)
		return false;
	for (uint32_t n = 0; n < f->param_count; n++) {
		if (site->args[n].bytes != f->params[n].bytes)
			return false;
	}
	for (uint32_t n = 0; n < f->ret_count; n++) {
		if (site->rets[n].bytes != f->rets[n].bytes)
			return false;
	}
	return true;
}

/* The call that these lanes enter: one that others made at the same place, or a new one. */
static struct sg_exec_call *enter(struct sg_exec_warp *w, const struct sg_code_insn *insn,
				  const struct sg_code_function *f, const struct sg_code_call *site)
{
	struct sg_exec_group *g = sg_exec_group(w);
	struct sg_exec_call *parent = g->call, *child;
	unsigned lane = (unsigned)__builtin_ctz(g->mask);
	uint32_t base = round_up(parent->local_top, f->frame_align ? f->frame_align : 16);

	LIST_FOREACH(child, &parent->children, siblings) {
		if (child->function == f && child->site == site && child->local_base == base)
			break;
	}
	if (child) {
		child->lanes |= g->mask;
		return child;
	}
	if (parent->depth + 1 >= SG_CTA_CALLS_MAX) {
		sg_exec_fault(w, insn, lane, SG_FAULT_STACK, "calls nest deeper than %u",
			      SG_CTA_CALLS_MAX);
		return NULL;
	}
	if (!sg_exec_call_local(w, insn, (uint64_t)base + f->frame_bytes))
		return NULL;
	child = sg_exec_call_new(w->cta, f);
	if (!child) {
		sg_exec_fault(w, insn, lane, SG_FAULT_OUT_OF_MEMORY, "no host memory for a call");
		return NULL;
	}
	child->parent = parent;
	child->site = site;
	child->return_pc = g->pc + 1;
	child->lanes = g->mask;
	child->depth = parent->depth + 1;
	child->local_base = base;
	child->local_top = base + f->frame_bytes;
	LIST_INSERT_HEAD(&parent->children, child, siblings);
	return child;
}

/* Lanes of mask that call the same function as the first one of them. */
static uint32_t same_target(const struct sg_code_insn *insn, const unsigned char *frame,
			    uint32_t mask, uint64_t *address)
{
	const lane_u64 *to = SG_EXEC_LANES(frame, insn->src[0], const lane_u64);
	uint32_t same = 0;

	*address = to[__builtin_ctz(mask)];
	for (uint32_t left = mask; left; left &= left - 1) {
		if (to[__builtin_ctz(left)] == *address)
			same |= left & -left;
	}
	return same;
}

int sg_exec_call(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		 uint32_t mask)
{
	struct sg_exec_group *g = sg_exec_group(w);
	const struct sg_code_call *site = &g->call->function->calls[insn->target];
	const struct sg_code_function *f = site->function;
	struct sg_exec_call *child;
	uint64_t address = 0;

	if (site->builtin != SG_BUILTIN_NONE)
		return sg_exec_builtin(w, insn, frame, mask, site);
	if (!f) {
		uint32_t same = same_target(insn, frame, mask, &address);

		f = sg_code_function_at(w->cta->launch->module, address);
		if (!f || !fits(site, f))
			return sg_exec_fault(
				w, insn, (unsigned)__builtin_ctz(mask), SG_FAULT_INVALID_PC,
				"a call to 0x%llx, which is not a function of its kind",
				(unsigned long long)address);
		if (mask & ~same)
			sg_exec_split(w, mask & ~same, g->pc);
		if (g->mask & ~mask)
			sg_exec_split(w, g->mask & ~mask, g->pc + 1);
	} else if (g->mask & ~mask) {
		sg_exec_split(w, g->mask & ~mask, g->pc + 1);
	}
	child = enter(w, insn, f, site);
	if (!child)
		return SG_EXEC_FAULT;
	for (uint32_t n = 0; n < site->arg_count; n++)
		copy_place(w, g->mask, g->call, &site->args[n], child, &f->params[n]);
	g->call = child;
	g->pc = 0;
	return SG_EXEC_TURN;
}

int sg_exec_ret(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		uint32_t mask)
{
	struct sg_exec_group *g = sg_exec_group(w);
	struct sg_exec_call *call = g->call;
	const struct sg_code_function *f = call->function;

	if (!call->parent)
		return sg_exec_exit(w, insn, frame, mask);
	if (g->mask & ~mask)
		sg_exec_split(w, g->mask & ~mask, g->pc + 1);
	for (uint32_t n = 0; n < f->ret_count; n++)
		copy_place(w, mask, call, &f->rets[n], call->parent, &call->site->rets[n]);
	g->call = call->parent;
	g->pc = call->return_pc;
	call->lanes &= ~mask;
	if (call->lanes == 0)
		sg_exec_call_end(w->cta, call);
	return SG_EXEC_TURN;
}

int sg_exec_exit(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		 uint32_t mask)
{
	struct sg_exec_group *g = sg_exec_group(w);
	struct sg_exec_call *call = g->call;

	(void)insn;
	(void)frame;
	w->live &= ~mask;
	w->cta->live -= (uint32_t)__builtin_popcount(mask);
	while (call) {
		struct sg_exec_call *parent = call->parent;

		call->lanes &= ~mask;
		if (call->lanes == 0)
			sg_exec_call_end(w->cta, call);
		call = parent;
	}
	g->mask &= ~mask;
	g->pc++;
	if (g->mask == 0)
		sg_exec_drop_group(w, w->current);
	sg_exec_warp_left(w);
	sg_exec_barrier_left(w->cta);
	return w->cta->fault.code == SG_FAULT_NONE ? SG_EXEC_TURN : SG_EXEC_FAULT;
}

int sg_exec_alloca(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		   uint32_t mask)
{
	struct sg_exec_call *call = sg_exec_group(w)->call;
	const lane_u64 *bytes = SG_EXEC_LANES(frame, insn->src[0], const lane_u64);
	lane_u64 *dst = SG_EXEC_LANES(frame, insn->dst, lane_u64);
	uint64_t most = 0, align = insn->imm > 0 ? (uint64_t)insn->imm : 8;
	uint64_t base = (call->local_top + align - 1) & ~(align - 1);

	/* Lanes share a call's frame: the largest piece is every lane's. */
	for (uint32_t left = mask; left; left &= left - 1) {
		if (bytes[__builtin_ctz(left)] > most)
			most = bytes[__builtin_ctz(left)];
	}
	if (most > SG_CTA_LOCAL_MAX)
		most = SG_CTA_LOCAL_MAX + 1;
	if (!sg_exec_call_local(w, insn, base + most))
		return SG_EXEC_FAULT;
	for (uint32_t left = mask; left; left &= left - 1)
		dst[__builtin_ctz(left)] = base;
	call->local_top = (uint32_t)(base + most);
	return SG_EXEC_GO;
}

int sg_exec_stacksave(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		      uint32_t mask)
{
	lane_u64 *dst = SG_EXEC_LANES(frame, insn->dst, lane_u64);

	for (uint32_t left = mask; left; left &= left - 1)
		dst[__builtin_ctz(left)] = sg_exec_group(w)->call->local_top;
	return SG_EXEC_GO;
}

/* Gives room back only when all lanes of the call agree; else it comes back when the call ends. */
int sg_exec_stackrestore(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			 unsigned char *frame, uint32_t mask)
{
	struct sg_exec_call *call = sg_exec_group(w)->call;
	const lane_u64 *to = SG_EXEC_LANES(frame, insn->src[0], const lane_u64);
	uint64_t top = call->local_base + call->function->frame_bytes;

	for (uint32_t left = mask; left; left &= left - 1) {
		if (to[__builtin_ctz(left)] > top)
			top = to[__builtin_ctz(left)];
	}
	if (mask == call->lanes && top < call->local_top)
		call->local_top = (uint32_t)top;
	return SG_EXEC_GO;
}
