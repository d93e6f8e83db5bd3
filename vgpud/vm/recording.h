/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recording.h - records a change of a VM, and applies it once it is on the disk */

#ifndef VGPUD_VM_RECORDING_H
#define VGPUD_VM_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/vm_settings.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/vm/vm.h"

/* All are required, and called from the loop. */
struct recording_handler {
	/* The VM's settings have changed: applies them. */
	void (*changed)(void *arg, struct vm *vm, const struct vm_settings *old);
	/* A new VM is recorded: adds it to the list and lets its port serve the device. */
	void (*added)(void *arg, struct vm *vm);
	/*
	 * A VM could not be recorded, or is recorded as removed: ends and frees it.
	 * Return: how many requests ended with it.
	 */
	unsigned (*dropped)(void *arg, struct vm *vm);
	/* Has recording_retry() called once, in a second. */
	void (*retry_later)(void *arg);
};

struct recording {
	struct ledger *ledger;
	const struct vm_list *vms;
	const struct recording_handler *handler;
	void *arg;
	struct recording_queue adding; /* of VMs that are in no list yet */
	bool ended;
};

/* How a change ended. */
struct recording_end {
	int err;	      /* 0: recorded and in force; else as recording_change() lists */
	const struct vm *vm;  /* NULL: the VM is gone, or vgpud ends */
	const char *old_text; /* written by the change's describe(), before and after */
	const char *new_text;
	unsigned requests; /* how many ended with the removed VM */
};

typedef void recording_done(void *arg, const struct recording_end *end);

/* A wished change of a VM's settings, and the administrator who asked for it. */
struct recording_wish {
	unsigned settings;     /* which of `to` to change: bits 1 << enum vm_setting_id */
	struct vm_settings to; /* their new values */
	/* Writes the values in question as people read them; out: VM_SETTING_TEXT_SIZE bytes. */
	void (*describe)(const struct vm_settings *settings, unsigned which, char *out);
	const char *kind; /* of the event that is recorded with it: "set-priority"; static */
	int64_t uid, pid; /* of the event */
	recording_done *done;
	void *arg;
};

/* vms: the VMs that work. */
void recording_init(struct recording *recording, struct ledger *ledger, const struct vm_list *vms,
		    const struct recording_handler *handler, void *arg);

/*
 * Changes settings of a VM. done is called once, perhaps before this returns, with 0; -ECANCELED:
 * the VM was removed meanwhile; -ENOBUFS: too many changes of it wait; -ENOMEM; or the database's
 * -errno. On an error nothing has changed.
 */
void recording_change(struct recording *recording, struct vm *vm,
		      const struct recording_wish *wish);

/*
 * Adds a VM, which is in no list; the handler puts it there. wish: its settings are not used.
 * done: as above; on an error the VM has been freed.
 */
void recording_add(struct recording *recording, struct vm *vm, const struct recording_wish *wish);

/* Return: a VM that is being added and has this name, or this number; NULL: there is none. */
const struct vm *recording_adding(const struct recording *recording, const char *name, uint32_t id);

/* Removes a VM; later changes of it end with -ECANCELED. done: as above. */
void recording_remove(struct recording *recording, struct vm *vm,
		      const struct recording_wish *wish);

/* The broker has paused the VM, and that is in force: tries to record it until it succeeds. */
void recording_pause(struct recording *recording, struct vm *vm);

/* To be called a second after retry_later(). */
void recording_retry(struct recording *recording);

/*
 * vgpud ends: no change takes effect any more. Changes that the ledger already has, and pauses by
 * the broker, are recorded when the ledger is closed. VMs may be freed afterwards.
 */
void recording_close(struct recording *recording);

#endif
