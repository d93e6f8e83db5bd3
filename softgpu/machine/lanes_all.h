/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lanes_all.h - the whole of one set of handlers; LANES_BIND names it */

#include "softgpu/machine/lanes_compare.h"

#include "softgpu/machine/lanes_float.h"
#include "softgpu/machine/lanes_half.h"
#include "softgpu/machine/lanes_int.h"
#include "softgpu/machine/lanes_memory.h"

#include "softgpu/machine/lanes_convert.h"

sg_exec_handler *LANES_BIND(const struct sg_code_insn *insn)
{
	static sg_exec_handler *(*const families[])(const struct sg_code_insn *) = {
		bind_memory, bind_logic, bind_compare, bind_float,
		bind_int,    bind_half,	 bind_convert,
	};
	sg_exec_handler *handler = NULL;

	for (unsigned n = 0; n < sizeof(families) / sizeof(families[0]) && !handler; n++)
		handler = families[n](insn);
	return handler;
}
