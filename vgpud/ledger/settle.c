/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settle.c - takes what the last session left in the ring into the database */

#include "vgpud/ledger/settle.h"

#include <errno.h>
#include <stdio.h>

#include "common/util.h"
#include "vgpud/ledger/programs.h"

/* Finds the session that the ring's records belong to, from the ring or else from the database. */
static int last_session(struct ledger_book *book, struct ring_session *session)
{
	int64_t numbers[3] = { 0 };
	int err;

	if (ring_get_session(book->ring, session) == 0)
		return 0;
	err = ledger_db_numbers(&book->db,
				"SELECT id, started_ns, started_mono_ns FROM session "
				"ORDER BY id DESC LIMIT 1",
				numbers, 3);
	if (err == -ENODATA) {
		*session = (struct ring_session){ 1, util_wall_ns(), util_now_ns() };
		return 0;
	}
	*session = (struct ring_session){ (uint64_t)numbers[0], numbers[1], (uint64_t)numbers[2] };
	return err;
}

/* Makes a database that is younger than the ring continue the ring's ids. */
static int keep_ids_growing(struct ledger_book *book)
{
	const struct ring_ids highest = ring_ids_from(book->ring, ring_oldest(book->ring));

	return ledger_book_know_ring(book, ring_tail(book->ring), &highest);
}

/*
 * A session is in the database before its first record is in the ring. So a ring whose session the
 * database does not know belongs to another database.
 * Return: 1: it does; 0: it is ours; or -errno.
 */
static int is_foreign(struct ledger_book *book)
{
	struct ring_session session;
	int64_t started_ns = 0;
	char sql[96];
	int err;

	if (ring_get_session(book->ring, &session) != 0)
		return 0;
	snprintf(sql, sizeof(sql), "SELECT started_ns FROM session WHERE id = %llu",
		 (unsigned long long)session.id);
	err = ledger_db_numbers(&book->db, sql, &started_ns, 1);
	if (err && err != -ENODATA)
		return err;
	return started_ns != session.wall_ns;
}

/*
 * Finds the position up to which the database has taken the ring.
 * Return: 0, -ESTALE: beyond its end, -EXDEV: it is another database's ring, or -errno.
 */
static int find_position(struct ledger_book *book, uint64_t *position)
{
	int64_t numbers[2] = { 0 };
	int err = ledger_db_numbers(&book->db, "SELECT ring_id, ring_position FROM ledger", numbers,
				    2);

	if (err)
		return err;
	*position = ring_tail(book->ring);
	if ((uint64_t)numbers[0] != ring_id(book->ring)) {
		int foreign = is_foreign(book);

		return foreign == 1 ? -EXDEV : foreign;
	}
	*position = (uint64_t)numbers[1];
	if (*position > ring_head(book->ring))
		return -ESTALE;
	/* After a power failure the database may be older than the ring's tail. */
	if (*position < ring_oldest(book->ring))
		*position = ring_oldest(book->ring);
	return 0;
}

/*
 * Takes all records into the database, and releases them only then: if the database turns out to be
 * damaged, a new one can still take them.
 */
static int replay(struct ledger_book *book, uint64_t position)
{
	const struct ledger_session_about nothing = { 0 };
	struct ring_session session;
	uint64_t head = ring_head(book->ring);
	int err = 0;

	book->batch.position = position;
	if (position < head) {
		err = last_session(book, &session);
		if (err == 0)
			err = ledger_book_insert_session(book, &session, &nothing);
		book->batch.wall_offset_ns = session.wall_ns - (int64_t)session.mono_ns;
	}
	while (err == 0 && book->batch.position < head)
		err = ledger_book_take(book);
	if (err == 0)
		ring_release(book->ring, head);
	return err;
}

static int renew_ring(struct ledger_book *book, bool damaged, struct ring_report *report, char *why,
		      size_t why_len)
{
	if (!damaged && !ring_is_old(book->ring) &&
	    ring_records(book->ring) == book->config->ring_records)
		return 0;
	return ring_replace(&book->ring, book->config->ring_records, damaged, report, why, why_len);
}

void ledger_settle_explain(const struct ledger_book *book, int err, const char *what, char *why,
			   size_t why_len)
{
	char words[256];

	ledger_room_words(&book->room, err, words, sizeof(words));
	snprintf(why, why_len, "%s: %s: %s%s", book->config->db_path, what, words,
		 err == -ENOSPC	  ? "; free some space"
		 : err == -EDQUOT ? "; free some of the user's quota, or raise it"
		 : err == -EFBIG  ? "; raise the limit (ulimit -f, LimitFSIZE=)"
		 : err == -EBUSY  ? "; end the program that holds it"
		 : err == -EIO	  ? "; the disk does not do what it should, see the kernel's log"
				  : "");
}

bool ledger_settle_fits(struct ledger_book *book)
{
	uint64_t position;

	return !ring_damaged(book->ring) && find_position(book, &position) == 0;
}

int ledger_settle(struct ledger_book *book, struct ledger_notes *notes, char *why, size_t why_len)
{
	uint64_t position = 0;
	bool damaged = ring_damaged(book->ring);
	int err = notes->db.fresh ? keep_ids_growing(book) : 0;

	if (err == 0)
		err = find_position(book, &position);
	notes->foreign_ring = err == -EXDEV;
	if (err == -ESTALE || err == -EXDEV)
		damaged = true;
	else if (err == 0)
		err = replay(book, position);
	if (err == 0 || err == -ESTALE || err == -EXDEV) {
		err = ledger_batch_lose(&book->batch, &book->db, &notes->lost);
		if (err == 0)
			err = ledger_programs_lose(&book->db, &notes->programs_lost);
	}
	if (err) {
		ledger_settle_explain(book, err, "cannot take what the ledger's ring holds", why,
				      why_len);
		return err;
	}
	err = renew_ring(book, damaged, &notes->ring, why, why_len);
	if (err)
		return err;
	if (notes->foreign_ring)
		notes->ring.reason = "it belongs to another database, so its records are not taken";
	book->batch.position = ring_head(book->ring);
	book->committed = book->batch.position;
	return 0;
}
