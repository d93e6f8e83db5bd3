/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.c - commands that show and change VMs */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cmd/qemu_options.h"
#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "common/wire/vgpu_regs.h"
#include "vgpud/admin/change.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/admin/owner.h"
#include "vgpud/programs/module_cache.h"

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

static json_t *setting_value(const struct vm_setting *setting, const struct vm_settings *settings)
{
	char text[VM_SETTING_TEXT_SIZE];

	if (vm_setting_is_none(setting, settings))
		return json_null();
	switch (setting->kind) {
	case VM_SETTING_KIND_HALT:
	case VM_SETTING_KIND_SWITCH:
		return json_boolean(vm_setting_number(setting, settings) != 0);
	case VM_SETTING_KIND_NUMBER:
	case VM_SETTING_KIND_PERCENT:
	case VM_SETTING_KIND_SIZE:
		return json_integer((json_int_t)vm_setting_number(setting, settings));
	case VM_SETTING_KIND_POOL:
	case VM_SETTING_KIND_PRIORITY:
	case VM_SETTING_KIND_TEXT:
		break;
	}
	vm_setting_format(setting, settings, text);
	return admin_string(text);
}

static void add_modules(json_t *row, const struct vm *vm)
{
	struct module_cache_figures kept = module_cache_figures(vm->programs.modules);

	json_object_update_new(
		row, json_pack("{s:I, s:I, s:I, s:I}", "modules_kept", (json_int_t)kept.entries,
			       "modules_bytes", (json_int_t)kept.bytes, "module_hits",
			       (json_int_t)kept.hits, "module_misses", (json_int_t)kept.misses));
}

static json_t *vm_row(const struct daemon *daemon, const struct vm *vm)
{
	const struct vm_figures *figures = &vm->figures;
	bool failed = figures->last_error != VGPU_ERR_OK;
	json_t *row = json_pack("{s:s, s:I}", "vm", vm->name, "vm_id", (json_int_t)vm->id);

	for (unsigned i = 0; i < VM_SETTING_NUM; i++)
		json_object_set_new(row, vm_settings_table[i].name,
				    setting_value(&vm_settings_table[i], &vm->settings));
	json_object_update_new(
		row,
		json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I}", "connected",
			  port_connected(vm->port), "queued", (json_int_t)vm->sched.queued,
			  "running", (json_int_t)vm->sched.started, "requests",
			  (json_int_t)figures->received, "errors", (json_int_t)errors_of(vm),
			  "bad_frames", (json_int_t)port_counts(vm->port)->broke, "refused_peers",
			  (json_int_t)port_counts(vm->port)->refused, "last_error",
			  admin_string(failed ? name_error(figures->last_error) : NULL),
			  "last_error_unix_ns",
			  failed ? admin_wall(daemon, figures->last_error_ns) : json_null(),
			  "limited", (json_int_t)figures->limited));
	json_object_set_new(row, "programs_now",
			    json_integer(programs_of_vm(daemon->programs, vm)));
	add_modules(row, vm);
	return socket_row(vm, row);
}

static int by_name(const void *a, const void *b)
{
	const struct vm *const *left = a, *const *right = b;

	return strverscmp((*left)->name, (*right)->name);
}

/* The VMs of a list, by id: a VM may be removed before its row is made. */
struct listing {
	size_t num, at;
	uint32_t id[];
};

#define LIST_PART_ROWS 32

static void list_end(struct admin_call *call)
{
	free(call->data);
	admin_end(call, NULL);
}

static void list_part(struct admin_call *call)
{
	struct listing *listing = call->data;

	for (unsigned i = 0; i < LIST_PART_ROWS && listing->at < listing->num; i++) {
		const struct vm *vm = vm_find_id(&call->daemon->broker.vms,
						 listing->id[listing->at++]);

		if (vm != NULL)
			admin_row(call, vm_row(call->daemon, vm));
	}
	if (listing->at == listing->num)
		list_end(call);
}

