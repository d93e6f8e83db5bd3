/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lanes_memory.h - ld and st: 32 addresses checked together where they are neighbours; see
 * exec_lanes.h
 */

/*
 * An access of a whole warp is checked as one range, from the lowest address to the end of the
 * highest, when all of that lies in one allocation; that is the usual case, and exact. Otherwise
 * each lane is checked by itself, and the first that fails is reported. Three shapes have ways of
 * their own: lanes one behind the other (one copy), all at one address (one read for all), and any.
 */

#include <string.h>

#include "softgpu/machine/exec_lanes.h"

/* Host addresses of 32 accesses; lanes outside of the mask repeat another one's. */
struct lanes_target {
	uintptr_t at[SG_LANES];
};

static inline unsigned lanes_element_bytes(const struct sg_code_insn *insn)
{
	return sg_isa_type_bits(insn->type) / 8;
}

/* Whether plain copies of many lanes at once may stand for the access. */
static inline bool lanes_is_plain(const struct sg_code_insn *insn)
{
	return insn->sem == 0 || insn->sem == SG_SEM_WEAK;
}

/*
 * All 32 lanes one behind the other.
 * Return: the host address of the first, NULL if that is not how they lie or not allowed.
 */
static inline unsigned char *lanes_dense(struct sg_exec_warp *warp, const struct sg_code_insn *insn,
					 const unsigned char *frame, uint32_t bytes, bool write)
{
	const lane_u64 *base = LANES_SRC(0, u64);
	uint64_t first = base[0], apart = 0;

	for (unsigned l = 0; l < SG_LANES; l++)
		apart |= base[l] ^ (first + l * (uint64_t)bytes);
	first += (uint64_t)insn->imm;
	if (apart || first & (bytes - 1) || warp->cta->race)
		return NULL;
	return sg_exec_aim_range(warp, insn, first, (uint64_t)bytes * SG_LANES, write);
}

/* A local access at one offset for all lanes: a stride through the warp's local memory. */
static inline bool lanes_aim_frame(struct sg_exec_warp *w, const struct sg_code_insn *insn,
				   uint32_t bytes, struct lanes_target *t)
{
	const struct sg_exec_call *call = w->groups[w->current].call;
	uint64_t offset = call->local_base + (uint64_t)insn->imm;

	if (offset & (bytes - 1) || offset > call->local_top || bytes > call->local_top - offset)
		return false;
	for (unsigned l = 0; l < SG_LANES; l++)
		t->at[l] = (uintptr_t)w->local + (size_t)l * w->local_capacity + offset;
	return true;
}

/*
 * Find the host addresses of an instruction's access. bytes: of one lane, a power of two.
 * Return: false with the block's fault.
 */
static bool lanes_aim(struct sg_exec_warp *w, const struct sg_code_insn *insn,
		      const unsigned char *frame, uint32_t mask, uint32_t bytes, bool write,
		      struct lanes_target *t)
{
	uint64_t addr[SG_LANES], low, high, bits = 0, first;
	unsigned char *host = NULL;

	if (insn->space == SG_SPACE_FRAME && insn->src[0] == SG_SLOT_NONE &&
	    lanes_aim_frame(w, insn, bytes, t))
		return true;
	if (insn->src[0] == SG_SLOT_NONE) {
		for (unsigned l = 0; l < SG_LANES; l++)
			addr[l] = (uint64_t)insn->imm;
	} else {
		const lane_u64 *base = LANES_SRC(0, u64);

		first = base[__builtin_ctz(mask)];
		for (unsigned l = 0; l < SG_LANES; l++)
			addr[l] = (mask & lanes_bit64[l] ? base[l] : first) + (uint64_t)insn->imm;
	}
	low = addr[0];
	high = addr[0];
	for (unsigned l = 0; l < SG_LANES; l++) {
		bits |= addr[l];
		low = addr[l] < low ? addr[l] : low;
		high = addr[l] > high ? addr[l] : high;
	}
	if ((bits & (bytes - 1)) == 0 && high - low < SG_MEMORY_WINDOW_BYTES && !w->cta->race)
		host = sg_exec_aim_range(w, insn, low, high - low + bytes, write);
	if (!host)
		return sg_exec_aim_each(w, insn, mask, addr, bytes, write, t->at);
	for (unsigned l = 0; l < SG_LANES; l++)
		t->at[l] = (uintptr_t)host + (addr[l] - low);
	return true;
}

