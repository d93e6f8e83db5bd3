/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.c - one worker process: its start, its messages, its end */

#include "vgpud/exec/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "proc/child.h"
#include "proc/descriptors.h"
#include "proc/spawn.h"

static void free_process(struct process *process)
{
	output_close(&process->output);
	sd_event_source_disable_unref(process->io);
	sd_event_source_disable_unref(process->end);
	sd_event_source_disable_unref(process->child);
	if (process->fd >= 0)
		close(process->fd);
	free(process);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct process *process = arg;

	(void)source;
	(void)fd;
	(void)revents;
	process->heard(process, process->heard_arg);
	return 0;
}

/* Armed with a time in the past: a defer source would be dispatched before all others. */
static int on_end(sd_event_source *source, uint64_t usec, void *arg)
{
	struct process *process = arg;

	(void)usec;
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	process->heard(process, process->heard_arg);
	return 0;
}

static void tell_end(struct process *process, const siginfo_t *si)
{
	process->ended = true;
	if (si->si_code == CLD_EXITED)
		log_debug("worker %d ended with status %d", si->si_pid, si->si_status);
	else
		log_debug("worker %d ended by signal %d", si->si_pid, si->si_status);
	if (process->heard == NULL) {
		process->buried(process, process->buried_arg);
		free_process(process);
	} else {
		/* Its last answers may still be in the socket: report until process_close(). */
		sd_event_source_set_enabled(process->end, SD_EVENT_ONESHOT);
		sd_event_source_set_enabled(process->child, SD_EVENT_OFF);
	}
}

/* Reaps it only after its end was told: until then its pid is no other process's. */
static int on_child_exit(sd_event_source *source, int pidfd, uint32_t revents, void *arg)
{
	struct process *process = arg;
	pid_t pid = process->pid;
	siginfo_t si;

	(void)source;
	(void)pidfd;
	(void)revents;
	if (child_has_ended(pid, &si)) {
		tell_end(process, &si);
		child_reap(pid);
	}
	return 0;
}

/* socket, err: the worker's ends. Return: 0 or -errno. */
static int spawn_worker(pid_t *pid, enum spawn_role role, const char *spec, int socket, int err)
{
	const struct spawn_fd fds[] = { { WORKER_SOCKET, socket }, { SPAWN_STDERR, err } };

	/* One more descriptor is needed, to watch the process. */
	if (!descriptors_left(socket, DESCRIPTORS_OF_ADMINS))
		return -EMFILE;
	return spawn_start(pid, role, spec, fds, 2);
}

