/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_sqlite.h - the ledger as a ring file and a sqlite database */

#ifndef VGPUD_LEDGER_STORE_SQLITE_H
#define VGPUD_LEDGER_STORE_SQLITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpud/ledger/store.h"

/* Strings are copied. What is 0 takes its default, unless 0 has a meaning of its own. */
struct store_sqlite_config {
	const char *db_path; /* the lock lies beside it, as PATH.lock */
	const char *ring_path;
	uint32_t ring_records;	 /* 0: 65,536, which are 4 MiB */
	uint32_t batch_ms;	 /* longest that a record waits for its transaction; 0: 50 */
	uint32_t retention_days; /* of requests and events; 0: for ever */
	uint32_t minute_days;	 /* of the minutes' statistics; 0: for ever */
	uint64_t max_bytes;	 /* of the database; 0: no bound */
	bool lossy;		 /* full: go on without recording, instead of refusing requests */
	const char *version;	 /* of vgpud */
	const char *host;	 /* NULL: the machine's name */
	/* Told what was found wrong and put right at the start, a sentence each; NULL: nobody is.
	 */
	void (*say)(const char *sentence);
};

enum store_sqlite_state {
	STORE_SQLITE_OK,
	STORE_SQLITE_FULL,    /* no space for the database: the ring takes what it can, retried each
				 second */
	STORE_SQLITE_FAILING, /* another error, see the text: likewise */
	STORE_SQLITE_DAMAGED, /* the database is corrupt; at its next start vgpud begins a new one
			       */
	STORE_SQLITE_STATE_NUM
};

/* Numbers since the start. */
struct store_sqlite_stats {
	enum store_sqlite_state state;
	uint64_t rows;
	uint64_t batches;
	uint64_t lost;	     /* requests that died with the last vgpud, found at the start */
	uint64_t duplicates; /* ends of requests that had one already: 0, or something is wrong */
	uint64_t damaged;    /* records of the ring that were not whole */
	uint64_t dropped;    /* requests not recorded for want of room, when lossy */
	uint64_t refused;    /* likewise refused, when strict */
	uint64_t events_dropped;
	uint64_t expired;      /* rows removed by retention */
	uint64_t db_bytes;     /* in use, as of the last look; 0: not looked yet */
	uint32_t ring_used;    /* records */
	uint32_t ring_records; /* its size */
	uint64_t session_id;
	char error[200]; /* the last one, in words; stays when the state is OK again */
};

/* A VM as the database keeps it. */
struct store_vm {
	uint32_t id;
	const char *name;
	uint8_t pool;	  /* 'A' to 'Z' */
	uint8_t priority; /* enum vgpu_priority */
	bool paused;
	uint32_t limit_per_s; /* requests a second, 0: no limit */
	uint32_t limit_burst;
	bool removed;	     /* it is no more, but its records are */
	const char *connect; /* where its QEMU listens, NULL: it connects to us */
	int64_t created_ns;  /* since the Unix epoch; 0: now. Kept when a VM is put again */
};

/* The end of a change. err: 0: it is on the disk; else -errno and nothing has changed. */
typedef void store_sqlite_done(void *arg, int err);

/*
 * Opens the ledger: one vgpud a database. What an earlier vgpud left in the ring is recorded first,
 * and requests it had not ended become lost ones.
 * why: on failure, a sentence that names the file and what to do.
 * Return: 0, -EBUSY: another vgpud has it, or what went wrong.
 */
int store_sqlite_open(struct store **out, const struct store_sqlite_config *config, char *why,
		      size_t why_len);

/* The functions below are for the loop thread, on a store that store_sqlite_open() made. */

/*
 * Readable when there is something for store_sqlite_dispatch(): changes that are done, or a state
 * that is not what it was. Level-triggered; the store closes it.
 */
int store_sqlite_fd(const struct store *store);

/* Calls the functions of the changes that are done. Return: whether the state may have changed. */
bool store_sqlite_dispatch(struct store *store);

void store_sqlite_stats(const struct store *store, struct store_sqlite_stats *stats);

/* Calls each for all VMs of the database as it was at the start, removed ones too, by ascending id.
 */
void store_sqlite_vm_each(const struct store *store,
			  void (*each)(void *arg, const struct store_vm *vm), void *arg);

/*
 * Adds a VM, or changes the one with that id. done, if not NULL, is called by
 * store_sqlite_dispatch(), or at the latest by close.
 * Return: 0: it is under way, -ENOBUFS: too many changes are, -ENOMEM.
 */
int store_sqlite_vm_put(struct store *store, const struct store_vm *vm, store_sqlite_done *done,
			void *arg);

/* Takes a VM out; its requests keep its name. done gets -ENOENT when there was none. */
int store_sqlite_vm_delete(struct store *store, uint32_t id, store_sqlite_done *done, void *arg);

/* Done once all that was accepted, finished and told before this call is visible to readers. */
int store_sqlite_flush(struct store *store, store_sqlite_done *done, void *arg);

/*
 * Waits for all changes under way and dispatches them; for start and end, where waiting is right.
 * Return: 0, or -ETIMEDOUT.
 */
int store_sqlite_wait(struct store *store, int timeout_ms);

/* Return: the version of the sqlite library, 3040001 for 3.40.1. */
int store_sqlite_version_number(void);

/* Return: a monotonic time on the wall clock of this session, as the ledger records it. */
int64_t store_sqlite_wall_ns(const struct store *store, uint64_t mono_ns);

#endif