/* Each lane's access is one of the host's, as a kernel expects of aligned words. */
#define LANES_READ(T, at) __atomic_load_n((const T *)(at), __ATOMIC_RELAXED)
#define LANES_WRITE(T, at, value) __atomic_store_n((T *)(at), value, __ATOMIC_RELAXED)

/* One element of one lane, extended to 64 bits as the type says. */
static inline uint64_t lanes_read(uintptr_t at, unsigned bytes, bool is_signed)
{
	uint8_t b;
	uint16_t h;
	uint32_t w;

	switch (bytes) {
	case 1:
		b = LANES_READ(lane_u8, at);
		return is_signed ? (uint64_t)(int8_t)b : b;
	case 2:
		h = LANES_READ(lane_u16, at);
		return is_signed ? (uint64_t)(int16_t)h : h;
	case 4:
		w = LANES_READ(lane_u32, at);
		return is_signed ? (uint64_t)(int32_t)w : w;
	default:
		return LANES_READ(lane_u64, at);
	}
}

/* Load one element of each lane into a register that is wider. */
static void lanes_load_extended(const struct lanes_target *t, unsigned offset, unsigned bytes,
				bool is_signed, unsigned char *to, unsigned to_bytes, uint32_t mask)
{
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		uint64_t value = lanes_read(t->at[l] + offset, bytes, is_signed);

		/* Little-endian: the low bytes of the 64 bits. */
		memcpy(to + l * to_bytes, &value, to_bytes < 8 ? to_bytes : 8);
		if (to_bytes == 16)
			memset(to + l * 16 + 8, is_signed && value >> 63 ? 0xff : 0, 8);
	}
}

#define LANES_LOAD(T)                                                \
	do {                                                         \
		T *lanes = (T *)(void *)out;                         \
                                                                     \
		for (unsigned l = 0; l < SG_LANES; l++)              \
			lanes[l] = LANES_READ(T, t->at[l] + offset); \
	} while (0)

/* Load one element of each lane into a register of its own width. */
static void lanes_load_element(const struct lanes_target *t, unsigned offset, unsigned bytes,
			       unsigned char *to, uint32_t mask)
{
	unsigned char spare[8 * SG_LANES] __attribute__((aligned(64)));
	unsigned char *out = mask == SG_EXEC_ALL ? to : spare;

	if (bytes == 16) {
		for (uint32_t left = mask; left; left &= left - 1)
			memcpy(to + __builtin_ctz(left) * 16,
			       (const void *)(t->at[__builtin_ctz(left)] + offset), 16);
		return;
	}
	if (bytes == 2)
		LANES_LOAD(lane_u16);
	else if (bytes == 4)
		LANES_LOAD(lane_u32);
	else
		LANES_LOAD(lane_u64);
	if (out == spare)
		lanes_merge(to, spare, mask, bytes);
}

LANES_HANDLER(load_any)
{
	unsigned bytes = lanes_element_bytes(insn);
	bool is_signed = sg_isa_type_kind(insn->type) == SG_KIND_SIGNED;
	const uint32_t *extra = sg_exec_group(warp)->call->function->extra + insn->target;
	struct lanes_target t;

	if (!lanes_aim(warp, insn, frame, mask, bytes * insn->vec, false, &t))
		return SG_EXEC_FAULT;
	for (unsigned e = 0; e < insn->vec; e++) {
		uint32_t slot = insn->vec > 1 ? extra[e] : insn->dst;

		if (slot == SG_SLOT_NONE)
			continue;
		if (bytes == insn->dst_bytes)
			lanes_load_element(&t, e * bytes, bytes, frame + slot, mask);
		else
			lanes_load_extended(&t, e * bytes, bytes, is_signed, frame + slot,
					    insn->dst_bytes, mask);
	}
	if (insn->sem == SG_SEM_ACQUIRE)
		atomic_thread_fence(memory_order_acquire);
	return SG_EXEC_GO;
}

/* How 32 addresses lie, before the instruction's offset is added. */
struct lanes_shape {
	uint64_t same; /* 0: all at one address; the upper half 0: alike in their upper halves */
	uint64_t bits; /* of all of them */
};

