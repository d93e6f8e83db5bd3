/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter_private.h - what the arbiter's files share */

#ifndef VGPUD_LEASE_ARBITER_PRIVATE_H
#define VGPUD_LEASE_ARBITER_PRIVATE_H

#include <stddef.h>

#include "vgpud/lease/arbiter.h"

/* It exists while it has programs here, or its requests may have turns. */
struct arbiter_vm {
	TAILQ_ENTRY(arbiter_vm) link;
	struct arbiter *arbiter;
	struct lease_vm vm;
	uint64_t number; /* of all VMs of all arbiters, from 1 */
	unsigned num;	 /* of programs */
	/* arbiter_turn.c: its requests of version 1. */
	struct lease_member requests;
	bool has_requests; /* that one is a member */
	bool more;	   /* the turn goes on, and others of them were not let in */
	bool due;	   /* they may be tried again, and the owner has not heard of it */
	bool removed;	   /* no others come */
	unsigned running;  /* have begun and not ended */
};

struct arbiter {
	struct lease lease;
	TAILQ_HEAD(, arbiter_vm) vms;
	unsigned num; /* of programs */
	sd_event *event;
	sd_event_source *timer;
	bool settling;
	bool must_end; /* a program has `end` set */
	/* arbiter_next.c */
	bool may_poll;	    /* there are processors for a worker that polls its page */
	bool short_turns;   /* the last turn ended early, as its holder had nothing to do */
	uint64_t warned;    /* number of the lease in which the next one was warned last */
	bool warned_at_end; /* when that lease had been asked back */
	/* arbiter_turn.c */
	sd_event_source *turns;		 /* what is due, told from the loop */
	const struct lease_member *asks; /* whose owner learns of a grant at once */
	void (*on_turn)(void *arg, uint32_t vm_id);
	void *arg;
};

static inline struct arbiter_program *arbiter_program_of(struct lease_member *member)
{
	return (struct arbiter_program *)((char *)member -
					  offsetof(struct arbiter_program, member));
}

/* arbiter.c */

/* Return: the program that has the lease; NULL: none has, or requests have their turn (rule 8). */
struct arbiter_program *arbiter_holder(const struct arbiter *arbiter);

/* Return: the time of an event, up to which the holder's rest is counted. */
uint64_t arbiter_event_ns(struct arbiter *arbiter);

/* Carries out what is to be done now; programs that must end are still there. */
void arbiter_decide(struct arbiter *arbiter);
void arbiter_end_those_who_must(struct arbiter *arbiter);

/* Return: the VM, which is made if need be; NULL: no memory. */
struct arbiter_vm *arbiter_get_vm(struct arbiter *arbiter, uint32_t id,
				  const struct lease_vm_settings *settings);

/* Forgets a VM that has neither programs nor requests. */
void arbiter_put_vm(struct arbiter_vm *vm);

/* arbiter_next.c */

void arbiter_next_init(struct arbiter *arbiter);

/* The program gives its lease back by itself. */
void arbiter_gave_back(struct arbiter *arbiter, const struct arbiter_program *program,
		       uint64_t now_ns);

/* Warns the program that comes after the holder, when the holder's lease may soon be over. */
void arbiter_warn_next(struct arbiter *arbiter, uint64_t now_ns);

/* arbiter_page.c */

/* Makes what broker and worker share; program->fds are the worker's. Return: 0 or -errno. */
int arbiter_map(struct arbiter_program *program);
void arbiter_unmap(struct arbiter_program *program);

/* Return: whether its worker says that it has work, or may have some at once. */
bool arbiter_is_busy(const struct arbiter_program *program);

/* Return: how long the worker says that it has rested, since it began. */
uint64_t arbiter_claimed_idle_ns(const struct arbiter_program *program, uint64_t now_ns);

/* arbiter_view.c */

/* Notes what has changed for a program that is watched. */
void arbiter_note(const struct arbiter_program *program, uint64_t now_ns);

/* arbiter_turn.c */

/* Return: 0 or -errno. */
int arbiter_turns_init(struct arbiter *arbiter);

/* The requests of a VM have the lease. */
void arbiter_turn_granted(struct arbiter *arbiter, struct lease_member *requests);

/* The last program has gone: requests need no turns any more. */
void arbiter_turns_over(struct arbiter *arbiter);

#endif
