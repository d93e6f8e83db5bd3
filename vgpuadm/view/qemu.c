/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu.c - asks a QEMU what it is */

#include "vgpuadm/view/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"

#define PATIENCE_NS (10 * UTIL_NS_PER_S)

extern char **environ;

/* Starts `path option value`, its output in *fd. Return: its pid, or -errno. */
static pid_t start(const char *path, const char *option, const char *value, int *fd)
{
	char *const argv[] = { (char *)path, (char *)option, (char *)value, NULL };
	posix_spawn_file_actions_t actions;
	int pipe_fds[2], err;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	err = posix_spawnp(&pid, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	*fd = pipe_fds[0];
	if (err == 0)
		return pid;
	close(pipe_fds[0]);
	return -err;
}

/* Reads to the end. Return: whether wanted came by; timed_out: it took too long. */
static bool scan(int fd, const char *wanted, char *head, size_t head_size, bool *timed_out)
{
	uint64_t until_ns = util_now_ns() + PATIENCE_NS;
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	size_t kept = 0, overlap = strlen(wanted) + 1, total = 0;
	char buffer[4096];
	bool found = false;

	for (;;) {
		uint64_t now_ns = util_now_ns();
		ssize_t got;

		*timed_out = now_ns >= until_ns;
		if (*timed_out ||
		    (poll(&readable, 1, (int)((until_ns - now_ns) / UTIL_NS_PER_MS) + 1) < 0 &&
		     errno != EINTR))
			return found;
		if (!readable.revents)
			continue;
		got = read(fd, buffer + kept, sizeof(buffer) - kept);
		if (got <= 0)
			return found;
		for (ssize_t i = 0; i < got && total + 1 < head_size; i++) {
			head[total++] = buffer[kept + (size_t)i];
			head[total] = '\0';
		}
		kept += (size_t)got;
		found = found || memmem(buffer, kept, wanted, strlen(wanted)) != NULL;
		/* The wanted text may be split between two reads. */
		if (kept >= overlap) {
			memmove(buffer, buffer + kept - overlap, overlap);
			kept = overlap;
		}
	}
}

enum qemu_answer qemu_ask(const char *path, const char *option, const char *value,
			  const char *wanted, char *head, size_t head_size)
{
	bool found, timed_out;
	int fd = -1, status = 0;
	pid_t pid = start(path, option, value, &fd);

	head[0] = '\0';
	if (pid < 0) {
		errno = -pid;
		return QEMU_NOT_STARTED;
	}
	found = scan(fd, wanted, head, head_size, &timed_out);
	close(fd);
	if (timed_out)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (found)
		return QEMU_SAYS_IT;
	return timed_out || !WIFEXITED(status) || WEXITSTATUS(status) != 0 ? QEMU_FAILED
									   : QEMU_SAYS_IT_NOT;
}

/* "QEMU emulator version 9.2.0 (...)" */
bool qemu_wants_reconnect_ms(const char *path)
{
	static const char before[] = "version ";
	unsigned major, minor;
	char head[128];
	const char *at;

	if (qemu_ask(path, "-version", NULL, before, head, sizeof(head)) != QEMU_SAYS_IT)
		return false;
	at = strstr(head, before);
	if (at == NULL || sscanf(at + strlen(before), "%u.%u", &major, &minor) != 2)
		return false;
	return major > 9 || (major == 9 && minor >= 2);
}
