/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger_private.h - what the loop thread's side and the writer thread share */

#ifndef VGPUD_LEDGER_LEDGER_PRIVATE_H
#define VGPUD_LEDGER_LEDGER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "vgpud/ledger/batch.h"
#include "vgpud/ledger/db.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/ledger/ring.h"
#include "vgpud/sched/share.h"

#define LEDGER_EVENTS_MOST 1024u /* told and not yet written */
#define LEDGER_CHANGES_MOST 256u /* under way */

enum ledger_change_type { LEDGER_EVENT_ADD, LEDGER_VM_CHANGE, LEDGER_VM_REMOVE, LEDGER_FLUSH };

/* What the loop thread asks of the writer. It belongs to whose list it is on. */
struct ledger_change {
	STAILQ_ENTRY(ledger_change) link;
	enum ledger_change_type type;
	int err;	   /* how it ended */
	ledger_done *done; /* may be NULL */
	void *arg;
	int64_t wall_ns;	   /* when it was asked for */
	struct ledger_vm vm;	   /* its name points into strings */
	struct ledger_event event; /* likewise its texts */
	char strings[];
};

STAILQ_HEAD(ledger_changes, ledger_change);

struct ledger_sqlite {
	struct ledger ledger;
	struct ledger_config config; /* its strings are copies */
	int lock_fd;
	struct ring *ring;
	struct ring_session session;
	int64_t wall_offset_ns; /* wall time of this session = monotonic time + this */
	struct ledger_vm *vms;	/* as they were at the start */
	size_t vm_num;
	pthread_t writer;
	int wake_fd;   /* the loop thread writes: there is work */
	int notify_fd; /* the writer writes: there is something to dispatch */

	/* The loop thread's. */
	uint64_t *unrecorded; /* ids of accepted requests that are not recorded, when lossy */
	size_t unrecorded_num, unrecorded_max;
	unsigned changes_under_way;
	struct share share; /* of the ring's second half */

	/* The writer's, after open. */
	struct ledger_db db;
	struct ledger_batch batch;
	struct ledger_notes *notes; /* to be told once the session has begun, then NULL */
	uint64_t committed;	    /* position in the ring */
	uint64_t retention_due_ns;
	bool no_room;		  /* why there was none for records: the reserve is not for them */
	int64_t age_lag_ns;	  /* does not count as age, see clock.c */
	int64_t age_lag_until_ns; /* on the session's clock; from then on it does */

	/* Either's. wake_at: the head at which the writer wants to be woken, UINT64_MAX: it is
	 * awake. */
	_Atomic uint64_t wake_at;
	_Atomic int state; /* enum ledger_state */
	/* The session is in the database and in the ring. Until then the ring is the last
	 * session's, and takes nothing. */
	_Atomic bool begun;
	_Atomic uint64_t rows, batches, lost, duplicates, damaged, expired, db_bytes;
	_Atomic uint64_t dropped, refused, events_dropped;
	_Atomic unsigned events_queued;

	/* Under lock, which is held for a few instructions and never while another is taken. */
	pthread_mutex_t lock;
	pthread_cond_t all_done;    /* `todo` and `doing` are empty */
	struct ledger_changes todo; /* for the writer */
	struct ledger_changes done; /* for the loop thread */
	bool doing;		    /* the writer has some in hand */
	bool stop;
	char error[200];
};

/* Records, changes, retention: everything that writes, until stop is set. arg: the store. */
void *ledger_writer(void *arg);

/*
 * Takes what is in the ring into the database, and begins a session; or, on a full disk, only reads
 * what this session needs, and leaves the rest to ledger_begin().
 * Return: 0; or -errno with why.
 */
int ledger_start(struct ledger_sqlite *s, char *why, size_t why_len);

/* The writer's: begins the session that could not begin at the start. Return: 0 or -errno. */
int ledger_begin(struct ledger_sqlite *s);

/* Reads the VMs, in the place of those that were read before. Return: 0 or -errno. */
int ledger_vms_load(struct ledger_sqlite *s);

void ledger_vms_forget(struct ledger_sqlite *s);

/* For a database that was opened now. */
void ledger_room_set_up(struct ledger_sqlite *s);

/* After what was written: lets the log go into the database file, if it is time. */
void ledger_room_checkpoint(struct ledger_sqlite *s);

/* Lets the log go into the database file, and gives its room back, as far as readers allow. */
void ledger_room_make(struct ledger_sqlite *s);

/* Return: 0, or -ENOSPC: the disk has no room for a batch. */
int ledger_room_ask(struct ledger_sqlite *s);

/* Writes why something failed just now. */
void ledger_room_words(const struct ledger_sqlite *s, int err, char *out, size_t len);

/* A start at which the clock is long after all that the last session left; days 0: it is not. */
struct ledger_clock {
	char newest[32], now[32]; /* as text, UTC */
	int64_t days;
};

/* Before a session's row is there: decides what counts as age in it. Return: 0 or -errno. */
int ledger_clock_look(struct ledger_sqlite *s, struct ledger_clock *clock);

/* Return: the time that a row's age is counted by. */
int64_t ledger_clock_age_ns(const struct ledger_sqlite *s, uint64_t mono_ns);

/* Either's: there is something to dispatch. */
void ledger_notify(struct ledger_sqlite *s);

void ledger_notes_free(struct ledger_notes *notes);

/* Runs one event or VM change in the transaction that is open. Return: -errno when that failed. */
int ledger_write_event(struct ledger_db *db, int64_t wall_ns, const struct ledger_event *event);

#endif
