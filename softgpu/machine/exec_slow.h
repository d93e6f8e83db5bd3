/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_slow.h - instructions done lane by lane: the rarer forms, whose variants are many */

#ifndef VGPU_SOFTGPU_MACHINE_EXEC_SLOW_H
#define VGPU_SOFTGPU_MACHINE_EXEC_SLOW_H

#include <string.h>

#include "softgpu/machine/arith_soft.h"
#include "softgpu/machine/exec.h"
#include "softgpu/machine/exec_lanes.h"

/* Read lane l of a register; bytes: 2, 4 or 8 of a lane. A slot that is not there reads as 0. */
static inline uint64_t slow_get(const unsigned char *frame, uint32_t slot, unsigned l,
				unsigned bytes)
{
	if (slot == SG_SLOT_NONE)
		return 0;
	if (bytes == 2)
		return SG_EXEC_LANES(frame, slot, const lane_u16)[l];
	if (bytes == 4)
		return SG_EXEC_LANES(frame, slot, const lane_u32)[l];
	return SG_EXEC_LANES(frame, slot, const lane_u64)[l];
}

static inline void slow_put(unsigned char *frame, uint32_t slot, unsigned l, unsigned bytes,
			    uint64_t value)
{
	memcpy(frame + slot + (size_t)l * bytes, &value, bytes);
}

static inline unsigned slow_bytes(uint8_t type)
{
	unsigned bits = sg_isa_type_bits(type);

	return bits < 16 ? 2 : bits / 8;
}

/* The rounding of an instruction; none written means to nearest even. */
static inline enum sg_arith_round slow_round(uint8_t word)
{
	switch (word) {
	case SG_ROUND_RZ:
	case SG_ROUND_RZI:
		return SG_ARITH_RZ;
	case SG_ROUND_RM:
	case SG_ROUND_RMI:
		return SG_ARITH_RM;
	case SG_ROUND_RP:
	case SG_ROUND_RPI:
		return SG_ARITH_RP;
	case SG_ROUND_RNA:
		return SG_ARITH_RNA;
	default:
		return SG_ARITH_RN;
	}
}

/* exec_float.c: floating-point forms that no loop over lanes has. */
sg_exec_handler *sg_exec_float_bind(const struct sg_code_insn *insn);

/* exec_test.c: comparisons that no loop over lanes has, and testp. */
sg_exec_handler *sg_exec_test_bind(const struct sg_code_insn *insn);

#endif
