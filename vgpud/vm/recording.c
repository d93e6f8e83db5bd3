/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recording.c - records a change of a VM, and applies it once it is on the disk */

#include "vgpud/vm/recording.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vgpud/vm/vm.h"

/*
 * Theory of operation: the changes of a VM wait in its queue; the ledger has one of them at a time.
 * Its row holds the settings in force with the change applied to them, and the change's event is
 * written in the same transaction: after kill -9 the database has both or neither. Only when the
 * row is on the disk is the change applied, logged and answered. When the database refuses a
 * change, it is answered with the reason, and nothing has to be undone.
 *
 * So between two changes the settings in force are those of the row. There is one exception: the
 * broker pauses a VM at once when its requests kill workers, and cannot wait for a disk. `pauses`
 * counts these pauses, and each row remembers how many it includes. While a row lacks one, another
 * row follows, each second if it fails. A row that was under way when the broker paused the VM is
 * older than the pause, so it does not resume the VM.
 *
 * A VM that is being added is in no list and serves no device until it is recorded. A VM that is
 * being removed works until that is recorded.
 */

#define QUEUE_MOST 64 /* changes of a VM, or new VMs, that wait */

enum change_type { CHANGE_SETTINGS, CHANGE_PAUSE, CHANGE_ADD, CHANGE_REMOVE };

struct recording_change {
	STAILQ_ENTRY(recording_change) link;
	enum change_type type;
	struct recording *recording;
	struct vm *vm;		   /* NULL: vgpud ends, and the VM has been freed */
	struct vm_settings before; /* in force when the ledger got it */
	struct vm_settings row;	   /* what the ledger got */
	unsigned pauses;	   /* by the broker, that the row includes */
	struct recording_wish wish;
	unsigned ended; /* requests that ended with a removed VM */
	char name[VM_NAME_SIZE];
	char old_text[VM_SETTING_TEXT_SIZE], new_text[VM_SETTING_TEXT_SIZE];
};

static void on_written(void *arg, int err);

void recording_init(struct recording *recording, struct ledger *ledger, const struct vm_list *vms,
		    const struct recording_handler *handler, void *arg)
{
	*recording = (struct recording){
		.ledger = ledger,
		.vms = vms,
		.handler = handler,
		.arg = arg,
	};
	STAILQ_INIT(&recording->adding);
}

static bool pause_unrecorded(const struct vm *vm)
{
	return vm->recording.pauses != vm->recording.pauses_recorded;
}

/* Calls done() with the result, and frees the change. */
static void answer(struct recording_change *change, int err)
{
	const struct recording_end end = {
		.err = err,
		.vm = change->vm,
		.old_text = change->old_text,
		.new_text = change->new_text,
		.requests = change->ended,
	};

	if (change->wish.done != NULL)
		change->wish.done(change->wish.arg, &end);
	free(change);
}

static struct recording_change *new_change(struct recording *recording, enum change_type type,
					   struct vm *vm, const struct recording_wish *wish)
{
	struct recording_change *change = calloc(1, sizeof(*change));

	if (change == NULL)
		return NULL;
	change->type = type;
	change->recording = recording;
	change->vm = vm;
	if (wish != NULL)
		change->wish = *wish;
	snprintf(change->name, sizeof(change->name), "%s", vm->name);
	return change;
}

/* --- to the ledger and back --- */

/* Fills the change's row. Return: whether it differs from the settings in force. */
static bool fill_row(struct recording_change *change)
{
	const struct vm *vm = change->vm;
	bool changes = change->type != CHANGE_SETTINGS || pause_unrecorded(vm);

	change->before = vm->settings;
	change->row = vm->settings;
	change->pauses = vm->recording.pauses;
	for (unsigned i = 0; i < VM_SETTING_NUM; i++) {
		const struct vm_setting *setting = &vm_settings_table[i];

		if (!(change->wish.settings & 1u << i))
			continue;
		changes |= !vm_setting_same(setting, &change->wish.to, &change->row);
		vm_setting_copy(setting, &change->row, &change->wish.to);
	}
	if (change->wish.describe != NULL) {
		change->wish.describe(&change->before, change->wish.settings, change->old_text);
		change->wish.describe(&change->row, change->wish.settings, change->new_text);
	}
	return changes;
}

/* "number 3, pool B, priority high, local on": its number, and what it was given or had. */
static void describe_vm(const struct vm *vm, const struct vm_settings *settings, char *out,
			size_t size)
{
	struct vm_settings standard;
	char value[VM_SETTING_TEXT_SIZE];
	size_t len = (size_t)snprintf(out, size, "number %" PRIu32, vm->id);

	vm_settings_standard(&standard);
	for (unsigned i = 0; i < VM_SETTING_NUM && len < size; i++) {
		const struct vm_setting *setting = &vm_settings_table[i];

		if (i != VM_SETTING_POOL && i != VM_SETTING_PRIORITY &&
		    vm_setting_same(setting, settings, &standard))
			continue;
		vm_setting_format(setting, settings, value);
		len += (size_t)snprintf(out + len, size - len, ", %s %s", setting->name, value);
	}
}

