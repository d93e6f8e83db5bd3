/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.h - how much memory a process of ours may take, and which the kernel ends first */

#ifndef VGPU_PROC_MEMORY_H
#define VGPU_PROC_MEMORY_H

#include <stdint.h>

/*
 * Sets which process the kernel ends when memory runs out: this one rather than one with a lower
 * score. Best effort. A child inherits the score, so without this call every child would have that
 * of vgpud, which the service manager lowers.
 * score: 0 is the standard; a process with 1000 is ended first.
 */
void memory_expendable(int score);

/* Allocations beyond it fail. Best effort, and no limit in a sanitizer build, which needs more. */
void memory_limit(uint64_t bytes);

#endif
