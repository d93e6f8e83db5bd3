/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_record.c - has the database keep what the VMs are, and takes back what it does not */

#include "vgpud/daemon_record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/util.h"

/*
 * Theory of operation: a change takes effect in the VM at once, then its row is written. Of each VM
 * at most one row is on its way (`writing`); changes that come meanwhile wait together for the next
 * (`next`). So a row has in it what was recorded before and the changes that wait for its end,
 * and nothing that may yet be undone.
 *
 * A row that is taken becomes what is `recorded`. One that is not: each field that its changes were
 * about becomes again what is recorded, unless a change that waits is about it too, which then has
 * its own end. So once nothing is on its way, a VM is as the database has it.
 *
 * A pause by the broker is nobody's wish and is not undone: `pauses` counts them, a row knows how
 * many it tells of, and as long as there are more, it is written again each second.
 *
 * A VM that was removed but is still in the database is `doomed`: that too is tried again.
 */

#define RETRY_USEC 1000000ull

struct record_change {
	STAILQ_ENTRY(record_change) link;
	daemon_record_done *done;
	void *arg;
};

STAILQ_HEAD(record_changes, record_change);

/* A VM's row, on its way or not yet. */
struct vm_write {
	struct daemon *daemon;
	struct vm *vm; /* NULL: it is no more */
	char name[VM_NAME_SIZE];
	struct vm_settings settings; /* in the row */
	unsigned pauses;	     /* that it tells of */
	bool tells_pause;	     /* one of them was not recorded before */
	unsigned fields;	     /* of its changes */
	bool last;		     /* vgpud ends; there is no other after it */
	struct record_changes changes;
};

/* A VM that is to be taken out of the database. */
struct record_delete {
	struct daemon *daemon;
	uint32_t id;
	char name[VM_NAME_SIZE];
	daemon_record_done *done; /* or NULL: it was called already */
	void *arg;
};

struct record_doomed {
	SLIST_ENTRY(record_doomed) link;
	uint32_t id;
	char name[VM_NAME_SIZE];
	bool under_way;
};

static void begin(struct vm_write *write);
static void retry_later(struct daemon *daemon);

static struct vm_write *write_new(struct daemon *daemon, struct vm *vm)
{
	struct vm_write *write = calloc(1, sizeof(*write));

	if (write == NULL)
		return NULL;
	write->daemon = daemon;
	write->vm = vm;
	snprintf(write->name, sizeof(write->name), "%s", vm->name);
	STAILQ_INIT(&write->changes);
	return write;
}

/* Tells those who wait for it, and frees it. */
static void answer(struct vm_write *write, int err)
{
	struct record_change *change;

	while ((change = STAILQ_FIRST(&write->changes)) != NULL) {
		STAILQ_REMOVE_HEAD(&write->changes, link);
		change->done(change->arg, err);
		free(change);
	}
	free(write);
}

static bool pause_unrecorded(const struct vm *vm)
{
	return vm->pauses != vm->pauses_recorded;
}

/* --- what is taken back --- */

/* fields: become again what is recorded. */
static void revert(struct daemon *daemon, struct vm *vm, unsigned fields)
{
	if (fields & DAEMON_RECORD_POOL)
		vm->sched.pool = vm->recorded.pool;
	if (fields & DAEMON_RECORD_PRIORITY)
		vm->sched.priority = vm->recorded.priority;
	if (fields & DAEMON_RECORD_PAUSED)
		vm->sched.paused = vm->recorded.paused || pause_unrecorded(vm);
	if (fields & DAEMON_RECORD_LIMIT)
		sched_vm_limit(&vm->sched, vm->recorded.limit_per_s, vm->recorded.limit_burst,
			       util_now_ns());
	if (fields != 0)
		broker_vm_changed(&daemon->broker, vm);
}

/* A VM that the database does not take; nor does it take any change of it. */
static void remove_new(struct daemon *daemon, struct vm *vm, int err)
{
	struct vm_write *waiting = daemon_record_detach(vm);

	broker_remove_vm(&daemon->broker, vm);
	if (waiting != NULL)
		answer(waiting, err);
}

static void undo(struct daemon *daemon, struct vm *vm, unsigned fields, int err)
{
	unsigned waiting = vm->next != NULL ? vm->next->fields : 0;

	if (fields & DAEMON_RECORD_NEW)
		remove_new(daemon, vm, err);
	else
		revert(daemon, vm, fields & ~waiting);
}

/* --- a row's way --- */

static struct record_doomed *doomed_find(const struct daemon *daemon, uint32_t id)
{
	struct record_doomed *doomed;

	SLIST_FOREACH(doomed, &daemon->doomed, link)
		if (doomed->id == id)
			return doomed;
	return NULL;
}

static void doomed_forget(struct daemon *daemon, uint32_t id)
{
	struct record_doomed *doomed = doomed_find(daemon, id);

	if (doomed == NULL)
		return;
	SLIST_REMOVE(&daemon->doomed, doomed, record_doomed, link);
	free(doomed);
}

