/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer.c - the thread that owns the ledger's database */

#include "vgpud/ledger/writer.h"

#include <errno.h>
#include <signal.h>

#include "common/util.h"
#include "vgpud/ledger/events.h"
#include "vgpud/ledger/programs.h"
#include "vgpud/ledger/submissions.h"
#include "vgpud/ledger/vms.h"
#include "vgpud/ledger/waits.h"

#define RETRY_MS 1000 /* between attempts while the database cannot be written */
#define WATCH_MS 2000 /* between looks whether the files are where they were, while idle */

static void say_state(struct ledger_writer *writer, int err, const char *words)
{
	if (ledger_health_set(writer->book->health, err, words))
		ledger_changes_notify(writer->changes);
}

/* Publishes how the last attempt to write ended. err: 0 or -errno. */
static void set_state(struct ledger_writer *writer, int err)
{
	char words[200];

	if (err)
		ledger_room_words(&writer->book->room, err, words, sizeof(words));
	say_state(writer, err, err ? words : NULL);
}

/*
 * While a file is not where it was, nothing is written: records wait in the ring until the file is
 * back, or until the next start begins a new database.
 * Return: 0 or -ESTALE.
 */
static int watch(struct ledger_writer *writer)
{
	char words[200] = "";
	int err = ledger_watch_look(&writer->watch, util_now_ns(), words, sizeof(words));

	atomic_store(&writer->book->health->free_bytes, ledger_room_free(&writer->book->room));
	if (err && words[0] != '\0')
		say_state(writer, err, words);
	return err;
}

/* A checkpoint may make the file larger than max_size allows: then retention is due. */
static void checkpoint(struct ledger_writer *writer)
{
	if (ledger_room_checkpoint(&writer->book->room))
		writer->retention.due_ns = 0;
}

/* --- records --- */

/*
 * Takes all records that are in the ring now. After a failure it writes even when there are none,
 * to learn whether writing works again. Return: 0 or -errno.
 */
static int drain(struct ledger_writer *writer)
{
	struct ledger_book *book = writer->book;
	uint64_t head = ring_head(book->ring);
	int err = 0;

	while ((book->committed < head || atomic_load(&book->health->state) != LEDGER_OK) &&
	       err == 0) {
		err = watch(writer);
		if (err)
			break;
		err = ledger_book_take(book);
		if (err == 0) {
			ring_release(book->ring, book->committed);
			ledger_health_count(&book->health->batches, 1);
		}
		set_state(writer, err);
		checkpoint(writer);
	}
	return err;
}

/* --- changes --- */

/* Return: whether only this change failed: the transaction goes on with the others. */
static bool is_refusal(int err)
{
	return err == -ENOENT || err == -EEXIST;
}

/* Writes the event of a change in the same transaction: both are recorded, or neither is. */
static int write_told(struct ledger_db *db, const struct ledger_change *change, int err)
{
	if (err == 0 && change->event.kind)
		err = ledger_events_write(db, change->wall_ns, &change->event);
	return err;
}

/* span: of the transaction. */
static int write_change(struct ledger_book *book, const struct ledger_change *change,
			struct ledger_submission_span *span)
{
	struct ledger_db *db = &book->db;

	switch (change->type) {
	case LEDGER_CHANGE_EVENT:
		return ledger_events_write(db, change->wall_ns, &change->event);
	case LEDGER_CHANGE_VM_PUT:
		return write_told(db, change, ledger_vms_put(db, &change->vm, change->wall_ns));
	case LEDGER_CHANGE_VM_DELETE:
		return write_told(db, change,
				  ledger_vms_delete(db, change->vm.id, change->wall_ns));
	case LEDGER_CHANGE_CLOCK:
		return ledger_clock_step(db, book->session.id, change->step_ns);
	case LEDGER_CHANGE_CLAIMS:
		return ledger_programs_claim(db, &change->program, change->names);
	case LEDGER_CHANGE_USED:
		return ledger_programs_use(db, &change->program, change->wall_ns);
	case LEDGER_CHANGE_SUBMISSIONS:
		return ledger_submissions_write(db, &change->submissions, span);
	case LEDGER_CHANGE_WAITS:
		return ledger_waits_write(db, change->waits, change->wait_num);
	case LEDGER_CHANGE_FLUSH:
		break;
	}
	return 0;
}

