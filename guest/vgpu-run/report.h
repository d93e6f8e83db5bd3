/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h - tells the user how a run went, in words or as JSON */

#ifndef RUN_REPORT_H
#define RUN_REPORT_H

#include "guest/libvgpu/device.h"
#include "guest/tool/exit_code.h"
#include "guest/vgpu-run/job.h"
#include "guest/vgpu-run/options.h"
#include "guest/vgpu-run/run.h"

/* How the process is to end after this run. */
enum exit_code report_exit_code(const struct run *run);

/* The answer, alone, on stdout; nothing when there is none. */
void report_answer(const struct run *run, const struct job *job);

/* The error, if there was one, in one line on stderr. */
void report_error(const struct run *run, const struct options *options);

/* Latency, execution time, accesses, on stderr. */
void report_figures(const struct run *run, const struct options *options);

/* All of it as one object on stdout; device may be NULL when it could not be opened. */
void report_json(const struct run *run, const struct job *job, const struct options *options,
		 const struct vgpu_device *device);

#endif
