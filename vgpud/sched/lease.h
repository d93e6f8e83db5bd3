/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease.h - who may use a GPU, and how long */

#ifndef VGPUD_SCHED_LEASE_H
#define VGPUD_SCHED_LEASE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "vgpud/sched/cap.h"

/*
 * One struct lease is the arbiter of one GPU. Its members are the programs that use it and, for each
 * VM, its requests of version 1. One member at a time holds the lease and may submit work.
 *
 * The rules, numbered as in lease.c and in vgpud(8):
 *  1. a paused or stopped VM has no lease;
 *  2. high before medium before low: a member of higher priority that wants the lease gets it at
 *     once. With aging, a member rises one priority for each aging_ns that it has waited, for one turn;
 *     of those that are equal then, the one that rose comes first;
 *  3. among equals the VM that has used least for its share comes first, and of its members the one
 *     that has used least; one that newly wants the lease counts as the least of those who want it;
 *  4. a turn lasts turn_ns when others want the lease; a member gives it back when it has nothing
 *     in flight and nothing to issue;
 *  5. a VM with a cap has a bucket of time with debt: below zero it gets no turn, also when no other
 *     VM wants the GPU; what its cap kept from it is not owed to it, but for a turn. Kernels that go
 *     on may wait for what is held back: a member that outlasts and wants more gets a turn after
 *     stuck_ns, then one of twice the length after twice as long, until its work has drained;
 *  6. what a member has in flight is bounded by time, in_flight_ns of estimated work, but not below two
 *     kernels, and never the first of a stream that has nothing in flight; if nothing finishes for
 *     yield_ns the bound grows. Its worker sees to that;
 *  7. a member whose lease is taken back stops submitting and acknowledges at once, and says later that
 *     its work has drained. The lease passes on as soon as it says that its work ends in a moment, and
 *     after yield_ns all the same; this member alone is charged until its work has drained. Without an
 *     acknowledgement within ack_ns it is frozen for its next turn, the second time within repeat_ns it
 *     ends. Work that does not drain within kernel_ns ends its member;
 *  8. a request is one turn of its VM, which nothing interrupts but its own deadline; it comes before a
 *     program of equal priority.
 *
 * The time that passes is divided without a rest: billed_ns to members, idle_ns while no member wanted
 * the GPU or those that did may not have it (rules 1 and 5), overhead_ns while none used it though one
 * wanted it.
 *
 * Pure: no I/O, no clock, no threads, no memory of its own. Times are nanoseconds of one monotonic
 * clock; each function's now_ns is at least that of the call before.
 */

#define LEASE_NEVER UINT64_MAX
#define LEASE_PRIORITIES 3
#define LEASE_SHARE_MOST 10000u
#define LEASE_RIVALS 8 /* VMs that are told apart among those a VM waited for */

struct lease_settings {
	uint64_t turn_ns;   /* rule 4 */
	uint64_t idle_ns;   /* rule 4: the longest idle time at a turn's end that is not billed */
	uint64_t yield_ns;  /* rule 7 */
	uint64_t ack_ns;    /* rule 7 */
	uint64_t repeat_ns; /* rule 7 */
	uint64_t stuck_ns;  /* rule 5; 0: never */
	uint64_t kernel_ns; /* rule 7; 0: none */
	uint64_t aging_ns;  /* rule 2; 0: off */
	uint64_t in_flight_ns; /* rule 6: for the workers */
};

struct lease_vm_settings {
	uint8_t priority;     /* 0 low, 1 medium, 2 high */
	bool paused;	      /* rule 1 */
	uint32_t share;	      /* rule 3: 1 to LEASE_SHARE_MOST */
	uint32_t cap_percent; /* rule 5: 1 to 100; 0: none */
};

/* Why a member waited. */
enum lease_why {
	LEASE_WHY_PAUSED,   /* rule 1 */
	LEASE_WHY_CAP,	    /* rule 5 */
	LEASE_WHY_PRIORITY, /* a VM of higher priority had the lease */
	LEASE_WHY_SHARE,    /* another VM had its turn */
	LEASE_WHY_OWN,	    /* another member of the same VM had it */
	LEASE_WHY_HANDOVER, /* the lease was being taken back */
	LEASE_WHY_NUM
};

