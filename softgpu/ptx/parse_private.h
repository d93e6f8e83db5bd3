/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse_private.h - what the parser's files share: ptx/parse.c, ptx/func.c, ptx/insn.c,
 * ptx/var.c, ptx/init.c, ptx/expr.c */

#ifndef VGPU_SOFTGPU_PTX_PARSE_PRIVATE_H
#define VGPU_SOFTGPU_PTX_PARSE_PRIVATE_H

#include "softgpu/ptx/ast.h"
#include "softgpu/ptx/lex.h"
#include "softgpu/ptx/scope.h"

/* A label that was named before it was found. */
struct sg_pending {
	const char *name;
	size_t name_bytes;
	uint32_t line, column;
	int64_t *label; /* gets the label's index */
	struct sg_pending *next;
};

struct sg_parser {
	struct sg_load *load;
	struct sg_lex lex;
	struct sg_scope scope;
	struct sg_scope variants; /* spelling of a mnemonic to its variant */
	struct sg_ast *ast;
	struct sg_ast_func *func; /* whose body is being read; NULL: module scope */
	uint64_t param_bytes[72]; /* of .param variables of the function, at each depth's start */
	struct sg_pending *pending[72]; /* of each depth of the scope */
	uint32_t nesting;		/* of expressions and braces */
};

/* A constant. */
struct sg_value {
	enum sg_operand_kind kind; /* INT, FLOAT32, FLOAT64 */
	bool is_unsigned;
	uint64_t bits;
};

/* Fails at the current token with a sentence of the caller's. */
_Noreturn void sg_parse_fail(struct sg_parser *p, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Goes one level deeper, or fails at the bound. Undo with p->nesting--. */
void sg_parse_nest(struct sg_parser *p);

/* Return: a copy of the current word, which has to be one; goes on. what: "the name of a variable".
 */
const char *sg_parse_name(struct sg_parser *p, const char *what);

/* A constant expression. */
struct sg_value sg_parse_constant(struct sg_parser *p);

/* One that has to be an integer in [least, most]. what: for the message. */
uint64_t sg_parse_integer(struct sg_parser *p, uint64_t least, uint64_t most, const char *what);

/* Return: the value as an integer of the type, as a float of the type; fails where it is none. */
uint64_t sg_value_bits(struct sg_parser *p, const struct sg_value *value, enum sg_type type);

/*
 * Variables: what stands behind a space, as in ".global .align 4 .b8 x[4] = {1};" from ".align" on.
 * Several may stand in one statement. Adds them to the text's or to the function's, and to the
 * scope.
 */
void sg_parse_variables(struct sg_parser *p, enum sg_word space, enum sg_linkage linkage);

/*
 * What stands behind .attribute: "(.managed, .unified(1, 2))". .unified promises one address on all
 * devices, and softgpu has one. managed: set when that is there; NULL: of a function, which has not.
 */
void sg_parse_attributes(struct sg_parser *p, bool *managed);

/* Return: bytes of a row of the dimensions from `from` on; of one element behind the last. */
uint64_t sg_parse_row_bytes(struct sg_parser *p, const struct sg_ast_var *var, uint32_t from);

/* What stands behind '='; gives an array without a size its own. */
void sg_parse_initialiser(struct sg_parser *p, struct sg_ast_var *var);

/*
 * One formal parameter: from ".param" or ".reg" on. of_entry: a kernel's, which may have .ptr.
 * named: false for prototypes, where '_' may stand for a name.
 */
struct sg_ast_var *sg_parse_formal(struct sg_parser *p, bool of_entry, bool named);

/* .reg, from the type on. */
void sg_parse_registers(struct sg_parser *p);

/* Return: a new register of the function being read. */
uint32_t sg_parse_new_registers(struct sg_parser *p, enum sg_type type, uint64_t count);

/* .entry and .func, from that word on. */
void sg_parse_function(struct sg_parser *p, enum sg_linkage linkage);

/* One instruction, from its guard or mnemonic on, over its ';'. */
void sg_parse_insn(struct sg_parser *p);

/* Directives that say nothing here: .loc, .file, .section, .pragma. Return: one was skipped. */
bool sg_parse_skip_directive(struct sg_parser *p);

/* Names a label that may come later; *label gets its index at the end of its block at the latest.
 */
void sg_parse_label_use(struct sg_parser *p, int64_t *label);

/* Blocks: a scope, and the labels that wait in it. */
void sg_parse_push(struct sg_parser *p);
void sg_parse_pop(struct sg_parser *p);

/* Looks a name up, %r12 of .reg %r<20> included. Return: NULL if there is none; reg is set for REG.
 */
struct sg_symbol *sg_parse_find(struct sg_parser *p, const char *name, size_t len_bytes,
				uint32_t *reg);

#endif
