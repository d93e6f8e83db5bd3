/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_settings.c - what each setting of a VM means */

#include "vgpud/daemon_settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "common/util.h"
#include "vgpud/daemon_private.h"

/*
 * Each line of VM_SETTING_TABLE has its function here, which puts the value where it takes effect.
 * broker_vm_changed() then applies it to queued requests and tells the guest.
 */

_Static_assert(LIMIT_RATE_MOST == 1000000 && LIMIT_BURST_MOST == 1000000,
	       "the bounds in VM_SETTING_TABLE are those of a limit");
_Static_assert(SCHED_POOL_MAX == 26, "the bounds in VM_SETTING_TABLE are those of pools");

static void apply_pool(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	vm->sched.pool = (uint8_t)vm->settings.pool;
}

static void apply_priority(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	vm->sched.priority = (uint8_t)vm->settings.priority;
}

/* A resumed VM starts with no faults: else its next one would pause it again. */
static void apply_paused(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	vm->sched.paused = vm->settings.paused;
	if (!vm->sched.paused)
		vm->exec.faults = 0;
}

static void apply_limit_per_s(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	sched_vm_limit(&vm->sched, (uint32_t)vm->settings.limit_per_s,
		       (uint32_t)vm->settings.limit_burst, util_now_ns());
}

/* Rate and burst have a function each: the second call finds the limit set, and changes nothing. */
static void apply_limit_burst(struct daemon *daemon, struct vm *vm)
{
	apply_limit_per_s(daemon, vm);
}

/* Nothing to do: it is used when the VM's port is opened, and no command changes it. */
static void apply_connect(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	(void)vm;
}

static void apply_owner(struct daemon *daemon, struct vm *vm)
{
	daemon_owner_apply(daemon, vm);
}

/* Nothing to do: the port was opened so, and no command changes it. */
static void apply_local(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	(void)vm;
}

/* daemon_settings_apply() tells vgpud/programs, which reads the settings of the VM itself. */
static void apply_programs(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	(void)vm;
}

/* Besides programs, some connections that only ask what GPU there is: those need no channel. */
#define PEERS_BESIDES 16

static void apply_max_programs(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	port_set_peers_max(vm->port, (unsigned)vm->settings.max_programs + PEERS_BESIDES);
}

/* As programs: what the VM's workers share is told by daemon_settings_apply(). */
static void apply_memory(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	(void)vm;
}

static void apply_share(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	(void)vm;
}

static void apply_cap(struct daemon *daemon, struct vm *vm)
{
	(void)daemon;
	(void)vm;
}

static void (*const apply[VM_SETTING_NUM])(struct daemon *daemon, struct vm *vm) = {
#define APPLY(NAME, name, ...) [VM_SETTING_##NAME] = apply_##name,
	VM_SETTING_TABLE(APPLY)
#undef APPLY
};

void daemon_settings_apply(struct daemon *daemon, struct vm *vm, const struct vm_settings *old)
{
	for (unsigned i = 0; i < VM_SETTING_NUM; i++)
		if (old == NULL || !vm_setting_same(&vm_settings_table[i], &vm->settings, old))
			apply[i](daemon, vm);
	broker_vm_changed(&daemon->broker, vm);
	programs_vm_changed(daemon->programs, vm);
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
	if (settings->local && settings->connect[0] != '\0') {
		snprintf(why, why_size,
			 "--local and --connect exclude each other: the programs of a local tenant "
			 "connect to vgpud");
		return -EINVAL;
	}
	return 0;
}
