/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_lanes.h - arithmetic over the 32 lanes of a warp: what the handlers' loops are made of */

/*
 * The lanes_*.h files hold handlers as loops that the compiler turns into vectors. They are
 * compiled twice, by lanes_base.c for any x86-64 and by lanes_v3.c for processors with AVX2 and
 * FMA; the two give the same bits. A handler computes all lanes: into the register itself when all
 * are active, else beside it, and the active ones are merged.
 */

#ifndef VGPU_SOFTGPU_MACHINE_EXEC_LANES_H
#define VGPU_SOFTGPU_MACHINE_EXEC_LANES_H

#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "softgpu/machine/exec.h"

/* Both sets' tables: the handler of an instruction, NULL if it has none there. */
sg_exec_handler *sg_lanes_bind_base(const struct sg_code_insn *insn);
sg_exec_handler *sg_lanes_bind_v3(const struct sg_code_insn *insn);

/* Registers are read as whatever type an instruction has. */
typedef uint8_t lane_u8 __attribute__((may_alias));
typedef uint16_t lane_u16 __attribute__((may_alias));
typedef int16_t lane_s16 __attribute__((may_alias));
typedef uint32_t lane_u32 __attribute__((may_alias));
typedef int32_t lane_s32 __attribute__((may_alias));
typedef uint64_t lane_u64 __attribute__((may_alias));
typedef int64_t lane_s64 __attribute__((may_alias));
typedef float lane_f32 __attribute__((may_alias));
typedef double lane_f64 __attribute__((may_alias));

#define LANES_SRC(n, T) SG_EXEC_LANES(frame, insn->src[n], const lane_##T)
#define LANES_DST(T) SG_EXEC_LANES(frame, insn->dst, lane_##T)

#define LANES_BITS_4(n) 1u << (n), 1u << ((n) + 1), 1u << ((n) + 2), 1u << ((n) + 3)
#define LANES_BITS_16(n) \
	LANES_BITS_4(n), LANES_BITS_4((n) + 4), LANES_BITS_4((n) + 8), LANES_BITS_4((n) + 12)

static const uint32_t lanes_bit32[SG_LANES] = { LANES_BITS_16(0), LANES_BITS_16(16) };
static const uint64_t lanes_bit64[SG_LANES] = { LANES_BITS_16(0), LANES_BITS_16(16) };
static const uint16_t lanes_bit16[16] = { LANES_BITS_16(0) };

static inline void lanes_merge16(lane_u16 *to, const lane_u16 *from, uint32_t mask)
{
	for (int half = 0; half < SG_LANES; half += 16) {
		uint16_t part = (uint16_t)(mask >> half);

		for (int l = 0; l < 16; l++)
			to[half + l] = part & lanes_bit16[l] ? from[half + l] : to[half + l];
	}
}

static inline void lanes_merge32(lane_u32 *to, const lane_u32 *from, uint32_t mask)
{
	for (int l = 0; l < SG_LANES; l++)
		to[l] = mask & lanes_bit32[l] ? from[l] : to[l];
}

static inline void lanes_merge64(lane_u64 *to, const lane_u64 *from, uint32_t mask)
{
	for (int l = 0; l < SG_LANES; l++)
		to[l] = mask & lanes_bit64[l] ? from[l] : to[l];
}

/* Copy the lanes of mask; bytes: of a lane, 2, 4 or 8. */
static inline void lanes_merge(void *to, const void *from, uint32_t mask, unsigned bytes)
{
	if (bytes == 2)
		lanes_merge16(to, from, mask);
	else if (bytes == 4)
		lanes_merge32(to, from, mask);
	else
		lanes_merge64(to, from, mask);
}

static inline void lanes_set_predicate(unsigned char *frame, uint32_t slot, uint32_t value,
				       uint32_t mask)
{
	lane_u32 *p = SG_EXEC_LANES(frame, slot, lane_u32);

	*p = (*p & ~mask) | (value & mask);
}

