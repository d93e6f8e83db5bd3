/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.c - opens the ledger and begins a session */

/*
 * On a full disk
 *
 * A session begins with writing: the ring's records, the lost requests, the session's row. Without
 * room for that, vgpud starts all the same if database and ring are sound and belong together. It
 * reads what the loop thread needs: the VMs, the session's number, the first free id. The ring
 * stays as the last session left it and takes no record, since its header has room for the clock of
 * one session only. The writer then tries to begin, as often as it would try to write a batch; each
 * step may be repeated.
 */

#include "vgpud/ledger/start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/ledger/db_open.h"
#include "vgpud/ledger/names.h"
#include "vgpud/ledger/notes.h"
#include "vgpud/ledger/remains.h"
#include "vgpud/ledger/settle.h"

static void read_boot_id(char *out, size_t len)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, len - 1);

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

/*
 * Chooses what the loop thread needs and a later beginning must not change: the session's number
 * and the first free ids. highest: the highest ids in the ring, if its records are not yet in the
 * database.
 */
static int choose_session(struct ledger_start *start, struct ring_ids highest)
{
	struct ledger_book *book = start->book;
	struct ring_session last;
	int64_t numbers[3] = { 0 };
	int err = ledger_db_numbers(&book->db,
				    "SELECT coalesce((SELECT max(id) FROM session), 0), "
				    "last_request_id, last_program_id FROM ledger",
				    numbers, 3);

	if (err)
		return err;
	if (ring_get_session(book->ring, &last) == 0 && (int64_t)last.id > numbers[0])
		numbers[0] = (int64_t)last.id;
	if ((uint64_t)numbers[1] > highest.request)
		highest.request = (uint64_t)numbers[1];
	if ((uint64_t)numbers[2] > highest.program)
		highest.program = (uint64_t)numbers[2];
	book->session = (struct ring_session){ (uint64_t)numbers[0] + 1, util_wall_ns(),
					       util_now_ns() };
	book->wall_offset_ns = book->session.wall_ns - (int64_t)book->session.mono_ns;
	start->next_id = highest.request + 1;
	start->next_program_id = highest.program + 1;
	return 0;
}

/* Writes the session's row and the start's events in the open transaction. */
static int write_session(struct ledger_start *start)
{
	struct ledger_book *book = start->book;
	const struct ring_ids no_ids = { 0 };
	char boot_id[64], host[256] = "";
	const struct ledger_session_about about = {
		.boot_id = boot_id,
		.version = book->config->version,
		.host = host,
		.clock_ahead_ns = book->clock.ahead_ns,
		.clock_behind_ns = book->clock.behind_ns,
	};
	int err;

	read_boot_id(boot_id, sizeof(boot_id));
	if (book->config->host)
		snprintf(host, sizeof(host), "%s", book->config->host);
	else
		gethostname(host, sizeof(host) - 1);
	err = ledger_book_insert_session(book, &book->session, &about);
	if (err == 0)
		err = ledger_book_know_ring(book, book->committed, &no_ids);
	if (err == 0)
		err = ledger_notes_tell(start->notes, book, false);
	return err;
}

static int begin_session(struct ledger_start *start)
{
	struct ledger_book *book = start->book;
	int err = book->session.id != 0 ? 0 : choose_session(start, (struct ring_ids){ 0 });

	if (err == 0)
		err = ledger_clock_look(&book->clock, &book->db, book->session.wall_ns);
	if (err)
		return err;
	book->batch.wall_offset_ns = book->wall_offset_ns;
	atomic_store(&book->health->lost, (uint64_t)start->notes->lost);
	atomic_store(&book->health->programs_lost, (uint64_t)start->notes->programs_lost);
	atomic_store(&book->health->ahead_until_ns, book->clock.ahead_until_ns);
	/* Synced, so that after a power failure the database knows the session of every record that
	 * may be in the ring: else the ring would be taken for another database's. */
	err = ledger_db_sync(&book->db, true);
	if (err == 0)
		err = ledger_db_begin(&book->db);
	if (err == 0)
		err = write_session(start);
	err = ledger_db_end(&book->db, err);
	if (err == 0)
		err = ledger_db_sync(&book->db, false);
	if (err == 0)
		ring_set_session(book->ring, &book->session);
	return err;
}

