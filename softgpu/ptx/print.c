/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print.c - a text as the parser understood it, printed back */

#include "softgpu/ptx/print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/ptx/check.h"
#include "softgpu/ptx/parse.h"
#include "softgpu/ptx/print_private.h"
#include "softgpu/ptx/scope.h"

/* --- variables ------------------------------------------------------------------------------- */

static const char *linkage_word(enum sg_linkage linkage)
{
	static const char *const words[] = {
		[SG_LINKAGE_LOCAL] = "",
		[SG_LINKAGE_EXTERN] = ".extern ",
		[SG_LINKAGE_VISIBLE] = ".visible ",
		[SG_LINKAGE_WEAK] = ".weak ",
		[SG_LINKAGE_COMMON] = ".common ",
	};

	return words[linkage];
}

static uint32_t element_bytes(const struct sg_ast_var *var)
{
	return sg_isa_type_bits(var->type) / 8;
}

/* Arrays of arrays and of vectors are printed as one array of numbers. */
static void print_declarator(struct sg_printer *p, const struct sg_ast_var *var)
{
	fprintf(p->out, ".align %u .%s %s", var->align, sg_isa_type_word(var->type), var->name);
	if (var->unsized)
		fputs("[]", p->out);
	else if (var->dimension_count > 0 || var->vector > 1)
		fprintf(p->out, "[%" PRIu64 "]", var->bytes / element_bytes(var));
}

static void print_number(struct sg_printer *p, enum sg_type type, uint64_t value)
{
	if (type == SG_TYPE_F32)
		fprintf(p->out, "0f%08" PRIX64, value & UINT32_MAX);
	else if (type == SG_TYPE_F64)
		fprintf(p->out, "0d%016" PRIX64, value);
	else
		fprintf(p->out, "%" PRIu64 "U", value);
}

static void print_init(struct sg_printer *p, const struct sg_ast_var *var,
		       const struct sg_ast_init *init)
{
	const char *name = init->func != NULL ? init->func->name : NULL;
	bool masked = init->bytes == 1 && init->var != NULL;

	if (init->var != NULL)
		name = init->var->name;
	if (name == NULL) {
		print_number(p, var->type, init->value);
		return;
	}
	if (masked)
		fprintf(p->out, "0x%" PRIx64 "(", (uint64_t)0xff << init->shift);
	fprintf(p->out, init->generic ? "generic(%s)" : "%s", name);
	sg_print_offset(p, (int64_t)init->value);
	if (masked)
		fputc(')', p->out);
}

static void print_values(struct sg_printer *p, const struct sg_ast_var *var)
{
	bool array = var->dimension_count > 0 || var->vector > 1;
	uint64_t next = 0;

	if (var->init_count == 0)
		return;
	fputs(array ? " = {" : " = ", p->out);
	for (size_t i = 0; i < var->init_count; i++) {
		/* rows that had fewer values than elements */
		for (; next < var->init[i].offset; next += element_bytes(var)) {
			print_number(p, var->type, 0);
			fputs(", ", p->out);
		}
		print_init(p, var, &var->init[i]);
		next += element_bytes(var);
		fputs(i + 1 < var->init_count ? ", " : "", p->out);
	}
	fputs(array ? "}" : "", p->out);
}

static void print_variable(struct sg_printer *p, const struct sg_ast_var *var, const char *indent)
{
	fprintf(p->out, "%s%s.%s ", indent, linkage_word(var->linkage),
		sg_isa_word_text(var->space));
	if (var->managed)
		fputs(".attribute(.managed) ", p->out);
	print_declarator(p, var);
	print_values(p, var);
	fputs(";\n", p->out);
}

/* of: the function whose head this is; NULL: a prototype's, which may be the same formals. */
static void print_formals(struct sg_printer *p, const struct sg_ast_func *of,
			  struct sg_ast_var *const *vars, uint32_t count)
{
	fputc('(', p->out);
	for (uint32_t i = 0; i < count; i++) {
		const struct sg_ast_var *var = vars[i];

		fputs(i > 0 ? ", " : "", p->out);
		if (var->space != SG_SPACE_GENERIC) {
			fputs(".param ", p->out);
			print_declarator(p, var);
		} else if (p->number != NULL && of != NULL && of == p->func && var->owner == of) {
			fprintf(p->out, ".reg .%s ", sg_isa_type_word(var->type));
			sg_print_register(p, var->reg);
		} else {
			/* a head alone: names of registers say nothing */
			fprintf(p->out, ".reg .%s p%u", sg_isa_type_word(var->type), i);
		}
	}
	fputc(')', p->out);
}

/* --- instructions ---------------------------------------------------------------------------- */

static void print_actuals(struct sg_printer *p, const struct sg_operand *ops, uint32_t count)
{
	fputc('(', p->out);
	for (uint32_t i = 0; i < count; i++) {
		fputs(i > 0 ? ", " : "", p->out);
		sg_print_operand(p, &ops[i]);
	}
	fputc(')', p->out);
}