/* Makes both ways to a worker and starts it. Return: 0 or -errno; *err_fd: of its output. */
static int connect_worker(struct process *process, enum spawn_role role, const char *spec,
			  int *err_fd)
{
	int pair[2], pipe_ends[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (pipe2(pipe_ends, O_CLOEXEC) < 0) {
		err = -errno;
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	err = spawn_worker(&process->pid, role, spec, pair[1], pipe_ends[1]);
	close(pair[1]);
	close(pipe_ends[1]);
	process->fd = pair[0];
	*err_fd = pipe_ends[0];
	if (err != 0)
		close(pipe_ends[0]);
	return err;
}

/* Return: 0 or -errno. */
static int watch(struct process *process, sd_event *event)
{
	int err = child_watch(event, &process->child, process->pid, on_child_exit, process);

	if (err >= 0)
		err = sd_event_add_io(event, &process->io, process->fd, EPOLLIN, on_readable,
				      process);
	if (err >= 0)
		err = sd_event_add_time(event, &process->end, CLOCK_MONOTONIC, 0, 1, on_end,
					process);
	if (err >= 0)
		err = sd_event_source_set_enabled(process->end, SD_EVENT_OFF);
	return err < 0 ? err : 0;
}

int process_start(struct process **out, sd_event *event, enum spawn_role role, const char *spec,
		  process_buried *buried, void *buried_arg)
{
	struct process *process = calloc(1, sizeof(*process));
	int err_fd = -1, err;

	if (process == NULL)
		return -ENOMEM;
	process->fd = process->output.fd = -1;
	process->buried = buried;
	process->buried_arg = buried_arg;
	err = connect_worker(process, role, spec, &err_fd);
	if (err == 0) {
		err = output_open(&process->output, event, err_fd, process->pid, spec);
		if (err == 0)
			err = watch(process, event);
		if (err != 0)
			spawn_abandon(process->pid);
	}
	if (err != 0) {
		free_process(process);
		return err;
	}
	*out = process;
	return 0;
}

void process_give(struct process *process, process_buried *buried, void *buried_arg)
{
	process->buried = buried;
	process->buried_arg = buried_arg;
}

void process_listen(struct process *process, process_heard *heard, void *arg)
{
	process->heard = heard;
	process->heard_arg = arg;
}

/*
 * A worker that ends with unread jobs in its socket resets the connection, and the kernel reports
 * that before it hands out the worker's last answers. So ECONNRESET is passed over, once, and the
 * answers are read.
 */
static ssize_t receive(const struct process *process, void *message, size_t size, int flags)
{
	ssize_t len = recv(process->fd, message, size, MSG_DONTWAIT | flags);

	if (len < 0 && errno == ECONNRESET)
		len = recv(process->fd, message, size, MSG_DONTWAIT | flags);
	return len;
}

int process_greet(struct process *process, struct worker_hello *hello)
{
	ssize_t len = receive(process, hello, sizeof(*hello), 0);

	if (len < 0 && (errno == EAGAIN || errno == EINTR) && !process->ended)
		return 0;
	if (len != sizeof(*hello)) {
		*hello = (struct worker_hello){ .error = -EPIPE };
		snprintf(hello->why, sizeof(hello->why), "the worker process ended as it started");
		return hello->error;
	}
	hello->why[sizeof(hello->why) - 1] = '\0';
	hello->info.name[sizeof(hello->info.name) - 1] = '\0';
	hello->info.library.path[sizeof(hello->info.library.path) - 1] = '\0';
	if (hello->error != 0)
		return hello->error < 0 ? hello->error : -EPROTO;
	return 1;
}

enum vgpu_end process_end_of(int error)
{
	switch (error) {
	case -ENODEV:
		return VGPU_END_NO_DEVICE;
	case -EPERM:
		return VGPU_END_HMM;
	case -ELIBBAD:
		return VGPU_END_DRIVER_MISMATCH;
	case -EHOSTDOWN:
		return VGPU_END_GPU_NOT_READY;
	default:
		return VGPU_END_WORKER_NOT_STARTED;
	}
}

int process_submit(struct process *process, const struct worker_job *job)
{
	return process_send(process, job, offsetof(struct worker_job, msg) + job->len_bytes, NULL,
			    0);
}

int process_send(struct process *process, const void *message, size_t size, const int *fds,
		 unsigned num)
{
	union {
		struct cmsghdr first; /* for its alignment */
		char bytes[CMSG_SPACE(SPAWN_FDS_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };
	struct iovec part = { (void *)message, size };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	int err;

	if (process->ended || process->deaf)
		return -EPIPE;
	if (num > 0) {
		control.first = (struct cmsghdr){ .cmsg_len = CMSG_LEN(num * sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.first), fds, num * sizeof(int));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(num * sizeof(int));
	}
	if (sendmsg(process->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	err = errno;
	if (err == EAGAIN || err == ENOBUFS || err == ENOMEM || err == EINTR)
		return -EAGAIN;
	/* A worker that shut only its receiving half causes no event: the loop must be told. */
	process->deaf = true;
	sd_event_source_set_enabled(process->end, SD_EVENT_ONESHOT);
	return -err;
}

unsigned process_unread_bytes(const struct process *process)
{
	int bytes;

	return ioctl(process->fd, SIOCOUTQ, &bytes) == 0 ? (unsigned)bytes : UINT_MAX;
}

/*
 * What a receive that failed means. A worker that has closed its socket or is dead, which a failed
 * send may be the first to show, gives an end of file instead: none of them comes here as deaf.
 */
static int nothing_came(const struct process *process, int err)
{
	if (err != EAGAIN && err != EINTR)
		return -err;
	if (process->ended)
		return -EPIPE;
	return process->deaf ? -ESHUTDOWN : 0;
}

int process_reap(struct process *process, struct worker_done *done)
{
	ssize_t len = receive(process, done, sizeof(*done), 0);

	if (len < 0)
		return nothing_came(process, errno);
	if (len == 0)
		return -EPIPE;
	if ((size_t)len < offsetof(struct worker_done, msg) || done->len_bytes > VGPU_MSG_MAX ||
	    (size_t)len != offsetof(struct worker_done, msg) + done->len_bytes)
		return -EPROTO;
	return 1;
}

int process_receive(struct process *process, void *message, size_t size)
{
	/* With MSG_TRUNC a message that is too long tells its own length. */
	ssize_t len = receive(process, message, size, MSG_TRUNC);

	if (len < 0)
		return nothing_came(process, errno);
	if (len == 0)
		return -EPIPE;
	return (size_t)len == size ? 1 : -EPROTO;
}

/* A child's pid is not reused before it is reaped. Only the starter may kill a worker that has
 * a user of its own. */
static void kill_process(struct process *process)
{
	if (process->ended || process->child == NULL)
		return;
	if (kill(process->pid, SIGKILL) < 0)
		spawn_kill(process->pid);
}

int process_freeze(struct process *process, bool frozen)
{
	return process->ended ? -ESRCH : spawn_freeze(process->pid, frozen);
}

bool process_close(struct process *process)
{
	if (process->ended) {
		free_process(process);
		return false;
	}
	kill_process(process);
	process->io = sd_event_source_disable_unref(process->io);
	process->end = sd_event_source_disable_unref(process->end);
	close(process->fd);
	process->fd = -1;
	process->heard = NULL;
	return true;
}

void process_abandon(struct process *process)
{
	kill_process(process);
	free_process(process);
}