/* records_err: as ledger_changes_hand_back() says. */
static int write_changes(struct ledger_book *book, struct ledger_change_list *list, int records_err)
{
	struct ledger_submission_span span = { 0 };
	struct ledger_change *change;
	int err = ledger_db_begin(&book->db);

	STAILQ_FOREACH(change, list, link) {
		if (err)
			break;
		if (records_err && ledger_change_is_of_program(change))
			continue;
		change->err = write_change(book, change, &span);
		if (change->err && !is_refusal(change->err))
			err = change->err;
	}
	if (err == 0)
		err = ledger_submissions_end(&book->db, &span);
	return ledger_db_end(&book->db, err);
}

static bool touches_vms(const struct ledger_change_list *list)
{
	const struct ledger_change *change;

	STAILQ_FOREACH(change, list, link) {
		if (change->type == LEDGER_CHANGE_VM_PUT || change->type == LEDGER_CHANGE_VM_DELETE)
			return true;
	}
	return false;
}

/* A change of a VM must be on the disk when it is answered, so this commit waits for the disk. */
static int write_changes_synced(struct ledger_book *book, struct ledger_change_list *list,
				int records_err)
{
	struct ledger_db *db = &book->db;
	bool sync = touches_vms(list);
	int err = sync ? ledger_db_sync(db, true) : 0;

	if (err == 0)
		err = write_changes(book, list, records_err);
	if (sync)
		ledger_db_sync(db, false);
	return err;
}

/* Return: 0, or -errno when some must be tried again. */
static int run_changes(struct ledger_writer *writer, struct ledger_change_list *list, int drain_err)
{
	int err;

	if (STAILQ_EMPTY(list))
		return 0;
	err = atomic_load(&writer->book->health->begun) && drain_err != -ESTALE
		      ? write_changes_synced(writer->book, list, drain_err)
		      : drain_err;
	if (err && err != -ESTALE)
		set_state(writer, err);
	else if (err == 0 && drain_err == 0)
		set_state(writer, 0);
	ledger_changes_hand_back(writer->changes, list, err, drain_err);
	return err;
}

/* --- the thread --- */

static void rest(struct ledger_writer *writer, int err)
{
	const struct ledger_book *book = writer->book;
	uint64_t many = ring_records(book->ring) / 4;

	if (err) {
		ledger_wake_sleep(writer->wake, book->ring, UINT64_MAX, RETRY_MS);
		return;
	}
	if (ledger_changes_pending(writer->changes))
		return;
	ledger_wake_sleep(writer->wake, book->ring, book->committed + 1, WATCH_MS);
	if (ledger_changes_pending(writer->changes) || ring_head(book->ring) == book->committed)
		return;
	/* A record came: wait for more, so that they share a transaction. */
	if (many > LEDGER_BATCH_RECORDS)
		many = LEDGER_BATCH_RECORDS;
	ledger_wake_sleep(writer->wake, book->ring, book->committed + many,
			  (int)book->config->batch_ms);
}

static void arm(struct ledger_writer *writer)
{
	const struct ledger_config *config = writer->book->config;

	ledger_watch_arm(&writer->watch, config->db_path, config->ring_path);
}

/* Begins the session if that is due. Return: 0: it has begun and its files are there, or -errno. */
static int begin_if_due(struct ledger_writer *writer)
{
	int err;

	if (atomic_load(&writer->book->health->begun))
		return watch(writer);
	err = ledger_start_begin(writer->start);
	set_state(writer, err);
	if (err == 0)
		arm(writer);
	return err;
}

static void *run(void *arg)
{
	struct ledger_writer *writer = arg;
	struct ledger_change_list list;
	bool more, stop;
	int err, changes_err;

	for (;;) {
		stop = ledger_changes_take(writer->changes, &list);
		err = begin_if_due(writer);
		if (err == 0)
			err = drain(writer);
		changes_err = run_changes(writer, &list, err);
		if (stop)
			return NULL;
		checkpoint(writer);
		more = err != -ESTALE &&
		       ledger_retention_step(&writer->retention, writer->book, err);
		if (!more)
			rest(writer, err ? err : changes_err);
	}
}

/* Blocks all signals in the writer: they are for the loop thread. That includes SIGXFSZ, so that a
 * file-size limit is an error of write() and does not kill. */
int ledger_writer_start(struct ledger_writer *writer)
{
	sigset_t all, old;
	int err;

	if (atomic_load(&writer->book->health->begun))
		arm(writer);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&writer->thread, NULL, run, writer);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

void ledger_writer_stop(struct ledger_writer *writer)
{
	ledger_changes_stop(writer->changes);
	ledger_wake_now(writer->wake);
	pthread_join(writer->thread, NULL);
}
