/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.h - the executor's door: what runs requests, whatever it is */

#ifndef VGPU_WORKER_EXEC_H
#define VGPU_WORKER_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include "common/wire/proto_check.h"
#include "common/wire/vgpu_proto.h"

#define EXEC_NAME_LEN 96

/* What an executor runs on; DEVICE_INFO answers with it. */
struct exec_info {
	uint32_t executor; /* enum vgpu_executor */
	uint32_t cc_major; /* compute capability */
	uint32_t cc_minor;
	uint32_t memory_mib;
	uint32_t multiprocessors;
	uint32_t driver_version;
	char name[EXEC_NAME_LEN]; /* of the device */
};

/* One request to run. */
struct exec_job {
	uint64_t id;
	uint32_t busy_poll_us; /* how long to look for the next job at most, before sleeping */
	uint32_t len_bytes;
	uint8_t msg[VGPU_MSG_MAX]; /* a request message that proto_check_request() accepted */
};

/* One request that ran. */
struct exec_done {
	uint64_t id;
	uint64_t exec_ns;
	uint32_t len_bytes;
	uint8_t msg[VGPU_MSG_MAX]; /* its response message */
};

struct exec;

/*
 * submit: takes a copy of the job. Jobs run in the order in which they were submitted.
 *	Return: 0; -EAGAIN: no room now; else the executor is broken.
 * reap: Return: 1, *done is the oldest job not yet reaped; 0: none is done; else the executor is
 *	broken, and the oldest job not yet reaped is the one that it was running.
 * cancel: the job is not wanted any more. It may be reaped all the same.
 * close: ends the executor and frees it, whatever it is doing.
 * Errors are -errno.
 */
struct exec_ops {
	int (*submit)(struct exec *exec, const struct exec_job *job);
	int (*reap)(struct exec *exec, struct exec_done *done);
	void (*cancel)(struct exec *exec, uint64_t id);
	void (*close)(struct exec *exec);
};

struct exec {
	const struct exec_ops *ops;
	struct exec_info info;
};

/* What every executor answers alike. */

/* Makes *response the answer to DEVICE_INFO; it points into info. */
void exec_respond_info(const struct exec_info *info, struct proto_response *response);

/*
 * Completes *done for a job that took exec_ns: sets times and checksum in *response and puts the
 * message together.
 */
void exec_complete(struct exec_done *done, const struct proto_request *request,
		   struct proto_response *response, uint64_t exec_ns);

#endif
