/* SPDX-License-Identifier: GPL-2.0-or-later */
/* store_sqlite_batch.h - records of the ring become rows, minutes and a position, in one
 * transaction */

#ifndef VGPUD_LEDGER_STORE_SQLITE_BATCH_H
#define VGPUD_LEDGER_STORE_SQLITE_BATCH_H

#include <stdint.h>

#include "vgpud/ledger/ring.h"
#include "vgpud/ledger/store_sqlite_db.h"

/* Two records a request: about a thousand rows a transaction. */
#define STORE_SQLITE_BATCH_RECORDS 2048u

struct store_sqlite_batch_work;

struct store_sqlite_batch {
	struct ring_entry *entries; /* STORE_SQLITE_BATCH_RECORDS */
	uint32_t entry_num;
	uint64_t position;	/* after the last record taken */
	uint64_t damaged;	/* records passed over since init */
	int64_t wall_offset_ns; /* wall time = monotonic time + this */
	struct store_sqlite_batch_work *work;
};

/* What a transaction put into the database. */
struct store_sqlite_batch_result {
	uint64_t rows;
	uint64_t duplicates; /* ends of requests that already had one: passed over */
};

/* Return: 0 or -ENOMEM. */
int store_sqlite_batch_init(struct store_sqlite_batch *batch);
void store_sqlite_batch_free(struct store_sqlite_batch *batch);

/* Takes the records from batch->position on, as many as fit one transaction. */
void store_sqlite_batch_read(struct store_sqlite_batch *batch, const struct ring *ring);

/*
 * Writes what was read. All of it is in the database, or on failure nothing is, and the batch can
 * be written again.
 * Return: 0 or -errno; *result counts only on 0.
 */
int store_sqlite_batch_write(struct store_sqlite_batch *batch, struct store_sqlite_db *db,
			     uint64_t ring_id, struct store_sqlite_batch_result *result);

/*
 * Gives every request that is still pending its end, as lost with the daemon that had it.
 * lost: how many is added to it, on failure too. Return: 0 or -errno.
 */
int store_sqlite_batch_lose(struct store_sqlite_batch *batch, struct store_sqlite_db *db,
			    int64_t *lost);

#endif
