/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.c - commands that show and change VMs */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/units.h"
#include "common/util.h"
#include "common/wire/vgpu_regs.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/daemon_record.h"

/*
 * A change takes effect at once, and is answered when it is in the database, so that what the
 * administrator was told survives a crash. If the database does not take it, it is undone.
 */

static json_t *socket_row(const struct vm *vm, json_t *row)
{
	json_object_set_new(row, "socket", admin_string(port_path(vm->port)));
	json_object_set_new(row, "socket_mode",
			    json_string(port_listens(vm->port) ? "listen" : "connect"));
	return row;
}

static uint64_t errors_of(const struct vm *vm)
{
	uint64_t errors = 0;

	for (unsigned i = VGPU_ERR_OK + 1; i < VGPU_ERROR_NUM; i++)
		errors += vm->figures.ended[i];
	return errors;
}

static json_t *vm_row(const struct daemon *daemon, const struct vm *vm)
{
	const struct limit *limit = &vm->sched.limit;
	json_t *row = json_pack(
		"{s:s, s:I, s:o, s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, "
		"s:I}",
		"vm", vm->name, "vm_id", (json_int_t)vm->id, "pool",
		admin_pool_name(vm->sched.pool), "priority", name_priority(vm->sched.priority),
		"paused", vm->sched.paused, "connected", port_connected(vm->port), "queued",
		(json_int_t)vm->sched.queued, "running", (json_int_t)vm->sched.started, "requests",
		(json_int_t)vm->figures.received, "errors", (json_int_t)errors_of(vm), "bad_frames",
		(json_int_t)port_counts(vm->port)->broke, "refused_peers",
		(json_int_t)port_counts(vm->port)->refused, "last_error",
		admin_string(vm->figures.last_error != VGPU_ERR_OK
				     ? name_error(vm->figures.last_error)
				     : NULL),
		"last_error_unix_ns",
		vm->figures.last_error != VGPU_ERR_OK
			? admin_wall(daemon, vm->figures.last_error_ns)
			: json_null(),
		"limit_per_s",
		limit->rate_per_s > 0 ? json_integer(limit->rate_per_s) : json_null(),
		"limit_burst", limit->rate_per_s > 0 ? json_integer(limit->burst) : json_null(),
		"limited", (json_int_t)vm->figures.limited);

	return socket_row(vm, row);
}

static int by_name(const void *a, const void *b)
{
	const struct vm *const *left = a, *const *right = b;

	return strverscmp((*left)->name, (*right)->name);
}

void admin_list(struct admin_call *call)
{
	const char *only = admin_arg(call, "vm");
	const struct vm **vms, *vm;
	size_t n = 0;

	if (only != NULL && admin_vm_arg(call) == NULL)
		return;
	TAILQ_FOREACH(vm, &call->daemon->broker.vms, link)
		n++;
	vms = calloc(n + 1, sizeof(const struct vm *));
	if (vms == NULL) {
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
		return;
	}
	n = 0;
	TAILQ_FOREACH(vm, &call->daemon->broker.vms, link)
		if (only == NULL || strcmp(only, vm->name) == 0)
			vms[n++] = vm;
	qsort(vms, n, sizeof(const struct vm *), by_name);
	for (size_t i = 0; i < n; i++)
		admin_row(call, vm_row(call->daemon, vms[i]));
	free(vms);
	admin_end(call, NULL);
}

/* --- changes --- */

static void refuse(struct admin_call *call, int err)
{
	if (err == -ECANCELED)
		admin_fail(call, ADMIN_ERROR_REFUSED, "the vm was removed meanwhile");
	else if (err == -ENOMEM || err == -ENOBUFS)
		admin_fail(call, ADMIN_ERROR_REFUSED, "cannot store the change: %s",
			   strerror(-err));
	else
		admin_fail(call, ADMIN_ERROR_DEGRADED,
			   "the database does not take the change, which is undone: %s; vgpuadm "
			   "doctor says more",
			   strerror(-err));
}

/* arg: the call; its data is the answer. */
static void on_stored(void *arg, int err)
{
	struct admin_call *call = arg;

	if (err == 0) {
		admin_row(call, call->data);
		admin_end(call, NULL);
	} else {
		json_decref(call->data);
		refuse(call, err);
	}
}

/* Applies what is in vm by now, has it stored, and answers with row, which becomes ours. */
static void commit(struct admin_call *call, struct vm *vm, enum daemon_record_field field,
		   json_t *row)
{
	call->data = row;
	broker_vm_changed(&call->daemon->broker, vm);
	daemon_record_change(call->daemon, vm, field, on_stored, call);
}

static json_t *change_row(const struct vm *vm, const char *what, const char *old, const char *new)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:I, s:b}", "vm", vm->name, "vm_id",
			 (json_int_t)vm->id, "what", what, "old", old, "new", new, "queued",
			 (json_int_t)vm->sched.queued, "changed", strcmp(old, new) != 0);
}

/*
 * One word of a VM became another: tells the ledger's events, commits, answers. If it is what it
 * was, but only by a change that is not recorded yet, it shares that one's fate.
 */
