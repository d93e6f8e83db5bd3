/* SPDX-License-Identifier: GPL-2.0-or-later */
/* var.c - variables, their initialisers, parameters and registers */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "softgpu/ptx/parse_private.h"

/* --- what all declarations share ------------------------------------------------------------- */

static enum sg_type accept_type(struct sg_parser *p)
{
	const struct sg_token *token = &p->lex.token;
	enum sg_type type;

	if (token->kind != SG_TOKEN_DOTTED)
		return SG_TYPE_NONE;
	type = sg_isa_find_type(token->text, token->len_bytes);
	if (type != SG_TYPE_NONE)
		sg_lex_next(&p->lex);
	return type;
}

static void refuse_opaque(struct sg_parser *p)
{
	static const char *const opaque[] = { "texref", "samplerref", "surfref" };

	for (size_t i = 0; i < sizeof(opaque) / sizeof(opaque[0]); i++)
		if (sg_lex_is(&p->lex, SG_TOKEN_DOTTED, opaque[i]))
			sg_parse_fail(p, -ENOTSUP,
				      ".%s: textures and surfaces are not supported by softgpu",
				      opaque[i]);
}

static uint32_t read_align(struct sg_parser *p)
{
	uint64_t align = sg_parse_integer(p, 1, SG_PTX_ALIGN_MAX, "an alignment");

	if ((align & (align - 1)) != 0)
		sg_parse_fail(p, -EINVAL, "an alignment of %llu is no power of two",
			      (unsigned long long)align);
	return (uint32_t)align;
}

void sg_parse_attributes(struct sg_parser *p, bool *managed)
{
	sg_lex_expect_punct(&p->lex, '(', "after .attribute");
	do {
		if (managed && sg_lex_accept_dotted(&p->lex, "managed")) {
			*managed = true;
		} else if (sg_lex_accept_dotted(&p->lex, "unified")) {
			sg_lex_expect_punct(&p->lex, '(', "after .unified");
			sg_parse_constant(p);
			sg_lex_expect_punct(&p->lex, ',', "between the halves of an identifier");
			sg_parse_constant(p);
			sg_lex_expect_punct(&p->lex, ')', "after an identifier");
		} else {
			sg_lex_fail_expected(&p->lex,
					     managed ? ".managed or .unified" : ".unified");
		}
	} while (sg_lex_accept_punct(&p->lex, ','));
	sg_lex_expect_punct(&p->lex, ')', "after attributes");
}

/*
 * What stands between the space and the first name. Return: the model of all variables of the
 * statement.
 */
static struct sg_ast_var read_kind(struct sg_parser *p)
{
	struct sg_ast_var model = { .vector = 1 };

	for (;;) {
		refuse_opaque(p);
		if (sg_lex_accept_dotted(&p->lex, "align"))
			model.align = read_align(p);
		else if (sg_lex_accept_dotted(&p->lex, "attribute"))
			sg_parse_attributes(p, &model.managed);
		else if (sg_lex_accept_dotted(&p->lex, "v2"))
			model.vector = 2;
		else if (sg_lex_accept_dotted(&p->lex, "v4"))
			model.vector = 4;
		else if (model.type == SG_TYPE_NONE &&
			 (model.type = accept_type(p)) != SG_TYPE_NONE)
			continue;
		else
			break;
	}
	if (model.type == SG_TYPE_NONE)
		sg_lex_fail_expected(&p->lex, "a type");
	return model;
}

/* Type sizes that memory has: .pred and sub-byte types have none. */
static void check_storable(struct sg_parser *p, enum sg_type type)
{
	if (type == SG_TYPE_PRED || sg_isa_type_bits(type) < 8)
		sg_parse_fail(p, -EINVAL, "a variable in memory cannot be a .%s",
			      sg_isa_type_word(type));
}

