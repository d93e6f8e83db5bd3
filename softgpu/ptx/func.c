/* SPDX-License-Identifier: GPL-2.0-or-later */
/* func.c - functions of PTX: heads, directives, and the statements of their bodies */

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/parse_private.h"

/* --- the head -------------------------------------------------------------------------------- */

/* A list of formals in parentheses, if one stands here. */
static void parse_formals(struct sg_parser *p, bool of_entry, bool named, struct sg_ast_var ***out,
			  uint32_t *count)
{
	size_t capacity = 0;

	*out = NULL;
	*count = 0;
	if (!sg_lex_accept_punct(&p->lex, '('))
		return;
	if (sg_lex_accept_punct(&p->lex, ')'))
		return;
	do {
		if (*count == SG_PTX_PARAMS_MAX)
			sg_parse_fail(p, -E2BIG, "more than %d parameters", SG_PTX_PARAMS_MAX);
		*out = sg_load_grow(p->load, *out, *count, &capacity, sizeof(**out));
		(*out)[(*count)++] = sg_parse_formal(p, of_entry, named);
	} while (sg_lex_accept_punct(&p->lex, ','));
	sg_lex_expect_punct(&p->lex, ')', "after parameters");
}

static void read_counts(struct sg_parser *p, uint32_t out[3], const char *what)
{
	out[0] = (uint32_t)sg_parse_integer(p, 1, UINT32_MAX, what);
	out[1] = out[2] = 1;
	for (int i = 1; i < 3 && sg_lex_accept_punct(&p->lex, ','); i++)
		out[i] = (uint32_t)sg_parse_integer(p, 1, UINT32_MAX, what);
}

/* A directive between head and body. Return: false if none stands here. */
static bool head_directive(struct sg_parser *p, struct sg_ast_func *func)
{
	static const char *const clusters[] = { "reqnctapercluster", "explicitcluster",
						"blocksareclusters" };
	uint32_t ignored[3];

	for (size_t i = 0; i < sizeof(clusters) / sizeof(clusters[0]); i++)
		if (sg_lex_is(&p->lex, SG_TOKEN_DOTTED, clusters[i]))
			sg_parse_fail(p, -ENOTSUP,
				      ".%s: thread block clusters are not supported by softgpu",
				      clusters[i]);
	if (sg_lex_accept_dotted(&p->lex, "maxntid"))
		read_counts(p, func->max_ntid, ".maxntid");
	else if (sg_lex_accept_dotted(&p->lex, "reqntid"))
		read_counts(p, func->req_ntid, ".reqntid");
	else if (sg_lex_accept_dotted(&p->lex, "minnctapersm"))
		func->min_ncta_per_sm = (uint32_t)sg_parse_integer(p, 0, UINT32_MAX,
								   ".minnctapersm");
	else if (sg_lex_accept_dotted(&p->lex, "maxnctapersm"))
		sg_parse_integer(p, 0, UINT32_MAX, ".maxnctapersm");
	else if (sg_lex_accept_dotted(&p->lex, "maxnreg"))
		func->max_nreg = (uint32_t)sg_parse_integer(p, 1, UINT32_MAX, ".maxnreg");
	else if (sg_lex_accept_dotted(&p->lex, "maxclusterrank"))
		sg_parse_integer(p, 1, UINT32_MAX, ".maxclusterrank");
	else if (sg_lex_accept_dotted(&p->lex, "abi_preserve") ||
		 sg_lex_accept_dotted(&p->lex, "abi_preserve_control"))
		read_counts(p, ignored, ".abi_preserve");
	else if (!sg_lex_accept_dotted(&p->lex, "noreturn") && !sg_parse_skip_directive(p))
		return false;
	return true;
}

/* A second declaration of a function says nothing new, or brings the body. */
static struct sg_ast_func *enter(struct sg_parser *p, const char *name, uint32_t line, bool entry,
				 enum sg_linkage linkage)
{
	struct sg_symbol *known = sg_scope_find_here(&p->scope, name, strlen(name));
	struct sg_ast *ast = p->ast;
	struct sg_ast_func *func;

	if (known != NULL && known->kind == SG_SYMBOL_FUNC) {
		func = known->object;
		if (func->entry != entry)
			sg_parse_fail(p, -EINVAL, "'%.80s' is a kernel and a function", name);
		if (func->linkage == SG_LINKAGE_EXTERN || func->linkage == SG_LINKAGE_LOCAL)
			func->linkage = linkage;
		return func;
	}
	func = sg_load_alloc(p->load, sizeof(*func));
	func->name = name;
	func->line = line;
	func->entry = entry;
	func->linkage = linkage;
	func->source = p->load->source;
	sg_scope_add(&p->scope, name, strlen(name), SG_SYMBOL_FUNC, line)->object = func;
	ast->funcs = sg_load_grow(p->load, ast->funcs, ast->func_count, &ast->func_capacity,
				  sizeof(*ast->funcs));
	ast->funcs[ast->func_count++] = func;
	return func;
}

