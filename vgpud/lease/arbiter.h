/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter.h - gives the programs of one GPU their leases */

#ifndef VGPUD_LEASE_ARBITER_H
#define VGPUD_LEASE_ARBITER_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/lease_page.h"
#include "common/wire/vgpu_ends.h"
#include "common/worker_wire.h"
#include "vgpud/sched/lease.h"

/*
 * vgpud/sched/lease.h has the rules, common/lease_page.h what broker and worker share. All functions
 * are called from the loop.
 */
struct arbiter;
struct arbiter_vm;

/* All are required; they may be called within any function of the arbiter, but for leave(). */
struct arbiter_handler {
	/* What the worker's page says has changed, and it may sleep. */
	void (*wake)(void *arg);
	/*
	 * Takes what its worker has said and nothing has read yet, at most one message, by arbiter_hear(). It may
	 * be gone afterwards. Return: whether there was one.
	 */
	bool (*listen)(void *arg);
	/* It did not acknowledge: its process has to stop; false: to go on. */
	void (*freeze)(void *arg, bool frozen);
	/* It does not keep the rules: its process has to end. */
	void (*end)(void *arg, enum vgpu_end why);
};

/* A program at its GPU; its owner embeds it. Only arbiter.c writes the fields. */
struct arbiter_program {
	struct lease_member member;
	struct arbiter *arbiter; /* NULL: it is at none */
	struct arbiter_vm *vm;
	struct lease_page *page;
	const volatile struct lease_claims *claims; /* the worker's: never believed */
	int fds[2];	   /* of page and claims, for the worker; -1: given away */
	uint64_t idle_ns;  /* of its claims, as far as it has been counted */
	uint64_t heard_ns; /* when nothing that it had said was left to be read */
	uint32_t words;	   /* that its worker may still say without a lease in between */
	enum vgpu_end end; /* why it has to end; NONE: it has not */
	/* Its part of the GPU's time, over the last second or since it was counted before. */
	double share;
	uint64_t share_at_ns, share_billed_ns; /* when a second began, and what it had then */
	uint64_t *kept_ns;		       /* where its billed time is written; NULL: nowhere */
	struct arbiter_watch *watch;	       /* where its changes are noted; NULL: nowhere */
	const struct arbiter_handler *handler;
	void *arg;
};

/*
 * on_turn: the VM's requests may be tried again (arbiter_ask()); called from the loop itself.
 * Return: 0 or -errno.
 */
int arbiter_new(struct arbiter **out, sd_event *event, const struct lease_settings *settings,
		void (*on_turn)(void *arg, uint32_t vm_id), void *arg);

/* No program is there any more; of requests none is over afterwards. */
void arbiter_free(struct arbiter *arbiter);

void arbiter_set(struct arbiter *arbiter, const struct lease_settings *settings);

/* The settings of a VM, which need not have programs here, have changed. */
void arbiter_set_vm(struct arbiter *arbiter, uint32_t vm_id,
		    const struct lease_vm_settings *settings);

/*
 * A program comes. Afterwards program->fds are to be given to its worker.
 * Return: 0 or -errno.
 */
int arbiter_join(struct arbiter *arbiter, struct arbiter_program *program, uint32_t vm_id,
		 const struct lease_vm_settings *settings, const struct arbiter_handler *handler,
		 void *arg);

/* From now on its billed time is written there at each change of a lease, until it leaves. */
void arbiter_keep(struct arbiter_program *program, uint64_t *at);

/* The worker has its descriptors, or needs none any more. */
void arbiter_close_fds(struct arbiter_program *program);

/* A message of its worker about leases: a claim. */
void arbiter_hear(struct arbiter_program *program, const struct program_state *state);

/* Whether the program's VM is stopped, as its device says. */
void arbiter_stop(struct arbiter_program *program, bool stopped);

/* Its process is being ended; it is no more. Both do nothing to a program that is at no arbiter. */
void arbiter_end(struct arbiter_program *program);
void arbiter_leave(struct arbiter_program *program);

/*
 * Rule 8: requests of version 1. While programs are at the GPU a request has a turn of its VM, which
 * nothing interrupts. While no other VM wants the GPU, more of that VM may begin in the same turn;
 * it is over with the last of them.
 */

