/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sqlite.c - the ledger as a ring file and a sqlite database: the loop thread's side */

/*
 * Theory of operation
 *
 * The loop thread puts a record into the ring (ring.c) when a request is accepted and another when
 * it has ended; both are a copy and a checksum, and safe from kill -9 at once. The writer thread
 * (writer.c) owns the only connection that writes: it takes the records in batches, makes rows and
 * minutes of them (batch.c), and commits them together with the ring's position (book.c). Only then
 * is their room in the ring free again. At start (start.c, settle.c) the ring is read from the
 * position that the database knows, so a crash between commit and release records nothing twice.
 *
 *   accepted, finished ──▶ ring ──▶ writer ──▶ database ◀── read-only connections (query.c)
 *   event, VM changes ───▶ changes ──▶ writer
 *   dispatch ◀── changes ◀── writer
 *
 * Ownership: `book` and `start` belong to the opening thread until the writer runs, then to the
 * writer. `changes`, `wake` and `health` are shared by the two threads, each with its own rules.
 * All else belongs to the loop thread. The ring is in `book`, but once health.begun is set the loop
 * thread is its producer.
 *
 * When the database cannot be written (disk full), the writer tries again each second and the ring
 * fills up. Then accepted() refuses (strict), or lets the request pass unrecorded and counts it
 * (lossy). An accepted request has its room, so finished() never fails. If the disk is full at the
 * start already, accepted() refuses from the first request on, until the session has begun.
 *
 * A POSIX record lock on a separate file keeps a second vgpud from the database. The lock belongs
 * to the process, so a worker that outlives the daemon does not hold it; and closing a file of its
 * own drops no lock of sqlite's.
 *
 * kill -9 loses nothing. A power failure loses what the kernel had not written back, at most some
 * 30 seconds; the database is whole afterwards, and changes of VMs are never lost.
 */

#include "vgpud/ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/ledger/book.h"
#include "vgpud/ledger/changes.h"
#include "vgpud/ledger/health.h"
#include "vgpud/ledger/start.h"
#include "vgpud/ledger/vms.h"
#include "vgpud/ledger/wake.h"
#include "vgpud/ledger/writer.h"
#include "vgpud/sched/share.h"

#define BATCH_MS_DEFAULT 50u

struct ledger_sqlite {
	struct ledger ledger;
	struct ledger_config config; /* its strings are copies */
	int lock_fd;
	struct ledger_health health;
	struct ledger_book book;
	struct ledger_start start;
	struct ledger_vms vms;
	struct ledger_changes changes;
	struct ledger_wake wake;
	struct ledger_writer writer;

	uint64_t *unrecorded; /* ids of accepted requests that are not recorded, when lossy */
	size_t unrecorded_num, unrecorded_max;
	struct share share; /* of the ring's second half */
};

static struct ledger_sqlite *self(const struct ledger *ledger)
{
	return (struct ledger_sqlite *)ledger;
}

/* --- requests --- */

/* Remembers a request that passes unrecorded: its end must not be recorded either. */
static int pass_unrecorded(struct ledger_sqlite *s, uint64_t id)
{
	if (s->unrecorded_num == s->unrecorded_max) {
		size_t max = s->unrecorded_max ? 2 * s->unrecorded_max : 64;
		uint64_t *more = reallocarray(s->unrecorded, max, sizeof(*more));

		if (!more)
			return -ENOSPC;
		s->unrecorded = more;
		s->unrecorded_max = max;
	}
	s->unrecorded[s->unrecorded_num++] = id;
	ledger_health_count(&s->health.dropped, 1);
	return 0;
}

static bool was_unrecorded(struct ledger_sqlite *s, uint64_t id)
{
	for (size_t i = 0; i < s->unrecorded_num; i++) {
		if (s->unrecorded[i] == id) {
			s->unrecorded[i] = s->unrecorded[--s->unrecorded_num];
			return true;
		}
	}
	return false;
}

/*
 * Half of the ring is kept for requests that can run. A VM that sends malformed requests, or more
 * than its queue takes, can fill the other half faster than the writer empties it.
 */
static bool is_crowded(const struct ledger_sqlite *s)
{
	return ring_head(s->book.ring) - ring_tail(s->book.ring) > ring_records(s->book.ring) / 2;
}

/*
 * useful: whether it is something that can run; else the room is not for it while room is scarce.
 * Return: 0, or -ENOSPC: the rest of the room is kept for others.
 */