static void change_word(struct admin_call *call, struct vm *vm, enum daemon_record_field field,
			const char *what, const char *old, const char *new)
{
	bool same = strcmp(old, new) == 0;

	if (same && !daemon_record_pending(vm, field)) {
		admin_row(call, change_row(vm, what, old, new));
		admin_end(call, NULL);
		return;
	}
	if (!same) {
		admin_event(call, admin_cmds[call->cmd].name, vm->name, old, new, NULL);
		log_info("%s: %s %s, was %s (uid %u)", vm->name, what, new, old, call->peer.uid);
	}
	commit(call, vm, field, change_row(vm, what, old, new));
}

void admin_set_priority(struct admin_call *call)
{
	int priority = name_to_priority(admin_arg(call, "priority"));
	struct vm *vm = admin_vm_arg(call);
	uint8_t old;

	if (vm == NULL)
		return;
	old = vm->sched.priority;
	vm->sched.priority = (uint8_t)priority;
	change_word(call, vm, DAEMON_RECORD_PRIORITY, "priority", name_priority(old),
		    name_priority(vm->sched.priority));
}

void admin_set_pool(struct admin_call *call)
{
	struct vm *vm = admin_vm_arg(call);
	int pool = vm != NULL ? admin_pool_arg(call) : -1;
	char old[2] = "", new[2] = "";

	if (pool < 0)
		return;
	old[0] = (char)('A' + vm->sched.pool);
	new[0] = (char)('A' + pool);
	vm->sched.pool = (uint8_t)pool;
	change_word(call, vm, DAEMON_RECORD_POOL, "pool", old, new);
}

/* "200/s burst 50", "off" */
static void describe_limit(const struct limit *limit, char *out, size_t size)
{
	if (limit->rate_per_s == 0)
		snprintf(out, size, "off");
	else
		snprintf(out, size, "%u/s burst %u", limit->rate_per_s, limit->burst);
}

/* Return: the burst, 0 after the call was failed. */
static uint32_t burst_arg(struct admin_call *call, uint32_t rate_per_s)
{
	const char *text = admin_arg(call, "burst");
	uint64_t burst = rate_per_s; /* a second's worth */

	if (text != NULL && util_parse_u64(text, 1, LIMIT_BURST_MOST, &burst) != 0) {
		admin_fail(call, ADMIN_ERROR_USAGE, "--burst: %s: expected 1 to %u", text,
			   LIMIT_BURST_MOST);
		return 0;
	}
	return (uint32_t)burst;
}

void admin_set_limit(struct admin_call *call)
{
	struct vm *vm = admin_vm_arg(call);
	uint32_t rate_per_s = 0, burst = 0;
	char old[48], new[48];

	_Static_assert(UNITS_RATE_MOST <= LIMIT_RATE_MOST, "what is a rate is a limit");
	if (vm == NULL)
		return;
	if (strcmp(admin_arg(call, "limit"), "off") != 0) {
		units_parse_rate(admin_arg(call, "limit"), &rate_per_s); /* its form was checked */
		burst = burst_arg(call, rate_per_s);
		if (burst == 0)
			return;
	} else if (admin_arg(call, "burst") != NULL) {
		admin_fail(call, ADMIN_ERROR_USAGE,
			   "set-limit: off and --burst exclude each other");
		return;
	}
	describe_limit(&vm->sched.limit, old, sizeof(old));
	sched_vm_limit(&vm->sched, rate_per_s, burst, util_now_ns());
	describe_limit(&vm->sched.limit, new, sizeof(new));
	change_word(call, vm, DAEMON_RECORD_LIMIT, "limit", old, new);
}

static void set_paused(struct admin_call *call, bool paused)
{
	static const char *const words[] = { "running", "paused" };
	struct vm *vm = admin_vm_arg(call);
	bool old;

	if (vm == NULL)
		return;
	old = vm->sched.paused;
	vm->sched.paused = paused;
	if (!paused)
		vm->exec.faults = 0;
	change_word(call, vm, DAEMON_RECORD_PAUSED, "state", words[old], words[paused]);
}

void admin_pause(struct admin_call *call)
{
	set_paused(call, true);
}

void admin_resume(struct admin_call *call)
{
	set_paused(call, false);
}

/* --- VMs come and go --- */

/* Return: the id that a new VM gets, 0 after the call was failed. */
static uint32_t new_id(struct admin_call *call, const char *name)
{
	const struct vm_list *vms = &call->daemon->broker.vms;
	const struct vm_past_list *past = &call->daemon->past;
	const char *text = admin_arg(call, "id");
	uint32_t id = vm_id_from_name(name);
	const struct vm *other;
	uint64_t given;

	if (text != NULL) {
		if (util_parse_u64(text, 1, UINT32_MAX, &given) != 0) {
			admin_fail(call, ADMIN_ERROR_USAGE, "--id: %s: a VM's number is 1 to %u",
				   text, UINT32_MAX);
			return 0;
		}
		id = (uint32_t)given;
	} else if (id == 0 || !vm_id_is_free(vms, past, name, id)) {
		for (id = 1; !vm_id_is_free(vms, past, name, id); id++)
			;
	}
	if (vm_id_is_free(vms, past, name, id))
		return id;
	other = vm_find_id(vms, id);
	if (other != NULL)
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%u is the number of %s; give another with --id", id, other->name);
	else
		admin_fail(
			call, ADMIN_ERROR_REFUSED,
			"%u was the number of a VM that was removed, and its records bear it; give "
			"another with --id",
			id);
	return 0;
}

