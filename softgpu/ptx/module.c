/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module.c - PTX texts loaded, linked and lowered into one module */

#include "softgpu/ptx/module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/ptx/check.h"
#include "softgpu/ptx/link.h"
#include "softgpu/ptx/lower.h"
#include "softgpu/ptx/module_private.h"
#include "softgpu/ptx/parse.h"

#define TEXTS_MAX 1024u

/* --- texts ----------------------------------------------------------------------------------- */

struct image_kind {
	unsigned char magic[4];
	const char *what;
};

/* What programs hand over that is no PTX text. */
static const struct image_kind kinds[] = {
	{ { 0x50, 0xed, 0x55, 0xba }, "a fatbin" },
	{ { 0xb1, 0x43, 0x62, 0x46 }, "a fatbin wrapper" },
	{ { 0x7f, 'E', 'L', 'F' }, "machine code (a cubin)" },
	{ { 'B', 'C', 0xc0, 0xde }, "LLVM bitcode" },
	{ { 0xed, 0x43, 0x4e, 0x7f }, "NVVM's intermediate code" },
};

static void refuse_binaries(struct sg_load *load, const struct sg_module_text *text)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (text->len_bytes >= 4 && memcmp(text->text, kinds[i].magic, 4) == 0)
			sg_load_fail(load, -ENOEXEC, 0, 0,
				     "this is %s; softgpu runs PTX text (nvcc -ptx makes it)",
				     kinds[i].what);
}

static struct sg_ast *read_text(struct sg_load *load, const struct sg_module_text *text)
{
	const char *nul = memchr(text->text, '\0', text->len_bytes);
	size_t len_bytes = nul != NULL ? (size_t)(nul - text->text) : text->len_bytes;
	struct sg_ast *ast;

	refuse_binaries(load, text);
	ast = sg_ptx_parse(load, text->text, len_bytes);
	sg_ptx_check(load, ast);
	return ast;
}

static struct sg_ast **read_all(struct sg_load *load, const struct sg_module_text *texts,
				size_t count)
{
	struct sg_ast **asts;
	uint64_t bytes = 0;

	if (count == 0 || count > TEXTS_MAX)
		sg_load_fail(load, -E2BIG, 0, 0, "%zu texts, expected 1 to %u", count, TEXTS_MAX);
	for (size_t i = 0; i < count; i++) {
		if (__builtin_add_overflow(bytes, texts[i].len_bytes, &bytes) ||
		    bytes > load->limits.text_bytes)
			sg_load_fail(load, -E2BIG, 0, 0, "more than %llu bytes of text",
				     (unsigned long long)load->limits.text_bytes);
	}
	asts = sg_load_array(load, count, sizeof(*asts));
	for (size_t i = 0; i < count; i++) {
		load->source = (uint32_t)i;
		asts[i] = read_text(load, &texts[i]);
	}
	return asts;
}

/* --- building -------------------------------------------------------------------------------- */

static void fill_functions(struct sg_link *link, struct sg_module *module,
			   struct sg_lower_relocations *relocations)
{
	module->functions = sg_load_array(link->load, link->func_count, sizeof(*module->functions));
	module->function_count = link->func_count;
	for (uint32_t i = 0; i < link->func_count; i++)
		sg_lower(link, i, module->functions, relocations);
	sg_link_stacks(link);
	for (uint32_t i = 0; i < link->func_count; i++) {
		module->functions[i].recursive = link->funcs[i].recursive;
		module->functions[i].stack_bytes = link->funcs[i].stack_bytes;
	}
}

static void fill_globals(struct sg_link *link, struct sg_module *module)
{
	module->globals = sg_load_array(link->load, link->var_count, sizeof(*module->globals));
	module->global_count = (uint32_t)link->var_count;
	for (size_t i = 0; i < link->var_count; i++) {
		const struct sg_ast_var *var = link->vars[i];

		module->globals[i] = (struct sg_code_global){
			.name = var->name,
			.constant = var->space == SG_SPACE_CONST,
			/* a name of module scope is found whatever its linkage says, as drivers do
			 */
			.visible = var->owner == NULL,
			.offset = var->offset,
			.bytes = var->bytes,
			.align = var->align,
		};
	}
}

