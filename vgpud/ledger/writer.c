/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer.c - the thread that owns the ledger's database */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/ledger/ledger_private.h"

#define RETRY_MS 1000	     /* between attempts while the database cannot be written */
#define RETENTION_S 60u	     /* between looks for what is too old */
#define EXPIRE_ROWS 1000     /* in one transaction */
#define EXPIRE_ROWS_FULL 100 /* likewise, on a full disk */
#define NS_PER_DAY INT64_C(86400000000000)

void ledger_notify(struct ledger_sqlite *s)
{
	uint64_t one = 1;

	/* Only a full counter makes it fail, and that is readable too. */
	if (write(s->notify_fd, &one, sizeof(one)) < 0)
		return;
}

static void note_error(struct ledger_sqlite *s, int err)
{
	char words[sizeof(s->error)];

	ledger_room_words(s, err, words, sizeof(words));
	pthread_mutex_lock(&s->lock);
	memcpy(s->error, words, sizeof(s->error));
	pthread_mutex_unlock(&s->lock);
}

/* How the last attempt to write ended; 0: all is well. */
static void set_state(struct ledger_sqlite *s, int err)
{
	int state = err == 0	      ? LEDGER_OK
		    : err == -ENOSPC  ? LEDGER_FULL
		    : err == -EUCLEAN ? LEDGER_DAMAGED
				      : LEDGER_FAILING;

	if (err)
		note_error(s, err);
	if (atomic_exchange(&s->state, state) != state)
		ledger_notify(s);
}

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* --- records --- */

static int write_batch(struct ledger_sqlite *s)
{
	struct ledger_batch_result result;
	uint64_t damaged = s->batch.damaged;
	int err;

	err = ledger_room_ask(s);
	if (err)
		return err;
	ledger_batch_read(&s->batch, s->ring);
	err = ledger_batch_write(&s->batch, &s->db, ring_id(s->ring), &result);
	if (err) {
		s->batch.position = s->committed;
		s->batch.damaged = damaged;
		return err;
	}
	s->committed = s->batch.position;
	ring_release(s->ring, s->committed);
	add(&s->rows, result.rows);
	add(&s->duplicates, result.duplicates);
	add(&s->damaged, s->batch.damaged - damaged);
	add(&s->batches, 1);
	return 0;
}

/*
 * Takes all records that are there now. After a failure it writes even when there are none, to
 * learn whether that is over. Return: 0 or -errno.
 */
static int drain(struct ledger_sqlite *s)
{
	uint64_t head = ring_head(s->ring);
	int err = 0;

	while ((s->committed < head || atomic_load(&s->state) != LEDGER_OK) && err == 0) {
		err = write_batch(s);
		set_state(s, err);
		ledger_room_checkpoint(s);
	}
	return err;
}

/* --- changes --- */

int ledger_write_event(struct ledger_db *db, int64_t wall_ns, const struct ledger_event *event)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_EVENT];
	const char *texts[] = { event->kind, event->subject, event->old_value, event->new_value,
				event->text };

	sqlite3_bind_int64(statement, 1, wall_ns);
	for (int i = 0; i < 5; i++)
		sqlite3_bind_text(statement, 2 + i, texts[i], -1, SQLITE_STATIC);
	if (event->uid < 0) {
		sqlite3_bind_null(statement, 7);
		sqlite3_bind_null(statement, 8);
	} else {
		sqlite3_bind_int64(statement, 7, event->uid);
		sqlite3_bind_int64(statement, 8, event->pid);
	}
	return ledger_db_run(db, LEDGER_DB_EVENT);
}

static int write_vm(struct ledger_db *db, const struct ledger_change *change)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_VM_PUT];
	const struct ledger_vm *vm = &change->vm;

	sqlite3_bind_int64(statement, 1, vm->id);
	sqlite3_bind_text(statement, 2, vm->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, (const char *)&vm->pool, 1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 4, vm->priority);
	sqlite3_bind_int(statement, 5, vm->paused);
	sqlite3_bind_int64(statement, 6, vm->created_ns ? vm->created_ns : change->wall_ns);
	sqlite3_bind_text(statement, 7, vm->connect, -1, SQLITE_STATIC);
	if (vm->limit_per_s > 0) {
		sqlite3_bind_int64(statement, 8, vm->limit_per_s);
		sqlite3_bind_int64(statement, 9, vm->limit_burst);
	} else {
		sqlite3_bind_null(statement, 8);
		sqlite3_bind_null(statement, 9);
	}
	return ledger_db_run(db, LEDGER_DB_VM_PUT);
}

static int remove_vm(struct ledger_db *db, const struct ledger_change *change)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_VM_DELETE];
	int err;

	sqlite3_bind_int64(statement, 1, change->vm.id);
	sqlite3_bind_int64(statement, 2, change->wall_ns);
	err = ledger_db_run(db, LEDGER_DB_VM_DELETE);
	if (err == 0 && sqlite3_changes(db->conn) == 0)
		err = -ENOENT;
	return err;
}

