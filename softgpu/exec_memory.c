/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_memory.c - ld and st: where 32 addresses lead, checked together where they are neighbours */

/*
 * An access of a whole warp is checked as one range, from the lowest address to the end of the
 * highest, when all of that lies in one allocation; that is the usual case, and exact. Otherwise
 * each lane is checked by itself, and the first that fails is reported.
 */

#include <string.h>

#include "softgpu/exec.h"
#include "softgpu/lanes.h"

/* Host addresses of 32 accesses; only the lanes of the mask count, others repeat one of them. */
struct target {
	uintptr_t at[SG_LANES];
	bool dense; /* all 32, one behind the other */
};

static unsigned first_lane(uint32_t mask)
{
	return (unsigned)__builtin_ctz(mask);
}

static unsigned element_bytes(const struct sg_code_insn *insn)
{
	return sg_isa_type_bits(insn->type) / 8;
}

static unsigned char *fail(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			   enum sg_fault_code code, uint64_t addr, uint32_t bytes, bool write)
{
	sg_exec_fault_access(w, insn, lane, code, addr, bytes, write ? "write" : "read");
	return NULL;
}

/* One of the three windows' memory, by offset. Return: NULL outside of it. */
static unsigned char *in_shared(struct sg_exec_warp *w, uint64_t offset, uint64_t bytes)
{
	return offset <= w->cta->shared_bytes && bytes <= w->cta->shared_bytes - offset
		       ? w->cta->shared + offset
		       : NULL;
}

static unsigned char *in_local(struct sg_exec_warp *w, unsigned lane, uint64_t offset,
			       uint64_t bytes)
{
	uint32_t top = sg_exec_group(w)->call->local_top;

	return offset <= top && bytes <= top - offset
		       ? w->local + (size_t)lane * w->local_capacity + offset
		       : NULL;
}

static unsigned char *in_params(struct sg_exec_warp *w, uint64_t offset, uint64_t bytes)
{
	uint32_t end = w->cta->launch->params_bytes;

	/* Read-only: every writer is refused before it gets here. */
	return offset <= end && bytes <= end - offset
		       ? (unsigned char *)(uintptr_t)w->cta->launch->params + offset
		       : NULL;
}

static unsigned char *generic_at(struct sg_exec_warp *w, unsigned lane, uint64_t addr,
				 uint64_t bytes, bool write)
{
	uint64_t window = addr & ~(SG_MEMORY_WINDOW_BYTES - 1);
	uint64_t offset = addr & (SG_MEMORY_WINDOW_BYTES - 1);

	if (window == SG_MEMORY_SHARED_BASE)
		return in_shared(w, offset, bytes);
	if (window == SG_MEMORY_LOCAL_BASE)
		return in_local(w, lane, offset, bytes);
	if (window == SG_MEMORY_PARAM_BASE)
		return write ? NULL : in_params(w, offset, bytes);
	return sg_memory_at(&w->cta->cache, addr, bytes, write);
}

unsigned char *sg_exec_generic(struct sg_exec_warp *w, const struct sg_code_insn *insn,
			       unsigned lane, uint64_t addr, uint64_t bytes, bool write,
			       bool faults)
{
	unsigned char *host = bytes ? generic_at(w, lane, addr, bytes, write) : NULL;

	if (!host && faults)
		return fail(w, insn, lane, SG_FAULT_ILLEGAL_ADDRESS, addr, (uint32_t)bytes, write);
	return host;
}

static void note_race(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
		      const unsigned char *host, uint32_t bytes, bool write)
{
	uintptr_t offset = (uintptr_t)host - (uintptr_t)w->cta->shared;

	if (w->cta->race && offset < w->cta->shared_bytes)
		sg_exec_race_access(w, insn, lane, (uint32_t)offset, bytes, write,
				    insn->op == SG_OP_ATOM || insn->op == SG_OP_RED);
}

