/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parse.c - PTX text to syntax tree: what stands outside of functions, and what all files of
 * the parser use */

#include "softgpu/ptx/parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "softgpu/ptx/parse_private.h"

#define VERSION_LEAST 30
#define VERSION_MOST 90
#define TARGET_LEAST 20
#define TARGET_MOST 999

/* --- for all files --------------------------------------------------------------------------- */

_Noreturn void sg_parse_fail(struct sg_parser *p, int code, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sg_load_fail(p->load, code, p->lex.token.line, p->lex.token.column, "%s", text);
}

void sg_parse_nest(struct sg_parser *p)
{
	if (++p->nesting > SG_PTX_NESTING_MAX)
		sg_parse_fail(p, -E2BIG, "more than %d levels of nesting", SG_PTX_NESTING_MAX);
}

const char *sg_parse_name(struct sg_parser *p, const char *what)
{
	const char *name;

	if (p->lex.token.kind != SG_TOKEN_WORD)
		sg_lex_fail_expected(&p->lex, what);
	name = sg_load_text(p->load, p->lex.token.text, p->lex.token.len_bytes);
	sg_lex_next(&p->lex);
	return name;
}

void sg_parse_push(struct sg_parser *p)
{
	if (p->scope.depth >= SG_PTX_NESTING_MAX)
		sg_parse_fail(p, -E2BIG, "more than %d blocks in each other", SG_PTX_NESTING_MAX);
	sg_scope_push(&p->scope);
	p->pending[p->scope.depth] = NULL;
	p->param_bytes[p->scope.depth] = p->func->param_at;
}

void sg_parse_label_use(struct sg_parser *p, int64_t *label)
{
	struct sg_pending *use = sg_load_alloc(p->load, sizeof(*use));

	if (p->lex.token.kind != SG_TOKEN_WORD)
		sg_lex_fail_expected(&p->lex, "a label");
	use->name = p->lex.token.text;
	use->name_bytes = p->lex.token.len_bytes;
	use->line = p->lex.token.line;
	use->column = p->lex.token.column;
	use->label = label;
	use->next = p->pending[p->scope.depth];
	p->pending[p->scope.depth] = use;
	sg_lex_next(&p->lex);
}

/* A block's end: labels that it has are given to those who named them, the others are asked for
 * outside. */
void sg_parse_pop(struct sg_parser *p)
{
	uint32_t depth = p->scope.depth;

	for (struct sg_pending *use = p->pending[depth], *next; use != NULL; use = next) {
		struct sg_symbol *symbol = sg_scope_find_here(&p->scope, use->name,
							      use->name_bytes);

		next = use->next;
		if (symbol != NULL &&
		    (symbol->kind == SG_SYMBOL_LABEL || symbol->kind == SG_SYMBOL_TABLE)) {
			*use->label = symbol->number;
		} else if (depth <= 1 || symbol != NULL) {
			sg_load_fail(p->load, -EINVAL, use->line, use->column,
				     "'%.*s' is no label of this function",
				     (int)(use->name_bytes > 80 ? 80 : use->name_bytes), use->name);
		} else {
			use->next = p->pending[depth - 1];
			p->pending[depth - 1] = use;
		}
	}
	p->pending[depth] = NULL;
	p->func->param_at = p->param_bytes[depth];
	sg_scope_pop(&p->scope);
}

/* "%r12": 12 of ".reg %r<20>", or 2 of ".reg %r1<20>". */
static struct sg_symbol *find_in_range(struct sg_parser *p, const char *name, size_t len_bytes,
				       uint32_t *reg)
{
	char key[128];
	uint64_t number = 0, scale = 1;

	if (len_bytes >= sizeof(key))
		return NULL;
	memcpy(key, name, len_bytes);
	for (size_t cut = len_bytes; cut > 1 && len_bytes - cut < 8;) {
		struct sg_symbol *symbol;
		char saved;

		cut--;
		if (name[cut] < '0' || name[cut] > '9')
			return NULL;
		number += (uint64_t)(name[cut] - '0') * scale;
		scale *= 10;
		if (name[cut] == '0' && len_bytes - cut > 1)
			continue;
		saved = key[cut];
		key[cut] = '<';
		symbol = sg_scope_find(&p->scope, key, cut + 1);
		key[cut] = saved;
		if (symbol != NULL && symbol->kind == SG_SYMBOL_RANGE && number < symbol->count) {
			*reg = symbol->number + (uint32_t)number;
			return symbol;
		}
	}
	return NULL;
}

struct sg_symbol *sg_parse_find(struct sg_parser *p, const char *name, size_t len_bytes,
				uint32_t *reg)
{
	struct sg_symbol *symbol = sg_scope_find(&p->scope, name, len_bytes);
	struct sg_symbol *range = find_in_range(p, name, len_bytes, reg);

	/* the inner one hides the outer one */
	if (symbol == NULL || (range != NULL && range->depth > symbol->depth))
		return range;
	if (symbol->kind == SG_SYMBOL_REG)
		*reg = symbol->number;
	return symbol;
}

/* --- what is read over ----------------------------------------------------------------------- */

