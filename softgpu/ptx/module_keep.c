/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_keep.c - what a module keeps of its loading, and the addresses that are filled in later */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/ptx/module.h"
#include "softgpu/ptx/module_private.h"
#include "softgpu/ptx/scope.h"

/* Code that waits for an address. */
struct code_patch {
	uint32_t function;
	uint32_t constant;
	uint32_t global; /* index into globals */
	uint64_t addend;
};

/* Bytes of an image that wait for one. */
struct image_patch {
	bool constant; /* in the image of constants, else of globals */
	uint8_t bytes;
	uint8_t shift;	/* in bits: which part of the address */
	int64_t global; /* index into globals; -1: value has all of it */
	uint64_t offset;
	uint64_t value;
};

struct sg_module_private {
	struct sg_load_chunk *chunks; /* all memory of the module */
	struct code_patch *code_patches;
	size_t code_patch_count;
	struct image_patch *image_patches;
	size_t image_patch_count;
};

/* The module's memory is a second load's; when that fails, it is freed and the first one fails. */
struct keeper {
	struct sg_load to;
	struct sg_scope *names; /* spellings that were kept; of the first load's memory */
};

static void *copy(struct keeper *k, const void *array, size_t count, size_t bytes)
{
	void *out = sg_load_array(&k->to, count, bytes);

	if (count > 0)
		memcpy(out, array, count * bytes);
	return out;
}

static const char *copy_text(struct keeper *k, const char *text)
{
	return sg_load_text(&k->to, text, strlen(text));
}

static void keep_calls(struct keeper *k, struct sg_module *module, const struct sg_module *from,
		       struct sg_code_function *f)
{
	f->calls = copy(k, f->calls, f->call_count, sizeof(*f->calls));
	for (uint32_t i = 0; i < f->call_count; i++) {
		struct sg_code_call *call = &f->calls[i];

		call->args = copy(k, call->args, call->arg_count, sizeof(*call->args));
		call->rets = copy(k, call->rets, call->ret_count, sizeof(*call->rets));
		if (call->function != NULL)
			call->function = &module->functions[call->function - from->functions];
	}
}

/* Equal spellings follow each other often, and each stays one text. */
static void keep_names(struct keeper *k, struct sg_code_function *f)
{
	const char *before = NULL, *kept = NULL;

	for (uint32_t i = 0; i < f->insn_count; i++) {
		const char *name = f->insns[i].name;

		if (name != before) {
			struct sg_symbol *symbol = sg_scope_find(k->names, name, strlen(name));

			if (symbol == NULL) {
				kept = copy_text(k, name);
				symbol = sg_scope_add(k->names, kept, strlen(kept),
						      SG_SYMBOL_VARIANT, 0);
			}
			kept = symbol->name;
			before = name;
		}
		f->insns[i].name = kept;
	}
}

static void keep_function(struct keeper *k, struct sg_module *module, const struct sg_module *from,
			  struct sg_code_function *f)
{
	f->name = copy_text(k, f->name);
	f->insns = copy(k, f->insns, f->insn_count, sizeof(*f->insns));
	f->constants = copy(k, f->constants, f->constant_count, sizeof(*f->constants));
	f->extra = copy(k, f->extra, f->extra_count, sizeof(*f->extra));
	f->params = copy(k, f->params, f->param_count, sizeof(*f->params));
	f->rets = copy(k, f->rets, f->ret_count, sizeof(*f->rets));
	f->kernel_params = copy(k, f->kernel_params, f->kernel_param_count,
				sizeof(*f->kernel_params));
	for (uint32_t i = 0; i < f->kernel_param_count; i++)
		f->kernel_params[i].name = copy_text(k, f->kernel_params[i].name);
	keep_calls(k, module, from, f);
	keep_names(k, f);
}

static void keep_globals(struct keeper *k, struct sg_module *module)
{
	module->globals = copy(k, module->globals, module->global_count, sizeof(*module->globals));
	for (uint32_t i = 0; i < module->global_count; i++)
		module->globals[i].name = copy_text(k, module->globals[i].name);
	module->global_image = copy(k, module->global_image, 1, module->global_image_bytes);
	module->constant_image = copy(k, module->constant_image, 1, module->constant_image_bytes);
}

/* --- patches --------------------------------------------------------------------------------- */

/* vars of the link and globals of the module have one order. */
static void number_vars(const struct sg_link *link)
{
	for (size_t i = 0; i < link->var_count; i++)
		link->vars[i]->shared_index = (uint32_t)i;
}

static void keep_code_patches(struct keeper *k, struct sg_module_private *private,
			      const struct sg_lower_relocations *relocations)
{
	private->code_patch_count = relocations->count;
	private->code_patches = sg_load_array(&k->to, relocations->count,
					      sizeof(*private->code_patches));
	for (size_t i = 0; i < relocations->count; i++) {
		const struct sg_lower_relocation *r = &relocations->list[i];

		private->code_patches[i] = (struct code_patch){ .function = r->function,
								.constant = r->constant,
								.global = r->var->shared_index,
								.addend = r->addend };
	}
}

