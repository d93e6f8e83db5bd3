/* SPDX-License-Identifier: GPL-2.0-or-later */
/* room.c - whether the disk has room for records, and when the log is checkpointed */

/*
 * A batch takes room twice: in the log, and in the database file after a checkpoint. A log whose
 * pages do not fit into the file any more cannot begin anew, and the disk would stay full for good.
 * So
 *
 *   - the smaller max_size is, or the less room the disk has left, the sooner a checkpoint comes;
 *   - records are not written when less than a reserve would be left. The reserve is for retention,
 *     which frees room, and for changes of VMs and events.
 *
 * Rows that retention removes leave free pages in the file for new rows: they count as room in the
 * file, but the log needs room of its own. A quota cannot be asked for; there a failed write causes
 * the checkpoint.
 */

#include "vgpud/ledger/room.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "common/util.h"
#include "vgpud/ledger/health.h"

#define PAGE_BYTES 4096u
#define LOG_PAGES_LEAST 64u  /* 256 KiB */
#define LOG_PAGES_MOST 4000u /* 16 MiB */
#define LOG_PART 4u	     /* of max_size, for the log */
#define LOG_TIMES_LEFT 4     /* a log file that grew longer is cut to so many times its part */
#define WAIT_LEAST_MS 100    /* for readers to leave a log that is too long */
#define WAIT_MOST_MS 16000
#define WAIT_AGAIN_S 300 /* until the next attempt, after the longest wait was in vain */
#define RESERVE_BYTES (512u << 10)

static uint64_t log_pages(const struct ledger_room *room)
{
	uint64_t pages = room->max_bytes / LOG_PART / PAGE_BYTES;

	if (room->max_bytes == 0 || pages > LOG_PAGES_MOST)
		return LOG_PAGES_MOST;
	return pages < LOG_PAGES_LEAST ? LOG_PAGES_LEAST : pages;
}

uint64_t ledger_room_free(const struct ledger_room *room)
{
	struct statvfs disk;

	if (fstatvfs(room->disk_fd, &disk) != 0)
		return UINT64_MAX;
	return (uint64_t)disk.f_bavail * disk.f_frsize;
}

/* Return: bytes in the log that are not yet in the file. */
static uint64_t log_bytes(const struct ledger_room *room)
{
	return (uint64_t)(room->db->wal_pages - room->db->wal_pages_done) * PAGE_BYTES;
}

void ledger_room_set_up(struct ledger_room *room)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit = %llu",
		 (unsigned long long)log_pages(room) * PAGE_BYTES * LOG_TIMES_LEFT);
	sqlite3_exec(room->db->conn, sql, NULL, NULL, NULL);
}

/*
 * Readers that overlap keep the log from ever beginning anew: it would grow without bound, past
 * max_size. So when it is much too long, the writer stops and waits. Readers that use the log end
 * one by one, and new ones read the file alone, since nothing is written. The wait doubles up to
 * the longest time that our own readers may take (query.h); between two waits, records are written
 * for as long again. An administrator's own sqlite3(1) may hold the log longer than that.
 */
static void cut_long_log(struct ledger_room *room)
{
	uint64_t now_ns = util_now_ns();

	if ((uint64_t)room->db->wal_pages < log_pages(room) * LOG_TIMES_LEFT) {
		room->wait_ms = 0;
		return;
	}
	if (room->wait_ms > 0 && now_ns < room->wait_due_ns)
		return;
	if (room->wait_ms == 0)
		room->wait_ms = WAIT_LEAST_MS;
	if (ledger_db_cut(room->db, room->wait_ms) == 0) {
		room->wait_ms = 0;
		return;
	}
	/* A reader that holds the log longer is not ours: waiting on would only stop the writer. */
	room->wait_due_ns = util_now_ns() + (uint64_t)(room->wait_ms < WAIT_MOST_MS
							       ? room->wait_ms * UTIL_NS_PER_MS
							       : WAIT_AGAIN_S * UTIL_NS_PER_S);
	room->wait_ms = room->wait_ms * 2 > WAIT_MOST_MS ? WAIT_MOST_MS : room->wait_ms * 2;
}

bool ledger_room_checkpoint(struct ledger_room *room)
{
	uint64_t bytes = log_bytes(room);

	cut_long_log(room);
	if (bytes < log_pages(room) * PAGE_BYTES &&
	    (bytes == 0 || bytes < ledger_room_free(room) / 2))
		return false;
	/* After a failure the next batches try again. */
	return ledger_db_checkpoint(room->db, false) == 0;
}

void ledger_room_make(struct ledger_room *room)
{
	ledger_db_checkpoint(room->db, true);
}

/* Return: whether the file has room, given that the log is empty. */
static bool has_room(struct ledger_room *room)
{
	uint64_t bytes = ledger_room_free(room);
	int64_t unused_pages = 0;

	if (bytes >= RESERVE_BYTES)
		return true;
	if (bytes < RESERVE_BYTES / 2 ||
	    ledger_db_number(room->db, LEDGER_DB_UNUSED, &unused_pages) != 0)
		return false;
	return bytes + (uint64_t)unused_pages * PAGE_BYTES >= RESERVE_BYTES;
}

int ledger_room_ask(struct ledger_room *room)
{
	room->none = false;
	if (ledger_room_free(room) >= RESERVE_BYTES + 2 * log_bytes(room))
		return 0;
	room->none = ledger_is_full(ledger_db_checkpoint(room->db, true)) || !has_room(room);
	return room->none ? -ENOSPC : 0;
}

void ledger_room_words(const struct ledger_room *room, int err, char *out, size_t len)
{
	if (err == -ENOSPC && room->none)
		snprintf(out, len,
			 "the disk is full (its last %u KiB are reserved for removing rows)",
			 RESERVE_BYTES >> 10);
	else
		ledger_db_words(room->db->conn, err, out, len);
}
