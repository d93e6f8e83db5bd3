/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file_transport.h - sends a job as a file of a directory that the host shares, and reads the
 * answer */

#ifndef RUN_FILE_TRANSPORT_H
#define RUN_FILE_TRANSPORT_H

#include <stdatomic.h>
#include <stdint.h>

#include "guest/vgpu-run/job.h"
#include "guest/vgpu-run/run.h"

#define FILE_TRANSPORT_TIMEOUT_NS 30000000000u /* unless the user gives one */
#define FILE_TRANSPORT_POLL_MS 100u

/* The directory, and the VM's values for the request's text, which the host only compares. */
struct file_transport {
	const char *dir;
	const char *vm; /* NULL: named like this host, or the only one there */
	char pool;
	uint32_t priority; /* enum vgpu_priority */
	uint32_t poll_ms;  /* longest pause between two looks for the answer */
	uint64_t timeout_ns;
	const atomic_int *stop; /* not 0 once the caller wants to end; or NULL */
};

/*
 * Sends job up to count times, until the first that is not answered rightly, as run_job() does by
 * device. The job is an addition. Clients in one directory take turns.
 */
void file_transport_run(struct run *run, const struct file_transport *transport,
			const struct job *job, uint32_t count);

#endif
