/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine_role.h - what processes are confined as */

#ifndef VGPU_PROC_CONFINE_ROLE_H
#define VGPU_PROC_CONFINE_ROLE_H

enum confine_role {
	CONFINE_BROKER,
	CONFINE_CPU_WORKER,
	CONFINE_SOFTGPU_PROGRAM, /* a worker of a program, and what describes its GPU */
	CONFINE_CUDA_PROGRAM,	 /* the same with the driver, once each of its features was used */
	CONFINE_NVML,		 /* NVML, once it has told of all GPUs */
	CONFINE_QUERY,
	CONFINE_FILES,
};

#endif
