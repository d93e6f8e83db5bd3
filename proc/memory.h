/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.h - how much memory a process of ours may take, and which the kernel ends first */

#ifndef VGPU_PROC_MEMORY_H
#define VGPU_PROC_MEMORY_H

#include <stdint.h>

/*
 * For want of memory, the kernel ends this process rather than one with a lower score; best effort.
 * score: 0 is the standard, 1000 is first. A process inherits it, so that of vgpud, which a service
 * manager has lowered, would be every child's.
 */
void memory_expendable(int score);

/* Beyond it, allocating fails. Best effort, and not in a build whose checks need more. */
void memory_limit(uint64_t bytes);

#endif
