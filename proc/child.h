/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.h - the ends of children, in an event loop */

#ifndef VGPU_PROC_CHILD_H
#define VGPU_PROC_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/*
 * Calls the handler when the child may have ended; child_has_ended() tells. Instead of
 * sd_event_add_child(), which looks once: where a debugger or strace is attached to a child that dies,
 * the kernel wakes us at its death, when it is not ours to reap yet, and once more when it is.
 * pid: for this call alone it may be another's child: its end is what the handler is called for.
 * source: NULL: the loop's own. Return: 0 or -errno.
 */
int child_watch(sd_event *event, sd_event_source **source, pid_t pid, sd_event_io_handler_t handler,
		void *arg);

/* Return: whether it has ended and is ours to reap; *info: how it ended. */
bool child_has_ended(pid_t pid, siginfo_t *info);

/* It has ended: its pid may be another process's from now on. */
void child_reap(pid_t pid);

#endif