static void read_dimensions(struct sg_parser *p, struct sg_ast_var *var)
{
	while (sg_lex_accept_punct(&p->lex, '[')) {
		uint64_t count = 0;

		if (var->dimension_count == SG_PTX_DIMENSIONS_MAX)
			sg_parse_fail(p, -E2BIG, "an array has more than %d dimensions",
				      SG_PTX_DIMENSIONS_MAX);
		if (sg_lex_is_punct(&p->lex, ']')) {
			if (var->dimension_count > 0)
				sg_parse_fail(p, -EINVAL,
					      "only an array's first dimension may be left out");
			var->unsized = true;
		} else {
			count = sg_parse_integer(p, 0, UINT32_MAX, "an array's size");
		}
		var->dimensions[var->dimension_count++] = count;
		sg_lex_expect_punct(&p->lex, ']', "after an array's size");
	}
}

uint64_t sg_parse_row_bytes(struct sg_parser *p, const struct sg_ast_var *var, uint32_t from)
{
	uint64_t bytes = sg_isa_type_bits(var->type) / 8 * var->vector;

	for (uint32_t i = from; i < var->dimension_count; i++)
		if (__builtin_mul_overflow(bytes, var->dimensions[i], &bytes))
			sg_parse_fail(p, -E2BIG, "'%.80s' is too big", var->name);
	return bytes;
}

static void set_size(struct sg_parser *p, struct sg_ast_var *var)
{
	uint32_t natural = sg_isa_type_bits(var->type) / 8 * var->vector;

	var->bytes = sg_parse_row_bytes(p, var, 0);
	if (var->bytes > p->load->limits.data_bytes)
		sg_parse_fail(p, -E2BIG, "'%.80s' has more than %llu bytes", var->name,
			      (unsigned long long)p->load->limits.data_bytes);
	if (var->align == 0)
		var->align = natural;
}

/* --- variables ------------------------------------------------------------------------------- */

static void add_to_function(struct sg_parser *p, struct sg_ast_var *var)
{
	struct sg_ast_func *func = p->func;

	var->owner = func;
	if (var->space == SG_SPACE_PARAM) {
		/* they carry the arguments of the calls of their block, and end with it */
		var->offset = (func->param_at + var->align - 1) & ~(uint64_t)(var->align - 1);
		func->param_at = var->offset + var->bytes;
		if (func->param_at > func->param_bytes)
			func->param_bytes = func->param_at;
		if (var->align > func->param_align)
			func->param_align = var->align;
	}
	func->vars = sg_load_grow(p->load, func->vars, func->var_count, &func->var_capacity,
				  sizeof(*func->vars));
	func->vars[func->var_count++] = var;
}

/* A name of module scope may be declared again: an .extern and its definition. */
static void add_to_module(struct sg_parser *p, struct sg_ast_var *var)
{
	struct sg_symbol *known = sg_scope_find_here(&p->scope, var->name, strlen(var->name));
	struct sg_ast *ast = p->ast;

	ast->vars = sg_load_grow(p->load, ast->vars, ast->var_count, &ast->var_capacity,
				 sizeof(*ast->vars));
	ast->vars[ast->var_count++] = var;
	if (known != NULL && known->kind == SG_SYMBOL_VAR) {
		struct sg_ast_var *before = known->object;

		if ((before->linkage == SG_LINKAGE_LOCAL || var->linkage == SG_LINKAGE_LOCAL) ||
		    before->space != var->space)
			sg_parse_fail(p, -EINVAL, "'%.80s' is defined twice (first in line %u)",
				      var->name, before->line);
		return;
	}
	sg_scope_add(&p->scope, var->name, strlen(var->name), SG_SYMBOL_VAR, var->line)->object =
		var;
}