static int may_take(struct ledger_sqlite *s, uint32_t vm_id, bool useful)
{
	bool crowded = is_crowded(s);

	share_scarce(&s->share, crowded);
	if (!crowded || s->config.lossy)
		return 0;
	/* No VM takes more of the room than it leaves free, so n VMs that flood leave at least
	 * 1 / (n + 1) of it. */
	return useful && share_may(&s->share, vm_id, ring_room(s->book.ring) / 2) ? 0 : -ENOSPC;
}

/*
 * Return: whether the ring takes records: not before the session has begun, and not while one of
 * its files is missing: that may be the ring, whose records would be lost with it.
 */
static bool takes_records(const struct ledger_sqlite *s)
{
	return atomic_load(&s->health.begun) && atomic_load(&s->health.state) != LEDGER_MISSING;
}

static int sqlite_accepted(struct ledger *ledger, const struct ledger_request *request)
{
	struct ledger_sqlite *s = self(ledger);
	int err = takes_records(s) ? may_take(s, request->vm_id, request->status == 0) : -ENOSPC;

	if (err == 0)
		err = ring_accept(s->book.ring, request);
	if (err == 0) {
		share_take(&s->share, request->vm_id);
		ledger_wake_record(&s->wake, s->book.ring);
	}
	if (err && s->config.lossy)
		err = pass_unrecorded(s, request->id);
	if (err)
		ledger_health_count(&s->health.refused, 1);
	return err;
}

static void sqlite_finished(struct ledger *ledger, const struct ledger_request *request)
{
	struct ledger_sqlite *s = self(ledger);

	if (was_unrecorded(s, request->id))
		return;
	ring_finish(s->book.ring, request);
	ledger_wake_record(&s->wake, s->book.ring);
}

/* --- programs --- */

static int sqlite_program_begun(struct ledger *ledger, const struct ledger_program *program)
{
	struct ledger_sqlite *s = self(ledger);
	int err = takes_records(s) ? may_take(s, program->vm_id, true) : -ENOSPC;

	if (err == 0)
		err = ring_begin_program(s->book.ring, program);
	if (err == 0) {
		share_take(&s->share, program->vm_id);
		ledger_wake_record(&s->wake, s->book.ring);
		return 0;
	}
	ledger_health_count(s->config.lossy ? &s->health.dropped : &s->health.refused, 1);
	return s->config.lossy ? 1 : err;
}

static void sqlite_program_ended(struct ledger *ledger, const struct ledger_program *program)
{
	struct ledger_sqlite *s = self(ledger);

	ring_end_program(s->book.ring, program);
	ledger_wake_record(&s->wake, s->book.ring);
}

/* --- changes --- */

static int64_t wall_now_ns(const struct ledger_sqlite *s)
{
	return ledger_wall_ns(&s->ledger, util_now_ns());
}

/* Counts an event that could not be added. err: how adding it ended. */
static void event_added(struct ledger_sqlite *s, int err)
{
	if (err)
		ledger_health_count(&s->health.events_dropped, 1);
	else
		ledger_wake_now(&s->wake);
}

static void sqlite_event(struct ledger *ledger, const struct ledger_event *event)
{
	struct ledger_sqlite *s = self(ledger);

	event_added(s, ledger_changes_add_event(&s->changes, event, wall_now_ns(s)));
}

static void sqlite_clock_stepped(struct ledger *ledger, int64_t step_ns)
{
	struct ledger_sqlite *s = self(ledger);

	event_added(s, ledger_changes_add_clock(&s->changes, step_ns, wall_now_ns(s)));
}

static int change(struct ledger *ledger, enum ledger_change_type type, const struct ledger_vm *vm,
		  const struct ledger_event *event, ledger_done *done, void *arg)
{
	struct ledger_sqlite *s = self(ledger);
	int err = ledger_changes_add(&s->changes, type, vm, event, wall_now_ns(s), done, arg);

	if (err == 0)
		ledger_wake_now(&s->wake);
	return err;
}

static int sqlite_vm_put(struct ledger *ledger, const struct ledger_vm *vm,
			 const struct ledger_event *event, ledger_done *done, void *arg)
{
	return change(ledger, LEDGER_CHANGE_VM_PUT, vm, event, done, arg);
}

