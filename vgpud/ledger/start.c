/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.c - what the last session left is put in order, and a new session begins */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/ledger/ledger_private.h"
#include "vgpud/ledger/set_aside.h"

/*
 * On a full disk
 *
 * What a session begins with is written: the ring's records, the lost requests, the session's row.
 * When there is no room for that, and database and ring are sound and belong together, vgpud comes
 * up all the same. Everything that the loop thread goes by is read: the VMs, the session's number,
 * the first free id. The ring stays as the last session left it and takes nothing, since its header
 * says of one session alone whose clock its records go by. The writer then tries to begin, as often
 * as it would try to write a batch; each step of it may be done again.
 */

/* What is told in the audit trail once there is a session. */
struct ledger_notes {
	struct ring_report ring;
	struct ledger_db_report db;
	struct ledger_clock clock;
	int64_t lost;
	char remains[PATH_MAX + 256]; /* of a database that is no more, a sentence; or empty */
	char remains_aside[PATH_MAX]; /* what was left of it, or empty */
	bool foreign_ring, no_ring;
};

/* Numbers of the one row that a query gives. Return: 0, -ENODATA, or -errno. */
static int get_numbers(struct ledger_sqlite *s, const char *sql, int64_t *numbers, int n)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(s->db.conn, sql, -1, &statement, NULL);
	int err = 0;

	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(s->db.conn, rc);
	rc = sqlite3_step(statement);
	for (int i = 0; i < n && rc == SQLITE_ROW; i++)
		numbers[i] = sqlite3_column_int64(statement, i);
	if (rc != SQLITE_ROW)
		err = rc == SQLITE_DONE ? -ENODATA : ledger_db_errno(s->db.conn, rc);
	sqlite3_finalize(statement);
	return err;
}

static int64_t wall_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * (int64_t)UTIL_NS_PER_S + now.tv_nsec;
}

/* --- the last session --- */

/* The session that the ring's records belong to; the ring itself knows it best. */
static int last_session(struct ledger_sqlite *s, struct ring_session *session)
{
	int64_t numbers[3] = { 0 };
	int err;

	if (ring_get_session(s->ring, session) == 0)
		return 0;
	err = get_numbers(s,
			  "SELECT id, started_ns, started_mono_ns FROM session "
			  "ORDER BY id DESC LIMIT 1",
			  numbers, 3);
	if (err == -ENODATA) {
		*session = (struct ring_session){ 1, wall_now_ns(), util_now_ns() };
		return 0;
	}
	*session = (struct ring_session){ (uint64_t)numbers[0], numbers[1], (uint64_t)numbers[2] };
	return err;
}

static int insert_session(struct ledger_sqlite *s, const struct ring_session *session,
			  const char *boot_id, const char *version, const char *host)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(
		s->db.conn,
		"INSERT OR IGNORE INTO session (id, started_ns, started_mono_ns, boot_id, version, "
		"host, first_request_id) SELECT ?1,?2,?3,?4,?5,?6, last_request_id + 1 FROM ledger",
		-1, &statement, NULL);

	if (rc != SQLITE_OK)
		return ledger_db_prepare_errno(s->db.conn, rc);
	sqlite3_bind_int64(statement, 1, (int64_t)session->id);
	sqlite3_bind_int64(statement, 2, session->wall_ns);
	sqlite3_bind_int64(statement, 3, (int64_t)session->mono_ns);
	sqlite3_bind_text(statement, 4, boot_id, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, version, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 6, host, -1, SQLITE_STATIC);
	rc = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? 0 : ledger_db_errno(s->db.conn, rc);
}

/* From here on the database knows this ring, and how far it has taken it. */
static int know_ring(struct ledger_sqlite *s, uint64_t position, uint64_t last_id)
{
	sqlite3_stmt *statement = s->db.statement[LEDGER_DB_POSITION];

	sqlite3_bind_int64(statement, 1, (int64_t)ring_id(s->ring));
	sqlite3_bind_int64(statement, 2, (int64_t)position);
	sqlite3_bind_int64(statement, 3, (int64_t)last_id);
	return ledger_db_run(&s->db, LEDGER_DB_POSITION);
}

