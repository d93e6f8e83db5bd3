/* SPDX-License-Identifier: GPL-2.0-or-later */
/* worker_wire.h - what broker and worker process say to each other */

#ifndef VGPU_COMMON_WORKER_WIRE_H
#define VGPU_COMMON_WORKER_WIRE_H

#include <stdint.h>

#include "common/wire/vgpu_proto.h"

/*
 * Both ends come out of the same file, so structures travel as they lie in memory, one to a message
 * of a SOCK_SEQPACKET pair. First the worker sends one worker_hello. Then the broker sends
 * worker_jobs and the worker answers each with a worker_done, in order, before it looks at the
 * next: so when a worker dies, the first job without an answer is the one that it was running. Jobs
 * and answers travel without the unused end of their msg.
 *
 * The broker does not trust a worker: a request may have taken the process over. An answer counts
 * only with the random id of its job, which the worker can know from the job's message alone.
 */

#define WORKER_SOCKET "requests" /* the name of the worker's end of the pair: spawn_fd() */
#define WORKER_NAME_LEN 96
#define WORKER_WHY_SIZE 256

/* The device that an executor runs on, as DEVICE_INFO tells it. */
struct worker_info {
	uint32_t executor; /* enum vgpu_executor */
	uint32_t cc_major; /* compute capability */
	uint32_t cc_minor;
	uint32_t memory_mib;
	uint32_t multiprocessors;
	uint32_t driver_version;
	char name[WORKER_NAME_LEN]; /* of the device */
};

struct worker_hello {
	int32_t error; /* 0: ready; else -errno, and why says it in words */
	struct worker_info info;
	char why[WORKER_WHY_SIZE]; /* with error 0: what `auto` could not use, or empty */
};

/* One request to run. */
struct worker_job {
	uint64_t id;	       /* a random number */
	uint32_t busy_poll_us; /* how long to poll for the next job at most, before sleeping */
	uint32_t len_bytes;
	uint8_t msg[VGPU_MSG_MAX]; /* a request message that proto_check_request() accepted */
};

/* One request that ran. */
struct worker_done {
	uint64_t id;	  /* of the job */
	uint64_t exec_ns; /* what the worker measured: the broker's clock bounds it */
	uint32_t len_bytes;
	uint8_t msg[VGPU_MSG_MAX]; /* its response message */
};

#endif