/* To the end of a line: debug directives have no ';'. */
static void skip_line(struct sg_parser *p, uint32_t line)
{
	while (p->lex.token.kind != SG_TOKEN_END && p->lex.token.line == line)
		sg_lex_next(&p->lex);
}

/* ".section .debug_info { ... }" */
static void skip_section(struct sg_parser *p)
{
	while (p->lex.token.kind != SG_TOKEN_END && !sg_lex_is_punct(&p->lex, '{'))
		sg_lex_next(&p->lex);
	while (p->lex.token.kind != SG_TOKEN_END && !sg_lex_is_punct(&p->lex, '}'))
		sg_lex_next(&p->lex);
	sg_lex_expect_punct(&p->lex, '}', "at the end of a section");
}

static void skip_pragma(struct sg_parser *p)
{
	do {
		if (p->lex.token.kind != SG_TOKEN_STRING)
			sg_lex_fail_expected(&p->lex, "a string after .pragma");
		sg_lex_next(&p->lex);
	} while (sg_lex_accept_punct(&p->lex, ','));
	sg_lex_expect_punct(&p->lex, ';', "after .pragma");
}

bool sg_parse_skip_directive(struct sg_parser *p)
{
	uint32_t line = p->lex.token.line;

	if (sg_lex_is(&p->lex, SG_TOKEN_DOTTED, "loc") ||
	    sg_lex_is(&p->lex, SG_TOKEN_DOTTED, "file")) {
		skip_line(p, line);
		return true;
	}
	if (sg_lex_accept_dotted(&p->lex, "section")) {
		skip_section(p);
		return true;
	}
	if (sg_lex_accept_dotted(&p->lex, "pragma")) {
		skip_pragma(p);
		return true;
	}
	return false;
}

/* --- the head of a text ---------------------------------------------------------------------- */

/* "9.0" is a decimal number to the lexer, and "8.10" would not be 8.1: digits are read here. */
static void read_version(struct sg_parser *p)
{
	const struct sg_token *token = &p->lex.token;
	double number;
	unsigned version;

	if (!sg_lex_accept_dotted(&p->lex, "version"))
		sg_parse_fail(p, -ENOEXEC, "this is not PTX text, which begins with .version");
	if (token->kind != SG_TOKEN_FLOAT64)
		sg_lex_fail_expected(&p->lex, "a version like 9.0");
	memcpy(&number, &token->value, sizeof(number));
	if (!(number >= 1 && number < 100))
		sg_parse_fail(p, -EINVAL, "expected a version like 9.0");
	version = (unsigned)(number * 10 + 0.5);
	if (version < VERSION_LEAST || version > VERSION_MOST)
		sg_parse_fail(
			p, -EPROTONOSUPPORT,
			"ptx version %u.%u is not supported by softgpu, which reads %d.%d to %d.%d",
			version / 10, version % 10, VERSION_LEAST / 10, VERSION_LEAST % 10,
			VERSION_MOST / 10, VERSION_MOST % 10);
	p->ast->version = (uint16_t)version;
	sg_lex_next(&p->lex);
}

static void read_target_name(struct sg_parser *p)
{
	const struct sg_token *token = &p->lex.token;
	unsigned target = 0;
	size_t i = 3;

	if (token->len_bytes < 4 || memcmp(token->text, "sm_", 3) != 0) {
		if (sg_lex_is(&p->lex, SG_TOKEN_WORD, "map_f64_to_f32"))
			sg_parse_fail(p, -ENOTSUP, "map_f64_to_f32 is not supported by softgpu");
		if (!sg_lex_is(&p->lex, SG_TOKEN_WORD, "debug") &&
		    !sg_lex_is(&p->lex, SG_TOKEN_WORD, "texmode_unified") &&
		    !sg_lex_is(&p->lex, SG_TOKEN_WORD, "texmode_independent"))
			sg_lex_fail_expected(&p->lex, "a target like sm_75");
		return;
	}
	for (; i < token->len_bytes && i < 7 && token->text[i] >= '0' && token->text[i] <= '9'; i++)
		target = target * 10 + (unsigned)(token->text[i] - '0');
	/* sm_90a, sm_100f: architectures that have more than their number says */
	if (i < token->len_bytes && (token->text[i] == 'a' || token->text[i] == 'f'))
		i++;
	if (i != token->len_bytes)
		sg_lex_fail_expected(&p->lex, "a target like sm_75");
	if (target < TARGET_LEAST || target > TARGET_MOST)
		sg_parse_fail(
			p, -ENOTSUP,
			"target sm_%u is not supported by softgpu, which knows sm_%d and newer",
			target, TARGET_LEAST);
	p->ast->target = (uint16_t)target;
}

static void read_target(struct sg_parser *p)
{
	if (!sg_lex_accept_dotted(&p->lex, "target"))
		sg_lex_fail_expected(&p->lex, "'.target' after the version");
	do {
		if (p->lex.token.kind != SG_TOKEN_WORD)
			sg_lex_fail_expected(&p->lex, "a target like sm_75");
		read_target_name(p);
		sg_lex_next(&p->lex);
	} while (sg_lex_accept_punct(&p->lex, ','));
	if (p->ast->target == 0)
		sg_lex_fail_expected(&p->lex, "a target like sm_75");
}

