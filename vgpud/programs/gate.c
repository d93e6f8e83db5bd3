/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate.c - requests of version 1 take turns with the programs of their GPU */

#include "common/util.h"
#include "vgpud/programs/programs_private.h"

/*
 * vgpud/sched/lease.h, rule 8. The broker chooses the request and asks here whether it may begin; a GPU
 * without programs has no gate, and its requests run as if there were no leases.
 */

static bool on_ask(void *arg, struct vm *vm, void **turn)
{
	const struct programs *programs = arg;
	struct lease_vm_settings settings;
	struct arbiter_vm *given;
	struct gear *gear;
	bool begins;

	*turn = NULL;
	if (programs->channel_num == 0)
		return true;
	gear = gears_known(programs, vm);
	if (gear == NULL)
		return true;
	settings = programs_lease_settings(vm);
	begins = arbiter_ask(gear->arbiter, vm->id, &settings, &given);
	*turn = given;
	return begins;
}

static void on_over(void *arg, void *turn)
{
	(void)arg;
	arbiter_turn_over(turn);
}

const struct broker_gate gate_of_programs = { .ask = on_ask, .over = on_over };

void gate_on_turn(void *arg, uint32_t vm_id)
{
	const struct programs *programs = arg;
	struct vm *vm;

	TAILQ_FOREACH(vm, &programs->broker->vms, link)
		if (vm->id == vm_id) {
			broker_turn(programs->broker, vm);
			return;
		}
}

bool programs_turn_waits(const struct programs *programs, const struct vm *vm,
			 struct arbiter_turn *out)
{
	const struct gear *gear = vm->sched.waits_turn ? gears_known(programs, vm) : NULL;

	return gear != NULL && arbiter_turn_waits(gear->arbiter, vm->id, out);
}

void gate_close(const struct programs *programs, const struct gear *gear)
{
	struct sched_item *item;

	if (arbiter_has_programs(gear->arbiter))
		return;
	TAILQ_FOREACH(item, &programs->broker->sched.started, link) {
		struct request *request = request_of(item);
		struct lease_vm_settings settings = programs_lease_settings(request->vm);
		struct arbiter_vm *turn;

		if (request->turn != NULL || request->vm->removed ||
		    gears_known(programs, request->vm) != gear)
			continue;
		arbiter_adopt(gear->arbiter, request->vm->id, &settings, &turn);
		request->turn = turn;
	}
}
