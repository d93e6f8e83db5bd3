/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter_next.c - warns the program that comes next, so that it is awake by then */

#include <unistd.h>

#include "vgpud/lease/arbiter_private.h"

/*
 * Theory of operation. A worker that waits for the lease sleeps, and a process that sleeps takes some tens
 * of microseconds to run: time in which the GPU has nothing to do. So the one that comes next is told when
 * the holder is asked for its lease, while the GPU still works for that one. Where turns end by
 * themselves after a short while, it is told when such a turn begins. It then looks at its page for
 * LEASE_SOON_NS at most, and sleeps if nothing came of it: if another one overtook it, say.
 *
 * It takes a processor for that long. Where there are few, the programs and softgpu need them more.
 */

#define PROCESSORS_LEAST 4

void arbiter_next_init(struct arbiter *arbiter)
{
	arbiter->may_poll = sysconf(_SC_NPROCESSORS_ONLN) >= PROCESSORS_LEAST;
}

void arbiter_gave_back(struct arbiter *arbiter, const struct arbiter_program *program,
		       uint64_t now_ns)
{
	if (program->member.state == LEASE_HOLDS)
		arbiter->short_turns = now_ns - program->member.granted_ns < LEASE_SOON_NS;
}

void arbiter_warn_next(struct arbiter *arbiter, uint64_t now_ns)
{
	const struct arbiter_program *holder = arbiter_holder(arbiter);
	struct lease_member *member;
	struct arbiter_program *next;
	bool at_end;

	if (holder == NULL || !arbiter->may_poll)
		return;
	at_end = holder->member.state == LEASE_REVOKED;
	if (at_end)
		arbiter->short_turns = false;
	else if (!arbiter->short_turns)
		return;
	if (arbiter->warned == holder->member.number && arbiter->warned_at_end == at_end)
		return;
	member = lease_next(&arbiter->lease, now_ns);
	if (member == NULL || member->kind != LEASE_PROGRAM)
		return;
	arbiter->warned = holder->member.number;
	arbiter->warned_at_end = at_end;
	next = arbiter_program_of(member);
	__atomic_add_fetch(&next->page->soon, 1, __ATOMIC_RELEASE);
	next->handler->wake(next->arg);
}