/* A database that is younger than the ring gets ids that go on behind the ring's. */
static int keep_ids_growing(struct ledger_sqlite *s)
{
	uint64_t highest = 0;
	struct ring_entry entry;

	for (uint64_t at = ring_oldest(s->ring); at < ring_head(s->ring); at++) {
		if (ring_get(s->ring, at, &entry) == 0 && entry.request.id > highest)
			highest = entry.request.id;
	}
	return know_ring(s, ring_tail(s->ring), highest);
}

/*
 * The session whose records a ring holds is in its database before the first record is in the ring.
 * Return: whether it is not, 0 or 1, or -errno.
 */
static int is_foreign(struct ledger_sqlite *s)
{
	struct ring_session session;
	int64_t started_ns = 0;
	char sql[96];
	int err;

	if (ring_get_session(s->ring, &session) != 0)
		return 0;
	snprintf(sql, sizeof(sql), "SELECT started_ns FROM session WHERE id = %llu",
		 (unsigned long long)session.id);
	err = get_numbers(s, sql, &started_ns, 1);
	if (err && err != -ENODATA)
		return err;
	return started_ns != session.wall_ns;
}

/*
 * Where the database is in the ring.
 * Return: 0, -ESTALE: beyond its end, -EXDEV: it is another database's ring, or -errno.
 */
static int find_position(struct ledger_sqlite *s, uint64_t *position)
{
	int64_t numbers[2] = { 0 };
	int err = get_numbers(s, "SELECT ring_id, ring_position FROM ledger", numbers, 2);

	if (err)
		return err;
	*position = ring_tail(s->ring);
	if ((uint64_t)numbers[0] != ring_id(s->ring)) {
		int foreign = is_foreign(s);

		return foreign == 1 ? -EXDEV : foreign;
	}
	*position = (uint64_t)numbers[1];
	if (*position > ring_head(s->ring))
		return -ESTALE;
	/* After a power failure the database may be behind what the ring has released. */
	if (*position < ring_oldest(s->ring))
		*position = ring_oldest(s->ring);
	return 0;
}

static int replay(struct ledger_sqlite *s, uint64_t position)
{
	struct ledger_batch_result result;
	struct ring_session session;
	uint64_t head = ring_head(s->ring);
	int err = 0;

	s->batch.position = position;
	s->batch.damaged = 0;
	if (position < head) {
		err = last_session(s, &session);
		if (err == 0)
			err = insert_session(s, &session, NULL, NULL, NULL);
		s->batch.wall_offset_ns = session.wall_ns - (int64_t)session.mono_ns;
	}
	while (err == 0 && s->batch.position < head) {
		err = ledger_room_ask(s);
		if (err)
			break;
		ledger_batch_read(&s->batch, s->ring);
		err = ledger_batch_write(&s->batch, &s->db, ring_id(s->ring), &result);
		if (err == 0) {
			s->rows += result.rows;
			s->duplicates += result.duplicates;
		}
	}
	if (err == 0)
		ring_release(s->ring, head);
	return err;
}

/* Once the loop thread knows it, a ring stays, and has its size from the next start on. */
static int renew_ring(struct ledger_sqlite *s, bool damaged, struct ring_report *report, char *why,
		      size_t why_len)
{
	if (!damaged && (s->session.id != 0 || ring_records(s->ring) == s->config.ring_records))
		return 0;
	if (s->session.id != 0) {
		snprintf(why, why_len, "%s: the ring is damaged; start vgpud anew",
			 s->config.ring_path);
		return -EUCLEAN;
	}
	return ring_replace(&s->ring, s->config.ring_records, damaged, report, why, why_len);
}

/* What went wrong with the database just now, and what helps. */
static void explain(const struct ledger_sqlite *s, int err, const char *what, char *why,
		    size_t why_len)
{
	char words[256];

	ledger_room_words(s, err, words, sizeof(words));
	snprintf(why, why_len, "%s: %s: %s%s", s->config.db_path, what, words,
		 err == -ENOSPC	 ? "; free some space"
		 : err == -EBUSY ? "; end the program that holds it"
		 : err == -EIO	 ? "; the disk does not do what it should, see the kernel's log"
				 : "");
}

