/* SPDX-License-Identifier: GPL-2.0-or-later */
/* history_file.c - the file of the shell's history */

#include "vgpuadm/history_file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directories above a path, mode 0700 as the XDG specification wants new ones. */
static void make_directories(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700); /* an error shows when the file is opened */
		*slash = '/';
	}
}

static char *find_path(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path;
	int len;

	/* The specification says to ignore relative paths. */
	if (state && state[0] == '/')
		len = asprintf(&path, "%s/vgpuadm/history", state);
	else if (home && home[0] == '/')
		len = asprintf(&path, "%s/.local/state/vgpuadm/history", home);
	else
		return NULL;
	return len < 0 ? NULL : path;
}

char *history_file_make(void)
{
	char *path = find_path();
	int fd;

	if (!path)
		return NULL;
	make_directories(path);
	fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd >= 0 && fchmod(fd, 0600) == 0) {
		close(fd);
		return path;
	}
	if (fd >= 0)
		close(fd);
	free(path);
	return NULL;
}
