/* SPDX-License-Identifier: GPL-2.0-or-later */
/* find.h - a loaded module's kernel or function by its name */

#ifndef TESTS_UNIT_SOFTGPU_FIND_H
#define TESTS_UNIT_SOFTGPU_FIND_H

#include <string.h>

#include "softgpu/ptx/module.h"

/* Return: the kernel, else the function, of this name; NULL if there is none. */
static inline const struct sg_code_function *find_function(const struct sg_module *module,
							   const char *name)
{
	const struct sg_code_function *found = NULL;

	for (uint32_t i = 0; i < module->function_count; i++) {
		const struct sg_code_function *f = &module->functions[i];

		if (strcmp(f->name, name) == 0 && (!found || f->entry))
			found = f;
	}
	return found;
}

#endif