static struct image_patch image_patch(struct sg_load *load, const struct sg_ast_var *var,
				      const struct sg_ast_init *init)
{
	struct image_patch patch = { .constant = var->space == SG_SPACE_CONST,
				     .bytes = (uint8_t)(init->bytes < 8 ? init->bytes : 8),
				     .shift = init->shift,
				     .global = -1,
				     .offset = var->offset + init->offset,
				     .value = init->value };
	const struct sg_ast_var *of = init->var != NULL ? init->var->definition : NULL;

	if (init->func != NULL) {
		patch.value += SG_CODE_ADDRESS_BASE +
			       (uint64_t)init->func->definition->index * SG_CODE_ADDRESS_STEP;
		return patch;
	}
	assert(of != NULL); /* an address is a function's or a variable's */
	if (of->space == SG_SPACE_SHARED) {
		if (init->generic || sg_link_is_dynamic(of))
			sg_load_fail(
				load, -ENOTSUP, var->line, 0,
				"'%.80s': an address in .shared that is not known before a launch",
				var->name);
		patch.value += of->offset;
	} else {
		patch.global = of->shared_index;
	}
	return patch;
}

static void keep_image_patches(struct keeper *k, struct sg_module_private *private,
			       const struct sg_link *link)
{
	size_t capacity = 0;

	for (size_t i = 0; i < link->var_count; i++) {
		const struct sg_ast_var *var = link->vars[i];

		for (size_t n = 0; n < var->init_count; n++) {
			if (var->init[n].var == NULL && var->init[n].func == NULL)
				continue;
			private->image_patches = sg_load_grow(&k->to, private->image_patches,
							      private->image_patch_count, &capacity,
							      sizeof(*private->image_patches));
			private->image_patches[private->image_patch_count++] =
				image_patch(&k->to, var, &var->init[n]);
		}
	}
}

static void fill(struct keeper *k, const struct sg_link *link, const struct sg_module *from,
		 const struct sg_lower_relocations *relocations, struct sg_module **out)
{
	struct sg_module *module = copy(k, from, 1, sizeof(*module));
	struct sg_module_private *private = sg_load_alloc(&k->to, sizeof(*private));

	module->private = private;
	module->functions = copy(k, from->functions, from->function_count,
				 sizeof(*from->functions));
	for (uint32_t i = 0; i < module->function_count; i++)
		keep_function(k, module, from, &module->functions[i]);
	keep_globals(k, module);
	number_vars(link);
	keep_code_patches(k, private, relocations);
	keep_image_patches(k, private, link);
	*out = module;
}

struct sg_module *sg_module_keep(struct sg_load *load, const struct sg_link *link,
				 const struct sg_module *module,
				 const struct sg_lower_relocations *relocations)
{
	/* both outlive the jump below, hence of the load's memory */
	struct keeper *k = sg_load_alloc(load, sizeof(*k));
	struct sg_module **out = sg_load_alloc(load, sizeof(*out));

	k->names = sg_load_alloc(load, sizeof(*k->names));
	sg_scope_init(k->names, load);
	k->to.limits = load->limits;
	k->to.error = load->error;
	if (setjmp(k->to.failed) != 0) {
		sg_load_free(&k->to);
		longjmp(load->failed, 1);
	}
	fill(k, link, module, relocations, out);
	(*out)->private->chunks = k->to.chunks;
	return *out;
}

/* --- later ----------------------------------------------------------------------------------- */

void sg_module_place(struct sg_module *module, uint64_t global_base, uint64_t constant_base)
{
	const struct sg_module_private *private = module->private;

	for (uint32_t i = 0; i < module->global_count; i++) {
		struct sg_code_global *global = &module->globals[i];

		global->address = (global->constant ? constant_base : global_base) + global->offset;
	}
	for (size_t i = 0; i < private->code_patch_count; i++) {
		const struct code_patch *patch = &private->code_patches[i];

		module->functions[patch->function].constants[patch->constant].value =
			module->globals[patch->global].address + patch->addend;
	}
	for (size_t i = 0; i < private->image_patch_count; i++) {
		const struct image_patch *patch = &private->image_patches[i];
		uint8_t *image = patch->constant ? module->constant_image : module->global_image;
		uint64_t value = patch->value;

		if (patch->global >= 0)
			value += module->globals[patch->global].address;
		value >>= patch->shift;
		memcpy(image + patch->offset, &value, patch->bytes);
	}
}

void sg_module_free(struct sg_module *module)
{
	if (module != NULL)
		sg_load_free_chunks(module->private->chunks);
}
