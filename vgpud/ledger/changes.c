/* SPDX-License-Identifier: GPL-2.0-or-later */
/* changes.c - what the loop thread asks of the writer, and the answers: a mailbox of two lists */

#include "vgpud/ledger/changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int ledger_changes_open(struct ledger_changes *changes)
{
	pthread_condattr_t monotonic;

	*changes = (struct ledger_changes){ .notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	pthread_mutex_init(&changes->lock, NULL);
	/* Setting the wall clock must not change how long a wait takes. */
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&changes->all_done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	STAILQ_INIT(&changes->todo);
	STAILQ_INIT(&changes->done);
	return changes->notify_fd < 0 ? -errno : 0;
}

void ledger_changes_close(struct ledger_changes *changes)
{
	if (changes->notify_fd >= 0)
		close(changes->notify_fd);
	pthread_mutex_destroy(&changes->lock);
	pthread_cond_destroy(&changes->all_done);
}

void ledger_changes_notify(struct ledger_changes *changes)
{
	uint64_t one = 1;

	/* It fails only when the counter is full, and then the descriptor is readable anyway. */
	if (write(changes->notify_fd, &one, sizeof(one)) < 0)
		return;
}

/* --- the loop thread's --- */

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

static struct ledger_change *new_change(enum ledger_change_type type, int64_t wall_ns, size_t bytes)
{
	struct ledger_change *change = calloc(1, sizeof(*change) + bytes);

	if (!change)
		return NULL;
	change->type = type;
	change->wall_ns = wall_ns;
	return change;
}

static void queue(struct ledger_changes *changes, struct ledger_change *change)
{
	pthread_mutex_lock(&changes->lock);
	STAILQ_INSERT_TAIL(&changes->todo, change, link);
	pthread_mutex_unlock(&changes->lock);
}

static size_t event_bytes(const struct ledger_event *event)
{
	return string_bytes(event->kind) + string_bytes(event->subject) +
	       string_bytes(event->old_value) + string_bytes(event->new_value) +
	       string_bytes(event->text);
}

static void put_event(struct ledger_change *change, char **at, const struct ledger_event *event)
{
	change->event = *event;
	change->event.kind = put_string(at, event->kind);
	change->event.subject = put_string(at, event->subject);
	change->event.old_value = put_string(at, event->old_value);
	change->event.new_value = put_string(at, event->new_value);
	change->event.text = put_string(at, event->text);
}

int ledger_changes_add(struct ledger_changes *changes, enum ledger_change_type type,
		       const struct ledger_vm *vm, const struct ledger_event *event,
		       int64_t wall_ns, ledger_done *done, void *arg)
{
	struct ledger_change *change;
	char *at;

	if (changes->under_way >= LEDGER_CHANGES_MOST)
		return -ENOBUFS;
	change = new_change(type, wall_ns,
			    (vm ? string_bytes(vm->name) : 0) + (event ? event_bytes(event) : 0));
	if (!change)
		return -ENOMEM;
	at = change->strings;
	if (vm) {
		change->vm = *vm;
		change->vm.name = put_string(&at, vm->name);
	}
	if (event)
		put_event(change, &at, event);
	change->done = done;
	change->arg = arg;
	changes->under_way++;
	queue(changes, change);
	return 0;
}

int ledger_changes_add_claims(struct ledger_changes *changes, const struct ledger_program *program,
			      const char *names, ledger_done *done, void *arg)
{
	struct ledger_change *change;
	char *at;

	if (changes->under_way >= LEDGER_CHANGES_MOST)
		return -ENOBUFS;
	change = new_change(LEDGER_CHANGE_CLAIMS, 0, string_bytes(names));
	if (!change)
		return -ENOMEM;
	at = change->strings;
	change->program = *program;
	change->names = put_string(&at, names);
	change->done = done;
	change->arg = arg;
	changes->under_way++;
	queue(changes, change);
	return 0;
}

int ledger_changes_add_used(struct ledger_changes *changes, const struct ledger_program *program,
			    int64_t wall_ns)
{
	struct ledger_change *change;

	/* As submissions: the next one has what this one would have said. */
	if (changes->under_way >= LEDGER_CHANGES_MOST / 2)
		return -ENOBUFS;
	change = new_change(LEDGER_CHANGE_USED, wall_ns, 0);
	if (!change)
		return -ENOMEM;
	change->program = *program;
	changes->under_way++;
	queue(changes, change);
	return 0;
}

int ledger_changes_add_submissions(struct ledger_changes *changes,
				   const struct ledger_submissions *taken, ledger_done *done,
				   void *arg)
{
	size_t rows_bytes = taken->row_num * sizeof(*taken->rows);
	struct ledger_change *change;

	/* Half of what may be under way is left to administrators and to ends of programs. */
	if (changes->under_way >= LEDGER_CHANGES_MOST / 2)
		return -ENOBUFS;
	change = new_change(LEDGER_CHANGE_SUBMISSIONS, 0, sizeof(*taken->latency) + rows_bytes);
	if (!change)
		return -ENOMEM;
	change->submissions = *taken;
	change->submissions.latency = memcpy(change->strings, taken->latency,
					     sizeof(*taken->latency));
	if (rows_bytes > 0)
		change->submissions.rows = memcpy(change->strings + sizeof(*taken->latency),
						  taken->rows, rows_bytes);
	change->done = done;
	change->arg = arg;
	changes->under_way++;
	queue(changes, change);
	return 0;
}

int ledger_changes_add_waits(struct ledger_changes *changes, const struct ledger_wait *waits,
			     unsigned num)
{
	struct ledger_change *change;

	/* As submissions: what is not taken now comes with the next ones. */
	if (changes->under_way >= LEDGER_CHANGES_MOST / 2)
		return -ENOBUFS;
	change = new_change(LEDGER_CHANGE_WAITS, 0, num * sizeof(*waits));
	if (!change)
		return -ENOMEM;
	change->waits = memcpy(change->strings, waits, num * sizeof(*waits));
	change->wait_num = num;
	changes->under_way++;
	queue(changes, change);
	return 0;
}

/* Events and steps of the clock share one bound. */
static int queue_event(struct ledger_changes *changes, struct ledger_change *change)
{
	if (!change)
		return -ENOMEM;
	atomic_fetch_add(&changes->events_queued, 1);
	queue(changes, change);
	return 0;
}

int ledger_changes_add_event(struct ledger_changes *changes, const struct ledger_event *event,
			     int64_t wall_ns)
{
	struct ledger_change *change;
	char *at;

	if (atomic_load(&changes->events_queued) >= LEDGER_EVENTS_MOST)
		return -ENOBUFS;
	change = new_change(LEDGER_CHANGE_EVENT, wall_ns, event_bytes(event));
	if (change) {
		at = change->strings;
		put_event(change, &at, event);
	}
	return queue_event(changes, change);
}

int ledger_changes_add_clock(struct ledger_changes *changes, int64_t step_ns, int64_t wall_ns)
{
	struct ledger_change *change;

	if (atomic_load(&changes->events_queued) >= LEDGER_EVENTS_MOST)
		return -ENOBUFS;
	change = new_change(LEDGER_CHANGE_CLOCK, wall_ns, 0);
	if (change)
		change->step_ns = step_ns;
	return queue_event(changes, change);
}

bool ledger_changes_dispatch(struct ledger_changes *changes)
{
	struct ledger_change_list done = STAILQ_HEAD_INITIALIZER(done);
	struct ledger_change *change;
	uint64_t count;
	bool told = read(changes->notify_fd, &count, sizeof(count)) > 0;

	pthread_mutex_lock(&changes->lock);
	STAILQ_CONCAT(&done, &changes->done);
	pthread_mutex_unlock(&changes->lock);
	while ((change = STAILQ_FIRST(&done))) {
		STAILQ_REMOVE_HEAD(&done, link);
		changes->under_way--;
		if (change->done)
			change->done(change->arg, change->err);
		free(change);
	}
	return told;
}

int ledger_changes_wait(struct ledger_changes *changes, int timeout_ms)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&changes->lock);
	while (rc == 0 && (changes->doing || !STAILQ_EMPTY(&changes->todo)))
		rc = pthread_cond_timedwait(&changes->all_done, &changes->lock, &until);
	pthread_mutex_unlock(&changes->lock);
	ledger_changes_dispatch(changes);
	return -rc;
}

