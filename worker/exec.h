/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.h - the executor's door: what runs requests, whatever it is */

#ifndef VGPU_WORKER_EXEC_H
#define VGPU_WORKER_EXEC_H

#include <stdint.h>

#include "common/wire/proto_check.h"
#include "common/worker_wire.h"

struct exec;

/*
 * submit: takes a copy of the job. Jobs run in the order in which they were submitted.
 * Return: 0; -EAGAIN: no room now; else the executor is broken.
 * reap: Return: 1, *done is the oldest job not yet reaped; 0: none is done; else the executor is
 * broken, and the oldest job not yet reaped is the one that it was running.
 * cancel: the caller does not need the job any more. It may be reaped all the same.
 * close: ends the executor and frees it, whatever it is doing.
 * Errors are -errno.
 */
struct exec_ops {
	int (*submit)(struct exec *exec, const struct worker_job *job);
	int (*reap)(struct exec *exec, struct worker_done *done);
	void (*cancel)(struct exec *exec, uint64_t id);
	void (*close)(struct exec *exec);
};

struct exec {
	const struct exec_ops *ops;
	struct worker_info info;
};

/* Answers that are the same for every executor. */

/* Makes *response the answer to DEVICE_INFO; it points into info. */
void exec_respond_info(const struct worker_info *info, struct proto_response *response);

/*
 * Completes *done for a job that took exec_ns: sets times and checksum in *response and puts the
 * message together.
 */
void exec_complete(struct worker_done *done, const struct proto_request *request,
		   struct proto_response *response, uint64_t exec_ns);

#endif
