/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recording.h - a change of a VM: recorded first, in force once it is on the disk */

#ifndef VGPUD_VM_RECORDING_H
#define VGPUD_VM_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/vm_settings.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/vm/vm.h"

/* All are required, and called from the loop. */
struct recording_handler {
	/* The VM's settings are others than the old ones: makes them count. */
	void (*changed)(void *arg, struct vm *vm, const struct vm_settings *old);
	/* A VM is recorded: lets it begin. It is in no list yet. */
	void (*added)(void *arg, struct vm *vm);
	/*
	 * A VM could not be recorded, or is recorded as removed: ends and frees it.
	 * Return: how many requests ended with it.
	 */
	unsigned (*dropped)(void *arg, struct vm *vm);
	/* recording_retry() is to be called in a second, once. */
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
	int err;	      /* 0: it is recorded and in force; else recording_change() says it */
	const struct vm *vm;  /* NULL: it is gone, or vgpud ends */
	const char *old_text; /* as the change's describe() has it, before and after */
	const char *new_text;
	unsigned requests; /* that ended with a VM that was removed */
};

typedef void recording_done(void *arg, const struct recording_end *end);

/* What shall become of a VM's settings, and who wants it. */
struct recording_wish {
	unsigned settings;     /* of `to` that count: bits 1 << enum vm_setting_id */
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
 * Changes settings of a VM. done is called once, perhaps before this returns, with 0, or -ECANCELED:
 * the VM was removed meanwhile, -ENOBUFS: too many changes of it wait, -ENOMEM, or why the database
 * does not take it; then nothing has changed.
 */
void recording_change(struct recording *recording, struct vm *vm,
		      const struct recording_wish *wish);

/*
 * Adds a VM, which is in no list; the handler puts it there. wish: its settings do not count.
 * done: as above; the VM is gone if it gets an error.
 */
void recording_add(struct recording *recording, struct vm *vm, const struct recording_wish *wish);

/* Return: a VM that is being added and has this name, or this number; NULL: there is none. */
const struct vm *recording_adding(const struct recording *recording, const char *name, uint32_t id);

/* Removes a VM; changes of it that come later end with -ECANCELED. done: as above. */
void recording_remove(struct recording *recording, struct vm *vm,
		      const struct recording_wish *wish);

/* The broker has paused the VM, which is in force already: has it recorded, until it is. */
void recording_pause(struct recording *recording, struct vm *vm);

/* After retry_later(). */
void recording_retry(struct recording *recording);

/*
 * vgpud ends: no change comes into force any more, but what the ledger was given is recorded by its
 * close, pauses by the broker included. VMs may be freed afterwards.
 */
void recording_close(struct recording *recording);

#endif