/* --- the body -------------------------------------------------------------------------------- */

static void statement(struct sg_parser *p);

/* ".branchtargets L1, L2;" after "name:" */
static void read_table(struct sg_parser *p, const char *name, uint32_t line)
{
	struct sg_ast_func *func = p->func;
	struct sg_ast_table *table;
	size_t capacity = 0, count = 0;
	int64_t **uses = NULL;

	func->tables = sg_load_grow(p->load, func->tables, func->table_count, &func->table_capacity,
				    sizeof(*func->tables));
	table = &func->tables[func->table_count];
	*table = (struct sg_ast_table){ .name = name, .line = line };
	sg_scope_add(&p->scope, name, strlen(name), SG_SYMBOL_TABLE, line)->number =
		(uint32_t)func->table_count++;
	do {
		uses = sg_load_grow(p->load, uses, count, &capacity, sizeof(*uses));
		uses[count] = sg_load_alloc(p->load, sizeof(**uses));
		sg_parse_label_use(p, uses[count++]);
	} while (sg_lex_accept_punct(&p->lex, ','));
	table->label_uses = uses;
	table->count = count;
	sg_lex_expect_punct(&p->lex, ';', "after .branchtargets");
}

/* "name: .callprototype (.param .b32 _) _ (.param .b64 _);" */
static void read_prototype(struct sg_parser *p, const char *name, uint32_t line)
{
	struct sg_ast_proto *proto = sg_load_alloc(p->load, sizeof(*proto));

	proto->name = name;
	parse_formals(p, false, false, &proto->rets, &proto->ret_count);
	sg_parse_name(p, "'_' in a prototype");
	parse_formals(p, false, false, &proto->params, &proto->param_count);
	while (head_directive(p, &(struct sg_ast_func){ 0 }))
		;
	sg_lex_expect_punct(&p->lex, ';', "after .callprototype");
	sg_scope_add(&p->scope, name, strlen(name), SG_SYMBOL_PROTO, line)->object = proto;
}

/*
 * "name: .calltargets f, g;": all of them are called alike, so the first one's head is the
 * prototype. The machine compares each call with the function that it reaches.
 */
static void read_call_targets(struct sg_parser *p, const char *name, uint32_t line)
{
	struct sg_ast_proto *proto = sg_load_alloc(p->load, sizeof(*proto));
	const struct sg_ast_func *first = NULL;

	do {
		struct sg_symbol *symbol;
		uint32_t reg;

		symbol = sg_parse_find(p, p->lex.token.text, p->lex.token.len_bytes, &reg);
		if (symbol == NULL || symbol->kind != SG_SYMBOL_FUNC)
			sg_lex_fail_expected(&p->lex, "a function that was declared before");
		if (first == NULL)
			first = symbol->object;
		sg_lex_next(&p->lex);
	} while (sg_lex_accept_punct(&p->lex, ','));
	sg_lex_expect_punct(&p->lex, ';', "after .calltargets");
	*proto = (struct sg_ast_proto){ .name = name,
					.rets = first->rets,
					.ret_count = first->ret_count,
					.params = first->params,
					.param_count = first->param_count };
	sg_scope_add(&p->scope, name, strlen(name), SG_SYMBOL_PROTO, line)->object = proto;
}

static void add_label(struct sg_parser *p, const char *name, uint32_t line)
{
	struct sg_ast_func *func = p->func;

	func->labels = sg_load_grow(p->load, func->labels, func->label_count, &func->label_capacity,
				    sizeof(*func->labels));
	func->labels[func->label_count] = (struct sg_ast_label){
		.name = name, .line = line, .insn = (uint32_t)func->insn_count
	};
	sg_scope_add(&p->scope, name, strlen(name), SG_SYMBOL_LABEL, line)->number =
		(uint32_t)func->label_count++;
}

/* The word is a label if a colon follows: one token more is read, and given back if it is none. */
static bool label(struct sg_parser *p)
{
	struct sg_lex before = p->lex;
	const char *name;

	sg_lex_next(&p->lex);
	if (!sg_lex_is_punct(&p->lex, ':')) {
		p->lex = before;
		return false;
	}
	name = sg_load_text(p->load, before.token.text, before.token.len_bytes);
	sg_lex_next(&p->lex);
	if (sg_lex_accept_dotted(&p->lex, "branchtargets"))
		read_table(p, name, before.token.line);
	else if (sg_lex_accept_dotted(&p->lex, "callprototype"))
		read_prototype(p, name, before.token.line);
	else if (sg_lex_accept_dotted(&p->lex, "calltargets"))
		read_call_targets(p, name, before.token.line);
	else
		add_label(p, name, before.token.line);
	return true;
}

