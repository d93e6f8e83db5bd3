/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - what the starter shuts a worker into before it becomes one */

#ifndef VGPU_PROC_SANDBOX_H
#define VGPU_PROC_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A request may take its worker over. So a worker is started, in this order: in new pid, network,
 * ipc and mount namespaces; with every file system read-only, and vgpud's directories hidden; in a
 * cgroup of its own, with bounds on memory and processes; as a user of its own, with no right left.
 * Nothing that it starts outlives it: the end of a pid namespace's first process ends all in it, and
 * the cgroup is killed as a whole.
 *
 * Each part is used where it can be had. The starter says at its start which ones cannot.
 */
enum sandbox_part { SANDBOX_NAMESPACES = 1, SANDBOX_CGROUP = 2, SANDBOX_USER = 4, SANDBOX_ALL = 7 };

#define SANDBOX_WHY_SIZE 384
#define SANDBOX_WORKERS_MAX 1024
#define SANDBOX_UID_FIRST 1880000000u /* and one more for each worker; a range of no other use */

/*
 * hide: directories, with a newline between two, that no worker shall see; "": workers are started
 * without a sandbox. own_users: whether vgpud has a user that is not root, and so may its workers.
 * why: gets a sentence for what cannot be had, or "". Return: enum sandbox_part.
 */
unsigned sandbox_open(const char *hide, bool own_users, char *why);

/*
 * Starts a worker as a child of the starter's parent. Return: its pid in the parent, -errno; 0 in
 * the worker, which has to exec.
 */
int sandbox_clone(void);

/* Ends a worker and all that it started. Return: 0, -ESRCH: there is none such any more. */
int sandbox_kill(pid_t pid);

/* Return: whether this build's workers can be shut in; a sanitizer's write and look where it likes. */
bool sandbox_is_built(void);

/* No exec gives this process a capability from now on, where it may say so. */
void sandbox_bound_capabilities(void);

/* Takes every capability from this process, for good. Return: 0 or -1 and errno. */
int sandbox_drop_capabilities(void);

#endif
