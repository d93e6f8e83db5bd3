/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_qemu.c - the doctor asks a QEMU whether it knows the device */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpuadm/view/doctor.h"

#define DEVICE "vgpu-stub"
#define QEMU_DEFAULT "qemu-system-x86_64"
#define PATIENCE_NS (10 * UTIL_NS_PER_S)
#define REMEDY_BUILD                                                                        \
	"install a QEMU with the device (make qemu builds one; qemu/overlay.sh adds it to " \
	"your source), or name it with --qemu PATH"

extern char **environ;

/* Starts `path -device help`, its output in *fd. Return: its pid, or -errno. */
static pid_t start(const char *path, int *fd)
{
	static char option[] = "-device", value[] = "help";
	char *const argv[] = { (char *)path, option, value, NULL };
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

/* Reads to the end. Return: whether the device's name came by; timed_out: it took too long. */
static bool scan(int fd, bool *timed_out)
{
	static const char wanted[] = "\"" DEVICE "\"";
	uint64_t until_ns = util_now_ns() + PATIENCE_NS;
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	char buffer[4096];
	size_t kept = 0;
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
		kept += (size_t)got;
		found = found || memmem(buffer, kept, wanted, strlen(wanted)) != NULL;
		/* The name may lie across the border of two reads. */
		if (kept >= sizeof(wanted)) {
			memmove(buffer, buffer + kept - sizeof(wanted), sizeof(wanted));
			kept = sizeof(wanted);
		}
	}
}

void doctor_qemu(struct doctor *doctor, const char *path)
{
	bool found, timed_out, named = path != NULL;
	int fd = -1, status = 0;
	pid_t pid;

	if (!named)
		path = QEMU_DEFAULT;
	pid = start(path, &fd);
	if (pid < 0) {
		doctor_add(doctor, DOCTOR_WARNING, "qemu", REMEDY_BUILD, "%s: %s", path,
			   strerror(-pid));
		return;
	}
	found = scan(fd, &timed_out);
	close(fd);
	if (timed_out)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (found)
		doctor_add(doctor, DOCTOR_OK, "qemu", NULL, "%s has the device " DEVICE, path);
	else if (timed_out || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		doctor_add(doctor, DOCTOR_WARNING, "qemu", REMEDY_BUILD,
			   "%s -device help did not work", path);
	else
		doctor_add(doctor, DOCTOR_WARNING, "qemu", REMEDY_BUILD,
			   "%s does not have the device " DEVICE, path);
}