static inline struct lanes_shape lanes_look(const lane_u64 *base)
{
	uint64_t first = base[0];
	struct lanes_shape s = { .same = 0 };

	for (unsigned l = 0; l < SG_LANES; l++) {
		s.same |= base[l] ^ first;
		s.bits |= base[l];
	}
	return s;
}

/* The least and greatest lower halves: half as wide to compare as addresses are. */
static inline void lanes_bounds(const lane_u64 *base, uint32_t *low, uint32_t *high)
{
	uint32_t least = UINT32_MAX, most = 0;

	for (unsigned l = 0; l < SG_LANES; l++) {
		uint32_t at = (uint32_t)base[l];

		least = at < least ? at : least;
		most = at > most ? at : most;
	}
	*low = least;
	*high = most;
}

/*
 * The usual load of all lanes: one element, as wide as its register. What does not lie in one range
 * is load_any's, which also finds the words for what is wrong.
 */
#define LANES_DEFINE(name, T, bytes)                                                              \
	LANES_HANDLER(name)                                                                       \
	{                                                                                         \
		T *to = SG_EXEC_LANES(frame, insn->dst, T), value, out[SG_LANES];                 \
		uint64_t offset = (uint64_t)insn->imm, from = 0;                                  \
		const lane_u64 *base = NULL;                                                      \
		struct lanes_shape s = { .same = 0 };                                             \
		const unsigned char *host;                                                        \
		uint32_t low = 0, high = 0;                                                       \
                                                                                                  \
		if (mask != SG_EXEC_ALL || warp->cta->race)                                       \
			return load_any(warp, insn, frame, mask);                                 \
		if (insn->src[0] != SG_SLOT_NONE) {                                               \
			host = lanes_dense(warp, insn, frame, bytes, false);                      \
			if (host) {                                                               \
				memcpy(to, host, (bytes)*SG_LANES);                               \
				return SG_EXEC_GO;                                                \
			}                                                                         \
			base = LANES_SRC(0, u64);                                                 \
			s = lanes_look(base);                                                     \
			from = base[0];                                                           \
		}                                                                                 \
		if (((s.bits | offset) & ((bytes)-1)) || s.same >> 32)                            \
			return load_any(warp, insn, frame, mask);                                 \
		if (s.same) {                                                                     \
			lanes_bounds(base, &low, &high);                                          \
			from = (from & ~(uint64_t)UINT32_MAX) | low;                              \
		}                                                                                 \
		host = sg_exec_aim_range(warp, insn, from + offset, high - low + (bytes), false); \
		if (!host)                                                                        \
			return load_any(warp, insn, frame, mask);                                 \
		if (s.same == 0) {                                                                \
			value = LANES_READ(T, host);                                              \
			for (unsigned l = 0; l < SG_LANES; l++)                                   \
				to[l] = value;                                                    \
		} else {                                                                          \
			/* Beside the register: it may be the base itself. */                     \
			for (unsigned l = 0; l < SG_LANES; l++)                                   \
				out[l] = LANES_READ(T, host + ((uint32_t)base[l] - low));         \
			memcpy(to, out, sizeof(out));                                             \
		}                                                                                 \
		return SG_EXEC_GO;                                                                \
	}
LANES_DEFINE(load_b16, lane_u16, 2)
LANES_DEFINE(load_b32, lane_u32, 4)
LANES_DEFINE(load_b64, lane_u64, 8)
#undef LANES_DEFINE

#define LANES_WIDEN(F, T)                                          \
	do {                                                       \
		const F *elements = (const F *)(const void *)host; \
		T *lanes = (T *)(void *)to;                        \
                                                                   \
		for (unsigned l = 0; l < SG_LANES; l++)            \
			lanes[l] = (T)elements[l];                 \
	} while (0)

/* Elements one behind the other into lanes that are wider. Return: false for another pair of widths. */
static bool lanes_widen(const unsigned char *host, unsigned bytes, bool is_signed,
			unsigned char *to, unsigned to_bytes)
{
	switch (bytes << 8 | to_bytes << 4 | is_signed) {
	case 0x120:
		LANES_WIDEN(uint8_t, lane_u16);
		return true;
	case 0x121:
		LANES_WIDEN(int8_t, lane_u16);
		return true;
	case 0x140:
		LANES_WIDEN(uint8_t, lane_u32);
		return true;
	case 0x141:
		LANES_WIDEN(int8_t, lane_u32);
		return true;
	case 0x240:
		LANES_WIDEN(lane_u16, lane_u32);
		return true;
	case 0x241:
		LANES_WIDEN(lane_s16, lane_u32);
		return true;
	case 0x480:
		LANES_WIDEN(lane_u32, lane_u64);
		return true;
	case 0x481:
		LANES_WIDEN(lane_s32, lane_u64);
		return true;
	default:
		return false;
	}
}

