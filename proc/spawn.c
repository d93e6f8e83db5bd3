/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spawn.c - has processes started: this program in another role, or the captive command */

#include "proc/spawn.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/util.h"
#include "proc/starter.h"

#define PATIENCE_S 5 /* with the starter, which answers within a millisecond or never */
#define END_MS (2 * SANDBOX_CLOSE_MS)

extern char **environ;

static int starter_fd = -1;
static pid_t starter_pid;
static struct starter_hello hello;

/* fd: becomes SPAWN_FD_FIRST. Return: 0 or -errno. */
static int start_starter(pid_t *pid, const struct spawn_fixed *fixed, int fd)
{
	const char *name = spawn_name[SPAWN_STARTER];
	char *const argv[] = { (char *)name,
			       (char *)name,
			       (char *)fixed->confine,
			       (char *)fixed->files,
			       (char *)fixed->command,
			       (char *)fixed->user,
			       (char *)fixed->hide,
			       (char *)(fixed->memory != NULL ? fixed->memory : ""),
			       (char *)(fixed->uids != NULL ? fixed->uids : ""),
			       NULL };
	int program = starter_program(), err;
	sigset_t all, before;

	if (program < 0)
		return -errno;
	/* The starter ends when vgpud does, and not before: vgpud handles a signal to the whole
	 * group. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	*pid = fork();
	if (*pid == 0) {
		if (dup2(fd, SPAWN_FD_FIRST) == SPAWN_FD_FIRST)
			fexecve(program, argv, environ);
		starter_cannot_run(SPAWN_STARTER);
	}
	err = *pid < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(program);
	return err;
}

/*
 * As recv(). A signal, or being stopped, begins the socket's patience anew: the last look, when it is
 * over for good, does not wait.
 */
static ssize_t receive(void *message, size_t bytes)
{
	uint64_t until_ns = util_now_ns() + PATIENCE_S * UTIL_NS_PER_S;
	ssize_t len;

	do
		len = recv(starter_fd, message, bytes, util_now_ns() < until_ns ? 0 : MSG_DONTWAIT);
	while (len < 0 && errno == EINTR);
	return len;
}

/* Return: 0 or -errno. */
static int read_hello(void)
{
	ssize_t len = receive(&hello, sizeof(hello));

	if (len != sizeof(hello))
		return len < 0 ? -errno : -EPIPE;
	hello.why[sizeof(hello.why) - 1] = '\0';
	return 0;
}

static void hang_up(void)
{
	if (starter_fd >= 0)
		close(starter_fd);
	starter_fd = -1;
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
	copy = fcntl(pair[1], F_DUPFD_CLOEXEC, SPAWN_FD_FIRST + 1);
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
	err = read_hello();
	if (err != 0) {
		hang_up();
		waitpid(*pid, NULL, 0);
	}
	return err;
}

/* Writes what stands before the argument. Return: 0, or -EINVAL: the caller's mistake. */
static int name_descriptors(struct starter_order *order, const struct spawn_fd *fds, unsigned num)
{
	if (num > SPAWN_FDS_MAX)
		return -EINVAL;
	order->fd_num = num;
	for (unsigned i = 0; i < num; i++) {
		if (strlen(fds[i].name) >= SPAWN_FD_NAME_SIZE)
			return -EINVAL;
		memcpy(order->fd_name[i], fds[i].name, strlen(fds[i].name) + 1);
	}
	return 0;
}

/* The descriptors go along with the message. */
static void attach_descriptors(struct msghdr *msg, const struct spawn_fd *fds, unsigned num)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(msg);

	assert(control != NULL); /* the caller gave it room */
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(num * sizeof(int));
	for (unsigned i = 0; i < num; i++)
		memcpy(CMSG_DATA(control) + i * sizeof(int), &fds[i].fd, sizeof(int));
	msg->msg_controllen = CMSG_SPACE(num * sizeof(int));
}

/* Return: 0 or -errno. */
static int send_order(enum spawn_role role, const char *argument, const struct spawn_fd *fds,
		      unsigned num)
{
	/* But for its argument, which is sent from where it is. */
	static struct starter_order order;
	struct iovec part[] = { { &order, offsetof(struct starter_order, argument) },
				{ (char *)argument, strlen(argument) + 1 } };
	union {
		struct cmsghdr first; /* for its alignment */
		char bytes[CMSG_SPACE(SPAWN_FDS_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct msghdr msg = { .msg_iov = part, .msg_iovlen = 2 };
	int err = name_descriptors(&order, fds, num);
	ssize_t sent;

	if (err != 0)
		return err;
	if (part[1].iov_len > STARTER_ARGUMENT_MAX)
		return -E2BIG;
	order.role = role;
	if (num > 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		attach_descriptors(&msg, fds, num);
	}
	do
		sent = sendmsg(starter_fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

void spawn_close(void)
{
	struct pollfd end = { .events = POLLIN };

	if (starter_fd < 0)
		return;
	send_order((enum spawn_role)SPAWN_END, "", NULL, 0);
	hang_up();
	/* The starter dies with this process, which must not end before the groups are removed. */
	end.fd = (int)syscall(SYS_pidfd_open, starter_pid, 0);
	if (end.fd < 0)
		return;
	poll(&end, 1, END_MS);
	close(end.fd);
}

/* Return: the child's pid or -errno. */
static int read_answer(void)
{
	struct starter_answer answer;
	ssize_t len = receive(&answer, sizeof(answer));

	if (len == sizeof(answer))
		return answer.pid;
	return len < 0 && errno == EAGAIN ? -ETIMEDOUT : -EPIPE;
}

/*
 * Gives the starter up after a missing answer: a late one would be taken for the next order's.
 * Where it runs as root and we cannot kill it, it ends by the closed socket.
 */
static void give_up_late(int result)
{
	if (result == -ETIMEDOUT && kill(starter_pid, SIGKILL) < 0)
		hang_up();
}

int spawn_start(pid_t *pid, enum spawn_role role, const char *argument, const struct spawn_fd *fds,
		unsigned num)
{
	int room = fcntl(starter_fd, F_DUPFD_CLOEXEC, 0), result;

	if (room < 0)
		return -errno;
	result = send_order(role, argument != NULL ? argument : "", fds, num);
	if (result == 0)
		result = read_answer();
	give_up_late(result);
	close(room);
	if (result < 0)
		return result;
	*pid = result;
	return 0;
}

unsigned spawn_sandbox(const char **why)
{
	*why = hello.why;
	return hello.parts;
}

/* Return: 0 or -errno. */
static int order_about(pid_t pid, int order)
{
	char text[16];
	int result;

	snprintf(text, sizeof(text), "%d", (int)pid);
	result = send_order((enum spawn_role)order, text, NULL, 0);
	if (result == 0)
		result = read_answer();
	give_up_late(result);
	return result;
}

int spawn_kill(pid_t pid)
{
	return order_about(pid, SPAWN_KILL);
}

int spawn_freeze(pid_t pid, bool frozen)
{
	return order_about(pid, frozen ? SPAWN_FREEZE : SPAWN_THAW);
}

void spawn_abandon(pid_t pid)
{
	if (kill(pid, SIGKILL) < 0)
		spawn_kill(pid);
	waitpid(pid, NULL, 0);
}
