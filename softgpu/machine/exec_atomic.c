/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_atomic.c - atom and red on all spaces, and cp.async */

/*
 * Blocks run on several threads of the host, so that these are the host's atomic operations, lane
 * after lane from the lowest up. Operations that the processor has are done by it; the others by
 * comparing and exchanging. Memory order is sequential consistency, which serves every qualifier.
 */

#include <string.h>

#include "softgpu/machine/arith_float.h"
#include "softgpu/machine/arith_half.h"
#include "softgpu/machine/arith_int.h"
#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

#define QUANTUM_COST 256 /* lanes that wait for each other do so with atomics: see exec_group.c */

static unsigned first_lane(uint32_t mask)
{
	return (unsigned)__builtin_ctz(mask);
}

static uint16_t half_of(const struct sg_code_insn *insn, uint16_t a, uint16_t b)
{
	bool brain = insn->type == SG_TYPE_BF16 || insn->type == SG_TYPE_BF16X2;

	if (insn->sub == SG_SUB_ADD)
		return brain ? sg_arith_add_bf16(a, b) : sg_arith_add_f16(a, b);
	if (insn->sub == SG_SUB_MIN)
		return brain ? sg_arith_min_bf16(a, b) : sg_arith_min_f16(a, b);
	return brain ? sg_arith_max_bf16(a, b) : sg_arith_max_f16(a, b);
}

/* The sum of an f32 in memory: outside of shared memory, the hardware's units flush subnormals. */
static uint32_t add_f32(uint32_t old, uint32_t b, bool ftz)
{
	float x = sg_arith_from_f32(old), y = sg_arith_from_f32(b), r;

	if (ftz) {
		x = sg_arith_ftz_f32(x);
		y = sg_arith_ftz_f32(y);
	}
	r = sg_arith_canon_f32(x + y);
	return sg_arith_bits_f32(ftz ? sg_arith_ftz_f32(r) : r);
}

static uint64_t smaller(const struct sg_code_insn *insn, uint64_t a, uint64_t b, bool want_less)
{
	bool less;

	switch (insn->type) {
	case SG_TYPE_S32:
		less = (int32_t)a < (int32_t)b;
		break;
	case SG_TYPE_S64:
		less = (int64_t)a < (int64_t)b;
		break;
	default:
		less = a < b;
		break;
	}
	return less == want_less ? a : b;
}

/* What memory holds after the operation. c: of cas, what is stored when old is b. */
static uint64_t apply(const struct sg_code_insn *insn, uint64_t old, uint64_t b, uint64_t c,
		      bool ftz)
{
	switch (insn->type) {
	case SG_TYPE_F32:
		return insn->sub == SG_SUB_ADD ? add_f32((uint32_t)old, (uint32_t)b, ftz) : b;
	case SG_TYPE_F64:
		return insn->sub == SG_SUB_ADD
			       ? sg_arith_bits_f64(sg_arith_from_f64(old) + sg_arith_from_f64(b))
			       : b;
	case SG_TYPE_F16:
	case SG_TYPE_BF16:
		return half_of(insn, (uint16_t)old, (uint16_t)b);
	case SG_TYPE_F16X2:
	case SG_TYPE_BF16X2:
		return (uint32_t)half_of(insn, (uint16_t)(old >> 16), (uint16_t)(b >> 16)) << 16 |
		       half_of(insn, (uint16_t)old, (uint16_t)b);
	default:
		break;
	}
	switch (insn->sub) {
	case SG_SUB_AND:
		return old & b;
	case SG_SUB_OR:
		return old | b;
	case SG_SUB_XOR:
		return old ^ b;
	case SG_SUB_ADD:
		return old + b;
	case SG_SUB_INC:
		return old >= b ? 0 : old + 1;
	case SG_SUB_DEC:
		return old == 0 || old > b ? b : old - 1;
	case SG_SUB_MIN:
		return smaller(insn, old, b, true);
	case SG_SUB_MAX:
		return smaller(insn, old, b, false);
	case SG_SUB_CAS:
		return old == b ? c : old;
	default:
		return b; /* exch */
	}
}

#define SWAP_LOOP(T)                                                                         \
	do {                                                                                 \
		T *at = (T *)(void *)host, old = __atomic_load_n(at, __ATOMIC_RELAXED), new; \
                                                                                             \
		do {                                                                         \
			new = (T)apply(insn, old, b, c, ftz);                                \
		} while (!__atomic_compare_exchange_n(at, &old, new, 0, __ATOMIC_SEQ_CST,    \
						      __ATOMIC_SEQ_CST));                    \
		return old;                                                                  \
	} while (0)