static void print_prototype(struct sg_printer *p, const struct sg_ast_proto *proto, size_t number)
{
	fprintf(p->out, "$P_%zu: .callprototype ", number);
	if (proto->ret_count > 0)
		print_formals(p, NULL, proto->rets, proto->ret_count);
	fputs(" _ ", p->out);
	print_formals(p, NULL, proto->params, proto->param_count);
	fputs(";\n", p->out);
}

static void print_call(struct sg_printer *p, const struct sg_ast_call *call, size_t number)
{
	fputc(' ', p->out);
	if (call->ret_count > 0) {
		print_actuals(p, call->rets, call->ret_count);
		fputs(", ", p->out);
	}
	if (call->func != NULL)
		fputs(call->func->name, p->out);
	else
		sg_print_register(p, call->reg);
	if (call->arg_count > 0 || call->func == NULL) {
		fputs(", ", p->out);
		print_actuals(p, call->args, call->arg_count);
	}
	if (call->func == NULL)
		fprintf(p->out, ", $P_%zu", number);
}

static void print_insn(struct sg_printer *p, const struct sg_ast_insn *insn, size_t number)
{
	if (insn->call != NULL && insn->call->func == NULL)
		print_prototype(p, insn->call->proto, number);
	fputc('\t', p->out);
	if (insn->guard != SG_PTX_NO_REGISTER) {
		fputs(insn->guard_not ? "@!" : "@", p->out);
		sg_print_register(p, insn->guard);
		fputc(' ', p->out);
	}
	fputs(insn->variant->name, p->out);
	if (insn->call != NULL)
		print_call(p, insn->call, number);
	for (unsigned i = 0; i < insn->count; i++) {
		fputs(i > 0 ? ", " : " ", p->out);
		sg_print_operand(p, &insn->operands[i]);
	}
	fputs(";\n", p->out);
}

/* --- functions ------------------------------------------------------------------------------- */

static void print_counts(struct sg_printer *p, const char *word, const uint32_t counts[3])
{
	if (counts[0] != 0)
		fprintf(p->out, "\n.%s %u, %u, %u", word, counts[0], counts[1], counts[2]);
}

static void print_head(struct sg_printer *p, const struct sg_ast_func *func)
{
	fprintf(p->out, "%s.%s ", linkage_word(func->linkage), func->entry ? "entry" : "func");
	if (func->ret_count > 0) {
		print_formals(p, func, func->rets, func->ret_count);
		fputc(' ', p->out);
	}
	fputs(func->name, p->out);
	print_formals(p, func, func->params, func->param_count);
	print_counts(p, "maxntid", func->max_ntid);
	print_counts(p, "reqntid", func->req_ntid);
	if (func->min_ncta_per_sm != 0)
		fprintf(p->out, "\n.minnctapersm %u", func->min_ncta_per_sm);
	if (func->max_nreg != 0)
		fprintf(p->out, "\n.maxnreg %u", func->max_nreg);
}

/* Formals in registers have theirs declared in the head. */
static void number_registers(struct sg_printer *p, uint32_t counts[SG_TYPE_NUM])
{
	const struct sg_ast_func *func = p->func;

	p->number = sg_load_array(p->load, func->reg_count, sizeof(*p->number));
	for (size_t r = 0; r < func->reg_count; r++)
		p->number[r] = counts[func->reg_types[r]]++;
}

static uint32_t formal_registers(const struct sg_ast_func *func)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < func->ret_count; i++)
		count += func->rets[i]->space == SG_SPACE_GENERIC;
	for (uint32_t i = 0; i < func->param_count; i++)
		count += func->params[i]->space == SG_SPACE_GENERIC;
	return count;
}

static void print_registers(struct sg_printer *p, const uint32_t counts[SG_TYPE_NUM])
{
	const struct sg_ast_func *func = p->func;
	uint32_t formals = formal_registers(func);

	if (formals == 0) {
		for (unsigned type = 1; type < SG_TYPE_NUM; type++)
			if (counts[type] > 0)
				fprintf(p->out, "\t.reg .%s %%%s_<%u>;\n", sg_isa_type_word(type),
					sg_isa_type_word(type), counts[type]);
		return;
	}
	for (uint32_t r = formals; r < func->reg_count; r++) {
		fprintf(p->out, "\t.reg .%s ", sg_isa_type_word(func->reg_types[r]));
		sg_print_register(p, r);
		fputs(";\n", p->out);
	}
}