static void add_variable(struct sg_parser *p, struct sg_ast_var *var)
{
	bool inside = p->func != NULL;

	if (!inside && var->space == SG_SPACE_LOCAL)
		sg_parse_fail(p, -ENOTSUP, "'%.80s': .local variables stand inside of functions",
			      var->name);
	if (!inside && var->space == SG_SPACE_PARAM)
		sg_parse_fail(p, -EINVAL, "'%.80s': .param variables stand inside of functions",
			      var->name);
	if (var->unsized && var->linkage != SG_LINKAGE_EXTERN)
		sg_parse_fail(p, -EINVAL, "'%.80s' has no size", var->name);
	if (!inside || var->linkage == SG_LINKAGE_EXTERN) {
		if (inside)
			sg_parse_fail(p, -EINVAL, "'%.80s': .extern stands outside of functions",
				      var->name);
		add_to_module(p, var);
		return;
	}
	sg_scope_add(&p->scope, var->name, strlen(var->name), SG_SYMBOL_VAR, var->line)->object =
		var;
	add_to_function(p, var);
}

/* ".param .b64 p<4>": p0 to p3, as old compilers wrote. */
static void add_range(struct sg_parser *p, const struct sg_ast_var *model)
{
	uint64_t count = sg_parse_integer(p, 1, SG_PTX_PARAMS_MAX, "the count of a range");

	sg_lex_expect_punct(&p->lex, '>', "after the count of a range");
	for (uint64_t i = 0; i < count; i++) {
		struct sg_ast_var *var = sg_load_alloc(p->load, sizeof(*var));
		size_t room = strlen(model->name) + 24;
		char *name = sg_load_alloc(p->load, room);

		*var = *model;
		snprintf(name, room, "%s%llu", model->name, (unsigned long long)i);
		var->name = name;
		set_size(p, var);
		add_variable(p, var);
	}
}

void sg_parse_variables(struct sg_parser *p, enum sg_word space, enum sg_linkage linkage)
{
	struct sg_ast_var model = read_kind(p);

	check_storable(p, model.type);
	model.space = space;
	model.linkage = linkage;
	do {
		struct sg_ast_var *var = sg_load_alloc(p->load, sizeof(*var));

		*var = model;
		var->line = p->lex.token.line;
		var->name = sg_parse_name(p, "the name of a variable");
		if (sg_lex_accept_punct(&p->lex, '<')) {
			add_range(p, var);
			continue;
		}
		read_dimensions(p, var);
		set_size(p, var);
		/* its own address may stand in its initialiser */
		if (sg_lex_is_punct(&p->lex, '=') && var->unsized) {
			sg_lex_next(&p->lex);
			sg_parse_initialiser(p, var);
			set_size(p, var);
			add_variable(p, var);
			continue;
		}
		add_variable(p, var);
		if (sg_lex_accept_punct(&p->lex, '='))
			sg_parse_initialiser(p, var);
	} while (sg_lex_accept_punct(&p->lex, ','));
	sg_lex_expect_punct(&p->lex, ';', "after a variable");
}

/* --- formal parameters ----------------------------------------------------------------------- */

/* ".ptr .global .align 8" of a kernel's parameter: advice about what it points to. */
static void skip_pointer_advice(struct sg_parser *p, struct sg_ast_var *var)
{
	static const char *const spaces[] = { "const", "global", "local", "shared" };

	if (!sg_lex_accept_dotted(&p->lex, "ptr"))
		return;
	var->pointer = true;
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++)
		if (sg_lex_accept_dotted(&p->lex, spaces[i]))
			break;
	if (sg_lex_accept_dotted(&p->lex, "align"))
		read_align(p);
}

static struct sg_ast_var *register_formal(struct sg_ast_var *var)
{
	var->space = SG_SPACE_GENERIC;
	var->bytes = sg_isa_type_bits(var->type) < 8 ? 1 : sg_isa_type_bits(var->type) / 8;
	return var;
}

struct sg_ast_var *sg_parse_formal(struct sg_parser *p, bool of_entry, bool named)
{
	struct sg_ast_var *var = sg_load_alloc(p->load, sizeof(*var));
	bool in_register = sg_lex_accept_dotted(&p->lex, "reg");