/* One operation on 2, 4 or 8 bytes. Return: what was there before. */
static uint64_t update(const struct sg_code_insn *insn, unsigned char *host, unsigned bytes,
		       uint64_t b, uint64_t c, bool ftz)
{
	bool integer = sg_isa_type_kind(insn->type) == SG_KIND_UNSIGNED ||
		       sg_isa_type_kind(insn->type) == SG_KIND_SIGNED;

	if (insn->sub == SG_SUB_ADD && integer)
		return bytes == 4
			       ? __atomic_fetch_add((uint32_t *)(void *)host, (uint32_t)b,
						    __ATOMIC_SEQ_CST)
			       : __atomic_fetch_add((uint64_t *)(void *)host, b, __ATOMIC_SEQ_CST);
	if (bytes == 2)
		SWAP_LOOP(uint16_t);
	if (bytes == 4)
		SWAP_LOOP(uint32_t);
	SWAP_LOOP(uint64_t);
}

/* cmpxchg16b by hand: the compiler's own call would want a library. */
static bool swap_128(sg_u128 *at, sg_u128 *old, sg_u128 new)
{
	bool same;
#if defined(__x86_64__)
	uint64_t low = (uint64_t)*old, high = (uint64_t)(*old >> 64);

	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz"(same), "+m"(*at), "+a"(low), "+d"(high)
			 : "b"((uint64_t) new), "c"((uint64_t)(new >> 64))
			 : "memory");
	*old = (sg_u128)high << 64 | low;
#else
	same = __atomic_compare_exchange_n(at, old, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
#endif
	return same;
}

static void update_128(const struct sg_code_insn *insn, unsigned char *frame, unsigned l,
		       unsigned char *host)
{
	sg_u128 b, c = 0, old = 0, *at = (sg_u128 *)(void *)host;

	memcpy(&b, frame + insn->src[1] + l * 16, 16);
	if (insn->sub == SG_SUB_CAS)
		memcpy(&c, frame + insn->src[2] + l * 16, 16);
	/* The first try with 0 fails or stores what is there: it reads all 16 bytes at once. */
	while (!swap_128(at, &old, insn->sub == SG_SUB_CAS ? (old == b ? c : old) : b))
		continue;
	memcpy(frame + insn->dst + l * 16, &old, 16);
}

static uint64_t get(const unsigned char *frame, uint32_t slot, unsigned l, unsigned bytes)
{
	if (bytes == 2)
		return SG_EXEC_LANES(frame, slot, const lane_u16)[l];
	if (bytes == 4)
		return SG_EXEC_LANES(frame, slot, const lane_u32)[l];
	return SG_EXEC_LANES(frame, slot, const lane_u64)[l];
}

static void put(unsigned char *frame, uint32_t slot, unsigned l, unsigned bytes, uint64_t value)
{
	if (bytes == 2)
		SG_EXEC_LANES(frame, slot, lane_u16)[l] = (uint16_t)value;
	else if (bytes == 4)
		SG_EXEC_LANES(frame, slot, lane_u32)[l] = (uint32_t)value;
	else
		SG_EXEC_LANES(frame, slot, lane_u64)[l] = value;
}

static uint64_t address(const struct sg_code_insn *insn, const unsigned char *frame, unsigned l)
{
	uint64_t base = insn->src[0] == SG_SLOT_NONE ? 0 : get(frame, insn->src[0], l, 8);

	return base + (uint64_t)insn->imm;
}

/*
 * Find where the active lanes' operations are: as one range where that is allowed, else one by one.
 * Return: false with the block's fault, before any of them is done.
 */
static bool aim(struct sg_exec_warp *w, const struct sg_code_insn *insn, const unsigned char *frame,
		uint32_t mask, uint32_t bytes, uintptr_t at[SG_LANES])
{
	uint64_t addr[SG_LANES], low = UINT64_MAX, high = 0, bits = 0;
	unsigned char *host = NULL;

	for (unsigned l = 0; l < SG_LANES; l++) {
		/* One that is not active repeats one that is. */
		addr[l] = address(insn, frame, mask >> l & 1 ? l : first_lane(mask));
		low = addr[l] < low ? addr[l] : low;
		high = addr[l] > high ? addr[l] : high;
		bits |= addr[l];
	}
	if ((bits & (bytes - 1)) == 0 && high - low < SG_MEMORY_WINDOW_BYTES && !w->cta->race)
		host = sg_exec_aim_range(w, insn, low, high - low + bytes, true);
	if (!host)
		return sg_exec_aim_each(w, insn, mask, addr, bytes, true, at);
	for (unsigned l = 0; l < SG_LANES; l++)
		at[l] = (uintptr_t)host + (addr[l] - low);
	return true;
}

