/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_opcode.h - which opcodes the ledger's statistics tell apart */

#ifndef VGPUD_LEDGER_STORE_OPCODE_H
#define VGPUD_LEDGER_STORE_OPCODE_H

#include <stdint.h>

#include "common/wire/vgpu_proto.h"

#define STORE_OPCODE_UNKNOWN (-1)

/*
 * A guest that counts opcodes up must not make a group of each, so all that are unknown are one.
 * Return: the opcode, or STORE_OPCODE_UNKNOWN.
 */
static inline int32_t store_opcode(uint32_t opcode)
{
	switch (opcode) {
#define STORE_OPCODE_CASE(value, ...) case value:
		VGPU_OPCODE_TABLE(STORE_OPCODE_CASE)
#undef STORE_OPCODE_CASE
		return (int32_t)opcode;
	default:
		return STORE_OPCODE_UNKNOWN;
	}
}

#endif
