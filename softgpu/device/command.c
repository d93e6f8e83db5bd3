/* SPDX-License-Identifier: GPL-2.0-or-later */
/* command.c - one piece of work on a stream: made and freed */

#include <stdlib.h>

#include "softgpu/device/command.h"
#include "softgpu/device/grid.h"
#include "softgpu/device/mark.h"

struct sg_command *sg_command_new(enum sg_command_kind kind)
{
	struct sg_command *command = calloc(1, sizeof(*command));

	if (command)
		command->kind = kind;
	return command;
}

void sg_command_free(struct softgpu *gpu, struct sg_command *command)
{
	switch (command->kind) {
	case SG_COMMAND_LAUNCH:
		sg_grid_free(gpu, command->grid);
		break;
	case SG_COMMAND_TRANSFER:
		free(command->transfer.taken);
		if (command->caller)
			command->caller->dropped = true;
		break;
	case SG_COMMAND_RECORD:
	case SG_COMMAND_WAIT_MARK:
		sg_mark_put(command->mark);
		break;
	case SG_COMMAND_HOST_FUNCTION:
	case SG_COMMAND_WAIT_VALUE:
	case SG_COMMAND_WRITE_VALUE:
	case SG_COMMAND_FREE:
	case SG_COMMAND_KIND_NUM:
		break;
	}
	free(command);
}