	if (!in_register && !sg_lex_accept_dotted(&p->lex, "param"))
		sg_lex_fail_expected(&p->lex, of_entry ? "'.param'" : "'.param' or '.reg'");
	if (in_register && of_entry)
		sg_parse_fail(p, -EINVAL, "a kernel's parameter is a .param");
	*var = read_kind(p);
	var->space = SG_SPACE_PARAM;
	var->formal = true;
	skip_pointer_advice(p, var);
	if (!in_register)
		check_storable(p, var->type);
	var->line = p->lex.token.line;
	if (named || p->lex.token.kind == SG_TOKEN_WORD)
		var->name = sg_parse_name(p, "the name of a parameter");
	else
		var->name = "_";
	if (in_register)
		return register_formal(var);
	read_dimensions(p, var);
	if (var->unsized)
		sg_parse_fail(p, -ENOTSUP, "'%.80s': variable argument lists are not supported",
			      var->name);
	set_size(p, var);
	if (var->bytes > SG_PTX_PARAM_BYTES_MAX)
		sg_parse_fail(p, -E2BIG, "'%.80s' has more than %d bytes", var->name,
			      SG_PTX_PARAM_BYTES_MAX);
	return var;
}

/* --- registers ------------------------------------------------------------------------------- */

uint32_t sg_parse_new_registers(struct sg_parser *p, enum sg_type type, uint64_t count)
{
	struct sg_ast_func *func = p->func;
	uint32_t first = (uint32_t)func->reg_count;

	if (count > SG_PTX_REGISTERS_MAX - func->reg_count)
		sg_parse_fail(p, -E2BIG, "'%.80s' has more than %u registers", func->name,
			      SG_PTX_REGISTERS_MAX);
	while (func->reg_capacity < func->reg_count + count) {
		/* sg_load_grow() grows by one; a range comes all at once */
		func->reg_types = sg_load_grow(p->load, func->reg_types, func->reg_capacity,
					       &func->reg_capacity, 1);
	}
	memset(func->reg_types + first, (int)type, count);
	func->reg_count += count;
	return first;
}

static void read_range(struct sg_parser *p, const char *name, enum sg_type type)
{
	size_t room = strlen(name) + 2;
	char *key = sg_load_alloc(p->load, room);
	uint32_t line = p->lex.token.line;
	uint64_t count = sg_parse_integer(p, 1, SG_PTX_REGISTERS_MAX, "the count of registers");
	struct sg_symbol *symbol;

	sg_lex_expect_punct(&p->lex, '>', "after the count of registers");
	/* no register is called so: the range and a register of its name do not meet */
	snprintf(key, room, "%s<", name);
	symbol = sg_scope_add(&p->scope, key, room - 1, SG_SYMBOL_RANGE, line);
	symbol->type = (uint8_t)type;
	symbol->count = (uint32_t)count;
	symbol->number = sg_parse_new_registers(p, type, count);
}

void sg_parse_registers(struct sg_parser *p)
{
	struct sg_ast_var model = read_kind(p);

	if (sg_isa_type_bits(model.type) > 1 && sg_isa_type_bits(model.type) < 8)
		sg_parse_fail(p, -EINVAL, "a register cannot be a .%s",
			      sg_isa_type_word(model.type));
	do {
		uint32_t line = p->lex.token.line;
		const char *name = sg_parse_name(p, "the name of a register");
		struct sg_symbol *symbol;

		if (sg_lex_accept_punct(&p->lex, '<')) {
			if (model.vector > 1)
				sg_parse_fail(p, -ENOTSUP,
					      "ranges of vector registers are not supported");
			read_range(p, name, model.type);
			continue;
		}
		symbol = sg_scope_add(&p->scope, name, strlen(name), SG_SYMBOL_REG, line);
		symbol->type = (uint8_t)model.type;
		symbol->vector = model.vector;
		symbol->number = sg_parse_new_registers(p, model.type, model.vector);
	} while (sg_lex_accept_punct(&p->lex, ','));
	sg_lex_expect_punct(&p->lex, ';', "after registers");
}
