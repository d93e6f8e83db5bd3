/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_sqlite_private.h - what the loop thread's side and the writer thread share; for the
 * store_sqlite files alone */

#ifndef VGPUD_LEDGER_STORE_SQLITE_PRIVATE_H
#define VGPUD_LEDGER_STORE_SQLITE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "vgpud/ledger/ring.h"
#include "vgpud/ledger/store_sqlite.h"
#include "vgpud/ledger/store_sqlite_batch.h"
#include "vgpud/ledger/store_sqlite_db.h"
#include "vgpud/sched/share.h"

#define STORE_SQLITE_EVENTS_MOST 1024u /* told and not yet written */
#define STORE_SQLITE_CHANGES_MOST 256u /* under way */

enum store_sqlite_change_type {
	STORE_SQLITE_EVENT_ADD,
	STORE_SQLITE_VM_CHANGE,
	STORE_SQLITE_VM_REMOVE,
	STORE_SQLITE_FLUSH
};

/* What the loop thread asks of the writer. It belongs to whose list it is on. */
struct store_sqlite_change {
	STAILQ_ENTRY(store_sqlite_change) link;
	enum store_sqlite_change_type type;
	int err;		 /* how it ended */
	store_sqlite_done *done; /* may be NULL */
	void *arg;
	int64_t wall_ns;	  /* when it was asked for */
	struct store_vm vm;	  /* its name points into strings */
	struct store_event event; /* likewise its texts */
	char strings[];
};

STAILQ_HEAD(store_sqlite_changes, store_sqlite_change);

struct store_sqlite {
	struct store store;
	struct store_sqlite_config config; /* its strings are copies */
	int lock_fd;
	struct ring *ring;
	struct ring_session session;
	int64_t wall_offset_ns; /* wall time of this session = monotonic time + this */
	struct store_vm *vms;	/* as they were at the start */
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
	struct store_sqlite_db db;
	struct store_sqlite_batch batch;
	struct store_sqlite_notes *notes; /* to be told once the session has begun, then NULL */
	uint64_t committed;		  /* position in the ring */
	uint64_t retention_due_ns;
	bool no_room;		  /* why there was none for records: the reserve is not for them */
	int64_t age_lag_ns;	  /* does not count as age, see store_sqlite_clock.c */
	int64_t age_lag_until_ns; /* on the session's clock; from then on it does */

	/* Either's. wake_at: the head at which the writer wants to be woken, UINT64_MAX: it is
	 * awake. */
	_Atomic uint64_t wake_at;
	_Atomic int state; /* enum store_sqlite_state */
	/* The session is in the database and in the ring. Until then the ring is the last
	 * session's, and takes nothing. */
	_Atomic bool begun;
	_Atomic uint64_t rows, batches, lost, duplicates, damaged, expired, db_bytes;
	_Atomic uint64_t dropped, refused, events_dropped;
	_Atomic unsigned events_queued;

	/* Under lock, which is held for a few instructions and never while another is taken. */
	pthread_mutex_t lock;
	pthread_cond_t all_done;	  /* `todo` and `doing` are empty */
	struct store_sqlite_changes todo; /* for the writer */
	struct store_sqlite_changes done; /* for the loop thread */
	bool doing;			  /* the writer has some in hand */
	bool stop;
	char error[200];
};

/* Records, changes, retention: everything that writes, until stop is set. arg: the store. */
void *store_sqlite_writer(void *arg);

/*
 * Takes what is in the ring into the database, and begins a session; or, on a full disk, only reads
 * what this session needs, and leaves the rest to store_sqlite_begin().
 * Return: 0; or -errno with why.
 */
int store_sqlite_start(struct store_sqlite *s, char *why, size_t why_len);

/* The writer's: begins the session that could not begin at the start. Return: 0 or -errno. */
int store_sqlite_begin(struct store_sqlite *s);

/* Reads the VMs, in the place of those that were read before. Return: 0 or -errno. */
int store_sqlite_vms_load(struct store_sqlite *s);

void store_sqlite_vms_forget(struct store_sqlite *s);

/* For a database that was opened now. */
void store_sqlite_room_set_up(struct store_sqlite *s);

/* After what was written: lets the log go into the database file, if it is time. */
void store_sqlite_room_checkpoint(struct store_sqlite *s);

/* Lets the log go into the database file, and gives its room back, as far as readers allow. */
void store_sqlite_room_make(struct store_sqlite *s);

/* Return: 0, or -ENOSPC: the disk has no room for a batch. */
int store_sqlite_room_ask(struct store_sqlite *s);

/* Writes why something failed just now. */
void store_sqlite_room_words(const struct store_sqlite *s, int err, char *out, size_t len);

/* A start at which the clock is long after all that the last session left; days 0: it is not. */
struct store_sqlite_clock {
	char newest[32], now[32]; /* as text, UTC */
	int64_t days;
};

/* Before a session's row is there: decides what counts as age in it. Return: 0 or -errno. */
int store_sqlite_clock_look(struct store_sqlite *s, struct store_sqlite_clock *clock);

/* Return: the time that a row's age is counted by. */
int64_t store_sqlite_clock_age_ns(const struct store_sqlite *s, uint64_t mono_ns);

/* Either's: there is something to dispatch. */
void store_sqlite_notify(struct store_sqlite *s);

void store_sqlite_notes_free(struct store_sqlite_notes *notes);

/* Runs one event or VM change in the transaction that is open. Return: -errno when that failed. */
int store_sqlite_write_event(struct store_sqlite_db *db, int64_t wall_ns,
			     const struct store_event *event);

#endif
