/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_cpu.h - runs requests on the processor: where there is no GPU, and as a baseline */

#ifndef VGPU_WORKER_EXEC_CPU_H
#define VGPU_WORKER_EXEC_CPU_H

#include "worker/exec.h"

/* Return: the executor, or NULL: no memory. */
struct exec *exec_cpu_open(void);

#endif
