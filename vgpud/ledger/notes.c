/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notes.c - findings of a start, for the audit trail and the log */

#include "vgpud/ledger/notes.h"

#include <stdio.h>
#include <time.h>

#include "common/util.h"
#include "vgpud/ledger/events.h"

static void say(const struct ledger_book *book, const char *text)
{
	if (book->config->say != NULL)
		book->config->say(text);
}

/*
 * Writes a finding as an event or, with aloud, says it: an event is said only once it is written.
 */
static int note_change(struct ledger_book *book, bool aloud, const char *kind,
		       const char *old_value, const char *new_value, const char *text)
{
	const struct ledger_event event = {
		.kind = kind,
		.old_value = old_value,
		.new_value = new_value,
		.text = text,
		.uid = -1,
		.pid = -1,
	};

	if (aloud) {
		say(book, text);
		return 0;
	}
	return ledger_events_write(&book->db, ledger_book_wall_ns(book, util_now_ns()), &event);
}

static int note(struct ledger_book *book, bool aloud, const char *kind, const char *new_value,
		const char *text)
{
	return note_change(book, aloud, kind, NULL, new_value, text);
}

static void write_time(int64_t ns, char *out, size_t len)
{
	time_t seconds = (time_t)(ns / (int64_t)UTIL_NS_PER_S);
	struct tm utc;

	if (gmtime_r(&seconds, &utc) == NULL || strftime(out, len, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		out[0] = '\0';
}

static int note_clock(struct ledger_book *book, bool aloud)
{
	const struct ledger_clock *clock = &book->clock;
	char newest[32], now[32], text[512];
	int err = 0;

	write_time(clock->newest_ns, newest, sizeof(newest));
	write_time(book->session.wall_ns, now, sizeof(now));
	if (clock->ahead_ns > 0) {
		snprintf(text, sizeof(text),
			 "the clock says %s, %lld days after all that is in the ledger (%s): for a "
			 "week these do not count as age; if the host was not off for so long, set "
			 "its clock and restart vgpud",
			 now, (long long)(clock->ahead_ns / (int64_t)UTIL_NS_PER_DAY), newest);
		err = note_change(book, aloud, "clock-ahead", newest, now, text);
	}
	if (err == 0 && clock->behind_ns > 0) {
		snprintf(text, sizeof(text),
			 "the clock says %s, %lld days before the newest entry of the ledger (%s): "
			 "entries from the future count as of now when old ones are removed; if it "
			 "is the clock that is wrong, set it and restart vgpud",
			 now, (long long)(clock->behind_ns / (int64_t)UTIL_NS_PER_DAY), newest);
		err = note_change(book, aloud, "clock-behind", newest, now, text);
	}
	return err;
}

/* --- the database, the ring, the requests --- */

static int note_database(struct ledger_book *book, bool aloud, const struct ledger_notes *notes)
{
	char text[2 * PATH_MAX + 512];
	int err = 0;

	if (notes->db.migrated[0] && aloud)
		say(book, notes->db.migrated); /* the migration wrote its own event */
	if (notes->remains[0]) {
		snprintf(text, sizeof(text), "%s%s%s", notes->remains,
			 notes->remains_aside[0] ? "; what was left of it is kept as " : "",
			 notes->remains_aside);
		err = note(book, aloud, "ledger-missing", notes->remains_aside, text);
	}
	if (err == 0 && notes->db.set_aside[0]) {
		snprintf(
			text, sizeof(text),
			"the database was damaged (%s) and set aside as %s; %u VMs were taken over",
			notes->db.reason, notes->db.set_aside, notes->db.vms_saved);
		err = note(book, aloud, "ledger-set-aside", notes->db.set_aside, text);
	}
	if (err == 0 && notes->db.check_cut_short)
		err = note(book, aloud, "ledger-check", "cut short",
			   "the database is too large to be checked at the start; PRAGMA "
			   "quick_check on a copy tells whether it is sound");
	return err;
}

static int note_ring(struct ledger_book *book, bool aloud, const struct ledger_notes *notes)
{
	char text[PATH_MAX + 512];
	int err = 0;

	if (notes->ring.set_aside[0]) {
		snprintf(text, sizeof(text), "the ring was set aside as %s: %s",
			 notes->ring.set_aside, notes->ring.reason);
		err = note(book, aloud, "ring-set-aside", notes->ring.set_aside, text);
	}
	if (err == 0 && notes->no_ring)
		err = note(book, aloud, "ring-missing", NULL,
			   "there was no ring beside the database: what the last vgpud answered in "
			   "its last moment may have left no record");
	return err;
}

static int note_lost(struct ledger_book *book, bool aloud, int64_t lost)
{
	char text[128], number[32];

	if (lost == 0)
		return 0;
	snprintf(number, sizeof(number), "%lld", (long long)lost);
	snprintf(text, sizeof(text),
		 "requests that were queued or running when the last vgpud died: %s", number);
	return note(book, aloud, "requests-lost", number, text);
}

static int note_programs_lost(struct ledger_book *book, bool aloud, int64_t lost)
{
	char text[128], number[32];

	if (lost == 0)
		return 0;
	snprintf(number, sizeof(number), "%lld", (long long)lost);
	snprintf(text, sizeof(text), "programs of guests that ran when the last vgpud died: %s",
		 number);
	return note(book, aloud, "programs-lost", number, text);
}

int ledger_notes_tell(const struct ledger_notes *notes, struct ledger_book *book, bool aloud)
{
	int err = note_database(book, aloud, notes);

	if (err == 0)
		err = note_ring(book, aloud, notes);
	if (err == 0)
		err = note_lost(book, aloud, notes->lost);
	if (err == 0)
		err = note_programs_lost(book, aloud, notes->programs_lost);
	if (err == 0)
		err = note_clock(book, aloud);
	return err;
}