static int sqlite_vm_delete(struct ledger *ledger, uint32_t id, const struct ledger_event *event,
			    ledger_done *done, void *arg)
{
	const struct ledger_vm vm = { .id = id };

	return change(ledger, LEDGER_CHANGE_VM_DELETE, &vm, event, done, arg);
}

static int sqlite_flush(struct ledger *ledger, ledger_done *done, void *arg)
{
	return change(ledger, LEDGER_CHANGE_FLUSH, NULL, NULL, done, arg);
}

static int sqlite_program_claims(struct ledger *ledger, const struct ledger_program *program,
				 const char *names, ledger_done *done, void *arg)
{
	struct ledger_sqlite *s = self(ledger);
	int err = ledger_changes_add_claims(&s->changes, program, names, done, arg);

	if (err == 0)
		ledger_wake_now(&s->wake);
	return err;
}

static int sqlite_program_used(struct ledger *ledger, const struct ledger_program *program,
			       uint64_t at_ns)
{
	struct ledger_sqlite *s = self(ledger);
	int err = ledger_changes_add_used(&s->changes, program, ledger_wall_ns(ledger, at_ns));

	if (err == 0)
		ledger_wake_now(&s->wake);
	return err;
}

static int sqlite_submissions(struct ledger *ledger, const struct ledger_submissions *taken,
			      ledger_done *done, void *arg)
{
	struct ledger_sqlite *s = self(ledger);
	int err = ledger_changes_add_submissions(&s->changes, taken, done, arg);

	if (err == 0)
		ledger_wake_now(&s->wake);
	return err;
}

static int sqlite_waits(struct ledger *ledger, const struct ledger_wait *waits, unsigned num)
{
	struct ledger_sqlite *s = self(ledger);
	int err = ledger_changes_add_waits(&s->changes, waits, num);

	if (err == 0)
		ledger_wake_now(&s->wake);
	return err;
}

static int sqlite_fd(const struct ledger *ledger)
{
	return self(ledger)->changes.notify_fd;
}

static bool sqlite_dispatch(struct ledger *ledger)
{
	return ledger_changes_dispatch(&self(ledger)->changes);
}

static int sqlite_wait(struct ledger *ledger, int timeout_ms)
{
	return ledger_changes_wait(&self(ledger)->changes, timeout_ms);
}

/* --- what it knows --- */

static void sqlite_stats(const struct ledger *ledger, struct ledger_stats *stats)
{
	struct ledger_sqlite *s = self(ledger);

	*stats = (struct ledger_stats){
		.path = s->config.db_path,
	};
	ledger_health_stats(&s->health, stats);
	if (!atomic_load(&s->health.begun))
		return;
	stats->ring_used = (uint32_t)(ring_head(s->book.ring) - ring_tail(s->book.ring));
	stats->ring_records = (uint32_t)ring_records(s->book.ring);
}

static void sqlite_vm_each(const struct ledger *ledger,
			   void (*each)(void *arg, const struct ledger_vm *vm), void *arg)
{
	const struct ledger_vms *vms = &self(ledger)->vms;

	for (size_t i = 0; i < vms->num; i++)
		each(arg, &vms->vm[i]);
}

/* --- open and close --- */

/* Frees the parts that were set up. */
static void release(struct ledger_sqlite *s)
{
	ledger_book_close(&s->book);
	ledger_start_free(&s->start);
	ledger_vms_free(&s->vms);
	ledger_changes_close(&s->changes);
	ledger_wake_close(&s->wake);
	ledger_health_close(&s->health);
	free(s->unrecorded);
	free((char *)s->config.db_path);
	free((char *)s->config.ring_path);
	free((char *)s->config.version);
	free((char *)s->config.host);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s);
}

static void sqlite_close(struct ledger *ledger)
{
	struct ledger_sqlite *s = self(ledger);

	ledger_writer_stop(&s->writer);
	ledger_changes_dispatch(&s->changes);
	ledger_book_end_session(&s->book);
	release(s);
}