/* Its own failure, not the transaction's: others go on. */
static bool is_refusal(int err)
{
	return err == -ENOENT || err == -EEXIST;
}

static int write_changes(struct ledger_sqlite *s, struct ledger_changes *changes)
{
	struct ledger_change *change;
	int err = ledger_db_begin(&s->db);

	STAILQ_FOREACH(change, changes, link) {
		if (err)
			break;
		switch (change->type) {
		case LEDGER_EVENT_ADD:
			change->err = ledger_write_event(&s->db, change->wall_ns, &change->event);
			break;
		case LEDGER_VM_CHANGE:
			change->err = write_vm(&s->db, change);
			break;
		case LEDGER_VM_REMOVE:
			change->err = remove_vm(&s->db, change);
			break;
		case LEDGER_FLUSH:
			break;
		}
		if (change->err && !is_refusal(change->err))
			err = change->err;
	}
	return ledger_db_end(&s->db, err);
}

static bool touches_vms(const struct ledger_changes *changes)
{
	const struct ledger_change *change;

	STAILQ_FOREACH(change, changes, link) {
		if (change->type == LEDGER_VM_CHANGE || change->type == LEDGER_VM_REMOVE)
			return true;
	}
	return false;
}

/* A change of a VM is on the disk when it is answered, so that one commit waits for it. */
static int write_changes_synced(struct ledger_sqlite *s, struct ledger_changes *changes)
{
	bool sync = touches_vms(changes);
	int err = sync ? ledger_db_sync(&s->db, true) : 0;

	if (err == 0)
		err = write_changes(s, changes);
	if (sync)
		ledger_db_sync(&s->db, false);
	return err;
}

/* Nobody waits for its end, so it is tried until it can be written. */
static bool is_tried_again(const struct ledger_change *change)
{
	return change->type == LEDGER_EVENT_ADD ||
	       (change->done == NULL && change->type != LEDGER_FLUSH);
}

/* Hands the changes back, those that could not be written and nobody waits for excepted. */
static void hand_back(struct ledger_sqlite *s, struct ledger_changes *changes, int err,
		      int drain_err)
{
	struct ledger_changes again = STAILQ_HEAD_INITIALIZER(again);
	struct ledger_change *change;
	bool answers = false;

	pthread_mutex_lock(&s->lock);
	while ((change = STAILQ_FIRST(changes))) {
		STAILQ_REMOVE_HEAD(changes, link);
		if (err && !s->stop && is_tried_again(change)) {
			STAILQ_INSERT_TAIL(&again, change, link);
			continue;
		}
		if (change->type == LEDGER_EVENT_ADD) {
			atomic_fetch_sub(&s->events_queued, 1);
			free(change);
			continue;
		}
		if (change->type == LEDGER_FLUSH)
			change->err = drain_err;
		if (err)
			change->err = err;
		STAILQ_INSERT_TAIL(&s->done, change, link);
		answers = true;
	}
	/* In their old place: before what came meanwhile. */
	STAILQ_CONCAT(&again, &s->todo);
	STAILQ_CONCAT(&s->todo, &again);
	s->doing = false;
	pthread_cond_broadcast(&s->all_done);
	pthread_mutex_unlock(&s->lock);
	if (answers)
		ledger_notify(s);
}

/* Return: 0, or -errno when some must be tried again. */
static int run_changes(struct ledger_sqlite *s, struct ledger_changes *changes, int drain_err)
{
	int err;

	if (STAILQ_EMPTY(changes))
		return 0;
	err = atomic_load(&s->begun) ? write_changes_synced(s, changes) : drain_err;
	if (err)
		set_state(s, err);
	else if (drain_err == 0)
		set_state(s, 0);
	hand_back(s, changes, err, drain_err);
	return err;
}

/* Return: whether the writer shall end after this round. */
static bool take_changes(struct ledger_sqlite *s, struct ledger_changes *changes)
{
	bool stop;

	STAILQ_INIT(changes);
	pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(changes, &s->todo);
	s->doing = !STAILQ_EMPTY(changes);
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return stop;
}

/* --- retention --- */

/* Deletes a few rows older than a limit. Return: how many, or -errno. */
static int expire(struct ledger_sqlite *s, enum ledger_db_statement which, int64_t before)
{
	sqlite3_stmt *statement = s->db.statement[which];
	int err;

	sqlite3_bind_int64(statement, 1, before);
	sqlite3_bind_int(statement, 2,
			 atomic_load(&s->state) == LEDGER_OK ? EXPIRE_ROWS : EXPIRE_ROWS_FULL);
	err = ledger_db_run(&s->db, which);
	return err ? err : sqlite3_changes(s->db.conn);
}

