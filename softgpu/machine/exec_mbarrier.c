/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_mbarrier.c - barriers in shared memory: mbarrier */

/*
 * The 64 bits of an mbarrier are opaque to programs. Here: bits 0 to 19 the arrivals still expected
 * in this phase, 20 to 39 those of every phase, 40 to 61 the bytes of asynchronous copies still
 * expected (signed), 63 the phase's parity. The state that an arrival returns is the object as it
 * was before. Only the block's own thread of the host comes to it: no atomics are needed.
 */

#include <string.h>

#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_slow.h"

#define COUNT_BITS 20
#define COUNT_MAX ((1u << COUNT_BITS) - 1)
#define BYTES_BITS 22
#define BYTES_MASK ((1u << BYTES_BITS) - 1)
#define PHASE (1ull << 63)

#define QUANTUM_COST 256 /* a wait in a loop: see exec_group.c */

static uint32_t pending_of(uint64_t state)
{
	return state & COUNT_MAX;
}

static uint32_t expected_of(uint64_t state)
{
	return state >> COUNT_BITS & COUNT_MAX;
}

/* Bytes still expected, modulo 2^22: fewer than 0 looks like many, and comes back to 0 as well. */
static uint32_t bytes_of(uint64_t state)
{
	return state >> 2 * COUNT_BITS & BYTES_MASK;
}

static uint64_t make(uint32_t pending, uint32_t expected, uint32_t bytes, uint64_t phase)
{
	return phase | (uint64_t)(bytes & BYTES_MASK) << 2 * COUNT_BITS |
	       (uint64_t)expected << COUNT_BITS | pending;
}

/* Arrivals, dropped ones and bytes; the phase ends when nothing is expected any more. */
static uint64_t arrive(uint64_t state, uint32_t count, bool drop, uint32_t bytes)
{
	uint32_t pending = pending_of(state), expected = expected_of(state);
	uint64_t phase = state & PHASE;

	pending -= count < pending ? count : pending;
	if (drop)
		expected -= count < expected ? count : expected;
	bytes += bytes_of(state);
	if (pending == 0 && (bytes & BYTES_MASK) == 0) {
		phase ^= PHASE;
		pending = expected;
	}
	return make(pending, expected, bytes, phase);
}

/* New value of the object, and what the instruction gives in *out. */
static uint64_t step(const struct sg_code_insn *insn, const unsigned char *frame, unsigned l,
		     uint64_t state, uint64_t *out)
{
	bool given = insn->src[1] != SG_SLOT_NONE, tx = insn->flags & SG_BIT(EXPECT_TX);
	uint32_t n = given ? (uint32_t)slow_get(frame, insn->src[1], l, 4) : 1;

	*out = state;
	switch (insn->op) {
	case SG_OP_MBARRIER_INIT:
		return make(n & COUNT_MAX, n & COUNT_MAX, 0, 0);
	case SG_OP_MBARRIER_INVAL:
		return 0;
	case SG_OP_MBARRIER_EXPECT_TX:
		return make(pending_of(state), expected_of(state), bytes_of(state) + n,
			    state & PHASE);
	case SG_OP_MBARRIER_COMPLETE_TX:
		return arrive(state, 0, false, 0 - n);
	case SG_OP_MBARRIER_ARRIVE:
	case SG_OP_MBARRIER_ARRIVE_DROP:
		return arrive(state, tx ? 1 : n, insn->op == SG_OP_MBARRIER_ARRIVE_DROP,
			      tx ? n : 0);
	case SG_OP_CP_ASYNC_MBARRIER:
		/* Copies are done at once. Without .noinc the arrival was announced and made: no
		 * change. */
		return insn->flags & SG_BIT(NOINC) ? arrive(state, 1, false, 0) : state;
	default:
		return state;
	}
}

static unsigned char *object(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			     const unsigned char *frame, unsigned l)
{
	uint64_t addr = slow_get(frame, insn->src[0], l, 8) + (uint64_t)insn->imm;

	return sg_exec_at(w, insn, l, addr, 8, true);
}

static int change(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		  uint32_t mask)
{
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		unsigned char *at = object(w, insn, frame, l);
		uint64_t state, out;

		if (!at)
			return SG_EXEC_FAULT;
		memcpy(&state, at, 8);
		state = step(insn, frame, l, state, &out);
		memcpy(at, &state, 8);
		if (insn->dst != SG_SLOT_NONE)
			slow_put(frame, insn->dst, l, 8, out);
	}
	return SG_EXEC_GO;
}

/* test_wait and try_wait: whether the phase of a state, or of a parity, is over. */
static int test(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		uint32_t mask)
{
	bool parity = insn->flags & SG_BIT(PARITY);
	uint32_t over = 0;

	w->quantum -= QUANTUM_COST;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		unsigned char *at = object(w, insn, frame, l);
		uint64_t state, phase;

		if (!at)
			return SG_EXEC_FAULT;
		memcpy(&state, at, 8);
		if (parity)
			phase = slow_get(frame, insn->src[1], l, 4) & 1 ? PHASE : 0;
		else
			phase = slow_get(frame, insn->src[1], l, 8) & PHASE;
		over |= (state & PHASE) != phase ? 1u << l : 0;
	}
	lanes_set_predicate(frame, insn->dst, over, mask);
	return SG_EXEC_GO;
}

static int pending_count(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			 unsigned char *frame, uint32_t mask)
{
	(void)w;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);

		slow_put(frame, insn->dst, l, 4, pending_of(slow_get(frame, insn->src[0], l, 8)));
	}
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_mbarrier_bind(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_MBARRIER_INIT:
	case SG_OP_MBARRIER_INVAL:
	case SG_OP_MBARRIER_EXPECT_TX:
	case SG_OP_MBARRIER_COMPLETE_TX:
	case SG_OP_MBARRIER_ARRIVE:
	case SG_OP_MBARRIER_ARRIVE_DROP:
	case SG_OP_CP_ASYNC_MBARRIER:
		return change;
	case SG_OP_MBARRIER_TEST_WAIT:
	case SG_OP_MBARRIER_TRY_WAIT:
		return test;
	case SG_OP_MBARRIER_PENDING_COUNT:
		return pending_count;
	default:
		return NULL;
	}
}
