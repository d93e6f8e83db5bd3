/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_settings.c - what each setting of a VM means */

#include "vgpud/daemon_settings.h"

#include <errno.h>
#include <stdio.h>

#include "common/names.h"
#include "common/util.h"

/*
 * Each line of VM_SETTING_TABLE has its function here, which puts the value where it counts. What
 * follows for requests and the guest is broker_vm_changed()'s.
 */

_Static_assert(LIMIT_RATE_MOST == 1000000 && LIMIT_BURST_MOST == 1000000,
	       "the bounds in VM_SETTING_TABLE are those of a limit");
_Static_assert(SCHED_POOL_MAX == 26, "the bounds in VM_SETTING_TABLE are those of pools");

static void apply_pool(struct vm *vm)
{
	vm->sched.pool = (uint8_t)vm->settings.pool;
}

static void apply_priority(struct vm *vm)
{
	vm->sched.priority = (uint8_t)vm->settings.priority;
}

/* A VM that goes on has the faults forgiven for which it was paused. */
static void apply_paused(struct vm *vm)
{
	vm->sched.paused = vm->settings.paused;
	if (!vm->sched.paused)
		vm->exec.faults = 0;
}

static void apply_limit_per_s(struct vm *vm)
{
	sched_vm_limit(&vm->sched, (uint32_t)vm->settings.limit_per_s,
		       (uint32_t)vm->settings.limit_burst, util_now_ns());
}

/* A limit that it has already changes nothing, so both may have changed. */
static void apply_limit_burst(struct vm *vm)
{
	apply_limit_per_s(vm);
}

/* It counts when the VM's port is opened, and no command changes it. */
static void apply_connect(struct vm *vm)
{
	(void)vm;
}

static void (*const apply[VM_SETTING_NUM])(struct vm *vm) = {
#define APPLY(NAME, name, ...) [VM_SETTING_##NAME] = apply_##name,
	VM_SETTING_TABLE(APPLY)
#undef APPLY
};

void daemon_settings_apply(struct daemon *daemon, struct vm *vm, const struct vm_settings *old)
{
	for (unsigned i = 0; i < VM_SETTING_NUM; i++)
		if (old == NULL || !vm_setting_same(&vm_settings_table[i], &vm->settings, old))
			apply[i](vm);
	broker_vm_changed(&daemon->broker, vm);
}

int daemon_settings_check(const struct daemon *daemon, const struct vm_settings *settings,
			  char *why, size_t why_size)
{
	if (!daemon->conf->pool[settings->pool].exists) {
		snprintf(why, why_size, "%c: no such pool (vgpuadm pools shows them)",
			 name_pool((unsigned)settings->pool));
		return -ENOENT;
	}
	if (settings->connect[0] != '\0' && settings->connect[0] != '/') {
		snprintf(why, why_size, "--connect: %s: expected a path from the root on",
			 settings->connect);
		return -EINVAL;
	}
	return 0;
}
