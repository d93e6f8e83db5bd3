/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherit.c - what a process of ours makes of what it was given at its start */

#include "proc/inherit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/spawn_wire.h"

/* Return: the names, one after the other and each with its colon or end; "" if there are none. */
static const char *fd_names(void)
{
	const char *names = getenv(INHERIT_FD_NAMES);

	return names != NULL ? names : "";
}

int inherit_fd(const char *name)
{
	const char *at = fd_names();
	size_t len = strlen(name);

	for (int fd = SPAWN_FD_FIRST; *at != '\0'; fd++) {
		size_t part = strcspn(at, ":");

		if (part == len && memcmp(at, name, len) == 0)
			return fd;
		at += part + (at[part] == ':');
	}
	return -1;
}

void inherit_close_others(void)
{
	unsigned kept = 1;

	for (const char *at = fd_names(); *at != '\0'; at++)
		kept += *at == ':';
	close_range(SPAWN_FD_FIRST + kept, ~0u, 0);
}
