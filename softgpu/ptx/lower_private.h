/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lower_private.h - what lowering's files share: lower.c, lower_operand.c, lower_memory.c,
 * lower_call.c, lower_lives.c, lower_slots.c */

#ifndef VGPU_SOFTGPU_PTX_LOWER_PRIVATE_H
#define VGPU_SOFTGPU_PTX_LOWER_PRIVATE_H

#include "softgpu/ptx/lower.h"

/*
 * Until slots are given, operands are numbers of registers: those of the text first, then those
 * that lowering adds; or constants, marked by a bit. SG_SLOT_NONE stays what it is.
 */
#define SG_LOWER_CONSTANT 0x80000000u

struct sg_lower {
	struct sg_load *load;
	struct sg_link *link;
	const struct sg_ast_func *func;
	struct sg_code_function *code;
	struct sg_code_function *functions;
	struct sg_lower_relocations *relocations;
	const struct sg_ast_insn *insn; /* the one being lowered */

	struct sg_code_insn *insns;
	size_t insn_count, insn_capacity;
	uint8_t *lanes; /* of each register: bytes of a lane, 0 for a predicate */
	size_t reg_count, reg_capacity;
	struct sg_code_constant *constants;
	size_t constant_count, constant_capacity;
	uint32_t *constant_hash; /* index + 1; a power of two of places */
	size_t constant_hash_count;
	uint32_t *extra;
	size_t extra_count, extra_capacity;
	struct sg_code_call *calls;
	size_t call_count, call_capacity;

	uint32_t *start;    /* of each instruction of the text: where its code begins */
	uint32_t *table_at; /* of each table of branch targets: its index in extra, or UINT32_MAX */
};

/* Return: bytes of a lane for a value of this type: 0 for a predicate, 2 at least. */
uint8_t sg_lower_lane(enum sg_type type);

/* Return: a new register. */
uint32_t sg_lower_temp(struct sg_lower *l, uint8_t lane);

/* Return: a constant of this value, shared with equal ones. */
uint32_t sg_lower_constant(struct sg_lower *l, uint8_t lane, uint64_t value, uint64_t high);

/* Adds an instruction; all operands SG_SLOT_NONE, vec 1, the line of the text's. Valid until the
 * next. */
struct sg_code_insn *sg_lower_emit(struct sg_lower *l, enum sg_op op);

/* The same, with guard, types, and modifiers of the instruction being lowered. */
struct sg_code_insn *sg_lower_emit_insn(struct sg_lower *l);

/* Appends to extra. Return: its index. */
uint32_t sg_lower_extra(struct sg_lower *l, uint32_t value);

/* Return: a register with the value of type `from` extended to `lane` bytes; guarded as the insn if
 * asked. */
uint32_t sg_lower_widen(struct sg_lower *l, uint32_t reg, enum sg_type from, uint8_t lane);

/* Puts the low bits of src (of src_lane bytes) into dst, of dst_lane bytes. */
void sg_lower_truncate_into(struct sg_lower *l, uint32_t dst, uint8_t dst_lane, uint32_t src,
			    uint8_t src_lane);

/* Return: a source operand as a value of exactly this type's lane. */
uint32_t sg_lower_source(struct sg_lower *l, const struct sg_operand *op, enum sg_type type);

/* The same, but a register that is wider stays so. lane: gets its bytes. */
uint32_t sg_lower_source_wide(struct sg_lower *l, const struct sg_operand *op, enum sg_type type,
			      uint8_t *lane);

/*
 * Reads a special register into dst, guarded as the insn. It has a width of its own, the text may ask
 * for another (16 bits of %tid, 64 of %clock).
 */
void sg_lower_special(struct sg_lower *l, uint32_t dst, const struct sg_operand *src);

/* Return: the register of a destination, a new one for '_'. */
uint32_t sg_lower_destination(struct sg_lower *l, const struct sg_operand *op, enum sg_type type);

/* Return: the address of a variable as a value of 64 bits in its own space. */
uint32_t sg_lower_variable(struct sg_lower *l, const struct sg_ast_var *var, int64_t offset);

/* Return: the space as code.h has it: those that are one here made one, .param of functions the
 * frame's. */
uint8_t sg_lower_space(const struct sg_lower *l, enum sg_word space);

/* What an address operand says, before it is put into an instruction. */
struct sg_lower_place {
	uint32_t base;
	int64_t imm;
	uint8_t space;
};

/* space: of the instruction, as in the text. */
struct sg_lower_place sg_lower_place(struct sg_lower *l, const struct sg_operand *op,
				     enum sg_word space);

/* ld, st, atom, red with their vectors. */
void sg_lower_memory(struct sg_lower *l);
void sg_lower_mov(struct sg_lower *l);
void sg_lower_cp_async(struct sg_lower *l);
void sg_lower_call(struct sg_lower *l);

/* Formal parameters and the call frame; before the body. */
void sg_lower_frame(struct sg_lower *l);

typedef void sg_lower_visit_fn(void *arg, uint32_t *slot, bool written);

/* Visits every operand of an instruction that is a register or a constant, what is read before what
 * is written; lower_lives.c. */
void sg_lower_each_operand(struct sg_lower *l, struct sg_code_insn *insn, sg_lower_visit_fn *visit,
			   void *arg);

/* Visits those of a call's places that are registers or constants. */
void sg_lower_visit_places(struct sg_code_place *places, uint32_t count, bool written,
			   sg_lower_visit_fn *visit, void *arg);

/* Where a register is alive: from instruction start to end; start > end: it is never mentioned. */
struct sg_lower_life {
	uint32_t start, end;
};

/* Return: the life of each register; valid until the load's memory is released. */
struct sg_lower_life *sg_lower_lives(struct sg_lower *l);

/* Gives registers and constants their slots. */
void sg_lower_slots(struct sg_lower *l);

#endif
