/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger.c - the ledger as a ring file and a sqlite database: the loop thread's side */

/*
 * Theory of operation
 *
 * The loop thread puts a record into the ring (ring.c) when a request is accepted and another when
 * it has ended; both are a copy and a checksum, and safe from kill -9 at once. The writer thread
 * (writer.c) owns the only connection that writes: it takes the records in batches,
 * makes rows and minutes of them (batch.c), and commits them together with the ring's
 * position. Only then is their room in the ring free again. At start (start.c) the
 * ring is read from the position that the database knows, so a crash between commit and release
 * records nothing twice.
 *
 *   accepted, finished ──▶ ring ──▶ writer ──▶ database ◀── read-only connections (query.c)
 *   event, VM changes ───▶ list ──▶ writer
 *   dispatch ◀── list of changes done ◀── writer
 *
 * Sleeping: the writer says in wake_at at which head it wants to be woken: at the next record when
 * it is idle, then without a time-out; at a batch's worth while it lets one gather. The loop thread
 * makes a system call only when its record reaches wake_at. Both sides store their own word before
 * they read the other's, sequentially consistent, so that no wake-up is lost.
 *
 * When the database cannot be written (disk full), the writer tries again each second and the ring
 * fills up. Then accepted() refuses (strict), or lets the request pass unrecorded and counts
 * (lossy). What was accepted has its room, so finished() never fails. On a disk that is full at the
 * start already, accepted() does so from the first request on, until the session has begun.
 *
 * One vgpud a database: a POSIX record lock on a file of its own. It belongs to the process, so no
 * worker that outlives the daemon holds on to it, and sqlite's own locks are not touched.
 *
 * kill -9 loses nothing. A power failure loses what the kernel had not written back, which is at
 * most some 30 seconds; the database is whole afterwards, and changes of VMs are always there.
 */

#include "vgpud/ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/ledger/ledger_private.h"

#define BATCH_MS_DEFAULT 50u

static struct ledger_sqlite *self(const struct ledger *ledger)
{
	return (struct ledger_sqlite *)ledger;
}

