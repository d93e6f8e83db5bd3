/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - names across texts, and where variables lie */

#include "softgpu/ptx/link.h"

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/scope.h"

/* --- names ----------------------------------------------------------------------------------- */

static _Noreturn void fail_twice(struct sg_load *load, const char *name)
{
	sg_load_fail(load, -EEXIST, 0, 0, "'%.120s' is defined in two texts", name);
}

/*
 * Of two definitions of one name the strong one counts, of weak ones the first.
 * Return: true if b takes a's place.
 */
static bool replaces(struct sg_load *load, const char *name, enum sg_linkage a, enum sg_linkage b)
{
	if (b == SG_LINKAGE_WEAK)
		return false;
	if (a != SG_LINKAGE_WEAK)
		fail_twice(load, name);
	return true;
}

static void define_func(struct sg_scope *names, struct sg_ast_func *func)
{
	struct sg_symbol *symbol = sg_scope_find(names, func->name, strlen(func->name));
	struct sg_ast_func *known;

	if (symbol == NULL) {
		symbol = sg_scope_add(names, func->name, strlen(func->name), SG_SYMBOL_FUNC,
				      func->line);
		symbol->object = func;
		return;
	}
	if (symbol->kind != SG_SYMBOL_FUNC)
		fail_twice(names->load, func->name);
	known = symbol->object;
	if (known->entry != func->entry)
		fail_twice(names->load, func->name);
	if (replaces(names->load, func->name, known->linkage, func->linkage))
		symbol->object = func;
}

static bool is_definition(const struct sg_ast_var *var)
{
	return var->linkage != SG_LINKAGE_EXTERN;
}

static void define_var(struct sg_scope *names, struct sg_ast_var *var)
{
	struct sg_symbol *symbol = sg_scope_find(names, var->name, strlen(var->name));
	struct sg_ast_var *known;

	if (symbol == NULL) {
		symbol = sg_scope_add(names, var->name, strlen(var->name), SG_SYMBOL_VAR,
				      var->line);
		symbol->object = var;
		return;
	}
	if (symbol->kind != SG_SYMBOL_VAR)
		fail_twice(names->load, var->name);
	known = symbol->object;
	if (known->space != var->space)
		sg_load_fail(names->load, -EEXIST, 0, 0,
			     "'%.120s' is defined in two texts, in different spaces", var->name);
	/* .common gives way to a definition; of several the biggest counts */
	if (var->linkage == SG_LINKAGE_COMMON) {
		if (known->linkage == SG_LINKAGE_COMMON && var->bytes > known->bytes)
			symbol->object = var;
	} else if (known->linkage == SG_LINKAGE_COMMON ||
		   replaces(names->load, var->name, known->linkage, var->linkage)) {
		symbol->object = var;
	}
}

/* A kernel can be found from outside whatever its linkage says. */
static bool is_public(const struct sg_ast_func *func)
{
	return func->linkage != SG_LINKAGE_LOCAL || func->entry;
}

static void define_all(struct sg_link *link, struct sg_scope *names)
{
	for (size_t a = 0; a < link->ast_count; a++) {
		struct sg_ast *ast = link->asts[a];

		link->load->source = (uint32_t)a;
		for (size_t i = 0; i < ast->func_count; i++)
			if (ast->funcs[i]->has_body && is_public(ast->funcs[i]))
				define_func(names, ast->funcs[i]);
		for (size_t i = 0; i < ast->var_count; i++)
			if (ast->vars[i]->linkage != SG_LINKAGE_LOCAL &&
			    is_definition(ast->vars[i]))
				define_var(names, ast->vars[i]);
	}
}

struct builtin {
	const char *name;
	uint8_t id;
};

static const struct builtin builtins[] = {
	{ "vprintf", SG_BUILTIN_VPRINTF },
	{ "__assertfail", SG_BUILTIN_ASSERTFAIL },
	{ "malloc", SG_BUILTIN_MALLOC },
	{ "free", SG_BUILTIN_FREE },
};

static void resolve_func(struct sg_scope *names, struct sg_ast_func *func)
{
	struct sg_symbol *symbol = is_public(func)
					   ? sg_scope_find(names, func->name, strlen(func->name))
					   : NULL;

	if (func->has_body)
		func->definition = func;
	if (symbol != NULL && symbol->kind == SG_SYMBOL_FUNC)
		func->definition = symbol->object;
	if (func->definition != NULL || func->alias_of != NULL)
		return;
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
		if (strcmp(builtins[i].name, func->name) == 0)
			func->builtin = builtins[i].id;
}

bool sg_link_is_dynamic(const struct sg_ast_var *var)
{
	return var->space == SG_SPACE_SHARED && var->linkage == SG_LINKAGE_EXTERN &&
	       var->definition == var;
}