unsigned char *sg_exec_at(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned lane,
			  uint64_t addr, uint32_t bytes, bool write)
{
	unsigned char *host;

	switch (insn->space) {
	case SG_SPACE_SHARED:
		host = in_shared(w, addr, bytes);
		break;
	case SG_SPACE_LOCAL:
		host = in_local(w, lane, addr, bytes);
		break;
	case SG_SPACE_FRAME:
		addr += sg_exec_group(w)->call->local_base;
		host = in_local(w, lane, addr, bytes);
		break;
	case SG_SPACE_PARAM:
		host = write ? NULL : in_params(w, addr, bytes);
		break;
	case SG_SPACE_GLOBAL:
		host = sg_memory_at(&w->cta->cache, addr, bytes, write);
		break;
	case SG_SPACE_CONST:
		host = sg_memory_at(&w->cta->cache, addr, bytes, write);
		if (host && sg_memory_cached_kind(&w->cta->cache, addr) != SG_MEMORY_CONST)
			host = NULL;
		break;
	default:
		host = generic_at(w, lane, addr, bytes, write);
		break;
	}
	if (addr % bytes)
		return fail(w, insn, lane, SG_FAULT_MISALIGNED_ADDRESS, addr, bytes, write);
	if (!host)
		return fail(w, insn, lane, SG_FAULT_ILLEGAL_ADDRESS, addr, bytes, write);
	note_race(w, insn, lane, host, bytes, write);
	return host;
}

/* Every lane by itself. */
static bool aim_each(struct sg_exec_warp *w, const struct sg_code_insn *insn, uint32_t mask,
		     const uint64_t addr[SG_LANES], uint32_t bytes, bool write, struct target *t)
{
	uintptr_t any = 0;

	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);
		unsigned char *host = sg_exec_at(w, insn, l, addr[l], bytes, write);

		if (!host)
			return false;
		t->at[l] = (uintptr_t)host;
		any = t->at[l];
	}
	for (uint32_t left = ~mask; left; left &= left - 1)
		t->at[first_lane(left)] = any;
	t->dense = false;
	return true;
}

/* The host address of a range's start, in the spaces where lanes' addresses have one host range. */
static unsigned char *aim_range(struct sg_exec_warp *w, const struct sg_code_insn *insn,
				uint64_t low, uint64_t bytes, bool write)
{
	switch (insn->space) {
	case SG_SPACE_SHARED:
		return in_shared(w, low, bytes);
	case SG_SPACE_PARAM:
		return write ? NULL : in_params(w, low, bytes);
	case SG_SPACE_GLOBAL:
		return sg_memory_at(&w->cta->cache, low, bytes, write);
	case SG_SPACE_GENERIC: {
		uint64_t window = low & ~(SG_MEMORY_WINDOW_BYTES - 1);

		if (window == SG_MEMORY_SHARED_BASE)
			return in_shared(w, low & (SG_MEMORY_WINDOW_BYTES - 1), bytes);
		if (window == SG_MEMORY_LOCAL_BASE || window == SG_MEMORY_PARAM_BASE)
			return NULL;
		return sg_memory_at(&w->cta->cache, low, bytes, write);
	}
	default:
		return NULL;
	}
}

/* A local access at one offset for all lanes: a stride through the warp's local memory. */
static bool aim_frame(struct sg_exec_warp *w, const struct sg_code_insn *insn, uint32_t bytes,
		      struct target *t)
{
	uint64_t offset = sg_exec_group(w)->call->local_base + (uint64_t)insn->imm;

	if (offset % bytes || !in_local(w, 0, offset, bytes))
		return false;
	for (unsigned l = 0; l < SG_LANES; l++)
		t->at[l] = (uintptr_t)w->local + (size_t)l * w->local_capacity + offset;
	t->dense = false;
	return true;
}

/*
 * Find the host addresses of an instruction's access. bytes: of one lane, a power of two.
 * Return: false with the block's fault.
 */