static void wake(struct ledger_sqlite *s)
{
	uint64_t one = 1;

	/* Only a full counter makes it fail, and that wakes too. */
	if (write(s->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void wake_if_due(struct ledger_sqlite *s)
{
	if (ring_head(s->ring) >= atomic_load(&s->wake_at) &&
	    atomic_exchange(&s->wake_at, UINT64_MAX) != UINT64_MAX)
		wake(s);
}

static void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* --- requests --- */

/* Remembers that a request was let pass, so that its end is not recorded either. */
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
	count(&s->dropped);
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
 * Half of the room is for requests that may come to something. Whoever sends nonsense, or more than
 * its queue takes, as fast as it can, fills the other half faster than the writer empties it.
 */
static bool is_crowded(const struct ledger_sqlite *s)
{
	return ring_head(s->ring) - ring_tail(s->ring) > ring_records(s->ring) / 2;
}

/* Return: 0, or -ENOSPC: the room that is left is for others. */
static int may_take(struct ledger_sqlite *s, const struct ledger_request *request)
{
	bool crowded = is_crowded(s);

	share_scarce(&s->share, crowded);
	if (!crowded || s->config.lossy)
		return 0;
	/* No VM takes more of it than it leaves for the others: n that flood leave one part in n
	 * + 1. */
	return request->status == 0 && share_may(&s->share, request->vm_id, ring_room(s->ring) / 2)
		       ? 0
		       : -ENOSPC;
}

static int sqlite_accepted(struct ledger *ledger, const struct ledger_request *request)
{
	struct ledger_sqlite *s = self(ledger);
	int err = atomic_load(&s->begun) ? may_take(s, request) : -ENOSPC;

	if (err == 0)
		err = ring_accept(s->ring, request);
	if (err == 0) {
		share_take(&s->share, request->vm_id);
		wake_if_due(s);
	}
	if (err && s->config.lossy)
		err = pass_unrecorded(s, request->id);
	if (err)
		count(&s->refused);
	return err;
}

static void sqlite_finished(struct ledger *ledger, const struct ledger_request *request)
{
	struct ledger_sqlite *s = self(ledger);

	if (was_unrecorded(s, request->id))
		return;
	ring_finish(s->ring, request);
	wake_if_due(s);
}

int64_t ledger_wall_ns(const struct ledger *ledger, uint64_t mono_ns)
{
	return (int64_t)mono_ns + self(ledger)->wall_offset_ns;
}

/* --- changes --- */

static char *put_string(char **at, const char *text)
{
	char *copy = *at;
	size_t bytes;

	if (!text)
		return NULL;
	bytes = strlen(text) + 1;
	memcpy(copy, text, bytes);
	*at += bytes;
	return copy;
}

static size_t string_bytes(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/* Return: a change that owns copies of the strings of vm or event, each of which may be NULL. */
static struct ledger_change *new_change(struct ledger_sqlite *s, enum ledger_change_type type,
					const struct ledger_vm *vm,
					const struct ledger_event *event)
{
	struct ledger_change *change;
	size_t bytes = vm ? string_bytes(vm->name) + string_bytes(vm->connect) : 0;
	char *at;

	if (event)
		bytes += string_bytes(event->kind) + string_bytes(event->subject) +
			 string_bytes(event->old_value) + string_bytes(event->new_value) +
			 string_bytes(event->text);
	change = calloc(1, sizeof(*change) + bytes);
	if (!change)
		return NULL;
	at = change->strings;
	change->type = type;
	change->wall_ns = ledger_wall_ns(&s->ledger, util_now_ns());
	if (vm) {
		change->vm = *vm;
		change->vm.name = put_string(&at, vm->name);
		change->vm.connect = put_string(&at, vm->connect);
	}
	if (event) {
		change->event = *event;
		change->event.kind = put_string(&at, event->kind);
		change->event.subject = put_string(&at, event->subject);
		change->event.old_value = put_string(&at, event->old_value);
		change->event.new_value = put_string(&at, event->new_value);
		change->event.text = put_string(&at, event->text);
	}
	return change;
}

static void queue_change(struct ledger_sqlite *s, struct ledger_change *change)
{
	pthread_mutex_lock(&s->lock);
	STAILQ_INSERT_TAIL(&s->todo, change, link);
	pthread_mutex_unlock(&s->lock);
	wake(s);
}

static void sqlite_event(struct ledger *ledger, const struct ledger_event *event)
{
	struct ledger_sqlite *s = self(ledger);
	struct ledger_change *change = NULL;

	if (atomic_load(&s->events_queued) < LEDGER_EVENTS_MOST)
		change = new_change(s, LEDGER_EVENT_ADD, NULL, event);
	if (!change) {
		count(&s->events_dropped);
		return;
	}
	atomic_fetch_add(&s->events_queued, 1);
	queue_change(s, change);
}

static int begin_change(struct ledger_sqlite *s, enum ledger_change_type type,
			const struct ledger_vm *vm, ledger_done *done, void *arg)
{
	struct ledger_change *change;

	if (s->changes_under_way >= LEDGER_CHANGES_MOST)
		return -ENOBUFS;
	change = new_change(s, type, vm, NULL);
	if (!change)
		return -ENOMEM;
	change->done = done;
	change->arg = arg;
	s->changes_under_way++;
	queue_change(s, change);
	return 0;
}

int ledger_vm_put(struct ledger *ledger, const struct ledger_vm *vm, ledger_done *done, void *arg)
{
	return begin_change(self(ledger), LEDGER_VM_CHANGE, vm, done, arg);
}

int ledger_vm_delete(struct ledger *ledger, uint32_t id, ledger_done *done, void *arg)
{
	const struct ledger_vm vm = { .id = id };

	return begin_change(self(ledger), LEDGER_VM_REMOVE, &vm, done, arg);
}

int ledger_flush(struct ledger *ledger, ledger_done *done, void *arg)
{
	return begin_change(self(ledger), LEDGER_FLUSH, NULL, done, arg);
}

int ledger_fd(const struct ledger *ledger)
{
	return self(ledger)->notify_fd;
}

bool ledger_dispatch(struct ledger *ledger)
{
	struct ledger_sqlite *s = self(ledger);
	struct ledger_changes done = STAILQ_HEAD_INITIALIZER(done);
	struct ledger_change *change;
	uint64_t count;
	bool told = read(s->notify_fd, &count, sizeof(count)) > 0;

	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&done, &s->done);
	pthread_mutex_unlock(&s->lock);
	while ((change = STAILQ_FIRST(&done))) {
		STAILQ_REMOVE_HEAD(&done, link);
		s->changes_under_way--;
		if (change->done)
			change->done(change->arg, change->err);
		free(change);
	}
	return told;
}

int ledger_wait(struct ledger *ledger, int timeout_ms)
{
	struct ledger_sqlite *s = self(ledger);
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&s->lock);
	while (rc == 0 && (s->doing || !STAILQ_EMPTY(&s->todo)))
		rc = pthread_cond_timedwait(&s->all_done, &s->lock, &until);
	pthread_mutex_unlock(&s->lock);
	ledger_dispatch(ledger);
	return -rc;
}

/* --- what it knows --- */

void ledger_stats(const struct ledger *ledger, struct ledger_stats *stats)
{
	struct ledger_sqlite *s = self(ledger);

	*stats = (struct ledger_stats){
		.state = (enum ledger_state)atomic_load(&s->state),
		.rows = atomic_load(&s->rows),
		.batches = atomic_load(&s->batches),
		.lost = atomic_load(&s->lost),
		.duplicates = atomic_load(&s->duplicates),
		.damaged = atomic_load(&s->damaged),
		.dropped = atomic_load(&s->dropped),
		.refused = atomic_load(&s->refused),
		.events_dropped = atomic_load(&s->events_dropped),
		.expired = atomic_load(&s->expired),
		.db_bytes = atomic_load(&s->db_bytes),
		.ring_used = (uint32_t)(ring_head(s->ring) - ring_tail(s->ring)),
		.ring_records = (uint32_t)ring_records(s->ring),
		.session_id = s->session.id,
	};
	pthread_mutex_lock(&s->lock);
	memcpy(stats->error, s->error, sizeof(stats->error));
	pthread_mutex_unlock(&s->lock);
}

void ledger_vm_each(const struct ledger *ledger,
		    void (*each)(void *arg, const struct ledger_vm *vm), void *arg)
{
	const struct ledger_sqlite *s = self(ledger);

	for (size_t i = 0; i < s->vm_num; i++)
		each(arg, &s->vms[i]);
}

/* --- open and close --- */

/* Whatever of it was set up. */
static void release(struct ledger_sqlite *s)
{
	ledger_db_close(&s->db);
	if (s->ring)
		ring_close(s->ring);
	ledger_batch_free(&s->batch);
	ledger_vms_forget(s);
	free(s->vms);
	free(s->unrecorded);
	ledger_notes_free(s->notes);
	free((char *)s->config.db_path);
	free((char *)s->config.ring_path);
	free((char *)s->config.version);
	free((char *)s->config.host);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	if (s->notify_fd >= 0)
		close(s->notify_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->all_done);
	free(s);
}

/* A mark that this session ended as it should, so that the next start need not check the file. */
static void end_session(struct ledger_sqlite *s)
{
	sqlite3_stmt *statement = s->db.statement[LEDGER_DB_SESSION_END];

	if (!atomic_load(&s->begun) || atomic_load(&s->state) != LEDGER_OK ||
	    s->committed != ring_head(s->ring))
		return;
	sqlite3_bind_int64(statement, 1, (int64_t)s->session.id);
	sqlite3_bind_int64(statement, 2, ledger_wall_ns(&s->ledger, util_now_ns()));
	ledger_db_run(&s->db, LEDGER_DB_SESSION_END);
}

static void sqlite_close(struct ledger *ledger)
{
	struct ledger_sqlite *s = self(ledger);

	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_mutex_unlock(&s->lock);
	wake(s);
	pthread_join(s->writer, NULL);
	ledger_dispatch(ledger);
	end_session(s);
	release(s);
}

static const struct ledger_ops sqlite_ops = {
	.accepted = sqlite_accepted,
	.finished = sqlite_finished,
	.event = sqlite_event,
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

static struct ledger_sqlite *new_ledger(const struct ledger_config *config)
{
	struct ledger_sqlite *s = calloc(1, sizeof(*s));
	bool failed = false;
	pthread_condattr_t monotonic;

	if (!s)
		return NULL;
	s->ledger.ops = &sqlite_ops;
	s->config = *config;
	s->config.db_path = copy_of(config->db_path, &failed);
	s->config.ring_path = copy_of(config->ring_path, &failed);
	s->config.version = copy_of(config->version, &failed);
	s->config.host = copy_of(config->host, &failed);
	if (!s->config.ring_records)
		s->config.ring_records = RING_RECORDS_DEFAULT;
	if (!s->config.batch_ms)
		s->config.batch_ms = BATCH_MS_DEFAULT;
	s->wake_at = UINT64_MAX;
	s->lock_fd = -1;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->all_done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	STAILQ_INIT(&s->todo);
	STAILQ_INIT(&s->done);
	if (!failed && s->wake_fd >= 0 && s->notify_fd >= 0 && ledger_batch_init(&s->batch) == 0)
		return s;
	release(s);
	return NULL;
}

/* Signals are for the loop thread; SIGXFSZ too, so that a limit is an error and not the end. */
static int start_writer(struct ledger_sqlite *s)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&s->writer, NULL, ledger_writer, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

int ledger_open(struct ledger **out, const struct ledger_config *config, char *why, size_t why_len)
{
	struct ledger_sqlite *s = new_ledger(config);
	int err = 0;

	if (!s) {
		snprintf(why, why_len, "no memory for the ledger");
		return -ENOMEM;
	}
	s->lock_fd = take_lock(config->db_path, why, why_len);
	if (s->lock_fd < 0)
		err = s->lock_fd;
	if (err == 0)
		err = ledger_start(s, why, why_len);
	if (err == 0 && atomic_load(&s->state) != LEDGER_OK)
		ledger_notify(s);
	if (err == 0) {
		err = start_writer(s);
		if (err)
			snprintf(why, why_len, "cannot start the ledger's thread: %s",
				 strerror(-err));
	}
	if (err) {
		release(s);
		return err;
	}
	*out = &s->ledger;
	return 0;
}