static void resolve_var(struct sg_scope *names, struct sg_ast_var *var)
{
	struct sg_symbol *symbol = var->linkage != SG_LINKAGE_LOCAL
					   ? sg_scope_find(names, var->name, strlen(var->name))
					   : NULL;

	if (symbol != NULL && symbol->kind == SG_SYMBOL_VAR) {
		struct sg_ast_var *definition = symbol->object;

		if (definition->space != var->space)
			sg_load_fail(names->load, -EEXIST, 0, 0,
				     "'%.120s' is declared and defined in different spaces",
				     var->name);
		var->definition = definition;
		if (definition->linkage == SG_LINKAGE_COMMON && var->align > definition->align)
			definition->align = var->align;
	} else if (is_definition(var) || var->space == SG_SPACE_SHARED) {
		/* .extern .shared that no text defines is the dynamic part */
		var->definition = var;
	}
}

static void resolve_all(struct sg_link *link, struct sg_scope *names)
{
	for (size_t a = 0; a < link->ast_count; a++) {
		struct sg_ast *ast = link->asts[a];

		for (size_t i = 0; i < ast->func_count; i++)
			resolve_func(names, ast->funcs[i]);
		for (size_t i = 0; i < ast->func_count; i++)
			if (ast->funcs[i]->alias_of != NULL)
				ast->funcs[i]->definition = ast->funcs[i]->alias_of->definition;
		for (size_t i = 0; i < ast->var_count; i++)
			resolve_var(names, ast->vars[i]);
	}
}

/* --- what there is --------------------------------------------------------------------------- */

static void keep_var(struct sg_link *link, struct sg_ast_var *var)
{
	if (var->definition != var || var->space == SG_SPACE_PARAM || var->space == SG_SPACE_LOCAL)
		return;
	if (var->space == SG_SPACE_SHARED) {
		if (sg_link_is_dynamic(var))
			return;
		link->shared = sg_load_grow(link->load, link->shared, link->shared_count,
					    &link->shared_capacity, sizeof(*link->shared));
		var->shared_index = (uint32_t)link->shared_count;
		link->shared[link->shared_count++] = var;
		return;
	}
	link->vars = sg_load_grow(link->load, link->vars, link->var_count, &link->var_capacity,
				  sizeof(*link->vars));
	link->vars[link->var_count++] = var;
}

static void collect(struct sg_link *link)
{
	size_t count = 0;

	for (size_t a = 0; a < link->ast_count; a++)
		count += link->asts[a]->func_count;
	link->funcs = sg_load_array(link->load, count, sizeof(*link->funcs));
	for (size_t a = 0; a < link->ast_count; a++) {
		struct sg_ast *ast = link->asts[a];

		for (size_t i = 0; i < ast->var_count; i++)
			keep_var(link, ast->vars[i]);
		for (size_t i = 0; i < ast->func_count; i++) {
			struct sg_ast_func *func = ast->funcs[i];

			if (func->definition != func)
				continue;
			for (size_t v = 0; v < func->var_count; v++) {
				func->vars[v]->definition = func->vars[v];
				keep_var(link, func->vars[v]);
			}
			if (link->func_count == SG_LINK_FUNCTIONS_MAX)
				sg_load_fail(link->load, -E2BIG, 0, 0,
					     "a module of more than %u functions",
					     SG_LINK_FUNCTIONS_MAX);
			func->index = link->func_count;
			link->funcs[link->func_count++].func = func;
		}
	}
}

/* --- .global and .const ---------------------------------------------------------------------- */

/* Variables with a value come first, so that the image ends where zeros begin. */
static void lay_out(struct sg_link *link, enum sg_word space, uint64_t *bytes, uint64_t *data_bytes,
		    uint32_t *align)
{
	uint64_t at = 0;

	*align = 1;
	for (int with_value = 1; with_value >= 0; with_value--) {
		for (size_t i = 0; i < link->var_count; i++) {
			struct sg_ast_var *var = link->vars[i];

			if (var->space != space || (var->init_count > 0) != with_value)
				continue;
			if (var->align > *align)
				*align = var->align;
			at = (at + var->align - 1) & ~(uint64_t)(var->align - 1);
			var->offset = at;
			at += var->bytes;
			if (at > link->load->limits.data_bytes)
				sg_load_fail(link->load, -E2BIG, 0, 0,
					     "variables in .%s have more than %llu bytes",
					     sg_isa_word_text(space),
					     (unsigned long long)link->load->limits.data_bytes);
		}
		if (with_value)
			*data_bytes = at;
	}
	*bytes = at;
}

void sg_link(struct sg_load *load, struct sg_ast **asts, size_t count, struct sg_link *out)
{
	struct sg_scope names;

	memset(out, 0, sizeof(*out));
	out->load = load;
	out->asts = asts;
	out->ast_count = count;
	sg_scope_init(&names, load);
	define_all(out, &names);
	resolve_all(out, &names);
	collect(out);
	lay_out(out, SG_SPACE_GLOBAL, &out->global_bytes, &out->global_data_bytes,
		&out->global_align);
	lay_out(out, SG_SPACE_CONST, &out->constant_bytes, &out->constant_data_bytes,
		&out->constant_align);
	sg_link_reach(out);
}