static void write_value(uint8_t *at, const struct sg_ast_init *init)
{
	memcpy(at, &init->value, init->bytes < 8 ? init->bytes : 8);
	if (init->bytes == 16)
		memcpy(at + 8, &init->value_high, 8);
}

static void fill_images(struct sg_link *link, struct sg_module *module)
{
	module->global_image = sg_load_alloc(link->load, link->global_data_bytes);
	module->global_image_bytes = link->global_data_bytes;
	module->global_bytes = link->global_bytes;
	module->global_align = link->global_align;
	module->constant_image = sg_load_alloc(link->load, link->constant_data_bytes);
	module->constant_image_bytes = link->constant_data_bytes;
	module->constant_bytes = link->constant_bytes;
	module->constant_align = link->constant_align;
	for (size_t i = 0; i < link->var_count; i++) {
		const struct sg_ast_var *var = link->vars[i];
		uint8_t *image = var->space == SG_SPACE_CONST ? module->constant_image
							      : module->global_image;

		for (size_t k = 0; k < var->init_count; k++)
			if (var->init[k].var == NULL && var->init[k].func == NULL)
				write_value(image + var->offset + var->init[k].offset,
					    &var->init[k]);
	}
}

static struct sg_module *build(struct sg_load *load, const struct sg_module_text *texts,
			       size_t count)
{
	struct sg_link *link = sg_load_alloc(load, sizeof(*link));
	struct sg_module *module = sg_load_alloc(load, sizeof(*module));
	struct sg_lower_relocations relocations = { 0 };
	struct sg_ast **asts = read_all(load, texts, count);

	for (size_t i = 0; i < count; i++) {
		if (asts[i]->version > module->ptx_version)
			module->ptx_version = asts[i]->version;
		if (asts[i]->target > module->target)
			module->target = asts[i]->target;
	}
	sg_link(load, asts, count, link);
	fill_functions(link, module, &relocations);
	fill_globals(link, module);
	fill_images(link, module);
	return sg_module_keep(load, link, module, &relocations);
}

int sg_module_load(const struct sg_module_text *texts, size_t count,
		   const struct sg_module_limits *limits, struct sg_module **out,
		   struct sg_error *error)
{
	struct sg_load *load = malloc(sizeof(*load));

	*out = NULL;
	if (load == NULL) {
		memset(error, 0, sizeof(*error));
		snprintf(error->text, sizeof(error->text), "out of memory");
		error->code = -ENOMEM;
		return -ENOMEM;
	}
	sg_load_init(load, limits, error);
	if (setjmp(load->failed) == 0)
		*out = build(load, texts, count);
	sg_load_free(load);
	free(load);
	return error->code;
}

/* --- asking ---------------------------------------------------------------------------------- */

const struct sg_code_global *sg_module_find_global(const struct sg_module *module, const char *name)
{
	for (uint32_t i = 0; i < module->global_count; i++)
		if (module->globals[i].visible && strcmp(module->globals[i].name, name) == 0)
			return &module->globals[i];
	return NULL;
}

int sg_module_insn_text(const struct sg_code_function *function, uint32_t index, char *out,
			size_t out_bytes)
{
	const char *name = index < function->insn_count ? function->insns[index].name : "";

	return snprintf(out, out_bytes, "%s", name);
}

int sg_module_error_text(const struct sg_error *error, size_t text_count, char *out,
			 size_t out_bytes)
{
	char source[32] = "";

	if (text_count > 1)
		snprintf(source, sizeof(source), "text %u, ", error->source + 1);
	if (error->line == 0)
		return snprintf(out, out_bytes, "%s", error->text);
	return snprintf(out, out_bytes, "%sline %u: %s", source, error->line, error->text);
}
