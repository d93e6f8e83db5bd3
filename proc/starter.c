/* SPDX-License-Identifier: GPL-2.0-or-later */
/* starter.c - the process that starts all others */

#include "proc/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Theory of operation. vgpud confines itself, and whatever it started would be confined likewise,
 * which a CUDA worker could not live with. So it has others started by this process, which was
 * there before, does nothing else, and has nothing but its socket, its own program's file and the
 * standard descriptors:
 *
 *   vgpud -- role, argument, descriptor --> starter -- clone, exec --> child of vgpud
 *         <-- pid ------------------------
 *
 * CLONE_PARENT makes it vgpud's child, which is told of its end, and reaps it, as if it had started
 * it by itself. An order can only name a role, and for a worker or a query their argument: whoever
 * has taken vgpud over cannot have a program of his own started.
 */

#define EXIT_NO_PROGRAM 127 /* as a shell has it */

extern char **environ;

int starter_program(void)
{
	return open("/proc/self/exe", O_PATH | O_CLOEXEC);
}

_Noreturn void starter_cannot_run(enum spawn_role role)
{
	dprintf(STDERR_FILENO, "%s: cannot be started: %s\n", spawn_name[role], strerror(errno));
	_exit(EXIT_NO_PROGRAM);
}

/* In the child. The socket to vgpud either gives way to fd or is closed by exec. */
static _Noreturn void become(enum spawn_role role, const char *argument, const char *confine,
			     int program, int fd)
{
	const char *name = spawn_name[role];
	char *const shell[] = { (char *)name, (char *)"-c", (char *)argument, NULL };
	char *const ours[] = { (char *)name, (char *)name, (char *)argument, (char *)confine,
			       NULL };
	sigset_t none;

	sigemptyset(&none);
	if ((fd < 0 || dup2(fd, SPAWN_FD) == SPAWN_FD) &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0) {
		if (role == SPAWN_COMMAND)
			execve("/bin/sh", shell, environ);
		else
			fexecve(program, ours, environ);
	}
	starter_cannot_run(role);
}

/* program: its own file. Return: the child's pid or -errno. */
static int start(const struct spawn_fixed *fixed, const struct starter_order *order, int program,
		 int fd)
{
	const char *argument = order->argument;
	long pid;

	if (order->role == SPAWN_FILES)
		argument = fixed->files;
	else if (order->role == SPAWN_COMMAND)
		argument = fixed->command;
	else if (order->role != SPAWN_WORKER && order->role != SPAWN_QUERY)
		return -EINVAL;
	if (argument[0] == '\0')
		return -EINVAL;
	/* Not fork(), whose children are one's own. */
	pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		become((enum spawn_role)order->role, argument, fixed->confine, program, fd);
	return pid < 0 ? -errno : (int)pid;
}

/*
 * fd: what came along, or -1; -errno if it could not be taken.
 * Return: 1; 0: vgpud has gone, or has sent what it never does.
 */
static int read_order(struct starter_order *order, int *fd)
{
	struct iovec part = { order, sizeof(*order) };
	union {
		struct cmsghdr first; /* for its alignment */
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	const struct cmsghdr *with;
	ssize_t len;

	do
		len = recvmsg(SPAWN_FD, &msg, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	if (len <= (ssize_t)offsetof(struct starter_order, argument) ||
	    (msg.msg_flags & MSG_TRUNC) || ((const char *)order)[len - 1] != '\0')
		return 0;
	*fd = -1;
	with = CMSG_FIRSTHDR(&msg);
	if (with != NULL && with->cmsg_level == SOL_SOCKET && with->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(with), sizeof(*fd));
	else if (msg.msg_flags & MSG_CTRUNC)
		*fd = -EMFILE;
	return 1;
}

int starter_main(const struct spawn_fixed *fixed)
{
	static struct starter_order order;
	int program = starter_program(), fd;

	/* Both: vgpud's end closes the socket, which also holds where it ended before this. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(SPAWN_FD, F_SETFD, FD_CLOEXEC);
	while (read_order(&order, &fd) == 1) {
		struct starter_answer answer = {
			.pid = fd < -1 ? fd : start(fixed, &order, program, fd)
		};

		if (fd >= 0)
			close(fd);
		if (send(SPAWN_FD, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			break;
	}
	return 0;
}
