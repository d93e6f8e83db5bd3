/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker.c - an executor in a process of its own, seen from the broker */

#include "vgpud/exec/worker.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proc/descriptors.h"
#include "proc/spawn.h"

/* Runs in the broker: every length that comes from the worker is checked, since what it ran may
 * have done anything to its memory. */

static int worker_submit(struct exec *exec, const struct exec_job *job)
{
	struct worker *worker = (struct worker *)exec;
	size_t len = offsetof(struct exec_job, msg) + job->len_bytes;

	if (send(worker->fd, job, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

static int worker_reap(struct exec *exec, struct exec_done *done)
{
	struct worker *worker = (struct worker *)exec;
	ssize_t len = recv(worker->fd, done, sizeof(*done), MSG_DONTWAIT);

	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (len == 0)
		return -EPIPE;
	if ((size_t)len < offsetof(struct exec_done, msg) || done->len_bytes > VGPU_MSG_MAX ||
	    (size_t)len != offsetof(struct exec_done, msg) + done->len_bytes)
		return -EPROTO;
	return 1;
}

/* Only its end would stop a job that runs; the broker bounds that by the job's deadline. */
static void worker_cancel(struct exec *exec, uint64_t id)
{
	(void)exec;
	(void)id;
}

/* Does not wait: a process inside the driver may take its time to die. Who watches pid reaps it. */
static void worker_close(struct exec *exec)
{
	struct worker *worker = (struct worker *)exec;

	/* Once it is reaped, its number may be anybody's. */
	if (!worker->ended)
		kill(worker->pid, SIGKILL);
	close(worker->fd);
	free(worker);
}

static const struct exec_ops worker_ops = {
	.submit = worker_submit,
	.reap = worker_reap,
	.cancel = worker_cancel,
	.close = worker_close,
};

int worker_start(struct worker **out, const char *spec)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int pair[2], err;

	if (worker == NULL)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		err = -errno;
		free(worker);
		return err;
	}
	/* The next one will watch the process. */
	err = descriptors_left(pair[1], DESCRIPTORS_OF_ADMINS)
		      ? spawn_start(&worker->pid, SPAWN_WORKER, spec, pair[1])
		      : -EMFILE;
	close(pair[1]);
	if (err != 0) {
		close(pair[0]);
		free(worker);
		return err;
	}
	worker->exec.ops = &worker_ops;
	worker->fd = pair[0];
	*out = worker;
	return 0;
}

int worker_greet(struct worker *worker, struct worker_hello *hello)
{
	ssize_t len = recv(worker->fd, hello, sizeof(*hello), MSG_DONTWAIT);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (len != sizeof(*hello)) {
		*hello = (struct worker_hello){ .error = -EPIPE };
		snprintf(hello->why, sizeof(hello->why), "the worker process ended as it started");
		return hello->error;
	}
	hello->why[sizeof(hello->why) - 1] = '\0';
	hello->info.name[sizeof(hello->info.name) - 1] = '\0';
	if (hello->error != 0)
		return hello->error < 0 ? hello->error : -EPROTO;
	worker->exec.info = hello->info;
	return 1;
}
