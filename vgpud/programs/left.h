/* SPDX-License-Identifier: GPL-2.0-or-later */
/* left.h - workers that an earlier vgpud left and that have not ended: they may write to their VM's window */

#ifndef VGPUD_PROGRAMS_LEFT_H
#define VGPUD_PROGRAMS_LEFT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

SLIST_HEAD(left_list, left);

/*
 * Notes which process is about to get a VM's window, in STATE_DIR/programs/ID.worker, which must be there
 * until it was reaped. state_dir: NULL: nothing is noted; on a full disk neither.
 */
void left_note(const char *state_dir, uint64_t id, uint32_t vm_id, pid_t worker);

/* It was reaped. */
void left_forget(const char *state_dir, uint64_t id);

/*
 * At a start: fills the list with workers that an earlier vgpud noted and that are still there, and removes the
 * notes of others. Each leaves the list when it has ended. Workers of this vgpud must not be noted yet.
 * groups: the directory of workers' cgroups (sandbox_cgroup_find()), NULL: there is none.
 */
void left_find(struct left_list *list, sd_event *event, const char *state_dir, const char *groups);

/* Return: whether one of that VM is still there. */
bool left_holds(const struct left_list *list, uint32_t vm_id);

/* Frees the list; the notes stay. */
void left_free(struct left_list *list);

#endif