static inline uint32_t lanes_predicate(const unsigned char *frame, uint32_t slot)
{
	return *SG_EXEC_LANES(frame, slot, const lane_u32);
}

/* Bit i: the top bit of byte i. */
static inline uint32_t lanes_pack(const uint8_t bytes[SG_LANES])
{
#if defined(__SSE2__)
	__m128i low = _mm_loadu_si128((const __m128i *)bytes);
	__m128i high = _mm_loadu_si128((const __m128i *)(bytes + 16));

	return (uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16;
#else
	uint32_t mask = 0;

	for (int l = 0; l < SG_LANES; l++)
		mask |= (uint32_t)(bytes[l] >> 7) << l;
	return mask;
#endif
}

#define LANES_HANDLER(name)                                                \
	static int name(struct sg_exec_warp *warp __attribute__((unused)), \
			const struct sg_code_insn *insn, unsigned char *frame, uint32_t mask)

/* Lane l's result is never read by another lane: sources may be the destination itself. */
#if defined(__clang__)
#define LANES_INDEPENDENT
#else
#define LANES_INDEPENDENT _Pragma("GCC ivdep")
#endif
#define LANES_LOOP LANES_INDEPENDENT for (int l = 0; l < SG_LANES; l++)

#define LANES_BODY(D, load, expression)                              \
	{                                                            \
		lane_##D *dst = LANES_DST(D), spare[SG_LANES];       \
		lane_##D *out = mask == SG_EXEC_ALL ? dst : spare;   \
                                                                     \
		LANES_LOOP                                           \
		{                                                    \
			load;                                        \
			out[l] = (lane_##D)(expression);             \
		}                                                    \
		if (out == spare)                                    \
			lanes_merge(dst, spare, mask, sizeof(*dst)); \
		return SG_EXEC_GO;                                   \
	}

/* Handlers of one, two, three sources: D, A, B, C name lane types; the expression uses a, b, c. */
#define LANES_1(name, D, A, expression)                       \
	LANES_HANDLER(name)                                   \
	{                                                     \
		const lane_##A *sa = LANES_SRC(0, A);         \
		LANES_BODY(D, lane_##A a = sa[l], expression) \
	}

#define LANES_2(name, D, A, B, expression)                                        \
	LANES_HANDLER(name)                                                       \
	{                                                                         \
		const lane_##A *sa = LANES_SRC(0, A);                             \
		const lane_##B *sb = LANES_SRC(1, B);                             \
		LANES_BODY(D, lane_##A a = sa[l]; lane_##B b = sb[l], expression) \
	}

#define LANES_3(name, D, A, B, C, expression)                         \
	LANES_HANDLER(name)                                           \
	{                                                             \
		const lane_##A *sa = LANES_SRC(0, A);                 \
		const lane_##B *sb = LANES_SRC(1, B);                 \
		const lane_##C *sc = LANES_SRC(2, C);                 \
		LANES_BODY(D, lane_##A a = sa[l]; lane_##B b = sb[l]; \
			   lane_##C c = sc[l], expression)            \
	}

/* The handlers of a family by the instruction's type; bit types count as unsigned. */
#define LANES_PICK_INT(type, name)                                     \
	((type) == SG_TYPE_U16 || (type) == SG_TYPE_B16	  ? name##_u16 \
	 : (type) == SG_TYPE_S16			  ? name##_s16 \
	 : (type) == SG_TYPE_U32 || (type) == SG_TYPE_B32 ? name##_u32 \
	 : (type) == SG_TYPE_S32			  ? name##_s32 \
	 : (type) == SG_TYPE_U64 || (type) == SG_TYPE_B64 ? name##_u64 \
	 : (type) == SG_TYPE_S64			  ? name##_s64 \
							  : NULL)

/* The same by width alone. */
#define LANES_PICK_WIDTH(bits, name) \
	((bits) == 16 ? name##_b16 : (bits) == 32 ? name##_b32 : (bits) == 64 ? name##_b64 : NULL)

#endif
