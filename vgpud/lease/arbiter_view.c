/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter_view.c - what the arbiter tells of its programs */

#include <stddef.h>

#include "vgpud/lease/arbiter_private.h"

struct arbiter_time arbiter_time(struct arbiter *arbiter)
{
	const struct lease *lease = &arbiter->lease;

	arbiter_count(arbiter);
	return (struct arbiter_time){
		.billed_ns = lease->billed_ns,
		.idle_ns = lease->idle_ns,
		.overhead_ns = lease->overhead_ns,
		.elapsed_ns = lease->at_ns - lease->since_ns,
	};
}

const char *arbiter_state(const struct arbiter_program *program)
{
	static const char *const waits[LEASE_WHY_NUM] = {
		[LEASE_WHY_PAUSED] = "paused",	   [LEASE_WHY_CAP] = "cap",
		[LEASE_WHY_PRIORITY] = "priority", [LEASE_WHY_SHARE] = "share",
		[LEASE_WHY_OWN] = "own",	   [LEASE_WHY_HANDOVER] = "handover",
	};

	if (program->arbiter == NULL)
		return NULL;
	switch (program->member.state) {
	case LEASE_WAITS:
		return waits[lease_why_now(&program->arbiter->lease, &program->member)];
	case LEASE_HOLDS:
		return arbiter_is_busy(program) ? "holds" : "rests";
	case LEASE_NONE:
		return "rests";
	case LEASE_FROZEN:
		return "frozen";
	default:
		return "yields";
	}
}

bool arbiter_waited(const struct arbiter_program *program, unsigned index,
		    struct arbiter_waited *out)
{
	struct arbiter_waited found[LEASE_RIVALS + 3];
	const struct lease_vm *vm;
	unsigned num = 0;

	if (program->arbiter == NULL)
		return false;
	vm = &program->vm->vm;
	found[num++] = (struct arbiter_waited){ "paused", 0, vm->waited_ns[LEASE_WHY_PAUSED] };
	found[num++] = (struct arbiter_waited){ "cap", 0, vm->waited_ns[LEASE_WHY_CAP] };
	for (unsigned i = 0; i < LEASE_RIVALS; i++)
		found[num++] = (struct arbiter_waited){ NULL, vm->rival[i].id, vm->rival[i].ns };
	found[num++] = (struct arbiter_waited){ "others", 0, vm->rival_other_ns };
	for (unsigned i = 0; i < num; i++)
		if (found[i].ns > 0 && index-- == 0) {
			*out = found[i];
			return true;
		}
	return false;
}