static const struct ledger_ops sqlite_ops = {
	.accepted = sqlite_accepted,
	.finished = sqlite_finished,
	.program_begun = sqlite_program_begun,
	.program_ended = sqlite_program_ended,
	.program_claims = sqlite_program_claims,
	.program_used = sqlite_program_used,
	.submissions = sqlite_submissions,
	.waits = sqlite_waits,
	.event = sqlite_event,
	.clock_stepped = sqlite_clock_stepped,
	.vm_put = sqlite_vm_put,
	.vm_delete = sqlite_vm_delete,
	.vm_each = sqlite_vm_each,
	.flush = sqlite_flush,
	.fd = sqlite_fd,
	.dispatch = sqlite_dispatch,
	.wait = sqlite_wait,
	.stats = sqlite_stats,
	.close = sqlite_close,
};

/* Return: a descriptor that holds the lock, or -errno with why. */
static int take_lock(const char *db_path, char *why, size_t why_len)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[PATH_MAX];
	int fd, err, n = snprintf(path, sizeof(path), "%s.lock", db_path);

	if (n < 0 || (size_t)n >= sizeof(path)) {
		snprintf(why, why_len, "the database's path is too long");
		return -ENAMETOOLONG;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err = -errno;
		snprintf(
			why, why_len,
			"%s: cannot create it: %s; its directory must exist and be writable for vgpud",
			path, strerror(-err));
		return err;
	}
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return fd;
	lock.l_type = F_WRLCK;
	lock.l_pid = 0;
	fcntl(fd, F_GETLK, &lock);
	snprintf(
		why, why_len,
		"%s: another vgpud (process %ld) works with this database; end it, or name another file",
		db_path, (long)lock.l_pid);
	close(fd);
	return -EBUSY;
}

/* Return: a copy, NULL of NULL; *failed: there was no memory for it. */
static char *copy_of(const char *text, bool *failed)
{
	char *copy = text ? strdup(text) : NULL;

	*failed |= text && !copy;
	return copy;
}

/* Return: NULL: no memory, or no descriptors. */
static struct ledger_sqlite *new_ledger(const struct ledger_config *config)
{
	struct ledger_sqlite *s = calloc(1, sizeof(*s));
	bool failed = false;

	if (!s)
		return NULL;
	s->ledger.ops = &sqlite_ops;
	s->lock_fd = -1;
	s->config = *config;
	s->config.db_path = copy_of(config->db_path, &failed);
	s->config.ring_path = copy_of(config->ring_path, &failed);
	s->config.version = copy_of(config->version, &failed);
	s->config.host = copy_of(config->host, &failed);
	if (!s->config.ring_records)
		s->config.ring_records = RING_RECORDS_DEFAULT;
	if (!s->config.batch_ms)
		s->config.batch_ms = BATCH_MS_DEFAULT;
	ledger_health_open(&s->health);
	failed |= ledger_changes_open(&s->changes) != 0;
	failed |= ledger_wake_open(&s->wake) != 0;
	if (!failed)
		return s;
	release(s);
	return NULL;
}

static int start_writer(struct ledger_sqlite *s, char *why, size_t why_len)
{
	int err;

	s->writer = (struct ledger_writer){
		.book = &s->book,
		.start = &s->start,
		.changes = &s->changes,
		.wake = &s->wake,
	};
	ledger_retention_init(&s->writer.retention);
	err = ledger_writer_start(&s->writer);
	if (err)
		snprintf(why, why_len, "cannot start the ledger's thread: %s", strerror(-err));
	return err;
}

int ledger_sqlite_open(struct ledger **out, const struct ledger_config *config, char *why,
		       size_t why_len)
{
	struct ledger_sqlite *s = new_ledger(config);
	int err;

	snprintf(why, why_len, "no memory for the ledger");
	if (!s)
		return -ENOMEM;
	s->lock_fd = take_lock(config->db_path, why, why_len);
	err = s->lock_fd < 0 ? s->lock_fd : 0;
	if (err == 0)
		err = ledger_book_open(&s->book, &s->config, &s->health, s->lock_fd);
	if (err == 0)
		err = ledger_start(&s->start, &s->book, &s->vms, why, why_len);
	if (err == 0) {
		s->ledger.next_id = s->start.next_id;
		s->ledger.next_program_id = s->start.next_program_id;
		s->ledger.wall_offset_ns = s->book.wall_offset_ns;
		if (atomic_load(&s->health.state) != LEDGER_OK)
			ledger_changes_notify(&s->changes);
		err = start_writer(s, why, why_len);
	}
	if (err) {
		release(s);
		return err;
	}
	*out = &s->ledger;
	return 0;
}

int ledger_sqlite_version(void)
{
	return sqlite3_libversion_number();
}
