/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel.h - vgpu-run --kernel: runs one kernel through libcuda.so.1 */

#ifndef RUN_KERNEL_H
#define RUN_KERNEL_H

#include <stdbool.h>

#include "guest/tool/exit_code.h"

/* Return: whether the command line asks for this mode: --kernel is among its options. */
bool kernel_is_wanted(int argc, char **argv);

/* Runs as the command line says. Return: how the process is to end. */
enum exit_code kernel_run(int argc, char **argv);

#endif