static void read_address_size(struct sg_parser *p)
{
	if (!sg_lex_accept_dotted(&p->lex, "address_size"))
		return;
	if (p->lex.token.kind == SG_TOKEN_INTEGER && p->lex.token.value == 32)
		sg_parse_fail(p, -ENOTSUP,
			      "32-bit addresses are not supported by softgpu; use -m64");
	sg_parse_integer(p, 64, 64, "the address size");
}

/* --- statements of module scope --------------------------------------------------------------- */

static enum sg_linkage read_linkage(struct sg_parser *p)
{
	if (sg_lex_accept_dotted(&p->lex, "extern"))
		return SG_LINKAGE_EXTERN;
	if (sg_lex_accept_dotted(&p->lex, "visible"))
		return SG_LINKAGE_VISIBLE;
	if (sg_lex_accept_dotted(&p->lex, "weak"))
		return SG_LINKAGE_WEAK;
	if (sg_lex_accept_dotted(&p->lex, "common"))
		return SG_LINKAGE_COMMON;
	return SG_LINKAGE_LOCAL;
}

/* .const[3]: banks are one space here. */
static void skip_bank(struct sg_parser *p)
{
	if (!sg_lex_accept_punct(&p->lex, '['))
		return;
	sg_parse_integer(p, 0, 10, "a constant bank");
	sg_lex_expect_punct(&p->lex, ']', "after a constant bank");
}

static struct sg_ast_func *read_function_name(struct sg_parser *p)
{
	struct sg_symbol *symbol;
	uint32_t reg;

	if (p->lex.token.kind != SG_TOKEN_WORD)
		sg_lex_fail_expected(&p->lex, "the name of a function");
	symbol = sg_parse_find(p, p->lex.token.text, p->lex.token.len_bytes, &reg);
	if (symbol == NULL || symbol->kind != SG_SYMBOL_FUNC)
		sg_lex_fail_expected(&p->lex, "a function that was declared before");
	sg_lex_next(&p->lex);
	return symbol->object;
}

/* ".alias f, g;": f, which has no body, is g. */
static void read_alias(struct sg_parser *p)
{
	struct sg_ast_func *alias = read_function_name(p), *target;

	sg_lex_expect_punct(&p->lex, ',', "between an alias and its function");
	target = read_function_name(p);
	sg_lex_expect_punct(&p->lex, ';', "after an alias");
	if (alias->has_body || alias->entry || target->entry || !target->has_body)
		sg_parse_fail(
			p, -EINVAL,
			"'%.60s' cannot be an alias of '%.60s': one is without a body, one with",
			alias->name, target->name);
	alias->alias_of = target;
}

static void statement(struct sg_parser *p)
{
	enum sg_linkage linkage;

	if (sg_parse_skip_directive(p) || sg_lex_accept_punct(&p->lex, ';'))
		return;
	if (sg_lex_accept_dotted(&p->lex, "alias")) {
		read_alias(p);
		return;
	}
	linkage = read_linkage(p);
	if (sg_lex_is(&p->lex, SG_TOKEN_DOTTED, "entry") ||
	    sg_lex_is(&p->lex, SG_TOKEN_DOTTED, "func")) {
		sg_parse_function(p, linkage);
	} else if (sg_lex_accept_dotted(&p->lex, "global")) {
		sg_parse_variables(p, SG_SPACE_GLOBAL, linkage);
	} else if (sg_lex_accept_dotted(&p->lex, "const")) {
		skip_bank(p);
		sg_parse_variables(p, SG_SPACE_CONST, linkage);
	} else if (sg_lex_accept_dotted(&p->lex, "shared")) {
		sg_parse_variables(p, SG_SPACE_SHARED, linkage);
	} else if (sg_lex_accept_dotted(&p->lex, "local")) {
		sg_parse_variables(p, SG_SPACE_LOCAL, linkage);
	} else if (sg_lex_is(&p->lex, SG_TOKEN_DOTTED, "tex")) {
		sg_parse_fail(p, -ENOTSUP, ".tex: textures are not supported by softgpu");
	} else if (sg_lex_is(&p->lex, SG_TOKEN_DOTTED, "reg")) {
		sg_parse_fail(p, -ENOTSUP,
			      "registers of module scope are not supported by softgpu");
	} else {
		sg_lex_fail_expected(&p->lex, "a variable, a function or a directive");
	}
}

struct sg_ast *sg_ptx_parse(struct sg_load *load, const char *text, size_t len_bytes)
{
	struct sg_parser *p = sg_load_alloc(load, sizeof(*p));

	p->load = load;
	p->ast = sg_load_alloc(load, sizeof(*p->ast));
	sg_scope_init(&p->scope, load);
	sg_scope_init(&p->variants, load);
	sg_lex_init(&p->lex, load, text, len_bytes);
	read_version(p);
	read_target(p);
	read_address_size(p);
	while (p->lex.token.kind != SG_TOKEN_END)
		statement(p);
	return p->ast;
}
