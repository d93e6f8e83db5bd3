/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module.h - PTX texts loaded, linked and lowered into one module */

#ifndef VGPU_SOFTGPU_PTX_MODULE_H
#define VGPU_SOFTGPU_PTX_MODULE_H

#include <stddef.h>
#include <stdint.h>

#include "softgpu/ptx/code.h"
#include "softgpu/ptx/error.h"

struct sg_module_text {
	const char *text;
	size_t len_bytes; /* a NUL ends the text before that */
};

/*
 * Loads and links texts. Fatbins, cubins, ELF files and what is no PTX are refused with a sentence
 *that says what to do. limits: may be NULL. error: filled on failure. Return: 0, -EINVAL not PTX or
 *wrong, -ENOTSUP an instruction or a feature that is refused by name, -ENOENT a symbol that no text
 *defines, -EEXIST one defined twice, -E2BIG a bound, -ENOMEM.
 */
int sg_module_load(const struct sg_module_text *texts, size_t count,
		   const struct sg_module_limits *limits, struct sg_module **out,
		   struct sg_error *error);

/*
 * Says where the module's variables lie, once, before any of its code runs: fills in addresses in
 * code, images and globals[].address. global_base, constant_base: device addresses, multiples of
 * global_align and constant_align; ignored where the module has no bytes of that kind.
 */
void sg_module_place(struct sg_module *module, uint64_t global_base, uint64_t constant_base);

void sg_module_free(struct sg_module *module); /* NULL is allowed */

/* Return: the variable, NULL if there is none or it has no name outside. */
const struct sg_code_global *sg_module_find_global(const struct sg_module *module,
						   const char *name);

/*
 * The text of an instruction, for error messages: printed from the code's fields ("ld.global.u32").
 * Return: characters written, as snprintf does.
 */
int sg_module_insn_text(const struct sg_code_function *function, uint32_t index, char *out,
			size_t out_bytes);

/*
 * Writes "line 12: text" or, with several texts, "text 2, line 12: text".
 * Return: characters written, as snprintf does.
 */
int sg_module_error_text(const struct sg_error *error, size_t text_count, char *out,
			 size_t out_bytes);

#endif
