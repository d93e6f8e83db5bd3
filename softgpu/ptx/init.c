/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init.c - initialisers of variables */

#include <errno.h>

#include "softgpu/ptx/parse_private.h"

struct filler {
	struct sg_parser *p;
	struct sg_ast_var *var;
	size_t capacity;
	uint32_t element_bytes;
};

/* A mask that picks one byte of an address: 0xff00(x). Return: its shift in bits. */
static uint8_t read_mask(struct sg_parser *p, uint64_t mask)
{
	for (unsigned shift = 0; shift < 64; shift += 8)
		if (mask == 0xffull << shift)
			return (uint8_t)shift;
	sg_parse_fail(p, -EINVAL, "a mask of an address is 0xff at one of its bytes");
}

static void read_symbol(struct sg_parser *p, struct sg_ast_init *init)
{
	struct sg_symbol *symbol;
	uint32_t reg;

	if (p->lex.token.kind != SG_TOKEN_WORD)
		sg_lex_fail_expected(&p->lex, "the name of a variable");
	symbol = sg_parse_find(p, p->lex.token.text, p->lex.token.len_bytes, &reg);
	if (symbol != NULL && symbol->kind == SG_SYMBOL_VAR)
		init->var = symbol->object;
	else if (symbol != NULL && symbol->kind == SG_SYMBOL_FUNC)
		init->func = symbol->object;
	else
		sg_lex_fail_expected(&p->lex, "a variable or a function that was declared before");
	if (init->var != NULL && init->var->space != SG_SPACE_GLOBAL &&
	    init->var->space != SG_SPACE_CONST && init->var->space != SG_SPACE_SHARED)
		sg_lex_fail_expected(&p->lex, "a variable whose address is known before a launch");
	sg_lex_next(&p->lex);
}

static bool is_symbol(struct sg_parser *p)
{
	return p->lex.token.kind == SG_TOKEN_WORD && !sg_lex_is(&p->lex, SG_TOKEN_WORD, "WARP_SZ");
}

/* symbol [+ constant], generic(symbol) [+ constant] */
static void read_address(struct sg_parser *p, struct sg_ast_init *init)
{
	if (sg_lex_is(&p->lex, SG_TOKEN_WORD, "generic")) {
		init->generic = true;
		sg_lex_next(&p->lex);
		sg_lex_expect_punct(&p->lex, '(', "after generic");
		read_symbol(p, init);
		sg_lex_expect_punct(&p->lex, ')', "after generic's variable");
	} else {
		read_symbol(p, init);
	}
	if (sg_lex_is_punct(&p->lex, '+') || sg_lex_is_punct(&p->lex, '-')) {
		struct sg_value value = sg_parse_constant(p);

		if (value.kind != SG_OPERAND_INT)
			sg_parse_fail(p, -EINVAL, "an address plus what is no integer");
		init->value = value.bits;
	}
}

static void fill_element(struct filler *f, uint64_t offset)
{
	struct sg_parser *p = f->p;
	struct sg_ast_init init = { .offset = offset, .bytes = f->element_bytes };
	struct sg_value value;

	if (is_symbol(p)) {
		read_address(p, &init);
		if (init.bytes < 4)
			sg_parse_fail(p, -EINVAL, "an address does not fit .%s; use a mask",
				      sg_isa_type_word(f->var->type));
	} else {
		value = sg_parse_constant(p);
		if (value.kind == SG_OPERAND_INT && sg_lex_accept_punct(&p->lex, '(')) {
			init.shift = read_mask(p, value.bits);
			init.bytes = 1;
			read_address(p, &init);
			sg_lex_expect_punct(&p->lex, ')', "after a mask's variable");
		} else {
			init.value = sg_value_bits(p, &value, f->var->type);
			if (init.bytes == 16 && !value.is_unsigned && (int64_t)value.bits < 0)
				init.value_high = UINT64_MAX;
		}
	}
	f->var->init = sg_load_grow(p->load, f->var->init, f->var->init_count, &f->capacity,
				    sizeof(init));
	f->var->init[f->var->init_count++] = init;
}

/* Braces of one dimension: `level` counts from the outermost; the vector is one dimension more. */
static void fill_level(struct filler *f, uint32_t level, uint64_t offset)
{
	struct sg_ast_var *var = f->var;
	bool last = level == var->dimension_count + (var->vector > 1);
	uint64_t count, step, i = 0;

	if (last) {
		fill_element(f, offset);
		return;
	}
	sg_lex_expect_punct(&f->p->lex, '{', "around the elements of an array");
	if (level < var->dimension_count) {
		count = level == 0 && var->unsized ? UINT32_MAX : var->dimensions[level];
		step = sg_parse_row_bytes(f->p, var, level + 1);
	} else {
		count = var->vector;
		step = f->element_bytes;
	}
	if (sg_lex_accept_punct(&f->p->lex, '}'))
		return;
	do {
		if (i == count)
			sg_parse_fail(f->p, -EINVAL, "'%.80s' has more values than elements",
				      var->name);
		fill_level(f, level + 1, offset + i * step);
		i++;
	} while (sg_lex_accept_punct(&f->p->lex, ','));
	sg_lex_expect_punct(&f->p->lex, '}', "after the elements of an array");
	if (level == 0 && var->unsized) {
		var->dimensions[0] = i;
		var->unsized = false;
	}
}

void sg_parse_initialiser(struct sg_parser *p, struct sg_ast_var *var)
{
	struct filler f = { .p = p, .var = var, .element_bytes = sg_isa_type_bits(var->type) / 8 };

	if (var->space != SG_SPACE_GLOBAL && var->space != SG_SPACE_CONST)
		sg_parse_fail(p, -EINVAL,
			      "'%.80s' cannot have a value at first: only .global and .const",
			      var->name);
	if (var->linkage == SG_LINKAGE_EXTERN || var->linkage == SG_LINKAGE_COMMON)
		sg_parse_fail(p, -EINVAL, "'%.80s' is .extern or .common and cannot have a value",
			      var->name);
	fill_level(&f, 0, 0);
}