static bool aim(struct sg_exec_warp *w, const struct sg_code_insn *insn, const unsigned char *frame,
		uint32_t mask, uint32_t bytes, bool write, struct target *t)
{
	uint64_t addr[SG_LANES], low, high, bits = 0, apart = 0, first;
	unsigned char *host = NULL;

	if (insn->space == SG_SPACE_FRAME && insn->src[0] == SG_SLOT_NONE &&
	    aim_frame(w, insn, bytes, t))
		return true;
	if (insn->src[0] == SG_SLOT_NONE) {
		for (unsigned l = 0; l < SG_LANES; l++)
			addr[l] = (uint64_t)insn->imm;
	} else {
		const lane_u64 *base = SG_EXEC_LANES(frame, insn->src[0], const lane_u64);

		first = base[first_lane(mask)];
		for (unsigned l = 0; l < SG_LANES; l++)
			addr[l] = (mask & lanes_bit32[l] ? base[l] : first) + (uint64_t)insn->imm;
	}
	first = addr[0];
	low = first;
	high = first;
	for (unsigned l = 0; l < SG_LANES; l++) {
		bits |= addr[l];
		apart |= addr[l] ^ (first + l * (uint64_t)bytes);
		low = addr[l] < low ? addr[l] : low;
		high = addr[l] > high ? addr[l] : high;
	}
	if ((bits & (bytes - 1)) == 0 && high - low < SG_MEMORY_WINDOW_BYTES && !w->cta->race)
		host = aim_range(w, insn, low, high - low + bytes, write);
	if (!host)
		return aim_each(w, insn, mask, addr, bytes, write, t);
	for (unsigned l = 0; l < SG_LANES; l++)
		t->at[l] = (uintptr_t)host + (addr[l] - low);
	t->dense = apart == 0;
	return true;
}

#define READ(T, at) __atomic_load_n((const T *)(at), __ATOMIC_RELAXED)
#define WRITE(T, at, value) __atomic_store_n((T *)(at), value, __ATOMIC_RELAXED)

/* Read one element of each lane into 64 bits, extended as the type says. */
static void read_lanes(const struct target *t, unsigned offset, unsigned bytes, bool is_signed,
		       uint64_t out[SG_LANES])
{
	for (unsigned l = 0; l < SG_LANES; l++) {
		uintptr_t at = t->at[l] + offset;

		switch (bytes) {
		case 1:
			out[l] = is_signed ? (uint64_t)(int8_t)READ(uint8_t, at)
					   : READ(uint8_t, at);
			break;
		case 2:
			out[l] = is_signed ? (uint64_t)(int16_t)READ(uint16_t, at)
					   : READ(uint16_t, at);
			break;
		case 4:
			out[l] = is_signed ? (uint64_t)(int32_t)READ(uint32_t, at)
					   : READ(uint32_t, at);
			break;
		default:
			out[l] = READ(uint64_t, at);
			break;
		}
	}
}

static void load_extended(const struct target *t, unsigned offset, unsigned bytes, bool is_signed,
			  unsigned char *to, unsigned to_bytes, uint32_t mask)
{
	uint64_t value[SG_LANES];

	read_lanes(t, offset, bytes, is_signed, value);
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);

		/* Little-endian: the low bytes of the 64 bits; a 16-byte register's rest is zero.
		 */
		memcpy(to + l * to_bytes, &value[l], to_bytes < 8 ? to_bytes : 8);
		if (to_bytes == 16)
			memset(to + l * 16 + 8, is_signed && value[l] >> 63 ? 0xff : 0, 8);
	}
}

#define LOAD_LOOP(T)                                           \
	do {                                                   \
		T *lanes = (T *)(void *)out;                   \
                                                               \
		for (unsigned l = 0; l < SG_LANES; l++)        \
			lanes[l] = READ(T, t->at[l] + offset); \
	} while (0)

/* Load one element for all lanes into a register of its own width. */
static void load_element(const struct target *t, unsigned offset, unsigned bytes, unsigned char *to,
			 uint32_t mask)
{
	unsigned char spare[16 * SG_LANES] __attribute__((aligned(64)));
	unsigned char *out = mask == SG_EXEC_ALL ? to : spare;

	if (bytes == 16) {
		for (uint32_t left = mask; left; left &= left - 1)
			memcpy(to + first_lane(left) * 16,
			       (const void *)(t->at[first_lane(left)] + offset), 16);
		return;
	}
	if (bytes == 2)
		LOAD_LOOP(lane_u16);
	else if (bytes == 4)
		LOAD_LOOP(lane_u32);
	else
		LOAD_LOOP(lane_u64);
	if (out == spare)
		lanes_merge(to, spare, mask, bytes);
}

/* Whether plain copies of many lanes at once may stand for the access. */
static bool is_plain(const struct sg_code_insn *insn)
{
	return insn->sem == 0 || insn->sem == SG_SEM_WEAK;
}

