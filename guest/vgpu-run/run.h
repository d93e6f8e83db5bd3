/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.h - sends a job once or many times, and checks and measures each answer */

#ifndef RUN_RUN_H
#define RUN_RUN_H

#include <signal.h>
#include <stdint.h>

#include "guest/libvgpu/device.h"
#include "guest/libvgpu/fail.h"
#include "guest/libvgpu/submit.h"
#include "guest/libvgpu/wait.h"
#include "guest/vgpu-run/job.h"
#include "guest/vgpu-run/samples.h"

struct run {
	uint32_t done;			/* requests answered rightly */
	uint32_t error;			/* enum vgpu_error that the last request ended with */
	struct fail fail;		/* a failure on the guest's side */
	struct reply reply;		/* the last one, as it came */
	struct proto_response response; /* the same, taken apart: leads into reply */
	int32_t values[JOB_VALUES_MAX];
	struct samples latency_ns;
	struct samples exec_us;
	uint64_t total_ns;
	uint64_t accesses;   /* to BAR0, of all requests together */
	uint64_t interrupts; /* taken */
	uint32_t request_id; /* of the last one */
};

/* Return: 0 or -ENOMEM. run_free() ends it. */
int run_init(struct run *run, uint32_t count);
void run_free(struct run *run);

/* Sends job up to count times, until the first that is not answered rightly. */
void run_job(struct run *run, struct vgpu_device *device, const struct job *job, uint32_t count,
	     const struct wait *wait);

#endif
