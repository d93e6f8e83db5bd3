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

/* Return: why a member that waits does, in a word. */
static const char *why_word(const struct lease *lease, const struct lease_member *member)
{
	static const char *const waits[LEASE_WHY_NUM] = {
		[LEASE_WHY_PAUSED] = "paused",	   [LEASE_WHY_CAP] = "cap",
		[LEASE_WHY_PRIORITY] = "priority", [LEASE_WHY_SHARE] = "share",
		[LEASE_WHY_OWN] = "own",	   [LEASE_WHY_HANDOVER] = "handover",
	};

	return waits[lease_why_now(lease, member)];
}

const char *arbiter_state(const struct arbiter_program *program)
{
	if (program->arbiter == NULL)
		return NULL;
	switch (program->member.state) {
	case LEASE_WAITS:
		return why_word(&program->arbiter->lease, &program->member);
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

/* out: room for ARBITER_WAITED_MOST. Return: how many there are. */
static unsigned list_waits(const struct lease_vm *vm, struct arbiter_waited *out)
{
	struct arbiter_waited found[ARBITER_WAITED_MOST];
	unsigned num = 0, given = 0;

	found[num++] = (struct arbiter_waited){ ARBITER_CAUSE_PAUSED, 0,
						vm->waited_ns[LEASE_WHY_PAUSED] };
	found[num++] = (struct arbiter_waited){ ARBITER_CAUSE_CAP, 0,
						vm->waited_ns[LEASE_WHY_CAP] };
	for (unsigned i = 0; i < LEASE_RIVALS; i++)
		found[num++] = (struct arbiter_waited){ ARBITER_CAUSE_VM, vm->rival[i].id,
							vm->rival[i].ns };
	found[num++] = (struct arbiter_waited){ ARBITER_CAUSE_OTHERS, 0, vm->rival_other_ns };
	for (unsigned i = 0; i < num; i++)
		if (found[i].ns > 0)
			out[given++] = found[i];
	return given;
}

bool arbiter_waited(const struct arbiter_program *program, unsigned index,
		    struct arbiter_waited *out)
{
	struct arbiter_waited found[ARBITER_WAITED_MOST];

	if (program->arbiter == NULL || index >= list_waits(&program->vm->vm, found))
		return false;
	*out = found[index];
	return true;
}

bool arbiter_vm_waited(const struct arbiter *arbiter, unsigned index, struct arbiter_vm_waited *out)
{
	const struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		if (index-- == 0)
			break;
	if (vm == NULL)
		return false;
	out->vm_id = vm->vm.id;
	out->number = vm->number;
	out->num = list_waits(&vm->vm, out->waited);
	return true;
}

/* Return: what has the GPU: first the one that outlasts its turn, which is charged; NULL: none. */
static const struct lease_member *owner_of(const struct lease *lease)
{
	const struct lease_member *outlasts = TAILQ_FIRST(&lease->charged);

	return outlasts != NULL ? outlasts : lease->holder;
}

bool arbiter_turn_waits(struct arbiter *arbiter, uint32_t vm_id, struct arbiter_turn *out)
{
	const struct lease *lease = &arbiter->lease;
	const struct lease_member *has;
	const struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		if (vm->vm.id == vm_id && vm->has_requests)
			break;
	/* Those that were not let into a turn of their VM wait for its end. */
	if (vm == NULL || (vm->requests.state != LEASE_WAITS && !vm->more))
		return false;
	arbiter_count(arbiter);
	has = owner_of(lease);
	*out = (struct arbiter_turn){
		.why = vm->requests.state == LEASE_WAITS ? why_word(lease, &vm->requests) : "own",
		.taken = has != NULL,
		.by_vm_id = has != NULL ? has->vm->id : 0,
		.by_program = has != NULL && has->kind == LEASE_PROGRAM,
	};
	return true;
}

/* --- changes --- */

static struct arbiter_note present(const struct arbiter_program *program, uint64_t now_ns)
{
	const struct lease *lease = &program->arbiter->lease;
	struct arbiter_note note = { .at_ns = now_ns };
	const struct lease_member *has;

	switch (program->member.state) {
	case LEASE_WAITS:
		note.state = why_word(lease, &program->member);
		has = owner_of(lease);
		note.taken = has != NULL;
		note.by_vm_id = has != NULL ? has->vm->id : 0;
		break;
	case LEASE_HOLDS:
		note.state = "holds";
		break;
	case LEASE_REVOKED:
	case LEASE_OUTLASTS:
		note.state = "yields";
		break;
	case LEASE_FROZEN:
		note.state = "frozen";
		break;
	case LEASE_NONE:
	case LEASE_ENDING:
		break;
	}
	return note;
}

void arbiter_note(const struct arbiter_program *program, uint64_t now_ns)
{
	struct arbiter_watch *watch = program->watch;
	const struct arbiter_note *last;
	struct arbiter_note now;

	if (watch == NULL || program->arbiter == NULL)
		return;
	now = present(program, now_ns);
	last = watch->head > 0 ? &watch->note[(watch->head - 1) % ARBITER_NOTES] : NULL;
	if (last != NULL && last->state == now.state && last->taken == now.taken &&
	    last->by_vm_id == now.by_vm_id)
		return;
	if (watch->head - watch->taken < ARBITER_NOTES)
		watch->note[watch->head++ % ARBITER_NOTES] = now;
}

void arbiter_watch(struct arbiter_program *program, struct arbiter_watch *watch)
{
	program->watch = watch;
	if (watch != NULL && program->arbiter != NULL)
		arbiter_note(program, arbiter_event_ns(program->arbiter));
}
