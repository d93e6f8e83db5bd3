/* SPDX-License-Identifier: GPL-2.0-or-later */
/* starter.c - the process that starts all others */

#include "proc/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/identity.h"
#include "proc/inherit.h"
#include "proc/sandbox.h"

/*
 * Theory of operation. vgpud confines itself. A child that it started by itself would inherit these
 * filters, under which a CUDA worker cannot run. So this process starts all others. It is older
 * than the filters, does nothing else, and has nothing but its socket, its own program's file and
 * the standard descriptors:
 *
 *   vgpud -- role, argument, descriptors --> starter -- clone, exec --> child of vgpud
 *         <-- pid -------------------------
 *
 * Of all processes this alone keeps the rights that vgpud was started with: it needs them for the
 * sandboxes of workers (sandbox.c). vgpud drops its own before it opens a socket.
 *
 * A worker's cgroup has to be removed by this process, too, which hears of the worker's end by a
 * pidfd while it waits for orders.
 *
 * CLONE_PARENT makes the new process a child of vgpud, which is told of its end and reaps it as one
 * of its own. An order can only name a role and, for a worker or a query, an argument: an attacker
 * who has taken vgpud over cannot have another program started.
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

/*
 * Moves the descriptors to their numbers and puts their names into the environment. The socket to
 * vgpud has the first number: dup2() replaces it there, or exec closes it.
 * Return: 0, -1 and errno.
 */
static int place_descriptors(const struct starter_order *order, int *fds)
{
	char names[SPAWN_FDS_MAX * SPAWN_FD_NAME_SIZE] = "";
	int next = SPAWN_FD_FIRST;
	size_t len = 0;

	/* First above all target numbers, so that no dup2() below closes one still to be moved. */
	for (unsigned i = 0; i < order->fd_num; i++) {
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, SPAWN_FD_FIRST + SPAWN_FDS_MAX);
		if (fds[i] < 0)
			return -1;
	}
	for (unsigned i = 0; i < order->fd_num; i++) {
		bool is_stderr = strcmp(order->fd_name[i], SPAWN_STDERR) == 0;

		if (dup2(fds[i], is_stderr ? STDERR_FILENO : next) < 0)
			return -1;
		if (is_stderr)
			continue;
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
					next > SPAWN_FD_FIRST ? ":" : "", order->fd_name[i]);
		next++;
	}
	return len > 0 ? setenv(INHERIT_FD_NAMES, names, 1) : unsetenv(INHERIT_FD_NAMES);
}

/* ^C on the terminal is for vgpud, which answers what runs before it ends its processes. */
static void ignore_signals(void)
{
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error like a full disk */
}