/* Return: NULL: no memory. */
static struct listing *list_all(const struct vm_list *list)
{
	struct listing *listing;
	const struct vm **vms, *vm;
	size_t n = 0;

	TAILQ_FOREACH(vm, list, link)
		n++;
	vms = calloc(n + 1, sizeof(const struct vm *));
	listing = malloc(sizeof(*listing) + n * sizeof(listing->id[0]));
	if (vms != NULL && listing != NULL) {
		*listing = (struct listing){ .num = n };
		n = 0;
		TAILQ_FOREACH(vm, list, link)
			vms[n++] = vm;
		qsort(vms, n, sizeof(const struct vm *), by_name);
		for (size_t i = 0; i < n; i++)
			listing->id[i] = vms[i]->id;
	} else {
		free(listing);
		listing = NULL;
	}
	free(vms);
	return listing;
}

void admin_list(struct admin_call *call)
{
	const struct vm *only;

	if (admin_arg(call, "vm") != NULL) {
		only = admin_vm_arg(call);
		if (only == NULL)
			return;
		admin_row(call, vm_row(call->daemon, only));
		admin_end(call, NULL);
		return;
	}
	call->data = list_all(&call->daemon->broker.vms);
	if (call->data == NULL) {
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
		return;
	}
	call->gone = list_end;
	admin_in_parts(call, list_part);
}

/* --- VMs come and go --- */

static bool id_is_free(const struct admin_call *call, const char *name, uint32_t id)
{
	const struct daemon *daemon = call->daemon;

	return vm_id_is_free(&daemon->broker.vms, &daemon->past, name, id) &&
	       recording_adding(&daemon->recording, "", id) == NULL;
}

static void refuse_id(struct admin_call *call, const char *name, uint32_t id)
{
	const struct vm *other = vm_find_id(&call->daemon->broker.vms, id);

	if (other == NULL)
		other = recording_adding(&call->daemon->recording, "", id);
	if (other != NULL)
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%u is the number of %s; give %s another with --id", id, other->name,
			   name);
	else
		admin_fail(
			call, ADMIN_ERROR_REFUSED,
			"%u was the number of a VM that was removed, and its records bear it; give "
			"%s another with --id",
			id, name);
}

/*
 * Return: the id of a new VM: the one that is asked for, else the number at the end of its name,
 * else the first free one; 0 after the call was failed.
 */
static uint32_t new_id(struct admin_call *call, const char *name)
{
	const char *text = admin_arg(call, "id");
	uint32_t id = vm_name_id(name);
	uint64_t given;

	if (text != NULL) {
		if (util_parse_u64(text, 1, UINT32_MAX, &given) != 0) {
			admin_fail(call, ADMIN_ERROR_USAGE, "--id: %s: a VM's number is 1 to %u",
				   text, UINT32_MAX);
			return 0;
		}
		id = (uint32_t)given;
	}
	if (id == 0)
		for (id = 1; !id_is_free(call, name, id); id++)
			;
	if (id_is_free(call, name, id))
		return id;
	refuse_id(call, name, id);
	return 0;
}

/* Return: whether there may be a VM of that name; else the call was failed. */
static bool name_is_free(struct admin_call *call, const char *name)
{
	if (!vm_name_ok(name))
		admin_fail(call, ADMIN_ERROR_USAGE, "%s: a VM's name is " VM_NAME_FORM, name);
	else if (vm_find(&call->daemon->broker.vms, name) != NULL ||
		 recording_adding(&call->daemon->recording, name, 0) != NULL)
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: there is such a vm already (vgpuadm show %s)", name, name);
	else
		return true;
	return false;
}

