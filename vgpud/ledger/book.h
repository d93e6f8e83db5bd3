/* SPDX-License-Identifier: GPL-2.0-or-later */
/* book.h - ring and database together, and how far one has been taken into the other */

#ifndef VGPUD_LEDGER_BOOK_H
#define VGPUD_LEDGER_BOOK_H

#include <stdint.h>

#include "vgpud/ledger/batch.h"
#include "vgpud/ledger/clock.h"
#include "vgpud/ledger/db.h"
#include "vgpud/ledger/health.h"
#include "vgpud/ledger/ledger.h"
#include "vgpud/ledger/ring.h"
#include "vgpud/ledger/room.h"

/* The thread that starts the ledger fills it; then it is the writer's. */
struct ledger_book {
	const struct ledger_config *config;
	struct ledger_health *health;
	struct ledger_db db;
	struct ring *ring; /* once health->begun it stays, and the loop thread is its producer */
	struct ledger_batch batch;
	struct ledger_room room;
	struct ledger_clock clock;
	struct ring_session session; /* id 0: not chosen yet */
	int64_t wall_offset_ns;	     /* wall time of the session = monotonic time + this */
	uint64_t committed;	     /* position in the ring */
};

/*
 * config, health: must outlive it. disk_fd: of a file beside the database, the caller's.
 * Return: 0 or -ENOMEM.
 */
int ledger_book_open(struct ledger_book *book, const struct ledger_config *config,
		     struct ledger_health *health, int disk_fd);

/* Closes what is open of it. The ring's file and the database's log stay as they are. */
void ledger_book_close(struct ledger_book *book);

/* Return: a monotonic time on the wall clock of this session. */
int64_t ledger_book_wall_ns(const struct ledger_book *book, uint64_t mono_ns);

/*
 * Takes one batch of records into the database, in one transaction; they are not released.
 * Return: 0, or -errno: nothing was taken.
 */
int ledger_book_take(struct ledger_book *book);

/* The columns of a session's row beside its times. All zero: nothing is known. */
struct ledger_session_about {
	const char *boot_id, *version, *host; /* NULL: unknown */
	int64_t clock_ahead_ns, clock_behind_ns;
};

/* Inserts the row of a session, unless it is there. Return: 0 or -errno. */
int ledger_book_insert_session(struct ledger_book *book, const struct ring_session *session,
			       const struct ledger_session_about *about);

/*
 * From here on the database knows this ring, and how far it has taken it. last: the highest ids
 * that were seen. Return: 0 or -errno.
 */
int ledger_book_know_ring(struct ledger_book *book, uint64_t position, const struct ring_ids *last);

/* Marks that this session ended cleanly, so that the next start need not check the file. */
void ledger_book_end_session(struct ledger_book *book);

#endif