/* Gives the change to the ledger. Return: 0: on_written() will be called, or -errno. */
static int write_change(struct recording_change *change)
{
	const struct vm *vm = change->vm;
	struct ledger *ledger = change->recording->ledger;
	const bool has_texts = change->wish.describe != NULL;
	char text[4 * VM_SETTING_TEXT_SIZE];
	const struct ledger_event event = {
		.kind = change->wish.kind,
		.subject = vm->name,
		.old_value = has_texts ? change->old_text : NULL,
		.new_value = has_texts ? change->new_text : NULL,
		.text = change->type != CHANGE_SETTINGS ? text : NULL,
		.uid = change->wish.uid,
		.pid = change->wish.pid,
	};
	const bool tells = event.kind != NULL &&
			   (!has_texts || strcmp(change->old_text, change->new_text) != 0);
	const struct ledger_event *told = tells ? &event : NULL;
	const struct ledger_vm row = {
		.id = vm->id,
		.name = vm->name,
		.settings = change->row,
	};

	if (event.text != NULL)
		describe_vm(vm, &change->row, text, sizeof(text));
	if (change->type == CHANGE_REMOVE)
		return ledger_vm_delete(ledger, vm->id, told, on_written, change);
	return ledger_vm_put(ledger, &row, told, on_written, change);
}

/* Puts a recorded change into force. */
static void apply(struct recording_change *change)
{
	struct recording *recording = change->recording;
	struct vm *vm = change->vm;
	struct vm_settings before = vm->settings;
	bool paused_since = vm->recording.pauses != change->pauses;

	vm->settings = change->row;
	if (paused_since)
		vm->settings.paused = true;
	vm->recording.pauses_recorded = change->pauses;
	if (vm->recording.pause_late && !pause_unrecorded(vm)) {
		vm->recording.pause_late = false;
		log_info("%s: pause recorded", vm->name);
	}
	recording->handler->changed(recording->arg, vm, &before);
}

static void say_pause_late(struct vm *vm, int err)
{
	if (vm->recording.pause_late)
		return;
	vm->recording.pause_late = true;
	log_warning("%s: its pause is not recorded yet: %s; trying again each second, and until "
		    "then a restart would resume it",
		    vm->name, strerror(-err));
}

/* Answers the changes that wait for a removed VM with -ECANCELED. */
static void cancel_all(struct recording_queue *queue)
{
	struct recording_change *change;

	while ((change = STAILQ_FIRST(queue)) != NULL) {
		STAILQ_REMOVE_HEAD(queue, link);
		change->vm = NULL;
		answer(change, -ECANCELED);
	}
}

/* The removal is recorded. It is answered only once the VM is gone and its name is free again. */
static void end_remove(struct recording_change *change)
{
	struct recording *recording = change->recording;
	struct recording_queue waiting = STAILQ_HEAD_INITIALIZER(waiting);

	STAILQ_CONCAT(&waiting, &change->vm->recording.queue);
	change->ended = recording->handler->dropped(recording->arg, change->vm);
	change->vm = NULL;
	answer(change, 0);
	cancel_all(&waiting);
}

static void end_add(struct recording_change *change, int err)
{
	struct recording *recording = change->recording;

	STAILQ_REMOVE(&recording->adding, change, recording_change, link);
	if (err == 0) {
		recording->handler->added(recording->arg, change->vm);
	} else {
		recording->handler->dropped(recording->arg, change->vm);
		change->vm = NULL;
	}
	answer(change, err);
}

/* The first of the VM's queue has ended. Return: whether the VM is still there. */
static bool end_first(struct recording_change *change, int err)
{
	struct vm *vm = change->vm;

	STAILQ_REMOVE_HEAD(&vm->recording.queue, link);
	vm->recording.under_way = false;
	vm->recording.failed = err != 0;
	if (change->type == CHANGE_REMOVE && (err == 0 || err == -ENOENT)) {
		end_remove(change);
		return false;
	}
	if (err == 0)
		apply(change);
	else if (pause_unrecorded(vm))
		say_pause_late(vm, err);
	answer(change, err);
	return true;
}

/* Return: 0; -ENOBUFS, -ENOMEM: it is not in the queue. */
static int enqueue(struct recording *recording, enum change_type type, struct vm *vm,
		   struct recording_queue *queue, const struct recording_wish *wish,
		   struct recording_change **out)
{
	struct recording_change *change;
	unsigned waiting = 0;

	STAILQ_FOREACH(change, queue, link)
		waiting++;
	if (waiting >= QUEUE_MOST)
		return -ENOBUFS;
	change = new_change(recording, type, vm, wish);
	if (change == NULL)
		return -ENOMEM;
	STAILQ_INSERT_TAIL(queue, change, link);
	*out = change;
	return 0;
}

/*
 * Call it when no change is under way. Return: the next one: the first that waits, or else a new
 * one for a pause that is not recorded yet; NULL: there is none, or not before recording_retry().
 */
static struct recording_change *next_change(struct recording *recording, struct vm *vm)
{
	struct recording_queue *queue = &vm->recording.queue;
	struct recording_change *again;

