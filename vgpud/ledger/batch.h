/* SPDX-License-Identifier: GPL-2.0-or-later */
/* batch.h - records of the ring become rows, minutes and a position, in one
 * transaction */

#ifndef VGPUD_LEDGER_BATCH_H
#define VGPUD_LEDGER_BATCH_H

#include <stdint.h>

#include "vgpud/ledger/db.h"
#include "vgpud/ledger/ring.h"

/* A request has two records, so this is about a thousand rows in a transaction. */
#define LEDGER_BATCH_RECORDS 2048u

struct ledger_batch_work;

struct ledger_batch {
	struct ring_entry *entries; /* LEDGER_BATCH_RECORDS */
	uint32_t entry_num;
	uint64_t position;	/* after the last record taken */
	uint64_t damaged;	/* records passed over since init */
	int64_t wall_offset_ns; /* wall time = monotonic time + this */
	struct ledger_batch_work *work;
};

/* The result of a transaction. */
struct ledger_batch_result {
	uint64_t rows;
	uint64_t duplicates; /* ends of what already had one: passed over */
};

/* Return: 0 or -ENOMEM. */
int ledger_batch_init(struct ledger_batch *batch);
void ledger_batch_free(struct ledger_batch *batch);

/* Takes the records from batch->position on, as many as fit one transaction. */
void ledger_batch_read(struct ledger_batch *batch, const struct ring *ring);

/*
 * Writes what was read: all of it, or on failure nothing, and the batch can be written again.
 * Return: 0 or -errno; *result is valid only on 0.
 */
int ledger_batch_write(struct ledger_batch *batch, struct ledger_db *db, uint64_t ring_id,
		       struct ledger_batch_result *result);

/*
 * Ends every request that is still pending as lost (BACKEND_LOST) with the daemon that had it.
 * lost: their number is added to it, on failure too. Return: 0 or -errno.
 */
int ledger_batch_lose(struct ledger_batch *batch, struct ledger_db *db, int64_t *lost);

#endif