/* Does all the writing of a start. */
static int settle_and_begin(struct ledger_start *start, char *why, size_t why_len)
{
	struct ledger_book *book = start->book;
	int err = ledger_settle(book, start->notes, why, why_len);

	if (err)
		return err;
	err = ledger_names_fill(&book->db);
	if (err == 0)
		err = begin_session(start);
	if (err) {
		ledger_settle_explain(book, err, "cannot begin a session", why, why_len);
		return err;
	}
	ledger_notes_tell(start->notes, book, true);
	ledger_start_free(start);
	atomic_store(&book->health->begun, true);
	return 0;
}

/* Return: whether a sound database and its own ring allow the session to begin later. */
static bool may_begin_later(const struct ledger_start *start)
{
	struct ledger_book *book = start->book;

	return book->db.conn && book->ring && !start->notes->db.fresh && ledger_settle_fits(book);
}

/* full: why there is no room. */
static int begin_later(struct ledger_start *start, int full, const char *why)
{
	struct ledger_book *book = start->book;
	int err = choose_session(start, ring_ids_from(book->ring, ring_tail(book->ring)));

	if (err)
		return err;
	ledger_health_set(book->health, full, why);
	return 0;
}

static int begin_now_or_later(struct ledger_start *start, char *why, size_t why_len)
{
	struct ledger_book *book = start->book;
	int err;

	book->session = (struct ring_session){ 0 };
	ledger_room_set_up(&book->room);
	err = ledger_vms_load(start->vms, &book->db);
	if (err) {
		ledger_settle_explain(book, err, "cannot read the VMs", why, why_len);
		return err;
	}
	err = settle_and_begin(start, why, why_len);
	return ledger_is_full(err) && may_begin_later(start) ? begin_later(start, err, why) : err;
}

static int open_and_begin(struct ledger_start *start, char *why, size_t why_len)
{
	struct ledger_book *book = start->book;
	struct ledger_db_report *report = &start->notes->db;
	int err;

	err = ledger_db_open(&book->db, book->config->db_path, report, why, why_len);
	if (err == 0 && report->fresh)
		ledger_remains_no_tables(book, start->notes);
	if (err == 0)
		err = begin_now_or_later(start, why, why_len);
	if (err && start->notes && report->reason[0] == '\0')
		snprintf(report->reason, sizeof(report->reason), "%s", why);
	return err;
}

/* -ENODATA counts as damage: each such row is made with the tables. */
static bool is_damage(int err)
{
	return err == -EUCLEAN || err == -ENODATA;
}

/*
 * Damage may show when the database is opened, or later, since it is not checked after a clean end.
 * The ring is unchanged: its records are released once all of them are in a database. A database is
 * set aside only when it was found damaged twice, since one failed read can look like damage too.
 */
static int open_sound_or_new(struct ledger_start *start, char *why, size_t why_len)
{
	struct ledger_book *book = start->book;
	int err = open_and_begin(start, why, why_len);

	if (is_damage(err))
		err = open_and_begin(start, why, why_len);
	if (!is_damage(err))
		return err;
	err = ledger_db_start_afresh(&book->db, book->config->db_path, &start->notes->db, why,
				     why_len);
	return err ? err : begin_now_or_later(start, why, why_len);
}

int ledger_start(struct ledger_start *start, struct ledger_book *book, struct ledger_vms *vms,
		 char *why, size_t why_len)
{
	const struct ledger_config *config = book->config;
	struct ledger_notes *notes = calloc(1, sizeof(*notes));
	int err = -ENOMEM;

	*start = (struct ledger_start){ .book = book, .vms = vms, .notes = notes };
	snprintf(why, why_len, "%s: no memory for the ledger", config->db_path);
	if (notes)
		err = ring_open(&book->ring, config->ring_path, config->ring_records, &notes->ring,
				why, why_len);
	if (err == 0) {
		notes->no_ring = notes->ring.created && !ledger_remains_empty(config->db_path, "");
		err = ledger_remains_look(book, notes, why, why_len);
	}
	return err ? err : open_sound_or_new(start, why, why_len);
}

int ledger_start_begin(struct ledger_start *start)
{
	char why[512];

	return settle_and_begin(start, why, sizeof(why));
}

void ledger_start_free(struct ledger_start *start)
{
	free(start->notes);
	start->notes = NULL;
}