/* Names of blocks that are gone may meet: the second of a name gets a number. */
static void separate_names(struct sg_printer *p)
{
	const struct sg_ast_func *func = p->func;
	struct sg_scope names;

	sg_scope_init(&names, p->load);
	for (uint32_t i = 0; i < func->param_count; i++)
		sg_scope_add(&names, func->params[i]->name, strlen(func->params[i]->name),
			     SG_SYMBOL_VAR, 0);
	for (size_t i = 0; i < func->var_count; i++) {
		struct sg_ast_var *var = func->vars[i];

		for (size_t n = i; sg_scope_find(&names, var->name, strlen(var->name)) != NULL;
		     n++) {
			size_t room = strlen(var->name) + 24;
			char *name = sg_load_alloc(p->load, room);

			snprintf(name, room, "%s_%zu", var->name, n);
			var->name = name;
		}
		sg_scope_add(&names, var->name, strlen(var->name), SG_SYMBOL_VAR, 0);
	}
}

static void print_tables(struct sg_printer *p)
{
	for (size_t t = 0; t < p->func->table_count; t++) {
		const struct sg_ast_table *table = &p->func->tables[t];

		fprintf(p->out, "$T_%zu: .branchtargets ", t);
		for (size_t i = 0; i < table->count; i++)
			fprintf(p->out, "%s$L_%" PRId64, i > 0 ? ", " : "", *table->label_uses[i]);
		fputs(";\n", p->out);
	}
}

static void print_body(struct sg_printer *p)
{
	const struct sg_ast_func *func = p->func;
	size_t label = 0;

	separate_names(p);
	for (size_t i = 0; i < func->var_count; i++)
		print_variable(p, func->vars[i], "\t");
	print_tables(p);
	for (size_t i = 0; i <= func->insn_count; i++) {
		/* labels are in the order of the text */
		for (; label < func->label_count && func->labels[label].insn == i; label++)
			fprintf(p->out, "$L_%zu:\n", label);
		if (i < func->insn_count)
			print_insn(p, &func->insns[i], i);
	}
}

static void print_function(struct sg_printer *p, const struct sg_ast_func *func)
{
	uint32_t counts[SG_TYPE_NUM] = { 0 };

	fputc('\n', p->out);
	p->func = func;
	p->number = NULL;
	if (func->has_body)
		number_registers(p, counts);
	print_head(p, func);
	if (!func->has_body) {
		fputs(";\n", p->out);
		return;
	}
	fputs("\n{\n", p->out);
	print_registers(p, counts);
	print_body(p);
	fputs("}\n", p->out);
}

/*
 * Each comes after what it names: heads of functions first, then variables, then bodies. A variable
 * whose value is an address of a later one does not exist: the parser wants names declared before.
 */
static void print_module(struct sg_printer *p, const struct sg_ast *ast)
{
	fprintf(p->out, ".version %u.%u\n.target sm_%u\n.address_size 64\n\n", ast->version / 10,
		ast->version % 10, ast->target);
	for (size_t i = 0; i < ast->func_count; i++) {
		const struct sg_ast_func *func = ast->funcs[i];

		p->func = NULL;
		p->number = NULL;
		if (func->entry || !func->has_body)
			continue;
		print_head(p, func);
		fputs(";\n", p->out);
	}
	for (size_t i = 0; i < ast->func_count; i++)
		if (!ast->funcs[i]->has_body)
			print_function(p, ast->funcs[i]);
	for (size_t i = 0; i < ast->var_count; i++)
		print_variable(p, ast->vars[i], "");
	for (size_t i = 0; i < ast->func_count; i++)
		if (ast->funcs[i]->has_body && !ast->funcs[i]->entry)
			print_function(p, ast->funcs[i]);
	for (size_t i = 0; i < ast->func_count; i++)
		if (ast->funcs[i]->entry && ast->funcs[i]->has_body)
			print_function(p, ast->funcs[i]);
	for (size_t i = 0; i < ast->func_count; i++)
		if (ast->funcs[i]->alias_of != NULL)
			fprintf(p->out, ".alias %s, %s;\n", ast->funcs[i]->name,
				ast->funcs[i]->alias_of->name);
}

static void parse_and_print(struct sg_load *load, const struct sg_module_text *text, FILE *out)
{
	const char *nul = memchr(text->text, '\0', text->len_bytes);
	size_t len_bytes = nul != NULL ? (size_t)(nul - text->text) : text->len_bytes;
	struct sg_printer printer = { .load = load, .out = out };
	struct sg_ast *ast = sg_ptx_parse(load, text->text, len_bytes);

	sg_ptx_check(load, ast);
	print_module(&printer, ast);
}

int sg_ptx_print(const struct sg_module_text *text, FILE *out, struct sg_error *error)
{
	struct sg_load *load = malloc(sizeof(*load));

	memset(error, 0, sizeof(*error));
	if (load == NULL)
		return -ENOMEM;
	sg_load_init(load, NULL, error);
	if (setjmp(load->failed) == 0)
		parse_and_print(load, text, out);
	sg_load_free(load);
	free(load);
	if (error->code == 0 && ferror(out))
		return -EIO;
	return error->code;
}
