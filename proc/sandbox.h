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
 * Nothing that it starts outlives it: the end of a pid namespace's first process ends all in it,
 * and the cgroup is killed as a whole.
 *
 * Each part is used where the host allows it. At its start the starter tries each, and reports what
 * is missing.
 */
enum sandbox_part { SANDBOX_NAMESPACES = 1, SANDBOX_CGROUP = 2, SANDBOX_USER = 4, SANDBOX_ALL = 7 };

#define SANDBOX_WHY_SIZE 384
#define SANDBOX_WORKERS_MAX 1024
/* The first of SANDBOX_WORKERS_MAX numbers that hosts leave unused: each worker is a user of its own. */
#define SANDBOX_UID_FIRST 1880000000u

/*
 * Tries which parts of the sandbox this host allows, and prepares them.
 * hide: directories, with a newline between two, that no worker shall see; "": workers are started
 * without a sandbox. first_uid: the users that workers get begin there; 0: they get none, and where vgpud
 * stays root, they stay root as well. why: gets a sentence about the missing parts, or "".
 * Return: set of enum sandbox_part.
 */
unsigned sandbox_open(const char *hide, uid_t first_uid, char *why);

/*
 * Starts a worker as a child of the starter's parent.
 * memory_bytes: of the host that it may use, where it has a cgroup.
 * Return: its pid in the parent, -errno; 0 in the worker, which has to exec.
 */
int sandbox_clone(uint64_t memory_bytes);

#define SANDBOX_WORKER_MEMORY (UINT64_C(4) << 30) /* ten times what a worker with CUDA takes */

/* Ends a worker and all that it started. Return: 0, -ESRCH: it has ended already. */
int sandbox_kill(pid_t pid);

/* Stops a worker as a whole, or lets it go on. Return: 0 or -errno; -ESRCH: it has ended. */
int sandbox_freeze(pid_t pid, bool frozen);

/* Returns once fd can be read. Meanwhile it removes what is left of workers that have ended. */
void sandbox_wait(int fd);

/*
 * Ends all workers, and removes what is left of them. It waits SANDBOX_CLOSE_MS at most: the next
 * vgpud removes the rest.
 */
void sandbox_close(void);

#define SANDBOX_CLOSE_MS 1000

/*
 * Return: whether workers of this build can be shut in; a sanitizer needs files beyond the sandbox.
 */
bool sandbox_is_built(void);

/* Empties the bounding set, where permitted: no exec gives this process a capability any more. */
void sandbox_bound_capabilities(void);

/* Takes every capability from this process, for good. Return: 0 or -1 and errno. */
int sandbox_drop_capabilities(void);

#endif