/* Return: 0, -1 and errno. */
static int prepare(const struct starter_order *order, int *fds)
{
	sigset_t none;

	sigemptyset(&none);
	if (order->role == SPAWN_COMMAND) {
		inherit_filter_command();
	} else {
		inherit_filter_environment(environ, order->role == SPAWN_PROGRAM);
		ignore_signals();
	}
	if (place_descriptors(order, fds) != 0)
		return -1;
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child. program: descriptor of this program's file, above the role's descriptors. */
static _Noreturn void become(const struct starter_order *order, const char *argument,
			     const char *confine, int program, int *fds)
{
	enum spawn_role role = (enum spawn_role)order->role;
	const char *name = spawn_name[role];
	char *const shell[] = { (char *)name, (char *)"-c", (char *)argument, NULL };
	char *const ours[] = { (char *)name, (char *)name, (char *)argument, (char *)confine,
			       NULL };

	if (prepare(order, fds) == 0) {
		if (role == SPAWN_COMMAND)
			execve("/bin/sh", shell, environ);
		else
			fexecve(program, ours, environ);
	}
	starter_cannot_run(role);
}

/* Return: the number, 0: it is none. */
static pid_t parse_pid(const char *text)
{
	char *end;
	long pid = strtol(text, &end, 10);

	return *end == '\0' && pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

/* A process that is no worker. Return: its pid, -errno; 0 in the child. */
static int clone_plain(const struct spawn_fixed *fixed, enum spawn_role role)
{
	/* Not fork(), whose child would be the starter's. */
	long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid < 0)
		return -errno;
	/* The captive command keeps the caller's user and rights; so does a role where vgpud stays
	 * root. */
	if (pid != 0 || role == SPAWN_COMMAND || (fixed->user[0] == '\0' && geteuid() == 0))
		return (int)pid;
	sandbox_bound_capabilities();
	if ((fixed->user[0] != '\0' && identity_take_text(fixed->user) != 0) ||
	    sandbox_drop_capabilities() != 0)
		starter_cannot_run(role);
	return (int)pid;
}

/* A process of this role runs what a guest gave it. */
static bool in_sandbox(uint32_t role)
{
	return role == SPAWN_WORKER || role == SPAWN_PROGRAM || role == SPAWN_DESCRIBE;
}

/*
 * Return: bytes of the host's memory that a worker may use. The device memory of the executor cpu
 * lies in its programs' workers, so these get it besides.
 */
static uint64_t memory_of(const struct spawn_fixed *fixed, const struct starter_order *order)
{
	uint64_t worker = 0, device = 0;

	if (fixed->memory != NULL)
		sscanf(fixed->memory, "%" SCNu64 " %" SCNu64, &worker, &device);
	if (worker == 0)
		worker = SANDBOX_WORKER_MEMORY;
	if (order->role != SPAWN_PROGRAM || strncmp(order->argument, "cpu", 3) != 0)
		device = 0;
	return worker + device;
}

/* Return: the first of the users that workers have; 0: they have none of their own. */
static uid_t first_user(const struct spawn_fixed *fixed)
{
	uid_t first = SANDBOX_UID_FIRST;

	if (fixed->user[0] == '\0' && geteuid() == 0)
		return 0;
	if (fixed->uids != NULL)
		sscanf(fixed->uids, "%" SCNu32, &first);
	return first;
}

/* program: its own file. Return: the child's pid or -errno; 0: what the order says of a worker is done. */
static int start(const struct spawn_fixed *fixed, const struct starter_order *order, int program,
		 int *fds)
{
	const char *argument = order->argument;
	int pid;

	if (order->role == SPAWN_KILL)
		return sandbox_kill(parse_pid(argument));
	if (order->role == SPAWN_FREEZE || order->role == SPAWN_THAW)
		return sandbox_freeze(parse_pid(argument), order->role == SPAWN_FREEZE);
	if (order->role == SPAWN_FILES)
		argument = fixed->files;
	else if (order->role == SPAWN_COMMAND)
		argument = fixed->command;
	else if (order->role != SPAWN_QUERY && order->role != SPAWN_NVML &&
		 !in_sandbox(order->role))
		return -EINVAL;
	if (argument[0] == '\0')
		return -EINVAL;
	pid = in_sandbox(order->role) ? sandbox_clone(memory_of(fixed, order))
				      : clone_plain(fixed, (enum spawn_role)order->role);
	if (pid == 0)
		become(order, argument, fixed->confine, program, fds);
	return pid;
}

/* Takes the descriptors that came along. Return: how many, at most SPAWN_FDS_MAX. */
static unsigned take_descriptors(struct msghdr *msg, int *fds)
{
	const struct cmsghdr *with = CMSG_FIRSTHDR(msg);
	unsigned num;

	if (with == NULL || with->cmsg_level != SOL_SOCKET || with->cmsg_type != SCM_RIGHTS)
		return 0;
	num = (unsigned)((with->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(fds, CMSG_DATA(with), num * sizeof(int));
	return num;
}

/* Return: whether the order is one that spawn_start() makes. */
static bool well_formed(const struct starter_order *order, size_t len, int flags)
{
	if (len <= offsetof(struct starter_order, argument) || (flags & MSG_TRUNC) ||
	    ((const char *)order)[len - 1] != '\0' || order->fd_num > SPAWN_FDS_MAX)
		return false;
	for (unsigned i = 0; i < order->fd_num; i++)
		if (memchr(order->fd_name[i], '\0', SPAWN_FD_NAME_SIZE) == NULL)
			return false;
	return true;
}

/*
 * fds: what came along, *fd_num of them; fewer than order->fd_num where they could not be taken.
 * Return: 1; 0: vgpud has gone, or has sent what it never does.
 */
static int read_order(struct starter_order *order, int *fds, unsigned *fd_num)
{
	struct iovec part = { order, sizeof(*order) };
	union {
		struct cmsghdr first; /* for its alignment */
		char bytes[CMSG_SPACE(SPAWN_FDS_MAX * sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	ssize_t len;

	do
		len = recvmsg(SPAWN_FD_FIRST, &msg, MSG_CMSG_CLOEXEC);
	while (len < 0 && errno == EINTR);
	*fd_num = 0;
	if (len < 0)
		return 0;
	*fd_num = take_descriptors(&msg, fds);
	return well_formed(order, (size_t)len, msg.msg_flags);
}

int starter_main(const struct spawn_fixed *fixed)
{
	static struct starter_order order;
	int opened = starter_program();
	int program = fcntl(opened, F_DUPFD_CLOEXEC, SPAWN_FD_FIRST + SPAWN_FDS_MAX);
	int fds[SPAWN_FDS_MAX];
	struct starter_hello hello;
	unsigned fd_num;

	close(opened);
	/* The closed socket tells of vgpud's end too, even where vgpud ended before this call. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fcntl(SPAWN_FD_FIRST, F_SETFD, FD_CLOEXEC);
	memset(&hello, 0, sizeof(hello));
	hello.parts = sandbox_open(fixed->hide, first_user(fixed), hello.why);
	if (send(SPAWN_FD_FIRST, &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		return 1;
	for (;;) {
		struct starter_answer answer = { .pid = -EMFILE };

		sandbox_wait(SPAWN_FD_FIRST);
		if (read_order(&order, fds, &fd_num) != 1)
			break;
		if (order.role == SPAWN_END) {
			sandbox_close();
			break;
		}
		if (fd_num == order.fd_num)
			answer.pid = start(fixed, &order, program, fds);
		for (unsigned i = 0; i < fd_num; i++)
			close(fds[i]);
		if (send(SPAWN_FD_FIRST, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			break;
	}
	/*
	 * A vgpud that was killed gave no order to remove groups: the next one, which may be there
	 * already, empties them at its start, and must not have its own workers' groups removed here.
	 */
	return 0;
}
