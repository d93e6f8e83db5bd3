/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.c - starts processes: this program in another role, or a shell command */

#include "vgpud/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <unistd.h>

extern char **environ;

/* fd: -1, or what becomes SPAWN_FD. Return: 0 or -errno. */
static int start(pid_t *pid, const char *path, char *const argv[], int fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int err = 0;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	if (fd >= 0)
		err = posix_spawn_file_actions_adddup2(&actions, fd, SPAWN_FD);
	if (err == 0)
		err = posix_spawnattr_setsigmask(&attributes, &none);
	if (err == 0)
		err = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (err == 0)
		err = posix_spawn(pid, path, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

int spawn_self(pid_t *pid, const char *role, const char *argument, int fd)
{
	char *const argv[] = { (char *)role, (char *)argument, NULL };
	/* dup2 onto itself would leave close-on-exec set: start from a number that is not the
	 * target. */
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_FD + 1), err;

	if (copy < 0)
		return -errno;
	err = start(pid, "/proc/self/exe", argv, copy);
	close(copy);
	return err;
}

int spawn_shell(pid_t *pid, const char *command)
{
	char *const argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };

	return start(pid, "/bin/sh", argv, -1);
}
