/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn_wire.c - the roles that processes of ours have, by their names */

#include "proc/spawn_wire.h"

const char *const spawn_name[SPAWN_ROLE_NUM] = {
	[SPAWN_STARTER] = "vgpud-starter", [SPAWN_WORKER] = "vgpud-worker",
	[SPAWN_PROGRAM] = "vgpud-program", [SPAWN_DESCRIBE] = "vgpud-describe",
	[SPAWN_NVML] = "vgpud-nvml",	   [SPAWN_QUERY] = "vgpud-query",
	[SPAWN_FILES] = "vgpud-files",	   [SPAWN_COMMAND] = "sh",
};
