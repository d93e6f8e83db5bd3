/* SPDX-License-Identifier: GPL-2.0-or-later */
/* opcode.h - which opcodes the ledger's statistics tell apart */

#ifndef VGPUD_LEDGER_OPCODE_H
#define VGPUD_LEDGER_OPCODE_H

#include <stdint.h>

#include "common/wire/vgpu_proto.h"

#define LEDGER_OPCODE_UNKNOWN (-1)

/*
 * All unknown opcodes count as one: a guest that tries them all must not make a group for each.
 * Return: the opcode, or LEDGER_OPCODE_UNKNOWN.
 */
static inline int32_t ledger_opcode(uint32_t opcode)
{
	switch (opcode) {
#define LEDGER_OPCODE_CASE(value, ...) case value:
		VGPU_OPCODE_TABLE(LEDGER_OPCODE_CASE)
#undef LEDGER_OPCODE_CASE
		return (int32_t)opcode;
	default:
		return LEDGER_OPCODE_UNKNOWN;
	}
}

#endif