static int settle_last_session(struct ledger_sqlite *s, struct ledger_notes *notes, char *why,
			       size_t why_len)
{
	uint64_t position = 0;
	bool damaged = ring_damaged(s->ring);
	int err = notes->db.fresh ? keep_ids_growing(s) : 0;

	if (err == 0)
		err = find_position(s, &position);
	notes->foreign_ring = err == -EXDEV;
	if (err == -ESTALE || err == -EXDEV)
		damaged = true;
	else if (err == 0)
		err = replay(s, position);
	if (err == 0 || err == -ESTALE || err == -EXDEV) {
		err = ledger_batch_lose(&s->batch, &s->db, &notes->lost);
	}
	if (err) {
		explain(s, err, "cannot take what the ledger's ring holds", why, why_len);
		return err;
	}
	err = renew_ring(s, damaged, &notes->ring, why, why_len);
	if (err)
		return err;
	if (notes->foreign_ring)
		notes->ring.reason = "it belongs to another database, so its records are not taken";
	s->batch.position = ring_head(s->ring);
	s->committed = s->batch.position;
	return 0;
}

/* --- the new session --- */

static void say(const struct ledger_sqlite *s, const char *text)
{
	if (s->config.say != NULL)
		s->config.say(text);
}

/* aloud: what was written is said, too; else it is written. */
static int note_change(struct ledger_sqlite *s, bool aloud, const char *kind, const char *old_value,
		       const char *new_value, const char *text)
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
		say(s, text);
		return 0;
	}
	return ledger_write_event(&s->db, ledger_wall_ns(&s->ledger, util_now_ns()), &event);
}

static int note(struct ledger_sqlite *s, bool aloud, const char *kind, const char *new_value,
		const char *text)
{
	return note_change(s, aloud, kind, NULL, new_value, text);
}

static int note_clock(struct ledger_sqlite *s, bool aloud, const struct ledger_clock *clock)
{
	char text[512];

	if (clock->days == 0)
		return 0;
	snprintf(
		text, sizeof(text),
		"the clock says %s, %lld days after all that is in the ledger (%s): for a week "
		"these do not count as age; if the host was not off for so long, set its clock and "
		"restart vgpud",
		clock->now, (long long)clock->days, clock->newest);
	return note_change(s, aloud, "clock-ahead", clock->newest, clock->now, text);
}

static int tell_notes(struct ledger_sqlite *s, const struct ledger_notes *notes, bool aloud)
{
	char text[2 * PATH_MAX + 512], number[32];
	int err = 0;

	if (notes->db.migrated[0] && aloud)
		say(s, notes->db.migrated); /* the event is there since it happened */
	if (notes->remains[0]) {
		snprintf(text, sizeof(text), "%s%s%s", notes->remains,
			 notes->remains_aside[0] ? "; what was left of it is kept as " : "",
			 notes->remains_aside);
		err = note(s, aloud, "ledger-missing", notes->remains_aside, text);
	}
	if (err == 0 && notes->db.set_aside[0]) {
		snprintf(
			text, sizeof(text),
			"the database was damaged (%s) and set aside as %s; %u VMs were taken over",
			notes->db.reason, notes->db.set_aside, notes->db.vms_saved);
		err = note(s, aloud, "ledger-set-aside", notes->db.set_aside, text);
	}
	if (err == 0 && notes->db.check_cut_short)
		err = note(
			s, aloud, "ledger-check", "cut short",
			"the database is too large to be checked at the start; PRAGMA quick_check "
			"on a copy tells whether it is sound");
	if (err == 0 && notes->ring.set_aside[0]) {
		snprintf(text, sizeof(text), "the ring was set aside as %s: %s",
			 notes->ring.set_aside, notes->ring.reason);
		err = note(s, aloud, "ring-set-aside", notes->ring.set_aside, text);
	}
	if (err == 0 && notes->no_ring)
		err = note(
			s, aloud, "ring-missing", NULL,
			"there was no ring beside the database: what the last vgpud answered in its "
			"last moment may have left no record");
	if (err == 0 && notes->lost) {
		snprintf(number, sizeof(number), "%lld", (long long)notes->lost);
		snprintf(text, sizeof(text),
			 "%s requests were queued or running when the last vgpud died", number);
		err = note(s, aloud, "requests-lost", number, text);
	}
	if (err == 0)
		err = note_clock(s, aloud, &notes->clock);
	return err;
}

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
 * What the loop thread goes by, and what stays as it is when the session can only begin later.
 * highest: the highest id in the ring, if its records are not yet in the database.
 */
