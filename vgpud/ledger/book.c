/* SPDX-License-Identifier: GPL-2.0-or-later */
/* book.c - ring and database together, and how far one has been taken into the other */

#include "vgpud/ledger/book.h"

#include "common/util.h"

int ledger_book_open(struct ledger_book *book, const struct ledger_config *config,
		     struct ledger_health *health, int disk_fd)
{
	*book = (struct ledger_book){
		.config = config,
		.health = health,
		.room = { .db = &book->db, .max_bytes = config->max_bytes, .disk_fd = disk_fd },
	};
	return ledger_batch_init(&book->batch);
}

void ledger_book_close(struct ledger_book *book)
{
	ledger_db_close(&book->db);
	if (book->ring)
		ring_close(book->ring);
	book->ring = NULL;
	ledger_batch_free(&book->batch);
}

int64_t ledger_book_wall_ns(const struct ledger_book *book, uint64_t mono_ns)
{
	return (int64_t)mono_ns + book->wall_offset_ns;
}

int ledger_book_take(struct ledger_book *book)
{
	struct ledger_batch *batch = &book->batch;
	struct ledger_batch_result result;
	uint64_t position = batch->position, damaged = batch->damaged;
	int err = ledger_room_ask(&book->room);

	if (err)
		return err;
	ledger_batch_read(batch, book->ring);
	err = ledger_batch_write(batch, &book->db, ring_id(book->ring), &result);
	if (err) {
		batch->position = position;
		batch->damaged = damaged;
		return err;
	}
	book->committed = batch->position;
	ledger_health_count(&book->health->rows, result.rows);
	ledger_health_count(&book->health->duplicates, result.duplicates);
	ledger_health_count(&book->health->damaged, batch->damaged - damaged);
	return 0;
}

int ledger_book_insert_session(struct ledger_book *book, const struct ring_session *session,
			       const struct ledger_session_about *about)
{
	sqlite3 *conn = book->db.conn;
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(
		conn,
		"INSERT OR IGNORE INTO session (id, started_ns, started_mono_ns, boot_id, version, "
		"host, clock_ahead_ns, clock_behind_ns, first_request_id) "
		"SELECT ?1,?2,?3,?4,?5,?6,?7,?8, last_request_id + 1 FROM ledger",
		-1, &statement, NULL);

	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(conn, rc);
	sqlite3_bind_int64(statement, 1, (int64_t)session->id);
	sqlite3_bind_int64(statement, 2, session->wall_ns);
	sqlite3_bind_int64(statement, 3, (int64_t)session->mono_ns);
	sqlite3_bind_text(statement, 4, about->boot_id, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, about->version, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 6, about->host, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 7, about->clock_ahead_ns);
	sqlite3_bind_int64(statement, 8, about->clock_behind_ns);
	rc = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? 0 : ledger_db_errno(conn, rc);
}

int ledger_book_know_ring(struct ledger_book *book, uint64_t position, const struct ring_ids *last)
{
	sqlite3_stmt *statement = book->db.statement[LEDGER_DB_POSITION];

	sqlite3_bind_int64(statement, 1, (int64_t)ring_id(book->ring));
	sqlite3_bind_int64(statement, 2, (int64_t)position);
	sqlite3_bind_int64(statement, 3, (int64_t)last->request);
	sqlite3_bind_int64(statement, 4, (int64_t)last->program);
	return ledger_db_run(&book->db, LEDGER_DB_POSITION);
}

void ledger_book_end_session(struct ledger_book *book)
{
	sqlite3_stmt *statement = book->db.statement[LEDGER_DB_SESSION_END];
	const struct ledger_health *health = book->health;

	if (!atomic_load(&health->begun) || atomic_load(&health->state) != LEDGER_OK ||
	    book->committed != ring_head(book->ring))
		return;
	sqlite3_bind_int64(statement, 1, (int64_t)book->session.id);
	sqlite3_bind_int64(statement, 2, ledger_book_wall_ns(book, util_now_ns()));
	ledger_db_run(&book->db, LEDGER_DB_SESSION_END);
}