	if (STAILQ_EMPTY(queue) && pause_unrecorded(vm) &&
	    (vm->recording.failed ||
	     enqueue(recording, CHANGE_PAUSE, vm, queue, NULL, &again) != 0))
		recording->handler->retry_later(recording->arg);
	return STAILQ_FIRST(queue);
}

/* Begins changes of the VM until the ledger has one; those that need no row end at once. */
static void advance(struct recording *recording, struct vm *vm)
{
	struct recording_change *change;
	bool there = true;

	if (vm->recording.under_way || vm->recording.busy)
		return;
	vm->recording.busy = true; /* done() may ask for the next change: that must not recurse */
	while (there && (change = next_change(recording, vm)) != NULL) {
		int err = 0;

		vm->recording.under_way = true;
		if (fill_row(change)) {
			err = write_change(change);
			if (err == 0)
				break;
		}
		there = end_first(change, err);
	}
	if (there)
		vm->recording.busy = false;
}

static void on_written(void *arg, int err)
{
	struct recording_change *change = arg;
	struct recording *recording = change->recording;
	struct vm *vm = change->vm;

	if (recording->ended) {
		if (err != 0 && change->type == CHANGE_PAUSE)
			log_warning("%s: its pause could not be recorded: %s; the next start "
				    "resumes it",
				    change->name, strerror(-err));
		answer(change, err);
	} else if (change->type == CHANGE_ADD) {
		end_add(change, err);
	} else {
		assert(vm != NULL); /* it goes before its changes only at the end */
		if (end_first(change, err))
			advance(recording, vm);
	}
}

/* --- changes --- */

static void change_vm(struct recording *recording, enum change_type type, struct vm *vm,
		      const struct recording_wish *wish)
{
	struct recording_change *change;
	int err = enqueue(recording, type, vm, &vm->recording.queue, wish, &change);
	const struct recording_end end = { .err = err, .vm = vm, .old_text = "", .new_text = "" };

	if (err != 0)
		wish->done(wish->arg, &end);
	else
		advance(recording, vm);
}

void recording_change(struct recording *recording, struct vm *vm, const struct recording_wish *wish)
{
	change_vm(recording, CHANGE_SETTINGS, vm, wish);
}

void recording_remove(struct recording *recording, struct vm *vm, const struct recording_wish *wish)
{
	change_vm(recording, CHANGE_REMOVE, vm, wish);
}

void recording_add(struct recording *recording, struct vm *vm, const struct recording_wish *wish)
{
	struct recording_change *change;
	int err = enqueue(recording, CHANGE_ADD, vm, &recording->adding, wish, &change);
	const struct recording_end end = { .err = err, .old_text = "", .new_text = "" };

	if (err != 0) {
		recording->handler->dropped(recording->arg, vm);
		wish->done(wish->arg, &end);
		return;
	}
	change->row = vm->settings;
	err = write_change(change);
	if (err != 0)
		end_add(change, err);
}

const struct vm *recording_adding(const struct recording *recording, const char *name, uint32_t id)
{
	const struct recording_change *change;

	STAILQ_FOREACH(change, &recording->adding, link)
		if (strcmp(change->name, name) == 0 || change->vm->id == id)
			return change->vm;
	return NULL;
}

void recording_pause(struct recording *recording, struct vm *vm)
{
	vm->settings.paused = true;
	vm->recording.pauses++;
	advance(recording, vm);
}

void recording_retry(struct recording *recording)
{
	struct vm *vm, *next;

	for (vm = TAILQ_FIRST(recording->vms); vm != NULL; vm = next) {
		next = TAILQ_NEXT(vm, link);
		vm->recording.failed = false;
		advance(recording, vm);
	}
}

/* --- the end --- */

/*
 * Of the VM's changes only the one under way may still be recorded, and after it a pause by the
 * broker. So the row of the pause includes what that change made of the VM.
 */
static void close_vm(struct recording *recording, struct vm *vm)
{
	struct recording_change *first = NULL, *pause;
	unsigned told = vm->recording.pauses_recorded; /* pauses that rows tell of */
	int err;

	if (vm->recording.under_way) {
		first = STAILQ_FIRST(&vm->recording.queue);
		STAILQ_REMOVE_HEAD(&vm->recording.queue, link);
		told = first->pauses;
		vm->settings = first->row;
	}
	cancel_all(&vm->recording.queue);
	if (first != NULL)
		first->vm = NULL;
	if (told == vm->recording.pauses)
		return;
	vm->settings.paused = true;
	pause = new_change(recording, CHANGE_PAUSE, vm, NULL);
	if (pause == NULL)
		return;
	fill_row(pause);
	err = write_change(pause);
	pause->vm = NULL;
	if (err != 0)
		on_written(pause, err);
}

void recording_close(struct recording *recording)
{
	struct recording_change *change;
	struct vm *vm;

	recording->ended = true;
	TAILQ_FOREACH(vm, recording->vms, link)
		close_vm(recording, vm);
	while ((change = STAILQ_FIRST(&recording->adding)) != NULL) {
		STAILQ_REMOVE_HEAD(&recording->adding, link);
		recording->handler->dropped(recording->arg, change->vm);
		change->vm = NULL;
	}
}
