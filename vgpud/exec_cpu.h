/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_cpu.h - runs requests on the processor: where there is no GPU, and as a baseline */

#ifndef VGPUD_EXEC_CPU_H
#define VGPUD_EXEC_CPU_H

#include "vgpud/exec.h"

/* Return: the executor, or NULL: no memory. */
struct exec *exec_cpu_open(void);

#endif