static void on_recorded(struct vm_write *write, struct vm *vm)
{
	vm->recorded = write->settings;
	vm->pauses_recorded = write->pauses;
	if (vm->pause_late && !pause_unrecorded(vm)) {
		vm->pause_late = false;
		log_info("%s: that it was paused is in the database now", vm->name);
	}
	doomed_forget(write->daemon, vm->id);
}

static void say_pause_late(struct vm *vm, int err)
{
	if (vm->pause_late)
		return;
	vm->pause_late = true;
	log_warning("%s: that it is paused is not in the database yet: %s; trying again each "
		    "second, and until then a restart would resume it",
		    vm->name, strerror(-err));
}

/* Nothing of the VM is on its way any more. err: of what was. */
static void go_on(struct daemon *daemon, struct vm *vm, int err)
{
	if (vm->next != NULL) {
		begin(vm->next);
	} else if (pause_unrecorded(vm)) {
		if (err == 0)
			vm->next = write_new(daemon, vm);
		if (vm->next != NULL)
			begin(vm->next);
		else
			retry_later(daemon);
	}
}

static void on_last_written(const struct vm_write *write, int err)
{
	if (err != 0 && write->tells_pause)
		log_warning("%s: that it is paused could not be stored: %s; the next start resumes "
			    "it",
			    write->name, strerror(-err));
}

static void on_written(void *arg, int err)
{
	struct vm_write *write = arg;
	struct daemon *daemon = write->daemon;
	struct vm *vm = write->vm;

	if (vm == NULL) {
		if (write->last)
			on_last_written(write, err);
		answer(write, err);
		return;
	}
	vm->writing = NULL;
	if (err == 0)
		on_recorded(write, vm);
	else if (pause_unrecorded(vm))
		say_pause_late(vm, err);
	if (err != 0)
		undo(daemon, vm, write->fields, err);
	/* Whoever is told may do anything next, so this is last. */
	if (err == 0 || !(write->fields & DAEMON_RECORD_NEW))
		go_on(daemon, vm, err);
	answer(write, err);
}

/* Has the VM's row written as it is now. write: its `next`. Return: 0 or -errno. */
static int put(struct vm_write *write)
{
	struct vm *vm = write->vm;
	struct ledger_vm row = daemon_stored_vm(vm);

	vm->next = NULL;
	vm->writing = write;
	write->settings = vm_settings(vm);
	write->pauses = vm->pauses;
	write->tells_pause = pause_unrecorded(vm);
	return ledger_vm_put(write->daemon->broker.ledger, &row, on_written, write);
}

static void begin(struct vm_write *write)
{
	int err = put(write);

	if (err != 0)
		on_written(write, err);
}

void daemon_record_known(struct vm *vm)
{
	vm->recorded = vm_settings(vm);
}

/* Return: 0 or -ENOMEM. */
static int add_change(struct daemon *daemon, struct vm *vm, enum daemon_record_field field,
		      daemon_record_done *done, void *arg)
{
	struct record_change *change = calloc(1, sizeof(*change));

	if (change != NULL && vm->next == NULL)
		vm->next = write_new(daemon, vm);
	if (change == NULL || vm->next == NULL) {
		free(change);
		return -ENOMEM;
	}
	change->done = done;
	change->arg = arg;
	STAILQ_INSERT_TAIL(&vm->next->changes, change, link);
	vm->next->fields |= field;
	return 0;
}

void daemon_record_change(struct daemon *daemon, struct vm *vm, enum daemon_record_field field,
			  daemon_record_done *done, void *arg)
{
	int err = add_change(daemon, vm, field, done, arg);

	if (err == 0 && vm->writing == NULL)
		begin(vm->next);
	if (err != 0) {
		undo(daemon, vm, field, err);
		done(arg, err);
	}
}

bool daemon_record_pending(const struct vm *vm, enum daemon_record_field field)
{
	return (vm->writing != NULL && vm->writing->fields & (field | DAEMON_RECORD_NEW)) ||
	       (vm->next != NULL && vm->next->fields & field);
}

void daemon_record_pause(struct daemon *daemon, struct vm *vm)
{
	vm->pauses++;
	if (vm->writing == NULL)
		go_on(daemon, vm, 0);
}

struct vm_write *daemon_record_detach(struct vm *vm)
{
	struct vm_write *waiting = vm->next;

	if (vm->writing != NULL)
		vm->writing->vm = NULL;
	vm->writing = NULL;
	vm->next = NULL;
	return waiting;
}

void daemon_record_cancel(struct vm_write *write)
{
	if (write != NULL)
		answer(write, -ECANCELED);
}

/* --- VMs that are no more --- */