/* A load of all lanes, one behind the other, into a wider register: a byte, an int that becomes long. */
LANES_HANDLER(load_wider)
{
	unsigned bytes = lanes_element_bytes(insn);
	const unsigned char *host = NULL;

	if (mask == SG_EXEC_ALL && insn->src[0] != SG_SLOT_NONE)
		host = lanes_dense(warp, insn, frame, bytes, false);
	if (host && lanes_widen(host, bytes, sg_isa_type_kind(insn->type) == SG_KIND_SIGNED,
				frame + insn->dst, insn->dst_bytes))
		return SG_EXEC_GO;
	return load_any(warp, insn, frame, mask);
}

static void lanes_store_element(const struct lanes_target *t, unsigned offset, unsigned bytes,
				const unsigned char *from, unsigned from_bytes, uint32_t mask)
{
	for (uint32_t left = mask; left; left &= left - 1) {
		unsigned l = (unsigned)__builtin_ctz(left);
		const unsigned char *value = from + l * from_bytes;
		uintptr_t at = t->at[l] + offset;

		if (bytes == 4)
			LANES_WRITE(lane_u32, at, *(const lane_u32 *)(const void *)value);
		else if (bytes == 8)
			LANES_WRITE(lane_u64, at, *(const lane_u64 *)(const void *)value);
		else if (bytes == 2)
			LANES_WRITE(lane_u16, at, *(const lane_u16 *)(const void *)value);
		else if (bytes == 1)
			LANES_WRITE(lane_u8, at, *value);
		else
			memcpy((void *)at, value, 16);
	}
}

LANES_HANDLER(store_any)
{
	unsigned bytes = lanes_element_bytes(insn);
	const uint32_t *extra = sg_exec_group(warp)->call->function->extra + insn->target;
	struct lanes_target t;

	if (!lanes_aim(warp, insn, frame, mask, bytes * insn->vec, true, &t))
		return SG_EXEC_FAULT;
	if (insn->sem == SG_SEM_RELEASE)
		atomic_thread_fence(memory_order_release);
	for (unsigned e = 0; e < insn->vec; e++)
		lanes_store_element(&t, e * bytes, bytes,
				    frame + (insn->vec > 1 ? extra[e] : insn->src[1]),
				    insn->src_bytes, mask);
	return SG_EXEC_GO;
}

/* The usual store: one element, as wide as its register. */
#define LANES_DEFINE(name, bytes)                                           \
	LANES_HANDLER(name)                                                 \
	{                                                                   \
		unsigned char *host = NULL;                                 \
                                                                            \
		if (mask == SG_EXEC_ALL && insn->src[0] != SG_SLOT_NONE)    \
			host = lanes_dense(warp, insn, frame, bytes, true); \
		if (!host)                                                  \
			return store_any(warp, insn, frame, mask);          \
		memcpy(host, frame + insn->src[1], (bytes)*SG_LANES);       \
		return SG_EXEC_GO;                                          \
	}
LANES_DEFINE(store_b16, 2)
LANES_DEFINE(store_b32, 4)
LANES_DEFINE(store_b64, 8)
#undef LANES_DEFINE

static sg_exec_handler *bind_memory(const struct sg_code_insn *i)
{
	bool simple = i->vec == 1 && lanes_is_plain(i) && i->space != SG_SPACE_FRAME &&
		      i->space != SG_SPACE_LOCAL;
	unsigned bits = lanes_element_bytes(i) * 8;
	sg_exec_handler *handler = NULL;

	if (i->op == SG_OP_LD) {
		if (simple && bits == i->dst_bytes * 8u)
			handler = LANES_PICK_WIDTH(bits, load);
		else if (simple)
			handler = load_wider;
		return handler ? handler : load_any;
	}
	if (i->op == SG_OP_ST) {
		if (simple && bits == i->src_bytes * 8u)
			handler = LANES_PICK_WIDTH(bits, store);
		return handler ? handler : store_any;
	}
	return NULL;
}