static void declaration(struct sg_parser *p)
{
	enum sg_linkage linkage = SG_LINKAGE_LOCAL;

	if (sg_lex_accept_dotted(&p->lex, "reg"))
		sg_parse_registers(p);
	else if (sg_lex_accept_dotted(&p->lex, "local"))
		sg_parse_variables(p, SG_SPACE_LOCAL, linkage);
	else if (sg_lex_accept_dotted(&p->lex, "shared"))
		sg_parse_variables(p, SG_SPACE_SHARED, linkage);
	else if (sg_lex_accept_dotted(&p->lex, "param"))
		sg_parse_variables(p, SG_SPACE_PARAM, linkage);
	else if (sg_lex_accept_dotted(&p->lex, "global"))
		sg_parse_variables(p, SG_SPACE_GLOBAL, linkage);
	else if (sg_lex_accept_dotted(&p->lex, "const"))
		sg_parse_variables(p, SG_SPACE_CONST, linkage);
	else if (!sg_parse_skip_directive(p))
		sg_lex_fail_expected(&p->lex, "an instruction or a declaration");
}

static void block(struct sg_parser *p)
{
	sg_parse_push(p);
	while (!sg_lex_is_punct(&p->lex, '}')) {
		if (p->lex.token.kind == SG_TOKEN_END)
			sg_lex_fail_expected(&p->lex, "'}'");
		statement(p);
	}
	sg_parse_pop(p);
	sg_lex_next(&p->lex);
}

static void statement(struct sg_parser *p)
{
	if (sg_lex_accept_punct(&p->lex, ';'))
		return;
	if (sg_lex_accept_punct(&p->lex, '{'))
		block(p);
	else if (p->lex.token.kind == SG_TOKEN_DOTTED)
		declaration(p);
	else if (sg_lex_is_punct(&p->lex, '@'))
		sg_parse_insn(p);
	else if (p->lex.token.kind != SG_TOKEN_WORD)
		sg_lex_fail_expected(&p->lex, "an instruction");
	else if (!label(p))
		sg_parse_insn(p);
}

/* Formals are names of the body's outermost block; those in registers get one. */
static void enter_formals(struct sg_parser *p, struct sg_ast_var **vars, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct sg_ast_var *var = vars[i];
		struct sg_symbol *symbol;

		var->owner = p->func;
		symbol = sg_scope_add(
			&p->scope, var->name, strlen(var->name),
			var->space == SG_SPACE_GENERIC ? SG_SYMBOL_REG : SG_SYMBOL_VAR, var->line);
		symbol->object = var;
		if (symbol->kind == SG_SYMBOL_VAR)
			continue;
		var->reg = sg_parse_new_registers(p, var->type, var->vector);
		symbol->number = var->reg;
		symbol->type = (uint8_t)var->type;
		symbol->vector = var->vector;
	}
}

static void body(struct sg_parser *p, struct sg_ast_func *func)
{
	if (func->alias_of != NULL)
		sg_parse_fail(p, -EINVAL, "'%.60s' has a body, and is an alias of '%.60s'",
			      func->name, func->alias_of->name);
	if (func->has_body)
		sg_parse_fail(p, -EEXIST, "'%.80s' is defined twice (first in line %u)", func->name,
			      func->line);
	func->has_body = true;
	p->func = func;
	sg_parse_push(p);
	enter_formals(p, func->rets, func->ret_count);
	enter_formals(p, func->params, func->param_count);
	block(p);
	sg_parse_pop(p);
	p->func = NULL;
	/* What stands outside was reached before the text went on: names of the body are gone. */
}

void sg_parse_function(struct sg_parser *p, enum sg_linkage linkage)
{
	bool entry = sg_lex_is(&p->lex, SG_TOKEN_DOTTED, "entry");
	struct sg_ast_var **rets, **params;
	uint32_t ret_count, param_count, line;
	struct sg_ast_func *func, attributes = { 0 };
	const char *name;

	sg_lex_next(&p->lex);
	if (sg_lex_accept_dotted(&p->lex, "attribute"))
		sg_parse_attributes(p, NULL);
	parse_formals(p, false, true, &rets, &ret_count);
	if (ret_count > 1 || (entry && ret_count > 0))
		sg_parse_fail(p, -ENOTSUP, "a function returns one value, a kernel none");
	line = p->lex.token.line;
	name = sg_parse_name(p, "the name of a function");
	func = enter(p, name, line, entry, linkage);
	parse_formals(p, entry, true, &params, &param_count);
	while (head_directive(p, &attributes))
		;
	if (!func->has_body) {
		func->rets = rets;
		func->ret_count = ret_count;
		func->params = params;
		func->param_count = param_count;
		memcpy(func->max_ntid, attributes.max_ntid, sizeof(func->max_ntid));
		memcpy(func->req_ntid, attributes.req_ntid, sizeof(func->req_ntid));
		func->min_ncta_per_sm = attributes.min_ncta_per_sm;
		func->max_nreg = attributes.max_nreg;
	}
	if (sg_lex_accept_punct(&p->lex, '{')) {
		func->line = line;
		body(p, func);
	} else {
		sg_lex_expect_punct(&p->lex, ';', "or a body after the head of a function");
	}
}
