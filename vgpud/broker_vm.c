/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_vm.c - VMs come, change, and go: what that means for their requests */

#include <string.h>

#include "common/log.h"
#include "vgpud/broker_private.h"

bool broker_has_no_device(const struct vm *vm)
{
	return vm->seat == NULL || seat_trouble(vm->seat) != NULL;
}

void broker_refresh_vm(struct broker *broker, struct vm *vm)
{
	vm->sched.stalled = vm->seat == NULL || !seat_ready(vm->seat);
	if (broker_has_no_device(vm))
		broker_end_queued(broker, vm, VGPU_ERR_NO_DEVICE);
}

/* Whether the VM has a worker of its own that can stay its own. */
static bool keeps_seat(const struct vm *vm, const char *executor)
{
	return vm->seat != NULL && dev_port_connected(vm) &&
	       strcmp(seat_executor(vm->seat), executor) == 0;
}

/* The seat where the VM's requests run from now on; what runs elsewhere ends there. */
static void take_seat(struct broker *broker, struct vm *vm)
{
	const char *executor = broker->conf->pool[vm->sched.pool].executor;

	if (!broker->conf->isolation_vm) {
		vm->seat = broker->pool_seat[vm->sched.pool];
		return;
	}
	if (keeps_seat(vm, executor))
		return;
	if (vm->seat != NULL)
		seat_retire(vm->seat);
	vm->seat = dev_port_connected(vm) ? seat_new(broker->executors, executor) : NULL;
}

void broker_vm_changed(struct broker *broker, struct vm *vm)
{
	take_seat(broker, vm);
	broker_refresh_vm(broker, vm);
	dev_port_send_config(vm);
	broker_dispatch(broker);
}

void broker_on_connected(void *arg, struct vm *vm)
{
	struct broker *broker = arg;

	log_info("%s: its device connected", vm->name);
	take_seat(broker, vm);
	broker_refresh_vm(broker, vm);
}

/* Nobody waits for any of its requests any more. */
static void abandon(struct broker *broker, struct vm *vm)
{
	struct request *request;

	TAILQ_FOREACH (request, &vm->requests, vm_link)
		request->wanted = false;
	broker_end_queued(broker, vm, VGPU_ERR_CANCELLED);
}

void broker_on_gone(void *arg, struct vm *vm)
{
	struct broker *broker = arg;

	log_info("%s: its device disconnected", vm->name);
	abandon(broker, vm);
	take_seat(broker, vm);
	broker_refresh_vm(broker, vm);
}

unsigned broker_remove_vm(struct broker *broker, struct vm *vm)
{
	unsigned ended = vm->sched.queued + vm->sched.started;

	abandon(broker, vm);
	dev_port_close(vm);
	if (broker->conf->isolation_vm && vm->seat != NULL)
		seat_retire(vm->seat);
	vm->seat = NULL;
	TAILQ_REMOVE(&broker->vms, vm, link);
	vm->removed = true;
	if (vm->sched.started == 0)
		vm_free(vm);
	return ended;
}
