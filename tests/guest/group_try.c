/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group_try.c - tells whether a process is in a group of vgpud's workers, as vgpud finds out */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/sandbox_cgroup.h"

/* Usage: group-try PID, in vgpud's own group. */
int main(int argc, char **argv)
{
	char path[PATH_MAX];
	int err;

	if (argc != 2)
		return 2;
	err = sandbox_cgroup_find(path);
	if (err != 0) {
		printf("no groups: %s\n", strerror(-err));
		return 1;
	}
	puts(sandbox_cgroup_has(path, (pid_t)strtol(argv[1], NULL, 10)) ? "a worker" : "none");
	return 0;
}