static void atomic_lane(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			unsigned char *frame, unsigned l, unsigned char *host)
{
	unsigned bytes = sg_isa_type_bits(insn->type) / 8;
	const uint32_t *extra = sg_exec_group(w)->call->function->extra + insn->target;
	const uint32_t *values = insn->op == SG_OP_ATOM ? extra + insn->vec : extra;
	bool ftz = (uintptr_t)host - (uintptr_t)w->cta->shared >= w->cta->shared_bytes;
	uint64_t c = 0, old;

	if (bytes == 16) {
		update_128(insn, frame, l, host);
		return;
	}
	if (insn->sub == SG_SUB_CAS)
		c = get(frame, insn->src[2], l, bytes);
	for (unsigned e = 0; e < insn->vec; e++) {
		uint32_t from = insn->vec > 1 ? values[e] : insn->src[1];
		uint32_t to = insn->vec > 1 ? extra[e] : insn->dst;

		old = update(insn, host + e * bytes, bytes, get(frame, from, l, bytes), c, ftz);
		if (insn->op == SG_OP_ATOM && to != SG_SLOT_NONE)
			put(frame, to, l, bytes, old);
	}
}

static int atomic_op(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		     uint32_t mask)
{
	uintptr_t at[SG_LANES];

	w->quantum -= QUANTUM_COST;
	if (!aim(w, insn, frame, mask, sg_isa_type_bits(insn->type) / 8 * insn->vec, at))
		return SG_EXEC_FAULT;
	for (uint32_t left = mask; left; left &= left - 1)
		atomic_lane(w, insn, frame, first_lane(left),
			    (unsigned char *)at[first_lane(left)]);
	return SG_EXEC_GO;
}

/* The usual one: an integer of 32 bits is added. */
static int add_32(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		  uint32_t mask)
{
	const lane_u32 *value = SG_EXEC_LANES(frame, insn->src[1], const lane_u32);
	uintptr_t at[SG_LANES];

	w->quantum -= QUANTUM_COST;
	if (!aim(w, insn, frame, mask, 4, at))
		return SG_EXEC_FAULT;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);
		uint32_t old = __atomic_fetch_add((uint32_t *)at[l], value[l], __ATOMIC_SEQ_CST);

		if (insn->op == SG_OP_ATOM)
			SG_EXEC_LANES(frame, insn->dst, lane_u32)[l] = old;
	}
	return SG_EXEC_GO;
}

/* Integers in shared memory: only this thread of the host comes there, so that no lock is needed.
 */
static int shared_add(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		      uint32_t mask)
{
	const lane_u32 *value = SG_EXEC_LANES(frame, insn->src[1], const lane_u32);
	uint32_t end = w->cta->shared_bytes;

	if (w->cta->race)
		return atomic_op(w, insn, frame, mask);
	w->quantum -= QUANTUM_COST;
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);
		uint64_t at = address(insn, frame, l);
		lane_u32 *host;
		uint32_t old;

		if (at % 4 || end < 4 || at > end - 4)
			return atomic_op(w, insn, frame, left); /* has the words for it */
		host = (lane_u32 *)(void *)(w->cta->shared + at);
		old = *host;
		*host = old + value[l];
		if (insn->op == SG_OP_ATOM)
			SG_EXEC_LANES(frame, insn->dst, lane_u32)[l] = old;
	}
	return SG_EXEC_GO;
}

/*
 * cp.async is done at once: groups of copies are then always complete, and waiting for them is no
 * work. A kernel that reads too early gets what it may get on hardware, too.
 */
static int copy_async(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		      uint32_t mask)
{
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);
		uint32_t bytes = (uint32_t)get(frame, insn->src[2], l, 4), read = bytes;
		unsigned char *to = sg_exec_generic(w, insn, l,
						    SG_MEMORY_SHARED_BASE + address(insn, frame, l),
						    bytes, true, true);
		uint64_t at = get(frame, insn->src[1], l, 8);
		const unsigned char *from;

		if (!to)
			return SG_EXEC_FAULT;
		if (insn->src[3] != SG_SLOT_NONE)
			read = (uint32_t)get(frame, insn->src[3], l, 4);
		if (read > bytes)
			read = bytes;
		if (at % bytes || (uintptr_t)to % bytes)
			return sg_exec_fault_access(w, insn, l, SG_FAULT_MISALIGNED_ADDRESS, at,
						    bytes, "copy");
		memset(to, 0, bytes);
		if (read == 0)
			continue;
		from = sg_exec_generic(w, insn, l, at, read, false, true);
		if (!from)
			return SG_EXEC_FAULT;
		memcpy(to, from, read);
		if (w->cta->race)
			sg_exec_race_access(w, insn, l, (uint32_t)(to - w->cta->shared), bytes,
					    true, false);
	}
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_atomic_bind(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_ATOM:
	case SG_OP_RED:
		if (insn->sub == SG_SUB_ADD && insn->vec == 1 &&
		    (insn->type == SG_TYPE_U32 || insn->type == SG_TYPE_S32))
			return insn->space == SG_SPACE_SHARED ? shared_add : add_32;
		return atomic_op;
	case SG_OP_CP_ASYNC:
		return copy_async;
	default:
		return NULL;
	}
}
