/* SPDX-License-Identifier: GPL-2.0-or-later */
/* grid.c - the end of a launched kernel's state */

#include <stdlib.h>

#include "softgpu/device/grid.h"
#include "softgpu/device/program.h"

void sg_grid_free(struct softgpu *gpu, struct sg_grid *grid)
{
	if (grid->launch.grid_workspace != 0)
		(void)sg_memory_release(gpu->memory, grid->launch.grid_workspace);
	sg_program_put(gpu, grid->program);
	free(grid->params);
	free(grid);
}
