/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin.c - the table of the administrator's commands */

#include "common/cmd/admin.h"

#include <string.h>

const struct admin_cmd admin_cmds[ADMIN_CMD_NUM] = {
#define ADMIN_CMD(name, text, pattern, role, where, what) \
	{ text, pattern, ADMIN_ROLE_##role, ADMIN_WHERE_##where, what },
#include "common/cmd/admin_cmds.def"
};

int admin_cmd_find(const char *name)
{
	for (int i = 0; i < ADMIN_CMD_NUM; i++)
		if (strcmp(admin_cmds[i].name, name) == 0)
			return i;
	return -1;
}