/*
 * A request of the VM is about to begin.
 * turn: then it is part of this one, until arbiter_turn_over(); NULL: no program is at the GPU.
 * Return: whether it begins; false: on_turn() tells when to ask again.
 */
bool arbiter_ask(struct arbiter *arbiter, uint32_t vm_id, const struct lease_vm_settings *settings,
		 struct arbiter_vm **turn);

/* The first program is about to come, and this request runs: it is over before that program begins. */
void arbiter_adopt(struct arbiter *arbiter, uint32_t vm_id,
		   const struct lease_vm_settings *settings, struct arbiter_vm **turn);

/* A request that was part of the turn has ended, or did not begin. */
void arbiter_turn_over(struct arbiter_vm *turn);

/* The VM is being removed: it asks for no turn any more. Turns that it has go on. */
void arbiter_remove_vm(struct arbiter *arbiter, uint32_t vm_id);

/* Return: whether a program is at the GPU. */
bool arbiter_has_programs(const struct arbiter *arbiter);

/* Counts the time until now, so that the figures of the GPU's members are right. */
void arbiter_count(struct arbiter *arbiter);

/* Where a GPU's time went since arbiter_new(): the first three add up to the last. */
struct arbiter_time {
	uint64_t billed_ns, idle_ns, overhead_ns, elapsed_ns;
};

/* Counts the time until now. Return: it. */
struct arbiter_time arbiter_time(struct arbiter *arbiter);

/*
 * What the program has of its GPU, in a word: "holds", "yields" (its lease is taken back),
 * "frozen", "rests" (nothing to do); why it waits: "paused", "cap", "priority", "share", "own",
 * "handover"; NULL: it is at none.
 */
const char *arbiter_state(const struct arbiter_program *program);

/* A change of a program's lease. */
struct arbiter_note {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	/* "holds", "yields", "frozen", or why it waits, as arbiter_state(); NULL: it rests. */
	const char *state;
	bool taken;	   /* it waits, and a VM has the GPU */
	uint32_t by_vm_id; /* then: whose it is */
};

#define ARBITER_NOTES 4096u

/*
 * Those that have not been taken are in the ring, the oldest at `taken`; with no room, changes are
 * left out.
 */
struct arbiter_watch {
	uint64_t head, taken;
	struct arbiter_note note[ARBITER_NOTES];
};

/* From now on changes are noted there, the present state first. watch: all zero; NULL: not any more. */
void arbiter_watch(struct arbiter_program *program, struct arbiter_watch *watch);

enum arbiter_cause {
	ARBITER_CAUSE_VM,     /* a VM had the GPU, perhaps the same one */
	ARBITER_CAUSE_OTHERS, /* too many VMs to tell them apart */
	ARBITER_CAUSE_CAP,    /* rule 5 */
	ARBITER_CAUSE_PAUSED, /* rule 1 */
	ARBITER_CAUSE_NUM
};

/*
 * For what its VM has waited since it came to the GPU: programs, and beside them requests for their
 * turns.
 */
struct arbiter_waited {
	enum arbiter_cause cause;
	uint32_t vm_id; /* VM: whose it was */
	uint64_t ns;	/* never 0 */
};

/* index: from 0. Return: false: there is nothing more, or it is at none. */
bool arbiter_waited(const struct arbiter_program *program, unsigned index,
		    struct arbiter_waited *out);

#define ARBITER_WAITED_MOST (LEASE_RIVALS + 3)

/* The same of each VM at the GPU, also of one that has only requests there. */
struct arbiter_vm_waited {
	uint32_t vm_id;
	/* Its own: one that goes and comes again, whose sums begin anew, has another. */
	uint64_t number;
	unsigned num;
	struct arbiter_waited waited[ARBITER_WAITED_MOST];
};

/* index: from 0, in any order. Return: false: there are no more. */
bool arbiter_vm_waited(const struct arbiter *arbiter, unsigned index,
		       struct arbiter_vm_waited *out);

/* Why requests of a VM wait for their turn. */
struct arbiter_turn {
	const char *why;   /* as arbiter_state() has it */
	bool taken;	   /* a VM has the GPU */
	uint32_t by_vm_id; /* then: whose it is */
	bool by_program;   /* and whether a program has it, not a request */
};

/* Return: whether they do. */
bool arbiter_turn_waits(struct arbiter *arbiter, uint32_t vm_id, struct arbiter_turn *out);

#endif
