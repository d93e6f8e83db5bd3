/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set.c - commands that change a VM's settings */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/units.h"
#include "common/util.h"
#include "vgpud/admin/change.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/admin/owner.h"
#include "vgpud/daemon_settings.h"
#include "vgpud/programs/programs.h"

/*
 * A change is answered when it is in the database and in force, so that an answered change survives
 * a crash. Its event is written in the same transaction, and it is logged only after that.
 */

/* --- the end of a change --- */

void admin_change_refuse(struct admin_call *call, int err)
{
	if (err == -ECANCELED)
		admin_fail(call, ADMIN_ERROR_REFUSED, "the vm was removed meanwhile");
	else if (err == -ENOMEM || err == -ENOBUFS)
		admin_fail(call, ADMIN_ERROR_REFUSED, "cannot store the change: %s",
			   strerror(-err));
	else
		admin_fail(call, ADMIN_ERROR_DEGRADED,
			   "the database does not take the change, and nothing has changed: %s; "
			   "vgpuadm doctor says more",
			   strerror(-err));
}

/* "priority" for "set-priority". */
static const char *what_of(const struct admin_call *call)
{
	const char *command = admin_cmds[call->cmd].name;

	return strncmp(command, "set-", 4) == 0 ? command + 4 : "state";
}

static void on_changed(void *arg, const struct recording_end *end)
{
	struct admin_call *call = arg;
	const char *old = end->old_text, *new = end->new_text;
	bool changed = strcmp(old, new) != 0;
	json_t *row;

	if (end->err != 0 || end->vm == NULL) {
		admin_change_refuse(call, end->err != 0 ? end->err : -ECANCELED);
		return;
	}
	if (changed)
		log_info("%s: %s %s, was %s (uid %u)", end->vm->name, what_of(call), new, old,
			 call->peer.uid);
	row = json_pack("{s:s, s:I, s:s, s:s, s:s, s:I, s:b}", "vm", end->vm->name, "vm_id",
			(json_int_t)end->vm->id, "what", what_of(call), "old", old, "new", new,
			"queued", (json_int_t)end->vm->sched.queued, "changed", changed);
	if (call->cmd == ADMIN_CMD_SET_MEMORY)
		json_object_set_new(row, "over_bytes",
				    json_integer((json_int_t)programs_memory_over(end->vm)));
	if (call->cmd == ADMIN_CMD_SET_PROGRAMS)
		json_object_set_new(row, "programs_refused",
				    admin_string(programs_refusal(call->daemon->programs)));
	if (call->cmd == ADMIN_CMD_SET_POOL)
		json_object_set_new(row, "programs_stay",
				    json_integer((json_int_t)programs_elsewhere(
					    call->daemon->programs, end->vm)));
	admin_row(call, row);
	admin_end(call, NULL);
}

/* --- the commands --- */

static struct recording_wish wish_of(struct admin_call *call, const struct vm *vm,
				     unsigned settings)
{
	return (struct recording_wish){
		.settings = settings,
		.to = vm->settings,
		.kind = admin_cmds[call->cmd].name,
		.uid = call->peer.uid,
		.pid = call->peer.pid,
		.done = on_changed,
		.arg = call,
	};
}

/* Describes the one setting of a command. */
static void describe_setting(const struct vm_settings *settings, unsigned which, char *out)
{
	for (unsigned i = 0; i < VM_SETTING_NUM; i++)
		if (which == 1u << i)
			vm_setting_format(&vm_settings_table[i], settings, out);
}

int admin_setting_arg(struct admin_call *call, const struct vm_setting *setting, const char *text,
		      struct vm_settings *settings)
{
	char expected[80], why[256];
	int err = vm_setting_parse(setting, text, settings);

	if (err != 0) {
		vm_setting_expected(setting, expected, sizeof(expected));
		if (call->cmd == ADMIN_CMD_ADD_VM)
			admin_fail(call, ADMIN_ERROR_USAGE, "add-vm: --%s: %s: expected %s",
				   setting->name, text, expected);
		else
			admin_fail(call, ADMIN_ERROR_USAGE, "%s: %s: expected %s",
				   admin_cmds[call->cmd].name, text, expected);
		return err;
	}
	err = daemon_settings_check(call->daemon, settings, why, sizeof(why));
	if (err != 0)
		admin_fail(call, err == -ENOENT ? ADMIN_ERROR_NOT_FOUND : ADMIN_ERROR_USAGE, "%s",
			   why);
	return err;
}

static void set(struct admin_call *call, const char *of, const struct vm_owner *owner)
{
	const struct vm_setting *setting = vm_setting_of_command(admin_cmds[call->cmd].name);
	struct vm *vm = admin_vm_arg(call);
	struct recording_wish wish;

	if (vm == NULL)
		return;
	wish = wish_of(call, vm, 1u << (setting - vm_settings_table));
	wish.describe = describe_setting;
	if (admin_setting_arg(call, setting, admin_arg(call, setting->name), &wish.to) != 0)
		return;
	if (owner != NULL)
		daemon_owner_known(vm, of, owner);
	recording_change(&call->daemon->recording, vm, &wish);
}

void admin_set(struct admin_call *call)
{
	/* A name of no VM is told without a look. */
	if (admin_vm_arg(call) != NULL)
		admin_owner_find(call, set);
}

/* "200/s burst 50", "off" */
static void describe_limit(const struct vm_settings *settings, unsigned which, char *out)
{
	(void)which;
	if (settings->limit_per_s == 0)
		snprintf(out, VM_SETTING_TEXT_SIZE, "off");
	else
		snprintf(out, VM_SETTING_TEXT_SIZE, "%u/s burst %u",
			 (unsigned)settings->limit_per_s, (unsigned)settings->limit_burst);
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
	struct recording_wish wish;

	_Static_assert(UNITS_RATE_MOST <= LIMIT_RATE_MOST, "every rate fits a limit");
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
	wish = wish_of(call, vm, 1u << VM_SETTING_LIMIT_PER_S | 1u << VM_SETTING_LIMIT_BURST);
	wish.to.limit_per_s = rate_per_s;
	wish.to.limit_burst = burst;
	wish.describe = describe_limit;
	recording_change(&call->daemon->recording, vm, &wish);
}

static void describe_state(const struct vm_settings *settings, unsigned which, char *out)
{
	(void)which;
	snprintf(out, VM_SETTING_TEXT_SIZE, "%s", settings->paused ? "paused" : "running");
}

static void set_paused(struct admin_call *call, bool paused)
{
	struct vm *vm = admin_vm_arg(call);
	struct recording_wish wish;

	if (vm == NULL)
		return;
	wish = wish_of(call, vm, 1u << VM_SETTING_PAUSED);
	wish.to.paused = paused;
	wish.describe = describe_state;
	recording_change(&call->daemon->recording, vm, &wish);
}

void admin_pause(struct admin_call *call)
{
	set_paused(call, true);
}

void admin_resume(struct admin_call *call)
{
	set_paused(call, false);
}
