/* SPDX-License-Identifier: GPL-2.0-or-later */
/* room.c - whether the disk has room for records, and when the log goes into the
 * database */

/*
 * A batch takes room twice: in the log, and in the database file once the log goes there. A log
 * whose contents do not fit into the file any more cannot begin anew; with nothing else on the disk
 * it would be full for good. So
 *
 *   - the log goes into the file the sooner, the smaller max_size is or the less the disk has left;
 *   - records are not written when less than a reserve would be left: that is for what frees room,
 *     which is retention, and for changes of VMs and events.
 *
 * Rows that retention removes leave pages in the file that new ones take: they count as room in the
 * file, but the log needs room of its own. A quota cannot be foreseen; there a failed write lets
 * the log go into the file.
 */

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "vgpud/ledger/ledger_private.h"

#define PAGE_BYTES 4096u
#define LOG_PAGES_LEAST 64u  /* 256 KiB */
#define LOG_PAGES_MOST 4000u /* 16 MiB */
#define LOG_PART 4u	     /* of max_size, for the log */
#define LOG_TIMES_LEFT 4     /* its file is cut to so many times that, once it was longer */
#define RESERVE_BYTES (512u << 10)

static uint64_t log_pages(const struct ledger_sqlite *s)
{
	uint64_t pages = s->config.max_bytes / LOG_PART / PAGE_BYTES;

	if (s->config.max_bytes == 0 || pages > LOG_PAGES_MOST)
		return LOG_PAGES_MOST;
	return pages < LOG_PAGES_LEAST ? LOG_PAGES_LEAST : pages;
}

/* Beside the database. Where that cannot be told there is always room. */
static uint64_t free_bytes(const struct ledger_sqlite *s)
{
	struct statvfs disk;

	if (fstatvfs(s->lock_fd, &disk) != 0)
		return UINT64_MAX;
	return (uint64_t)disk.f_bavail * disk.f_frsize;
}

/* What is in the log and not yet in the file. */
static uint64_t log_bytes(const struct ledger_sqlite *s)
{
	return (uint64_t)(s->db.wal_pages - s->db.wal_pages_done) * PAGE_BYTES;
}

void ledger_room_set_up(struct ledger_sqlite *s)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %llu",
		 (unsigned long long)log_pages(s) * PAGE_BYTES * LOG_TIMES_LEFT);
	sqlite3_exec(s->db.conn, sql, NULL, NULL, NULL);
}

void ledger_room_checkpoint(struct ledger_sqlite *s)
{
	uint64_t bytes = log_bytes(s);

	if (bytes < log_pages(s) * PAGE_BYTES && (bytes == 0 || bytes < free_bytes(s) / 2))
		return;
	/* What fails now is tried again after the next batches. */
	if (ledger_db_checkpoint(&s->db, false) == 0)
		s->retention_due_ns = 0; /* the file may have grown */
}

void ledger_room_make(struct ledger_sqlite *s)
{
	ledger_db_checkpoint(&s->db, true);
}

/* In a file of which nothing waits in the log. */
static bool has_room(struct ledger_sqlite *s)
{
	uint64_t bytes = free_bytes(s);
	int64_t unused_pages = 0;

	if (bytes >= RESERVE_BYTES)
		return true;
	if (bytes < RESERVE_BYTES / 2 ||
	    ledger_db_number(&s->db, LEDGER_DB_UNUSED, &unused_pages) != 0)
		return false;
	return bytes + (uint64_t)unused_pages * PAGE_BYTES >= RESERVE_BYTES;
}

int ledger_room_ask(struct ledger_sqlite *s)
{
	s->no_room = false;
	if (free_bytes(s) >= RESERVE_BYTES + 2 * log_bytes(s))
		return 0;
	s->no_room = ledger_db_checkpoint(&s->db, true) == -ENOSPC || !has_room(s);
	return s->no_room ? -ENOSPC : 0;
}

void ledger_room_words(const struct ledger_sqlite *s, int err, char *out, size_t len)
{
	if (err == -ENOSPC && s->no_room)
		snprintf(out, len, "the disk is full (its last %u KiB are for what removes rows)",
			 RESERVE_BYTES >> 10);
	else
		ledger_db_words(s->db.conn, err, out, len);
}