static int load(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		uint32_t mask)
{
	unsigned bytes = element_bytes(insn);
	bool is_signed = sg_isa_type_kind(insn->type) == SG_KIND_SIGNED;
	const uint32_t *extra = sg_exec_group(w)->call->function->extra + insn->target;
	struct target t;

	if (!aim(w, insn, frame, mask, bytes * insn->vec, false, &t))
		return SG_EXEC_FAULT;
	for (unsigned e = 0; e < insn->vec; e++) {
		uint32_t slot = insn->vec > 1 ? extra[e] : insn->dst;

		if (slot == SG_SLOT_NONE)
			continue;
		if (bytes == insn->dst_bytes)
			load_element(&t, e * bytes, bytes, frame + slot, mask);
		else
			load_extended(&t, e * bytes, bytes, is_signed, frame + slot,
				      insn->dst_bytes, mask);
	}
	if (insn->sem == SG_SEM_ACQUIRE)
		atomic_thread_fence(memory_order_acquire);
	return SG_EXEC_GO;
}

/* The usual load: one element, as wide as its register. */
static int load_simple(struct sg_exec_warp *w, const struct sg_code_insn *insn,
		       unsigned char *frame, uint32_t mask)
{
	struct target t;

	if (!aim(w, insn, frame, mask, insn->dst_bytes, false, &t))
		return SG_EXEC_FAULT;
	if (t.dense && mask == SG_EXEC_ALL)
		memcpy(frame + insn->dst, (const void *)t.at[0],
		       (size_t)insn->dst_bytes * SG_LANES);
	else
		load_element(&t, 0, insn->dst_bytes, frame + insn->dst, mask);
	return SG_EXEC_GO;
}

static void store_element(const struct target *t, unsigned offset, unsigned bytes,
			  const unsigned char *from, unsigned from_bytes, uint32_t mask)
{
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = first_lane(left);
		const unsigned char *value = from + l * from_bytes;
		uintptr_t at = t->at[l] + offset;

		if (bytes == 4)
			WRITE(uint32_t, at, *(const lane_u32 *)(const void *)value);
		else if (bytes == 8)
			WRITE(uint64_t, at, *(const lane_u64 *)(const void *)value);
		else if (bytes == 2)
			WRITE(uint16_t, at, *(const lane_u16 *)(const void *)value);
		else if (bytes == 1)
			WRITE(uint8_t, at, *value);
		else
			memcpy((void *)at, value, 16);
	}
}

static int store(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		 uint32_t mask)
{
	unsigned bytes = element_bytes(insn);
	const uint32_t *extra = sg_exec_group(w)->call->function->extra + insn->target;
	struct target t;

	if (!aim(w, insn, frame, mask, bytes * insn->vec, true, &t))
		return SG_EXEC_FAULT;
	if (insn->sem == SG_SEM_RELEASE)
		atomic_thread_fence(memory_order_release);
	if (insn->vec == 1 && t.dense && mask == SG_EXEC_ALL && bytes == insn->src_bytes &&
	    is_plain(insn)) {
		memcpy((void *)t.at[0], frame + insn->src[1], (size_t)bytes * SG_LANES);
		return SG_EXEC_GO;
	}
	for (unsigned e = 0; e < insn->vec; e++)
		store_element(&t, e * bytes, bytes,
			      frame + (insn->vec > 1 ? extra[e] : insn->src[1]), insn->src_bytes,
			      mask);
	return SG_EXEC_GO;
}

/* prefetch, applypriority, discard: hints. A bad address is nobody's harm on hardware either. */
static int hint(struct sg_exec_warp *w, const struct sg_code_insn *insn, unsigned char *frame,
		uint32_t mask)
{
	(void)w;
	(void)insn;
	(void)frame;
	(void)mask;
	return SG_EXEC_GO;
}

sg_exec_handler *sg_exec_memory_bind(const struct sg_code_insn *insn)
{
	switch (insn->op) {
	case SG_OP_LD:
		if (insn->vec == 1 && element_bytes(insn) == insn->dst_bytes && is_plain(insn))
			return load_simple;
		return load;
	case SG_OP_ST:
		return store;
	case SG_OP_PREFETCH:
		return hint;
	default:
		return NULL;
	}
}
