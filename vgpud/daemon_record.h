/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_record.h - has the database keep what the VMs are, and takes back what it does not */

#ifndef VGPUD_DAEMON_RECORD_H
#define VGPUD_DAEMON_RECORD_H

#include "vgpud/daemon.h"

/* What a change is about. */
enum daemon_record_field {
	DAEMON_RECORD_POOL = 1,
	DAEMON_RECORD_PRIORITY = 2,
	DAEMON_RECORD_PAUSED = 4,
	DAEMON_RECORD_LIMIT = 8,
	DAEMON_RECORD_NEW = 16, /* the VM as a whole */
};

/*
 * The end of a change. err: 0: it is on the disk; -ECANCELED: the VM was removed meanwhile; else
 * why the database does not take it, and it is undone already.
 */
typedef void daemon_record_done(void *arg, int err);

/* The VM is now as the database has it: it came from there. */
void daemon_record_known(struct vm *vm);

/*
 * A field of the VM was changed: has that recorded. If it cannot be, the field becomes again what
 * was recorded last, unless it was changed once more since; a NEW VM is removed again. done is
 * called from the loop, or before this returns; the VM may be gone then.
 */
void daemon_record_change(struct daemon *daemon, struct vm *vm, enum daemon_record_field field,
			  daemon_record_done *done, void *arg);

/* Return: whether a change of this field is not recorded yet. */
bool daemon_record_pending(const struct vm *vm, enum daemon_record_field field);

/* The broker paused the VM: has that recorded, again and again until it is. */
void daemon_record_pause(struct daemon *daemon, struct vm *vm);

/*
 * The VM is about to be removed: nobody takes care of its changes any more.
 * Return: for daemon_record_cancel() once it is removed, or NULL.
 */
struct vm_write *daemon_record_detach(struct vm *vm);

/* Ends with -ECANCELED what daemon_record_detach() returned. */
void daemon_record_cancel(struct vm_write *write);

/*
 * A VM was removed: takes it out of the database. done: once; if it failed, it is tried again until
 * it is out, or there is such a VM again.
 */
void daemon_record_delete(struct daemon *daemon, uint32_t id, const char *name,
			  daemon_record_done *done, void *arg);

/* A last attempt for all that is not recorded; the ledger's close ends it. VMs are not changed by
 * how it ends. */
void daemon_record_close(struct daemon *daemon);

#endif