void ledger_changes_stop(struct ledger_changes *changes)
{
	pthread_mutex_lock(&changes->lock);
	changes->stop = true;
	pthread_mutex_unlock(&changes->lock);
}

/* --- the writer's --- */

bool ledger_changes_take(struct ledger_changes *changes, struct ledger_change_list *list)
{
	bool stop;

	STAILQ_INIT(list);
	pthread_mutex_lock(&changes->lock);
	STAILQ_CONCAT(list, &changes->todo);
	changes->doing = !STAILQ_EMPTY(list);
	stop = changes->stop;
	pthread_mutex_unlock(&changes->lock);
	return stop;
}

bool ledger_changes_pending(struct ledger_changes *changes)
{
	bool there;

	pthread_mutex_lock(&changes->lock);
	there = !STAILQ_EMPTY(&changes->todo) || changes->stop;
	pthread_mutex_unlock(&changes->lock);
	return there;
}

static bool is_event(const struct ledger_change *change)
{
	return change->type == LEDGER_CHANGE_EVENT || change->type == LEDGER_CHANGE_CLOCK;
}

/*
 * A change without a waiting caller is tried until it can be written, unless a later one has all it says.
 * Of claims nobody waits for the answer: the program has gone.
 */
static bool is_tried_again(const struct ledger_change *change)
{
	return is_event(change) || change->type == LEDGER_CHANGE_CLAIMS ||
	       (change->done == NULL && change->type != LEDGER_CHANGE_FLUSH &&
		change->type != LEDGER_CHANGE_USED);
}

void ledger_changes_hand_back(struct ledger_changes *changes, struct ledger_change_list *list,
			      int err, int records_err)
{
	struct ledger_change_list again = STAILQ_HEAD_INITIALIZER(again);
	struct ledger_change *change;
	bool answers = false;

	pthread_mutex_lock(&changes->lock);
	while ((change = STAILQ_FIRST(list))) {
		int failed = err;

		if (err == 0 && ledger_change_is_of_program(change))
			failed = records_err;
		STAILQ_REMOVE_HEAD(list, link);
		if (failed && !changes->stop && is_tried_again(change)) {
			STAILQ_INSERT_TAIL(&again, change, link);
			continue;
		}
		if (is_event(change)) {
			atomic_fetch_sub(&changes->events_queued, 1);
			free(change);
			continue;
		}
		if (change->type == LEDGER_CHANGE_FLUSH)
			change->err = records_err;
		if (failed)
			change->err = failed;
		STAILQ_INSERT_TAIL(&changes->done, change, link);
		answers = true;
	}
	STAILQ_CONCAT(&again, &changes->todo);
	STAILQ_CONCAT(&changes->todo, &again);
	changes->doing = false;
	pthread_cond_broadcast(&changes->all_done);
	pthread_mutex_unlock(&changes->lock);
	if (answers)
		ledger_changes_notify(changes);
}