/*
 *   NONE -want-> WAITS -GRANT-> HOLDS -return-> NONE or WAITS
 *                                 | REVOKE
 *                                 v
 *                              REVOKED -drained, return-> NONE or WAITS
 *                                 | yield_ns, or draining (from HOLDS, too)
 *                                 v        ack_ns: FREEZE
 *                              OUTLASTS ----------------> FROZEN
 *                                 | drained   <--THAW----
 *                                 |        wants more: GRANT -> HOLDS
 *                                 v
 *                              NONE or WAITS
 *   any -END, lease_end()-> ENDING -lease_leave()-> gone
 */
enum lease_state {
	LEASE_NONE,
	LEASE_WAITS,
	LEASE_HOLDS,
	LEASE_REVOKED,	/* told to stop; no other member has the lease yet */
	LEASE_OUTLASTS, /* its work has not drained, and the lease has passed on */
	LEASE_FROZEN,
	LEASE_ENDING
};

enum lease_kind {
	LEASE_PROGRAM,
	LEASE_REQUEST /* rule 8 */
};

TAILQ_HEAD(lease_members, lease_member);
TAILQ_HEAD(lease_vms, lease_vm);

/* A VM on one GPU; its owner embeds it. Only lease.c writes the fields. */
struct lease_vm {
	TAILQ_ENTRY(lease_vm) link;
	struct lease_members members;
	uint32_t id; /* the owner's; no two VMs have the same */
	struct lease_vm_settings settings;
	struct cap cap;	   /* rule 5 */
	uint64_t order_ns; /* rule 3: what it has used, x 100 / share */
	uint64_t order_rest;
	uint64_t number;   /* of its last grant; 0: none */
	uint64_t floor_ns; /* rule 3: of its members */
	bool was_ready;	   /* rule 5, when time was counted last */
	uint64_t billed_ns;
	uint64_t waited_ns[LEASE_WHY_NUM]; /* its members together */
	struct {
		uint32_t id;
		uint64_t ns;
	} rival[LEASE_RIVALS]; /* who had the GPU while its members waited; ns 0: free */
	uint64_t rival_other_ns;
};

/* A program, or a VM's requests of version 1; its owner embeds it. Only lease.c writes the fields. */
struct lease_member {
	TAILQ_ENTRY(lease_member) link; /* of its VM */
	TAILQ_ENTRY(lease_member) charged;
	bool is_charged; /* it is in that list */
	struct lease_vm *vm;
	enum lease_kind kind;
	enum lease_state state;
	bool stopped;	     /* rule 1, of this member alone */
	bool wants;	     /* it wants another turn, once it has drained */
	bool acked, drained; /* of the last revocation */
	bool draining;	  /* OUTLASTS: it said so, and yield_ns have not passed since revoked_ns */
	uint8_t stuck;	  /* rule 5: turns that its cap would not have given, since it drained */
	uint8_t lift;	  /* rule 2: by how much it had risen when it got the lease */
	uint64_t number;  /* of its last grant; 0: none */
	uint64_t want_ns; /* since when it waits */
	uint64_t want_order;
	uint64_t granted_ns, turn_at_ns, revoked_ns;
	uint64_t missed_ns;	 /* when an acknowledgement was missed last; LEASE_NEVER: never */
	uint64_t order_ns;	 /* rule 3 */
	uint64_t turn_billed_ns; /* since its last grant */
	uint64_t alone_ns;	 /* part of that while no other could have had the lease */
	uint64_t billed_ns;
	uint64_t waited_ns[LEASE_WHY_NUM];
	uint64_t grants;
};

struct lease {
	struct lease_settings settings;
	struct lease_vms vms;
	struct lease_members charged; /* before the holder: the lease passed on, the work goes on */
	struct lease_member *holder;  /* HOLDS or REVOKED; NULL: none */
	uint64_t number;	      /* of the last grant */
	uint64_t next_order;
	uint64_t floor_ns[LEASE_PRIORITIES]; /* rule 3: of VMs */
	uint64_t since_ns, at_ns;	     /* billed + idle + overhead = at_ns - since_ns */
	uint64_t heard_ns;		     /* rule 7: failures after that are not judged yet */
	uint64_t billed_ns, idle_ns, overhead_ns;
};

void lease_init(struct lease *lease, const struct lease_settings *settings, uint64_t now_ns);

/* Changes the settings; they hold at once. */
void lease_set(struct lease *lease, const struct lease_settings *settings, uint64_t now_ns);

