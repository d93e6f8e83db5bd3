/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h - numbers of the guest ABI to names, and back */

#ifndef VGPU_NAMES_H
#define VGPU_NAMES_H

#include <stdint.h>

#include "common/wire/vgpu_ends.h"

/*
 * All texts are static. An unknown number gives "?", never NULL, so that a number from outside can
 * go straight into a message.
 */

/* "BAD_CRC": what manuals and logs call an enum vgpu_error. */
const char *name_error(uint32_t error);

/* "the request's checksum is wrong": the same in words. */
const char *name_error_text(uint32_t error);

/* "add": an enum vgpu_opcode as options and the ledger spell it. */
const char *name_opcode(uint32_t opcode);

/* "int32 sum of two params": what the opcode does. */
const char *name_opcode_text(uint32_t opcode);

/* Opcodes in the order of their table. Return: "nop" and so on, NULL: there are no more. */
const char *name_opcode_at(unsigned index);

/* "busy": an enum vgpu_status. */
const char *name_status(uint32_t status);

/* "medium": an enum vgpu_priority. */
const char *name_priority(uint32_t priority);

/* "cuda": an enum vgpu_executor. */
const char *name_executor(uint32_t executor);

/*
 * The way back, exact and in lower case as printed above.
 * Return: the number, or -ENOENT when nothing has that name.
 */
int name_to_opcode(const char *name);
int name_to_priority(const char *name);

/* "worker-lost", and the sentence about it: an enum vgpu_end. */
const char *name_end(uint32_t end);
const char *name_end_text(uint32_t end);

#define NAME_END_COUNT(...) +1
enum { NAME_ENDS = 0 VGPU_END_TABLE(NAME_END_COUNT) }; /* ends in the table, NONE included */
#undef NAME_END_COUNT

/* Return: where an end stands in that table, 0 of an unknown one; the name of the one there. */
unsigned name_end_index(uint32_t end);
const char *name_end_at(unsigned index);

/* Return: the letter of a pool's index, 'A' for 0. */
static inline char name_pool(unsigned index)
{
	return (char)('A' + index);
}

/* letter: any character. Return: a pool's index, or -1: it is none. */
static inline int name_to_pool(int letter)
{
	return letter >= 'A' && letter <= 'Z' ? letter - 'A' : -1;
}

#endif