static int choose_session(struct ledger_sqlite *s, uint64_t highest)
{
	struct ring_session last;
	int64_t numbers[2] = { 0 };
	int err = get_numbers(s,
			      "SELECT coalesce((SELECT max(id) FROM session), 0), last_request_id "
			      "FROM ledger",
			      numbers, 2);

	if (err)
		return err;
	if (ring_get_session(s->ring, &last) == 0 && (int64_t)last.id > numbers[0])
		numbers[0] = (int64_t)last.id;
	if ((uint64_t)numbers[1] > highest)
		highest = (uint64_t)numbers[1];
	s->session = (struct ring_session){ (uint64_t)numbers[0] + 1, wall_now_ns(),
					    util_now_ns() };
	s->wall_offset_ns = s->session.wall_ns - (int64_t)s->session.mono_ns;
	s->ledger.next_id = highest + 1;
	return 0;
}

static int begin_session(struct ledger_sqlite *s, struct ledger_notes *notes)
{
	char boot_id[64], host[256] = "";
	int err = s->session.id != 0 ? 0 : choose_session(s, 0);

	if (err == 0)
		err = ledger_clock_look(s, &notes->clock);
	if (err)
		return err;
	s->batch.wall_offset_ns = s->wall_offset_ns;
	s->lost = (uint64_t)notes->lost;
	s->damaged = s->batch.damaged;
	read_boot_id(boot_id, sizeof(boot_id));
	if (s->config.host)
		snprintf(host, sizeof(host), "%s", s->config.host);
	else
		gethostname(host, sizeof(host) - 1);
	/* Synced: after a power failure the ring is never asked for records of an earlier session,
	 * nor taken for one of which nothing was ever recorded. */
	err = ledger_db_sync(&s->db, true);
	if (err == 0)
		err = ledger_db_begin(&s->db);
	if (err == 0)
		err = insert_session(s, &s->session, boot_id, s->config.version, host);
	if (err == 0)
		err = know_ring(s, s->committed, 0);
	if (err == 0)
		err = tell_notes(s, notes, false);
	err = ledger_db_end(&s->db, err);
	if (err == 0)
		err = ledger_db_sync(&s->db, false);
	if (err == 0)
		ring_set_session(s->ring, &s->session);
	return err;
}

/* All that is written. */
static int settle_and_begin(struct ledger_sqlite *s, char *why, size_t why_len)
{
	int err = settle_last_session(s, s->notes, why, why_len);

	if (err)
		return err;
	err = ledger_db_fill_names(&s->db);
	if (err == 0)
		err = begin_session(s, s->notes);
	if (err) {
		explain(s, err, "cannot begin a session", why, why_len);
		return err;
	}
	tell_notes(s, s->notes, true);
	ledger_notes_free(s->notes);
	s->notes = NULL;
	atomic_store(&s->begun, true);
	return 0;
}

/* Of a sound database and its own ring, which stays as it is. */
static bool may_begin_later(struct ledger_sqlite *s)
{
	uint64_t position;

	return s->db.conn && s->ring && !s->notes->db.fresh && !ring_damaged(s->ring) &&
	       find_position(s, &position) == 0;
}

static int begin_later(struct ledger_sqlite *s, const char *why)
{
	struct ring_entry entry;
	uint64_t highest = 0;
	int err;

	for (uint64_t at = ring_tail(s->ring); at < ring_head(s->ring); at++) {
		if (ring_get(s->ring, at, &entry) == 0 && entry.request.id > highest)
			highest = entry.request.id;
	}
	err = choose_session(s, highest);
	if (err)
		return err;
	snprintf(s->error, sizeof(s->error), "%s", why);
	atomic_store(&s->state, LEDGER_FULL);
	return 0;
}

static int begin_now_or_later(struct ledger_sqlite *s, char *why, size_t why_len)
{
	int err;

	s->session = (struct ring_session){ 0 };
	ledger_room_set_up(s);
	err = ledger_vms_load(s);
	if (err) {
		explain(s, err, "cannot read the VMs", why, why_len);
		return err;
	}
	err = settle_and_begin(s, why, why_len);
	return err == -ENOSPC && may_begin_later(s) ? begin_later(s, why) : err;
}

/* A database whose tables were still in its log loses them with it. */
static void note_no_tables(const struct ledger_sqlite *s)
{
	struct ledger_notes *notes = s->notes;
	struct ring_session session;

	if (notes->remains[0] == '\0' &&
	    (notes->no_ring || ring_get_session(s->ring, &session) == 0))
		snprintf(
			notes->remains, sizeof(notes->remains),
			"%s has no tables, as if its log had been lost; a new database is begun in "
			"it, without the old one's VMs and records",
			s->config.db_path);
}