void lease_vm_join(struct lease *lease, struct lease_vm *vm, uint32_t id,
		   const struct lease_vm_settings *settings, uint64_t now_ns);

/* Changes the VM's settings; they hold at once. */
void lease_vm_set(struct lease *lease, struct lease_vm *vm,
		  const struct lease_vm_settings *settings, uint64_t now_ns);

/* The VM has no member any more. */
void lease_vm_leave(struct lease *lease, struct lease_vm *vm);

void lease_join(struct lease *lease, struct lease_vm *vm, struct lease_member *member,
		enum lease_kind kind, uint64_t now_ns);

/* The member's work is over in any case: its process is no more. */
void lease_leave(struct lease *lease, struct lease_member *member, uint64_t now_ns);

/*
 * The member's process is being ended: it gets no lease any more. What it has in flight goes with it
 * soon, so it is charged until it leaves, but for yield_ns at most.
 */
void lease_end(struct lease *lease, struct lease_member *member, uint64_t now_ns);

/* Rule 1. Whether this member's own VM or connection is stopped. */
void lease_stop(struct lease *lease, struct lease_member *member, bool stopped, uint64_t now_ns);

/* The member holds something back until it gets the lease. */
void lease_want(struct lease *lease, struct lease_member *member, uint64_t now_ns);

/*
 * Rule 4. The member gives the lease back, its work drained; a number of another grant is ignored.
 * tail_ns: how long it had nothing in flight before; counted up to idle_ns.
 */
void lease_return(struct lease *lease, struct lease_member *member, uint64_t number,
		  uint64_t tail_ns, uint64_t now_ns);

/*
 * The holder says that it had nothing in flight for idle_ns since its grant or since it said so last,
 * and keeps the lease. Counts as far as no other member could have had it.
 */
void lease_rest(struct lease *lease, struct lease_member *member, uint64_t idle_ns,
		uint64_t now_ns);

/*
 * Rule 7. The holder submits nothing more, and its work ends in a moment: the lease passes on, so that
 * the GPU does not rest while it changes hands. A number of another grant is ignored.
 */
void lease_draining(struct lease *lease, struct lease_member *member, uint64_t number,
		    uint64_t now_ns);

/* Rule 7. A number of another grant is ignored. */
void lease_ack(struct lease *lease, struct lease_member *member, uint64_t number, uint64_t now_ns);
void lease_drained(struct lease *lease, struct lease_member *member, uint64_t number,
		   uint64_t now_ns);

/*
 * Rule 7. Return: from when on the member fails to acknowledge, or to drain, as far as is known; LEASE_NEVER:
 * it does not.
 */
uint64_t lease_fails_ns(const struct lease *lease, const struct lease_member *member);

/*
 * Rule 7. All that members said until then is known. Failures after that are not judged, so that none is
 * found to be silent whose word has not been taken yet. Without a call all are.
 */
void lease_heard(struct lease *lease, uint64_t until_ns);

enum lease_what {
	LEASE_GRANT,	/* tell the member that it has the lease */
	LEASE_REVOKE,	/* tell it to stop, and to acknowledge this number */
	LEASE_FREEZE,	/* it did not acknowledge: stop its process */
	LEASE_THAW,	/* let its process go on, without the lease */
	LEASE_END_DEAF, /* it did not acknowledge for the second time: end its process */
	LEASE_END_HUNG	/* its work does not drain: end its process */
};

struct lease_decision {
	enum lease_what what;
	struct lease_member *member;
	uint64_t number; /* of the grant */
};

/* Return: why the member waits now, as things stand; LEASE_WHY_NUM: it does not. */
enum lease_why lease_why_now(const struct lease *lease, const struct lease_member *member);

/* Return: the member that waits and would get the lease if its holder had none; NULL: none. */
struct lease_member *lease_next(const struct lease *lease, uint64_t now_ns);

/* Return: whether a member waits that could have the lease now. */
bool lease_is_contended(const struct lease *lease, uint64_t now_ns);

/*
 * Decides what is to be done now. Call it after each of the functions above and at lease_next_ns(),
 * until it returns false: each decision holds when this returns.
 */
bool lease_decide(struct lease *lease, uint64_t now_ns, struct lease_decision *decision);

/* Return: when to call lease_decide() next, once it has returned false; LEASE_NEVER: after an event. */
uint64_t lease_next_ns(const struct lease *lease, uint64_t now_ns);

#endif
