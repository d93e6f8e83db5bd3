/* SPDX-License-Identifier: GPL-2.0-or-later */
/* health.h - how the ledger is: the writer says it, the loop thread asks */

#ifndef VGPUD_LEDGER_HEALTH_H
#define VGPUD_LEDGER_HEALTH_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "vgpud/ledger/ledger.h"

struct ledger_health {
	_Atomic int state; /* enum ledger_state */
	/* The session is in the database and in the ring. Until then the ring is the last session's,
	 * may be replaced by the writer, and takes nothing. */
	_Atomic bool begun;
	/* As struct ledger_stats has them. */
	_Atomic uint64_t rows, batches, lost, programs_lost, duplicates, damaged, expired;
	_Atomic uint64_t db_bytes, free_bytes, dropped, refused, events_dropped;
	_Atomic int64_t ahead_until_ns;

	pthread_mutex_t lock; /* of the error, held for a copy */
	char error[200];
};

/*
 * Return: whether err means no room: on the disk, in the user's quota, or under the file-size
 * limit. Messages tell the three apart; the ledger treats them alike.
 */
static inline bool ledger_is_full(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EFBIG;
}

void ledger_health_open(struct ledger_health *health);
void ledger_health_close(struct ledger_health *health);

static inline void ledger_health_count(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

void ledger_health_error(struct ledger_health *health, const char *words);

/*
 * Notes how the last attempt to write ended. err: 0 or -errno. words: the failure; NULL: keep the
 * words noted before. Return: whether the state has changed.
 */
bool ledger_health_set(struct ledger_health *health, int err, const char *words);

/* Fills the fields that it knows. */
void ledger_health_stats(struct ledger_health *health, struct ledger_stats *stats);

#endif