static json_t *added_row(const struct vm *vm)
{
	char chardev[QEMU_OPTIONS_SIZE], options[QEMU_OPTIONS_SIZE + 128];

	qemu_options_chardev(chardev, sizeof(chardev), port_path(vm->port), !port_listens(vm->port),
			     false);
	if (vm->settings.local)
		options[0] = '\0'; /* it is no VM */
	else
		snprintf(options, sizeof(options),
			 "-chardev %s -device " QEMU_OPTIONS_DEVICE QEMU_OPTIONS_SLOT, chardev);
	return socket_row(vm, json_pack("{s:s, s:I, s:o, s:s, s:s}", "vm", vm->name, "vm_id",
					(json_int_t)vm->id, "pool", admin_pool_name(vm->sched.pool),
					"priority", name_priority(vm->sched.priority),
					"qemu_options", options));
}

static void on_added(void *arg, const struct recording_end *end)
{
	struct admin_call *call = arg;

	if (end->err != 0 || end->vm == NULL) {
		admin_change_refuse(call, end->err != 0 ? end->err : -ECANCELED);
		return;
	}
	log_info("%s: added (uid %u)", end->vm->name, call->peer.uid);
	admin_row(call, added_row(end->vm));
	admin_end(call, NULL);
}

/* Return: 0, or -errno after the call was failed. */
static int settings_args(struct admin_call *call, struct vm_settings *settings)
{
	int err = 0;

	vm_settings_standard(settings);
	for (unsigned i = 0; err == 0 && i < VM_SETTING_NUM; i++) {
		const struct vm_setting *setting = &vm_settings_table[i];
		const char *text = admin_flag(call, setting->name) ? "on"
								   : admin_arg(call, setting->name);

		if (text != NULL)
			err = admin_setting_arg(call, setting, text, settings);
	}
	return err;
}

static void add_vm(struct admin_call *call, const char *of, const struct vm_owner *owner)
{
	const char *name = admin_arg(call, "name");
	const struct recording_wish wish = {
		.kind = "add-vm",
		.uid = call->peer.uid,
		.pid = call->peer.pid,
		.done = on_added,
		.arg = call,
	};
	struct vm_settings settings;
	char why[256];
	struct vm *vm;
	uint32_t id;

	if (!name_is_free(call, name) || settings_args(call, &settings) != 0)
		return;
	id = new_id(call, name);
	if (id == 0)
		return;
	vm = vm_new(name, id, &settings);
	if (vm == NULL) {
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
		return;
	}
	if (daemon_open_port(call->daemon, vm, why, sizeof(why)) != 0) {
		vm_free(vm);
		admin_fail(call, ADMIN_ERROR_REFUSED, "%s: %s", name, why);
		return;
	}
	if (owner != NULL)
		daemon_owner_known(vm, of, owner);
	recording_add(&call->daemon->recording, vm, &wish);
}

void admin_add_vm(struct admin_call *call)
{
	if (name_is_free(call, admin_arg(call, "name")))
		admin_owner_find(call, add_vm);
}

/* The call's data is the row. */
static void on_removed(void *arg, const struct recording_end *end)
{
	struct admin_call *call = arg;

	if (end->err != 0) {
		json_decref(call->data);
		admin_change_refuse(call, end->err);
		return;
	}
	json_object_set_new(call->data, "cancelled", json_integer(end->requests));
	log_info("%s: removed (uid %u)", json_string_value(json_object_get(call->data, "vm")),
		 call->peer.uid);
	admin_row(call, call->data);
	admin_end(call, NULL);
}

void admin_remove_vm(struct admin_call *call)
{
	const struct recording_wish wish = {
		.kind = "remove-vm",
		.uid = call->peer.uid,
		.pid = call->peer.pid,
		.done = on_removed,
		.arg = call,
	};
	struct vm *vm = admin_vm_arg(call);

	if (vm == NULL)
		return;
	if (port_connected(vm->port) && !admin_flag(call, "force")) {
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: its device is connected; end the VM first, or use --force",
			   vm->name);
		return;
	}
	call->data = json_pack("{s:s, s:I}", "vm", vm->name, "vm_id", (json_int_t)vm->id);
	recording_remove(&call->daemon->recording, vm, &wish);
}
