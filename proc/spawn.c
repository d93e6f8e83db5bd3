/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.c - has processes started: this program in another role, or the captive command */

#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/starter.h"

#define PATIENCE_S 5 /* with the starter, which answers within a millisecond or never */

extern char **environ;

const char *const spawn_name[SPAWN_ROLE_NUM] = {
	[SPAWN_STARTER] = "vgpud-starter",
	[SPAWN_WORKER] = "vgpud-worker",
	[SPAWN_QUERY] = "vgpud-query",
	[SPAWN_FILES] = "vgpud-files",
	[SPAWN_COMMAND] = "sh",
};

static int starter_fd = -1;
static pid_t starter_pid;

/* fd: becomes SPAWN_FD. Return: 0 or -errno. */
static int start_starter(pid_t *pid, const struct spawn_fixed *fixed, int fd)
{
	const char *name = spawn_name[SPAWN_STARTER];
	char *const argv[] = { (char *)name,	     (char *)name,	     (char *)fixed->confine,
			       (char *)fixed->files, (char *)fixed->command, NULL };
	int program = starter_program(), err;
	sigset_t all, before;

	if (program < 0)
		return -errno;
	/* It ends when vgpud does, and not before: a signal to all of them is vgpud's to deal with.
	 */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	*pid = fork();
	if (*pid == 0) {
		if (dup2(fd, SPAWN_FD) == SPAWN_FD)
			fexecve(program, argv, environ);
		starter_cannot_run(SPAWN_STARTER);
	}
	err = *pid < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(program);
	return err;
}

int spawn_open(pid_t *pid, const struct spawn_fixed *fixed)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	const int room = 2 * (int)sizeof(struct starter_order); /* one order, and its overhead */
	int pair[2], copy, err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	/* dup2 onto itself would leave close-on-exec set: start from a number that is not the
	 * target. */
	copy = fcntl(pair[1], F_DUPFD_CLOEXEC, SPAWN_FD + 1);
	if (copy < 0 ||
	    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) < 0)
		err = -errno;
	if (err == 0)
		err = start_starter(pid, fixed, copy);
	if (copy >= 0)
		close(copy);
	close(pair[1]);
	if (err != 0) {
		close(pair[0]);
		return err;
	}
	starter_fd = pair[0];
	starter_pid = *pid;
	return 0;
}

void spawn_close(void)
{
	if (starter_fd >= 0)
		close(starter_fd);
	starter_fd = -1;
}

/* fd: -1, or sent along. Return: 0 or -errno. */
static int send_order(enum spawn_role role, const char *argument, int fd)
{
	uint32_t number = role;
	struct iovec part[] = { { &number, sizeof(number) },
				{ (char *)argument, strlen(argument) + 1 } };
	union {
		struct cmsghdr first; /* for its alignment */
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr msg = { .msg_iov = part, .msg_iovlen = 2 };
	ssize_t sent;

	if (part[1].iov_len > STARTER_ARGUMENT_MAX)
		return -E2BIG;
	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		*CMSG_FIRSTHDR(&msg) = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
							 .cmsg_type = SCM_RIGHTS,
							 .cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	}
	do
		sent = sendmsg(starter_fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* Return: the child's pid or -errno. */
static int read_answer(void)
{
	struct starter_answer answer;
	ssize_t len;

	do
		len = recv(starter_fd, &answer, sizeof(answer), 0);
	while (len < 0 && errno == EINTR);
	if (len == sizeof(answer))
		return answer.pid;
	return len < 0 && errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
}

int spawn_start(pid_t *pid, enum spawn_role role, const char *argument, int fd)
{
	int room = fcntl(starter_fd, F_DUPFD_CLOEXEC, 0), result;

	if (room < 0)
		return -errno;
	result = send_order(role, argument != NULL ? argument : "", fd);
	if (result == 0)
		result = read_answer();
	/* An answer that comes later would be taken for the next one's. */
	if (result == -ETIMEDOUT)
		kill(starter_pid, SIGKILL);
	close(room);
	if (result < 0)
		return result;
	*pid = result;
	return 0;
}

void spawn_abandon(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
