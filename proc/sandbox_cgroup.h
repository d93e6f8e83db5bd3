/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox_cgroup.h - a cgroup for each worker, in what of the hierarchy is vgpud's own */

#ifndef VGPU_PROC_SANDBOX_CGROUP_H
#define VGPU_PROC_SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Finds our own cgroup (version 2; under systemd the unit needs Delegate=), moves the starter and
 * vgpud into a child of it, and makes another child for workers, with bounds on memory and
 * processes. Processes that an earlier vgpud left there are killed.
 * left: how many of their groups are still there. why: on failure a few words. Return: 0 or -errno.
 */
int sandbox_cgroup_open(unsigned *left, char *why, size_t why_size);

/*
 * Makes a worker's cgroup, with a bound on its memory. Return: a descriptor of its cgroup.procs, into
 * which the worker writes "0" to join, or -errno.
 */
int sandbox_cgroup_make(unsigned place, uint64_t memory_bytes);

/* Kills all processes in it. */
void sandbox_cgroup_kill(unsigned place);

/* Stops all processes in it, or lets them go on; a kill ends them in any case. Return: 0 or -errno. */
int sandbox_cgroup_freeze(unsigned place, bool frozen);

/*
 * Kills all processes in it, and removes it. Return: 0 or -errno; -EBUSY: a process in it has not
 * ended yet, which in the driver may take long.
 */
int sandbox_cgroup_remove(unsigned place);

/*
 * Finds the directory of all workers' groups, from the group beside it that vgpud is in.
 * path: of PATH_MAX bytes. Return: 0 or -errno: there is none.
 */
int sandbox_cgroup_find(char *path);

/* Return: whether the process is in a group that lies in that directory. */
bool sandbox_cgroup_has(const char *workers_path, pid_t pid);

/* Removes the group of all workers' groups, if it is empty. */
void sandbox_cgroup_close(void);

#endif