static int expire_requests(struct ledger_sqlite *s, int64_t before_ns)
{
	int n = expire(s, LEDGER_DB_EXPIRE, before_ns);

	if (n > 0)
		add(&s->expired, (uint64_t)n);
	return n;
}

static int expire_by_age(struct ledger_sqlite *s)
{
	int64_t now_ns = ledger_clock_age_ns(s, util_now_ns());
	int64_t rows_ns = now_ns - s->config.retention_days * NS_PER_DAY;
	int64_t minutes_ns = now_ns - s->config.minute_days * NS_PER_DAY;
	int n = 0;

	if (s->config.retention_days) {
		n = expire_requests(s, rows_ns);
		if (n == 0)
			n = expire(s, LEDGER_DB_EXPIRE_EVENT, rows_ns);
	}
	if (n == 0 && s->config.minute_days)
		n = expire(s, LEDGER_DB_EXPIRE_MINUTE, minutes_ns / (60 * INT64_C(1000000000)));
	return n;
}

/* The oldest requests go first; only when there is none left, what is kept longer. */
static int expire_by_size(struct ledger_sqlite *s)
{
	int64_t bytes = 0;
	int n = ledger_db_number(&s->db, LEDGER_DB_SIZE, &bytes);

	if (n)
		return n;
	atomic_store_explicit(&s->db_bytes, (uint64_t)bytes, memory_order_relaxed);
	if (s->config.max_bytes == 0 || (uint64_t)bytes <= s->config.max_bytes)
		return 0;
	n = expire_requests(s, INT64_MAX);
	if (n == 0)
		n = expire(s, LEDGER_DB_EXPIRE_MINUTE, INT64_MAX);
	if (n == 0)
		n = expire(s, LEDGER_DB_EXPIRE_EVENT, INT64_MAX);
	return n;
}

/*
 * err: how the last attempt to write ended; on a full disk retention is what may help.
 * Return: whether there is more to do at once.
 */
static bool retention(struct ledger_sqlite *s, int err)
{
	uint64_t now_ns = util_now_ns();
	int n = 0;

	if (err == 0 ? now_ns < s->retention_due_ns : err != -ENOSPC)
		return false;
	if (err)
		ledger_room_make(s);
	if (atomic_load(&s->begun)) /* else it is not known yet what counts as age */
		n = expire_by_age(s);
	if (n == 0)
		n = expire_by_size(s);
	ledger_room_checkpoint(s);
	if (n > 0)
		return true;
	if (n < 0)
		note_error(s, n);
	s->retention_due_ns = now_ns + RETENTION_S * UTIL_NS_PER_S;
	return false;
}

/* --- sleeping --- */

/* Sleeps until the head is there, a change comes, or the time is over; -1: no such time. */
static void sleep_until(struct ledger_sqlite *s, uint64_t head, int timeout_ms)
{
	struct pollfd pfd = { .fd = s->wake_fd, .events = POLLIN };
	uint64_t count;

	atomic_store(&s->wake_at, head);
	/* The producer stores its head, then looks at wake_at; here it is the other way round. */
	if (ring_head(s->ring) < head)
		poll(&pfd, 1, timeout_ms);
	atomic_store(&s->wake_at, UINT64_MAX);
	if (read(s->wake_fd, &count, sizeof(count)) < 0)
		return; /* nobody woke it */
}

static bool changes_wait(struct ledger_sqlite *s)
{
	bool wait;

	pthread_mutex_lock(&s->lock);
	wait = !STAILQ_EMPTY(&s->todo) || s->stop;
	pthread_mutex_unlock(&s->lock);
	return wait;
}

static void rest(struct ledger_sqlite *s, int err)
{
	uint64_t many = ring_records(s->ring) / 4;

	if (err) {
		sleep_until(s, UINT64_MAX, RETRY_MS);
		return;
	}
	if (changes_wait(s))
		return;
	sleep_until(s, s->committed + 1, -1);
	if (changes_wait(s))
		return;
	/* Something came: let more come, so that they share a transaction. */
	if (many > LEDGER_BATCH_RECORDS)
		many = LEDGER_BATCH_RECORDS;
	sleep_until(s, s->committed + many, (int)s->config.batch_ms);
}

/* Return: 0: the session has begun, or -errno. */
static int begin_if_due(struct ledger_sqlite *s)
{
	int err;

	if (atomic_load(&s->begun))
		return 0;
	err = ledger_begin(s);
	set_state(s, err);
	return err;
}

void *ledger_writer(void *arg)
{
	struct ledger_sqlite *s = arg;
	struct ledger_changes changes;
	bool more, stop;
	int err, changes_err;

	for (;;) {
		stop = take_changes(s, &changes);
		err = begin_if_due(s);
		if (err == 0)
			err = drain(s);
		changes_err = run_changes(s, &changes, err);
		if (stop)
			return NULL;
		ledger_room_checkpoint(s);
		more = retention(s, err);
		if (!more)
			rest(s, err ? err : changes_err);
	}
}
