/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_vm.c - what a change of a VM, or of its device, means for its requests */

#include <string.h>

#include "common/util.h"
#include "vgpud/request/broker_private.h"

bool broker_has_no_device(const struct vm *vm)
{
	return vm->exec.seat == NULL || seat_trouble(vm->exec.seat) != NULL;
}

void broker_refresh_vm(struct broker *broker, struct vm *vm)
{
	vm->sched.stalled = vm->exec.seat == NULL || !seat_ready(vm->exec.seat);
	if (broker_has_no_device(vm))
		broker_end_queued(broker, vm, VGPU_ERR_NO_DEVICE);
}

/*
 * A VM's own worker outlives its device for this time: a device that connects and hangs up in a
 * loop must not make us start and end workers in that loop.
 */
#define SEAT_KEPT_NS (5 * UTIL_NS_PER_S)

/* Return: whether requests may come, so that the VM should have a worker. */
static bool needs_seat(const struct vm *vm)
{
	return port_connected(vm->port) || vm->exec.by_file;
}

static bool may_come_again(const struct vm *vm)
{
	return util_now_ns() < vm->exec.seat_until_ns;
}

/* Return: whether the VM has a worker of its own that it can keep. */
static bool keeps_seat(const struct vm *vm, const char *executor)
{
	return vm->exec.seat != NULL && (needs_seat(vm) || may_come_again(vm)) &&
	       strcmp(seat_executor(vm->exec.seat), executor) == 0;
}

/* Chooses the seat for the VM's requests from now on; those that run elsewhere end there. */
static void take_seat(struct broker *broker, struct vm *vm)
{
	const char *executor = broker->conf->pool[vm->sched.pool].executor;

	if (!broker->conf->isolation_vm) {
		vm->exec.seat = broker->pool_seat[vm->sched.pool];
		return;
	}
	if (keeps_seat(vm, executor))
		return;
	if (vm->exec.seat != NULL)
		seat_retire(vm->exec.seat);
	vm->exec.seat = needs_seat(vm) ? seat_new(broker->seats, executor) : NULL;
}

void broker_vm_changed(struct broker *broker, struct vm *vm)
{
	take_seat(broker, vm);
	broker_refresh_vm(broker, vm);
	vm->sched.waits_turn = false; /* its pool may be on another GPU now */
	port_send_config(vm->port, vm->sched.pool, vm->sched.priority);
	broker_dispatch(broker);
}

void broker_on_connected(void *arg, struct vm *vm)
{
	struct broker *broker = arg;

	take_seat(broker, vm);
	broker_refresh_vm(broker, vm);
}

/* The VM does not wait any more for its requests of one transport; ANY: of all. */
#define ANY LEDGER_TRANSPORT_NUM
static void abandon(struct broker *broker, struct vm *vm, enum ledger_transport transport)
{
	struct request *request, *next;

	for (request = TAILQ_FIRST(&vm->requests); request != NULL; request = next) {
		next = TAILQ_NEXT(request, vm_link);
		if (transport == ANY || request->origin->transport == transport)
			broker_advance(broker, request, LIFE_ABANDON, VGPU_ERR_CANCELLED);
	}
}

static void expect_leaving(struct broker *broker)
{
	int on = SD_EVENT_OFF;

	sd_event_source_get_enabled(broker->leaving, &on);
	if (on != SD_EVENT_OFF)
		return;
	sd_event_source_set_time_relative(broker->leaving, SEAT_KEPT_NS / UTIL_NS_PER_US);
	sd_event_source_set_enabled(broker->leaving, SD_EVENT_ONESHOT);
}

int broker_on_leaving(sd_event_source *source, uint64_t usec, void *arg)
{
	struct broker *broker = arg;
	bool more = false;
	struct vm *vm;

	(void)source;
	(void)usec;
	TAILQ_FOREACH(vm, &broker->vms, link) {
		if (vm->exec.seat == NULL || needs_seat(vm))
			continue;
		take_seat(broker, vm);
		broker_refresh_vm(broker, vm);
		more |= vm->exec.seat != NULL;
	}
	if (more)
		expect_leaving(broker);
	return 0;
}

void broker_on_gone(void *arg, struct vm *vm)
{
	struct broker *broker = arg;

	if (broker->conf->isolation_vm) {
		vm->exec.seat_until_ns = util_now_ns() + SEAT_KEPT_NS;
		expect_leaving(broker);
	}
	abandon(broker, vm, LEDGER_TRANSPORT_DEVICE);
	take_seat(broker, vm);
	broker_refresh_vm(broker, vm);
}

unsigned broker_remove_vm(struct broker *broker, struct vm *vm)
{
	unsigned ended = vm->sched.queued + vm->sched.started;

	abandon(broker, vm, ANY);
	port_close(vm->port);
	vm->port = NULL;
	if (broker->conf->isolation_vm && vm->exec.seat != NULL)
		seat_retire(vm->exec.seat);
	vm->exec.seat = NULL;
	TAILQ_REMOVE(&broker->vms, vm, link);
	vm->removed = true;
	if (vm->sched.started == 0)
		vm_free(vm);
	return ended;
}
