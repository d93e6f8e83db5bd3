/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ast.h - one PTX text as the parser understands it: names resolved, nothing checked by type
 * yet */

#ifndef VGPU_SOFTGPU_PTX_AST_H
#define VGPU_SOFTGPU_PTX_AST_H

#include <stdbool.h>

#include "softgpu/ptx/isa.h"

/* Bounds of one text; each has an error that names it. */
#define SG_PTX_REGISTERS_MAX (1u << 20) /* of one function, ranges counted whole */
#define SG_PTX_NESTING_MAX 64		/* blocks, braces, parentheses */
#define SG_PTX_PARAMS_MAX 4096		/* of one function */
#define SG_PTX_PARAM_BYTES_MAX 32764	/* of one kernel, all together */
#define SG_PTX_OPERANDS_MAX 8		/* of one instruction */
#define SG_PTX_VECTOR_MAX 8		/* elements of a vector operand */
#define SG_PTX_ALIGN_MAX 4096
#define SG_PTX_DIMENSIONS_MAX 8 /* of an array */

#define SG_PTX_NO_REGISTER UINT32_MAX

enum sg_linkage {
	SG_LINKAGE_LOCAL,
	SG_LINKAGE_EXTERN,
	SG_LINKAGE_VISIBLE,
	SG_LINKAGE_WEAK,
	SG_LINKAGE_COMMON
};

struct sg_ast_var;
struct sg_ast_func;

/* A piece of an initialiser: what some bytes of a variable hold; all others are zero. */
struct sg_ast_init {
	uint64_t offset; /* in the variable */
	uint32_t bytes;
	bool generic;	/* generic(symbol) */
	uint8_t shift;	/* mask(symbol): which of its bytes, times 8 */
	uint64_t value; /* without a symbol: the bytes; with one: added to its address */
	uint64_t value_high;
	struct sg_ast_var *var;	  /* NULL: none */
	struct sg_ast_func *func; /* NULL: none */
};

struct sg_ast_var {
	const char *name;
	uint32_t line;
	enum sg_linkage linkage;
	/* SG_SPACE_GLOBAL, CONST, SHARED, LOCAL, PARAM; GENERIC: a .reg formal. */
	enum sg_word space;
	enum sg_type type;
	uint8_t vector; /* elements of .v2, .v4; else 1 */
	bool unsized;	/* x[] without initialiser */
	bool managed;	/* .attribute(.managed) */
	bool pointer;	/* a kernel's parameter with .ptr */
	uint32_t align;
	uint64_t bytes;
	uint32_t dimension_count;
	uint64_t dimensions[SG_PTX_DIMENSIONS_MAX]; /* of the array, outermost first */
	struct sg_ast_init *init;
	size_t init_count;
	uint32_t reg;		   /* of a .reg formal */
	struct sg_ast_func *owner; /* function in which it stands, NULL: none */
	bool formal;		   /* a parameter or a result of owner */

	/* filled by the linker */
	struct sg_ast_var *definition; /* itself, or another text's */
	uint64_t offset;	       /* in its space; of .local and .param: in the call frame */
	uint32_t shared_index;
};

enum sg_operand_kind {
	SG_OPERAND_NONE,
	SG_OPERAND_REG,
	SG_OPERAND_SINK,    /* _ */
	SG_OPERAND_INT,	    /* value */
	SG_OPERAND_FLOAT32, /* value has the bits */
	SG_OPERAND_FLOAT64,
	SG_OPERAND_SREG, /* reg is enum sg_sreg, value the component */
	SG_OPERAND_VAR,	 /* its address, plus value */
	SG_OPERAND_FUNC,
	SG_OPERAND_LABEL,   /* value: index into labels */
	SG_OPERAND_TABLE,   /* value: index into tables */
	SG_OPERAND_ADDRESS, /* [reg or var or neither, plus value] */
	SG_OPERAND_VECTOR,  /* {...}: elements */
	SG_OPERAND_PAIR	    /* d|p: two elements */
};

/*
 * A selector as the text has it, ".b3210" or ".h10": its digits, three bits each, the last one
 * lowest; how many digits, less one; half words or bytes.
 */
#define SG_SELECTOR 0x8000u
#define SG_SELECTOR_HALF 0x4000u
#define SG_SELECTOR_COUNT_SHIFT 12
#define SG_SELECTOR_DIGITS 0x0fffu

struct sg_operand {
	enum sg_operand_kind kind;
	bool negated;	   /* !p, or - of vmad */
	bool is_unsigned;  /* an INT written so */
	uint16_t selector; /* of video instructions; 0: none */
	uint32_t reg;
	uint32_t column;
	uint8_t count;
	int64_t value;
	union {
		struct sg_ast_var *var;
		struct sg_ast_func *func;
		struct sg_operand *elements;
	};
};

/* What a call says about the function that it calls through a register. */
struct sg_ast_proto {
	const char *name;
	struct sg_ast_var **rets, **params;
	uint32_t ret_count, param_count;
};

struct sg_ast_call {
	struct sg_ast_func *func; /* NULL: through reg */
	uint32_t reg;
	struct sg_operand *args, *rets;
	uint32_t arg_count, ret_count;
	const struct sg_ast_proto *proto; /* of an indirect call */
};

struct sg_ast_insn {
	const struct sg_isa_variant *variant;
	uint32_t line, column;
	uint32_t guard; /* register, SG_PTX_NO_REGISTER: none */
	bool guard_not;
	uint8_t count;
	struct sg_operand *operands;
	struct sg_ast_call *call; /* of call only */
};

struct sg_ast_label {
	const char *name;
	uint32_t line;
	uint32_t insn; /* index of the instruction that follows it */
};

/* .branchtargets */
struct sg_ast_table {
	const char *name;
	uint32_t line;
	int64_t **label_uses; /* where each label's index stands, once the function was read */
	size_t count;
};

struct sg_ast_func {
	const char *name;
	uint32_t line;
	uint32_t source;
	bool entry;
	bool has_body;
	enum sg_linkage linkage;
	struct sg_ast_var **rets, **params;
	uint32_t ret_count, param_count;
	uint32_t max_ntid[3], req_ntid[3], min_ncta_per_sm, max_nreg;

	uint8_t *reg_types; /* enum sg_type */
	size_t reg_count, reg_capacity;
	struct sg_ast_insn *insns;
	size_t insn_count, insn_capacity;
	struct sg_ast_label *labels;
	size_t label_count, label_capacity;
	struct sg_ast_table *tables;
	size_t table_count, table_capacity;
	struct sg_ast_var **vars; /* .local, .shared, .param and others declared inside */
	size_t var_count, var_capacity;

	uint64_t param_at; /* while its body is read: end of the .param variables that live now */
	uint64_t param_bytes; /* of its .param variables; those of blocks beside each other share
				 bytes */
	uint32_t param_align;

	struct sg_ast_func *alias_of; /* .alias */
	/* filled by the linker */
	struct sg_ast_func *definition; /* itself, or another text's; NULL: a builtin */
	uint8_t builtin;		/* enum sg_builtin */
	bool address_taken;
	uint32_t index; /* in the module's functions */
};

/* One text. */
struct sg_ast {
	uint16_t version; /* times ten */
	uint16_t target;
	struct sg_ast_func **funcs;
	size_t func_count, func_capacity;
	struct sg_ast_var **vars; /* of module scope */
	size_t var_count, var_capacity;
};

#endif