static int open_and_begin(struct ledger_sqlite *s, char *why, size_t why_len)
{
	struct ledger_db_report *report = &s->notes->db;
	int err;

	err = ledger_db_open(&s->db, s->config.db_path, report, why, why_len);
	if (err == 0 && report->fresh)
		note_no_tables(s);
	if (err == 0)
		err = begin_now_or_later(s, why, why_len);
	if (err && s->notes && report->reason[0] == '\0')
		snprintf(report->reason, sizeof(report->reason), "%s", why);
	return err;
}

/* -ENODATA: a row is missing that is always there. */
static bool is_damage(int err)
{
	return err == -EUCLEAN || err == -ENODATA;
}

/*
 * Damage may show when the database is opened, or, as nobody checks it after a clean end, later.
 * The ring is as it was: what it holds is released once all of it is in a database. What is set
 * aside was found damaged twice: a read that failed once can look like damage too.
 */
static int open_sound_or_new(struct ledger_sqlite *s, char *why, size_t why_len)
{
	int err = open_and_begin(s, why, why_len);

	if (is_damage(err))
		err = open_and_begin(s, why, why_len);
	if (!is_damage(err))
		return err;
	err = ledger_db_start_afresh(&s->db, s->config.db_path, &s->notes->db, why, why_len);
	return err ? err : begin_now_or_later(s, why, why_len);
}

/* --- no database where there should be one --- */

static bool is_empty(const char *path, const char *suffix)
{
	char name[PATH_MAX];
	struct stat st;

	return snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name) ||
	       stat(name, &st) != 0 || st.st_size == 0;
}

/*
 * An empty file counts as a new database, and sqlite then removes the log beside it. So what speaks
 * of an old one is seen to before: a log, a ring that was in use, or the empty file itself, unless
 * there is a ring that was not: that is a first start that was cut off.
 */
static int look_for_remains(struct ledger_sqlite *s, struct ledger_notes *notes, char *why,
			    size_t why_len)
{
	static const char *const companions[] = { "-wal", "-shm", NULL };
	const char *path = s->config.db_path;
	bool log = !is_empty(path, "-wal"), there = access(path, F_OK) == 0;
	bool ring_lost = notes->ring.set_aside[0] != '\0' || (there && notes->ring.created);
	struct ring_session session;
	int err;

	if (!is_empty(path, "") || (!log && !ring_lost && ring_get_session(s->ring, &session) != 0))
		return 0;
	snprintf(notes->remains, sizeof(notes->remains),
		 "%s %s%s; a new database is begun, without the old one's VMs and records", path,
		 there ? "is empty" : "is missing",
		 log	     ? ", but its log is there"
		 : ring_lost ? ""
			     : ", but a ring that belonged to one is there");
	if (!there && !log)
		return 0;
	err = set_aside(path, companions, notes->remains_aside, sizeof(notes->remains_aside));
	if (err == -ENOENT && !there) {
		strncat(notes->remains_aside, "-wal",
			sizeof(notes->remains_aside) - strlen(notes->remains_aside) - 1);
		return 0;
	}
	if (err == 0)
		return 0;
	snprintf(why, why_len, "%s: empty, and cannot be moved aside: %s", path, strerror(-err));
	return err;
}

int ledger_start(struct ledger_sqlite *s, char *why, size_t why_len)
{
	const struct ledger_config *config = &s->config;
	struct ledger_notes *notes = calloc(1, sizeof(*notes));
	int err = -ENOMEM;

	snprintf(why, why_len, "%s: no memory for the ledger", config->db_path);
	s->notes = notes;
	if (notes)
		err = ring_open(&s->ring, config->ring_path, config->ring_records, &notes->ring,
				why, why_len);
	if (err == 0) {
		notes->no_ring = notes->ring.created && !is_empty(config->db_path, "");
		err = look_for_remains(s, notes, why, why_len);
	}
	return err ? err : open_sound_or_new(s, why, why_len);
}

int ledger_begin(struct ledger_sqlite *s)
{
	char why[512];

	return settle_and_begin(s, why, sizeof(why));
}

void ledger_notes_free(struct ledger_notes *notes)
{
	free(notes);
}
