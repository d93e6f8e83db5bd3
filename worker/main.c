/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - the worker process: opens an executor and runs what the broker sends */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/busy_poll.h"
#include "common/log.h"
#include "common/util.h"
#include "common/worker_wire.h"
#include "proc/confine.h"
#include "proc/inherit.h"
#include "proc/role.h"
#include "proc/spawn_wire.h"
#include "worker/exec_cpu.h"
#include "worker/exec_cuda.h"

static int socket_fd; /* to the broker */

static int open_cpu(struct exec **out, char *why, size_t why_size)
{
	*out = exec_cpu_open();
	if (*out != NULL)
		return 0;
	snprintf(why, why_size, "out of memory");
	return -ENOMEM;
}

/* why: with success, what `auto` could not use. */
static int open_executor(struct exec **out, const char *spec, char *why, size_t why_size)
{
	uint64_t device;

	if (strcmp(spec, "cpu") == 0)
		return open_cpu(out, why, why_size);
	if (strncmp(spec, "cuda:", 5) == 0 && util_parse_u64(spec + 5, 0, 1023, &device) == 0)
		return exec_cuda_open(out, (int)device, why, why_size);
	if (strcmp(spec, "auto") == 0) {
		if (exec_cuda_open(out, 0, why, why_size) == 0)
			return 0;
		return open_cpu(out, why, why_size);
	}
	snprintf(why, why_size, "%s: no such executor (auto, cpu, cuda:N)", spec);
	return -EINVAL;
}

/* Return: whether the broker still listens. */
static bool greet(const struct exec *exec, struct worker_hello *hello)
{
	if (exec != NULL)
		hello->info = exec->info;
	return send(socket_fd, hello, sizeof(*hello), MSG_NOSIGNAL) == sizeof(*hello);
}

/* Waits for the broker's next message. Return: its length; 0: the broker has gone. */
static ssize_t receive(struct worker_job *job, struct busy_poll *poll, uint64_t most_ns)
{
	ssize_t len;

	for (;;) {
		bool look = busy_poll_look(poll, util_now_ns(), most_ns);

		len = recv(socket_fd, job, sizeof(*job), look ? MSG_DONTWAIT : 0);
		if (len >= 0 || (errno != EAGAIN && errno != EINTR))
			return len;
	}
}

/* Return: 1 *job is the next, 0 the broker has gone, -1 it sent what it never does. */
static int next_job(struct worker_job *job, struct busy_poll *poll, uint64_t most_ns)
{
	ssize_t len = receive(job, poll, most_ns);

	if (len <= 0)
		return 0;
	busy_poll_came(poll, util_now_ns(), most_ns);
	if ((size_t)len < offsetof(struct worker_job, msg) || job->len_bytes > VGPU_MSG_MAX ||
	    (size_t)len != offsetof(struct worker_job, msg) + job->len_bytes)
		return -1;
	return 1;
}

static int serve(struct exec *exec)
{
	struct busy_poll poll = { .next = BUSY_POLL_REQUEST };
	struct worker_job job = { .busy_poll_us = 0 };
	struct worker_done done;
	int more;

	while ((more = next_job(&job, &poll, job.busy_poll_us * UTIL_NS_PER_US)) == 1) {
		if (exec->ops->submit(exec, &job) != 0)
			return 1;
		while ((more = exec->ops->reap(exec, &done)) == 0)
			;
		if (more < 0)
			return 1;
		if (send(socket_fd, &done, offsetof(struct worker_done, msg) + done.len_bytes,
			 MSG_NOSIGNAL) < 0)
			return 0;
		busy_poll_expect(&poll, BUSY_POLL_REQUEST, util_now_ns());
	}
	return more < 0 ? 1 : 0;
}

/*
 * Ends without taking the executor down: the driver does that for a process that dies, and for a
 * context that failed it may take its time. The broker learns of it at once, from the closed pair.
 */
static void __attribute__((noreturn)) die(void)
{
	close(socket_fd);
	_exit(1);
}

int role_worker(const char *spec)
{
	struct worker_hello hello = { .error = 0 };
	struct exec *exec = NULL;
	int status = 1;

	socket_fd = inherit_fd(WORKER_SOCKET);
	log_init(spawn_name[SPAWN_WORKER], false);
	/* A worker that hangs in the driver must not outlive the broker; others see the pair close.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* No core file: it would contain guests' data, and writing it would delay the end. */
	prctl(PR_SET_DUMPABLE, 0);
	/* ^C on the terminal is for the broker, which ends its workers in order. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	hello.error = open_executor(&exec, spec, hello.why, sizeof(hello.why));
	/* Not with CUDA, whose driver library opens devices, maps code and starts helpers. */
	if (exec != NULL && exec->info.executor == VGPU_EXECUTOR_CPU)
		confine(CONFINE_CPU_WORKER);
	if (!greet(exec, &hello))
		status = 0;
	else if (exec != NULL)
		status = serve(exec);
	if (status != 0)
		die();
	if (exec != NULL)
		exec->ops->close(exec);
	return status;
}