/* The database still has a VM that is no more. */
static void doom(const struct record_delete *deletion, int err)
{
	struct daemon *daemon = deletion->daemon;
	struct record_doomed *doomed = doomed_find(daemon, deletion->id);

	if (daemon->recording_ends) {
		log_warning("%s: was removed, but is in the database still: %s; the next start "
			    "brings it back",
			    deletion->name, strerror(-err));
		return;
	}
	if (doomed == NULL && (doomed = calloc(1, sizeof(*doomed))) != NULL) {
		doomed->id = deletion->id;
		snprintf(doomed->name, sizeof(doomed->name), "%s", deletion->name);
		SLIST_INSERT_HEAD(&daemon->doomed, doomed, link);
	}
	if (doomed != NULL)
		doomed->under_way = false;
	retry_later(daemon);
}

static void on_deleted(void *arg, int err)
{
	struct record_delete *deletion = arg;
	struct daemon *daemon = deletion->daemon;

	/* It was never stored, and is gone as asked. */
	if (err == -ENOENT)
		err = 0;
	if (err != 0) {
		doom(deletion, err);
	} else if (doomed_find(daemon, deletion->id) != NULL) {
		doomed_forget(daemon, deletion->id);
		log_info("%s: is out of the database now", deletion->name);
	}
	if (deletion->done != NULL)
		deletion->done(deletion->arg, err);
	free(deletion);
}

/* done: may be NULL. Return: 0, or -ENOMEM: it will not be called. */
static int begin_delete(struct daemon *daemon, uint32_t id, const char *name,
			daemon_record_done *done, void *arg)
{
	struct record_delete *deletion = calloc(1, sizeof(*deletion));
	int err;

	if (deletion == NULL)
		return -ENOMEM;
	deletion->daemon = daemon;
	deletion->id = id;
	deletion->done = done;
	deletion->arg = arg;
	snprintf(deletion->name, sizeof(deletion->name), "%s", name);
	err = ledger_vm_delete(daemon->broker.ledger, id, on_deleted, deletion);
	if (err != 0)
		on_deleted(deletion, err);
	return 0;
}

void daemon_record_delete(struct daemon *daemon, uint32_t id, const char *name,
			  daemon_record_done *done, void *arg)
{
	int err = begin_delete(daemon, id, name, done, arg);

	if (err != 0)
		done(arg, err);
}

/* --- again --- */

static void retry_pause(struct daemon *daemon, struct vm *vm)
{
	if (vm->writing == NULL && pause_unrecorded(vm))
		go_on(daemon, vm, 0);
}

static void retry_doomed(struct daemon *daemon, struct record_doomed *doomed)
{
	/* If there is such a VM again, its row settles the matter. */
	if (doomed->under_way || vm_find_id(&daemon->broker.vms, doomed->id) != NULL)
		return;
	doomed->under_way = true; /* what fails at once says otherwise */
	if (begin_delete(daemon, doomed->id, doomed->name, NULL, NULL) != 0)
		doomed->under_way = false;
}

static void retry_all(struct daemon *daemon)
{
	struct record_doomed *doomed, *next_doomed;
	struct vm *vm;

	TAILQ_FOREACH(vm, &daemon->broker.vms, link)
		retry_pause(daemon, vm);
	for (doomed = SLIST_FIRST(&daemon->doomed); doomed != NULL; doomed = next_doomed) {
		next_doomed = SLIST_NEXT(doomed, link);
		retry_doomed(daemon, doomed);
	}
}

static int on_retry(sd_event_source *source, uint64_t usec, void *arg)
{
	struct daemon *daemon = arg;

	(void)source;
	(void)usec;
	daemon->record_retry = sd_event_source_disable_unref(daemon->record_retry);
	retry_all(daemon);
	if (!SLIST_EMPTY(&daemon->doomed))
		retry_later(daemon);
	return 0;
}

static void retry_later(struct daemon *daemon)
{
	if (daemon->record_retry == NULL && !daemon->recording_ends)
		sd_event_add_time_relative(daemon->event, &daemon->record_retry, CLOCK_MONOTONIC,
					   RETRY_USEC, 0, on_retry, daemon);
}

/* The row of a VM whose daemon ends; it comes behind the one that is on its way. */
static void write_last(struct daemon *daemon, struct vm *vm)
{
	struct vm_write *before = vm->writing, *last;
	int err = 0;

	if (vm->next == NULL && pause_unrecorded(vm))
		vm->next = write_new(daemon, vm);
	last = vm->next;
	if (last != NULL) {
		last->last = true;
		err = put(last);
	}
	daemon_record_detach(vm);
	if (before != NULL)
		before->vm = NULL;
	if (err != 0)
		on_written(last, err);
}

void daemon_record_close(struct daemon *daemon)
{
	struct record_doomed *doomed;
	struct vm *vm;

	daemon->recording_ends = true;
	daemon->record_retry = sd_event_source_disable_unref(daemon->record_retry);
	TAILQ_FOREACH(vm, &daemon->broker.vms, link)
		write_last(daemon, vm);
	while ((doomed = SLIST_FIRST(&daemon->doomed)) != NULL) {
		SLIST_REMOVE_HEAD(&daemon->doomed, link);
		begin_delete(daemon, doomed->id, doomed->name, NULL, NULL);
		free(doomed);
	}
}
