/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter_turn.c - turns of requests of version 1, beside the leases of programs (rule 8) */

#include "vgpud/lease/arbiter_private.h"

/*
 * Theory of operation. The requests of a VM are one member of the lease, from the first that asks to the
 * last program's end or the VM's. The broker decides which of a VM's requests is next, and asks before
 * it gives it to a worker; so a VM waits in the arbiter only while it has a request that could begin.
 *
 * The broker calls from the middle of its work, so nothing is called back but from the loop itself
 * (`on_turns`). A grant that answers the question at once needs no such call.
 */

static struct arbiter_vm *vm_of(struct lease_member *requests)
{
	return (struct arbiter_vm *)((char *)requests - offsetof(struct arbiter_vm, requests));
}

static void look_soon(struct arbiter *arbiter)
{
	sd_event_source_set_enabled(arbiter->turns, SD_EVENT_ONESHOT);
}

/* For calls of the broker: programs that must end do so from the loop. */
static void decide(struct arbiter *arbiter)
{
	arbiter_decide(arbiter);
	if (arbiter->must_end)
		look_soon(arbiter);
}

static void set_due(struct arbiter_vm *vm)
{
	vm->due = true;
	look_soon(vm->arbiter);
}

void arbiter_turn_granted(struct arbiter *arbiter, struct lease_member *requests)
{
	if (requests != arbiter->asks)
		set_due(vm_of(requests));
}

void arbiter_turns_over(struct arbiter *arbiter)
{
	struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		if (vm->has_requests)
			set_due(vm);
}

/* --- turns --- */

static struct arbiter_vm *take_part(struct arbiter *arbiter, uint32_t vm_id,
				    const struct lease_vm_settings *settings)
{
	struct arbiter_vm *vm = arbiter_get_vm(arbiter, vm_id, settings);

	if (vm == NULL || vm->has_requests)
		return vm;
	vm->has_requests = true;
	vm->more = vm->due = false;
	vm->running = 0;
	lease_join(&arbiter->lease, &vm->vm, &vm->requests, LEASE_REQUEST,
		   arbiter_event_ns(arbiter));
	return vm;
}

/* Return: whether one more may begin in the turn that the VM has. */
static bool has_room(const struct arbiter_vm *vm, uint64_t now_ns)
{
	const struct lease *lease = &vm->arbiter->lease;

	return vm->running == 0 ||
	       (!lease_is_contended(lease, now_ns) && cap_ready_ns(&vm->vm.cap, now_ns) <= now_ns);
}

bool arbiter_ask(struct arbiter *arbiter, uint32_t vm_id, const struct lease_vm_settings *settings,
		 struct arbiter_vm **turn)
{
	struct arbiter_vm *vm;
	uint64_t now_ns;

	*turn = NULL;
	if (arbiter->num == 0)
		return true;
	vm = take_part(arbiter, vm_id, settings);
	if (vm == NULL) /* no memory: better beside a program than never */
		return true;
	now_ns = arbiter_event_ns(arbiter);
	if (vm->requests.state == LEASE_HOLDS && !has_room(vm, now_ns)) {
		vm->more = true;
		return false;
	}
	lease_want(&arbiter->lease, &vm->requests, now_ns);
	arbiter->asks = &vm->requests;
	decide(arbiter);
	arbiter->asks = NULL;
	if (vm->requests.state != LEASE_HOLDS)
		return false;
	vm->running++;
	*turn = vm;
	return true;
}

void arbiter_adopt(struct arbiter *arbiter, uint32_t vm_id,
		   const struct lease_vm_settings *settings, struct arbiter_vm **turn)
{
	struct arbiter_vm *vm = take_part(arbiter, vm_id, settings);

	*turn = vm;
	if (vm == NULL)
		return;
	vm->running++;
	lease_want(&arbiter->lease, &vm->requests, arbiter_event_ns(arbiter));
	decide(arbiter);
}

/* Return: whether its requests need no turns any more. */
static bool is_finished(const struct arbiter_vm *vm)
{
	return vm->running == 0 && (vm->arbiter->num == 0 || vm->removed);
}

/*
 * None of its requests runs. Who comes next is decided from the loop, or when the next request asks: the
 * broker is about to try it, and by rule 8 it comes before programs. The VM may be gone when this returns.
 */
static void end_turn(struct arbiter_vm *vm)
{
	struct arbiter *arbiter = vm->arbiter;
	uint64_t now_ns = arbiter_event_ns(arbiter);

	if (is_finished(vm)) {
		lease_leave(&arbiter->lease, &vm->requests, now_ns);
		vm->has_requests = false;
		arbiter_put_vm(vm);
	} else if (vm->requests.state == LEASE_HOLDS) {
		lease_return(&arbiter->lease, &vm->requests, vm->requests.number, 0, now_ns);
		/* Those that were not let in wait from now on, before a program of equal priority. */
		if (vm->more)
			lease_want(&arbiter->lease, &vm->requests, now_ns);
		vm->more = false;
	}
	look_soon(arbiter);
}

void arbiter_turn_over(struct arbiter_vm *turn)
{
	if (--turn->running == 0 && !turn->due)
		end_turn(turn);
}

void arbiter_remove_vm(struct arbiter *arbiter, uint32_t vm_id)
{
	struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		if (vm->vm.id == vm_id && vm->has_requests)
			break;
	if (vm == NULL)
		return;
	vm->removed = true;
	vm->due = vm->more = false;
	if (vm->running == 0)
		end_turn(vm);
}

bool arbiter_has_programs(const struct arbiter *arbiter)
{
	return arbiter->num > 0;
}

/* --- from the loop --- */

static struct arbiter_vm *one_due(const struct arbiter *arbiter)
{
	struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		if (vm->due)
			return vm;
	return NULL;
}

/* Return: a VM that has a turn which it does not use, or needs none any more. */
static struct arbiter_vm *one_unused(const struct arbiter *arbiter)
{
	struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		if (vm->has_requests && vm->running == 0 && !vm->due &&
		    (is_finished(vm) || vm->requests.state == LEASE_HOLDS))
			return vm;
	return NULL;
}

static int on_turns(sd_event_source *source, void *arg)
{
	struct arbiter *arbiter = arg;
	struct arbiter_vm *vm;

	(void)source;
	while ((vm = one_due(arbiter)) != NULL) {
		vm->due = false;
		arbiter->on_turn(arbiter->arg, vm->vm.id);
	}
	/* What waited may have been cancelled meanwhile, or be waiting for something else. */
	while ((vm = one_unused(arbiter)) != NULL) {
		vm->more = false;
		end_turn(vm);
	}
	arbiter_decide(arbiter);
	arbiter_end_those_who_must(arbiter);
	return 0;
}

int arbiter_turns_init(struct arbiter *arbiter)
{
	int err = sd_event_add_defer(arbiter->event, &arbiter->turns, on_turns, arbiter);

	return err < 0 ? err : sd_event_source_set_enabled(arbiter->turns, SD_EVENT_OFF);
}
