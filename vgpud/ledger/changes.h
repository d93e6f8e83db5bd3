/* SPDX-License-Identifier: GPL-2.0-or-later */
/* changes.h - what the loop thread asks of the writer, and the answers: a mailbox of two lists */

#ifndef VGPUD_LEDGER_CHANGES_H
#define VGPUD_LEDGER_CHANGES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "vgpud/ledger/ledger.h"

#define LEDGER_EVENTS_MOST 1024u /* events that are not yet written */
#define LEDGER_CHANGES_MOST 256u /* changes under way */

enum ledger_change_type {
	LEDGER_CHANGE_EVENT,
	LEDGER_CHANGE_CLOCK, /* step_ns */
	LEDGER_CHANGE_VM_PUT,
	LEDGER_CHANGE_VM_DELETE,
	LEDGER_CHANGE_CLAIMS,	   /* program, names */
	LEDGER_CHANGE_USED,	   /* program */
	LEDGER_CHANGE_SUBMISSIONS, /* submissions */
	LEDGER_CHANGE_WAITS,	   /* waits */
	LEDGER_CHANGE_FLUSH
};

/* A change belongs to the thread on whose list it is. */
struct ledger_change {
	STAILQ_ENTRY(ledger_change) link;
	enum ledger_change_type type;
	int err;	   /* how it ended */
	ledger_done *done; /* may be NULL */
	void *arg;
	int64_t wall_ns;	   /* when it was asked for */
	int64_t step_ns;	   /* of the clock */
	struct ledger_vm vm;	   /* its strings lie in strings */
	struct ledger_event event; /* its strings, too; kind NULL: there is none */
	struct ledger_program program;
	const char *names;		 /* in strings */
	const struct ledger_wait *waits; /* in strings */
	unsigned wait_num;
	struct ledger_submissions submissions; /* what it points to lies in strings */
	_Alignas(8) char strings[];
};

STAILQ_HEAD(ledger_change_list, ledger_change);

/*
 * Return: whether a change is of a program's row, which its beginning in the ring makes. While the ring's
 * records cannot be written, such a change waits for them.
 */
static inline bool ledger_change_is_of_program(const struct ledger_change *change)
{
	return change->type == LEDGER_CHANGE_CLAIMS || change->type == LEDGER_CHANGE_USED ||
	       change->type == LEDGER_CHANGE_SUBMISSIONS;
}

struct ledger_changes {
	unsigned under_way; /* the loop thread's: changes whose done() has yet to be called */
	_Atomic unsigned events_queued;
	int notify_fd; /* readable when there is something to dispatch */

	/* Under lock, which is held for a few instructions and never while another is taken. */
	pthread_mutex_t lock;
	pthread_cond_t all_done;	/* `todo` and `doing` are empty */
	struct ledger_change_list todo; /* for the writer */
	struct ledger_change_list done; /* for the loop thread */
	bool doing;			/* the writer has some in hand */
	bool stop;
};

/* Return: 0 or -errno; then too, ledger_changes_close() is right. */
int ledger_changes_open(struct ledger_changes *changes);

/* No change may be on a list any more. */
void ledger_changes_close(struct ledger_changes *changes);

/* --- the loop thread's --- */

/*
 * Queues a change for the writer.
 * vm: for VM_PUT the whole VM; for VM_DELETE only its id is used; else NULL. event: NULL, or the
 * event that tells of the change, for the same transaction. Strings are copied.
 * Return: 0, -ENOBUFS, -ENOMEM.
 */
int ledger_changes_add(struct ledger_changes *changes, enum ledger_change_type type,
		       const struct ledger_vm *vm, const struct ledger_event *event,
		       int64_t wall_ns, ledger_done *done, void *arg);

/* As ledger_program_claims() says. Return: 0, -ENOBUFS, -ENOMEM. */
int ledger_changes_add_claims(struct ledger_changes *changes, const struct ledger_program *program,
			      const char *names, ledger_done *done, void *arg);

/* As ledger_program_used() says. wall_ns: of when its figures are. Return: 0, -ENOBUFS, -ENOMEM. */
int ledger_changes_add_used(struct ledger_changes *changes, const struct ledger_program *program,
			    int64_t wall_ns);

/* As ledger_submissions() says. Return: 0, -ENOBUFS, -ENOMEM. */
int ledger_changes_add_submissions(struct ledger_changes *changes,
				   const struct ledger_submissions *taken, ledger_done *done,
				   void *arg);

/* As ledger_waits() says. Return: 0, -ENOBUFS, -ENOMEM. */
int ledger_changes_add_waits(struct ledger_changes *changes, const struct ledger_wait *waits,
			     unsigned num);

/* Return: 0; -ENOBUFS or -ENOMEM: the event is dropped. */
int ledger_changes_add_event(struct ledger_changes *changes, const struct ledger_event *event,
			     int64_t wall_ns);
int ledger_changes_add_clock(struct ledger_changes *changes, int64_t step_ns, int64_t wall_ns);

/* As ledger_dispatch() and ledger_wait() say. */
bool ledger_changes_dispatch(struct ledger_changes *changes);
int ledger_changes_wait(struct ledger_changes *changes, int timeout_ms);

/* Tells the writer to end once it has done what is on the list. */
void ledger_changes_stop(struct ledger_changes *changes);

/* --- the writer's --- */

/* Moves all changes into an empty list. Return: whether the writer shall end afterwards. */
bool ledger_changes_take(struct ledger_changes *changes, struct ledger_change_list *list);

/* Return: whether there is a change to take, or the writer shall end. */
bool ledger_changes_pending(struct ledger_changes *changes);

/*
 * Hands back what was taken; the list is empty afterwards. err: 0, or why all of them failed.
 * records_err: 0, or why the ring's records could not be written: with that, flushes and changes of
 * programs have failed. Failed changes without a waiting caller go back in front of newer ones, to be
 * tried again.
 */
void ledger_changes_hand_back(struct ledger_changes *changes, struct ledger_change_list *list,
			      int err, int records_err);

/* Wakes the loop thread, which then dispatches. */
void ledger_changes_notify(struct ledger_changes *changes);

#endif