/* Return: whether there may be a VM of that name; else the call was failed. */
static bool name_is_free(struct admin_call *call, const char *name)
{
	if (!vm_name_ok(name))
		admin_fail(
			call, ADMIN_ERROR_USAGE,
			"%s: a VM's name is 1 to %d letters, digits, '.', '_' and '-', begins with "
			"a letter or digit, and is no number",
			name, VM_NAME_SIZE - 1);
	else if (vm_find(&call->daemon->broker.vms, name) != NULL)
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: there is such a vm already (vgpuadm show %s)", name, name);
	else
		return true;
	return false;
}

static json_t *added_row(const struct vm *vm)
{
	char options[512];
	const char *path = port_path(vm->port);

	if (port_listens(vm->port))
		snprintf(options, sizeof(options),
			 "-chardev socket,id=vg0,path=%s,reconnect=1 -device vgpu-stub,chardev=vg0",
			 path);
	else
		snprintf(options, sizeof(options),
			 "-chardev socket,id=vg0,path=%s,server=on,wait=off -device "
			 "vgpu-stub,chardev=vg0",
			 path);
	return socket_row(vm, json_pack("{s:s, s:I, s:o, s:s, s:s}", "vm", vm->name, "vm_id",
					(json_int_t)vm->id, "pool", admin_pool_name(vm->sched.pool),
					"priority", name_priority(vm->sched.priority),
					"qemu_options", options));
}

void admin_add_vm(struct admin_call *call)
{
	const char *name = admin_arg(call, "name"), *word = admin_arg(call, "priority");
	const char *connect = admin_arg(call, "connect");
	int priority = word != NULL ? name_to_priority(word) : VGPU_PRIORITY_MEDIUM;
	char why[256];
	struct vm *vm;
	uint32_t id;
	int pool;

	if (!name_is_free(call, name))
		return;
	if (connect != NULL && connect[0] != '/') {
		admin_fail(call, ADMIN_ERROR_USAGE,
			   "--connect: %s: expected a path from the root on", connect);
		return;
	}
	pool = admin_arg(call, "pool") != NULL ? admin_pool_arg(call) : 0;
	id = pool >= 0 ? new_id(call, name) : 0;
	if (id == 0)
		return;
	vm = vm_new(&call->daemon->broker.vms, name, id, (uint8_t)pool, (uint8_t)priority, false);
	if (vm == NULL) {
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
		return;
	}
	if (daemon_open_port(call->daemon, vm, connect, why, sizeof(why)) != 0) {
		broker_remove_vm(&call->daemon->broker, vm);
		admin_fail(call, ADMIN_ERROR_REFUSED, "%s: %s", name, why);
		return;
	}
	admin_event(call, "add-vm", name, NULL, NULL, NULL);
	log_info("%s: added (uid %u)", name, call->peer.uid);
	commit(call, vm, DAEMON_RECORD_NEW, added_row(vm));
}

static void on_deleted(void *arg, int err)
{
	struct admin_call *call = arg;

	if (err == 0) {
		admin_row(call, call->data);
		admin_end(call, NULL);
	} else {
		json_decref(call->data);
		admin_fail(call, ADMIN_ERROR_DEGRADED,
			   "the VM is gone, but the database still has it: %s; vgpud goes on "
			   "trying, and a start before it succeeds brings the VM back; vgpuadm "
			   "doctor says more",
			   strerror(-err));
	}
}

void admin_remove_vm(struct admin_call *call)
{
	struct daemon *daemon = call->daemon;
	struct vm *vm = admin_vm_arg(call);
	struct vm_write *waiting;
	char name[VM_NAME_SIZE];
	uint32_t id;
	json_t *row;

	if (vm == NULL)
		return;
	if (port_connected(vm->port) && !admin_flag(call, "force")) {
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: its device is connected; end the VM first, or use --force",
			   vm->name);
		return;
	}
	id = vm->id;
	snprintf(name, sizeof(name), "%s", vm->name);
	admin_event(call, "remove-vm", name, NULL, NULL, NULL);
	log_info("%s: removed (uid %u)", name, call->peer.uid);
	vm_past_add(&daemon->past, name, id);
	row = json_pack("{s:s, s:I}", "vm", name, "vm_id", (json_int_t)id);
	waiting = daemon_record_detach(vm);
	json_object_set_new(row, "cancelled", json_integer(broker_remove_vm(&daemon->broker, vm)));
	call->data = row;
	daemon_record_delete(daemon, id, name, on_deleted, call);
	daemon_record_cancel(waiting);
}
