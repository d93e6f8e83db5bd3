/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lease.c - holds back what submits to the GPU while the program has no lease */

#include "worker/lease.h"

#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "common/wire/cmds_check.h"
#include "worker/commands.h"
#include "worker/dirty.h"
#include "worker/drain.h"
#include "worker/flight.h"
#include "worker/held.h"
#include "worker/program.h"

/*
 * Theory of operation. Without the lease, what submits to the GPU is held back, and behind it all that
 * may depend on it, in the order of the ring. What only asks is answered: a query of a stream with
 * something held back says NOT_READY. Copies need no lease; they wait only for what is held back
 * before them on their stream.
 *
 * With the lease each such command costs a read of the page. Whether the GPU still has something to do
 * is asked only when no command has come for a while, or the lease is to be given back: then each
 * stream on which something was put is queried.
 *
 * A program with nothing to do may go on at once, as one does that waits for each of its kernels: it
 * keeps the lease for idle_us. One that has rested for longer several times in a row will do so
 * again: if others want the lease, it gives it back as soon as the GPU has nothing of it, until it is
 * found to go on at once. Where its turns last equally long, it does so a moment before their end
 * (drain.c).
 */

#define LOOK_LEAST_NS (5 * UTIL_NS_PER_US)
#define LOOK_MOST_NS (1 * UTIL_NS_PER_MS)
#define LOOK_PART 64 /* of the time that the GPU has been looked at in vain */
#define LONG_RESTS 3u

int lease_begin(struct lease *lease, const struct lease_page *page, struct lease_claims *claims,
		void (*say)(const struct program_state *state))
{
	int err;

	memset(lease, 0, sizeof(*lease));
	lease->page = page;
	lease->claims = claims;
	lease->say = say;
	lease->held.last = &lease->held.first;
	pthread_mutex_init(&lease->told_lock, NULL);
	if (page == NULL)
		return 0;
	lease->own.idle_since_ns = util_now_ns();
	*claims = lease->own;
	err = dirty_begin(&lease->dirty);
	return err == 0 ? flight_begin(&lease->flight) : err;
}

void lease_finish(struct program *program)
{
	struct lease *lease = &program->lease;
	struct lease_held *held;

	while ((held = lease->held.first) != NULL) {
		lease->held.first = held->next;
		free(held);
	}
	dirty_finish(program);
	flight_finish(program);
	pthread_mutex_destroy(&lease->told_lock);
}

static void say_of(const struct lease *lease, uint64_t number, enum program_state_what what,
		   uint64_t tail_ns)
{
	const struct program_state state = {
		.what = what,
		.lease = number,
		.tail_ns = tail_ns,
	};

	lease->say(&state);
}

static void say(const struct lease *lease, enum program_state_what what, uint64_t tail_ns)
{
	say_of(lease, lease->number, what, tail_ns);
}

/* --- having the lease --- */

/* Return: the number of a lease that may be used now; 0: there is none. */
static uint64_t granted(const struct lease *lease)
{
	uint64_t number = lease_page_load(&lease->page->grant);

	return number != lease->returned ? number : 0;
}

bool lease_is_held(const struct lease *lease)
{
	return lease->page == NULL || (granted(lease) != 0 && lease->busy);
}

static void rest(struct lease *lease, uint64_t since_ns)
{
	lease->own.idle_since_ns = since_ns;
	lease->own.busy = 0;
	lease_page_store(&lease->claims->idle_since_ns, since_ns);
	__atomic_store_n(&lease->claims->busy, 0, __ATOMIC_RELEASE);
	lease->busy = false;
	lease_page_fence();
}

static uint64_t idle_most_ns(const struct lease *lease)
{
	return lease->page->idle_us * UTIL_NS_PER_US;
}

static bool gives_back_at_once(const struct lease *lease)
{
	return lease->long_rests == LONG_RESTS && lease_has_rivals(lease);
}

/* Return: for how long a program with nothing to do keeps the lease. */
static uint64_t patience_ns(const struct lease *lease)
{
	return gives_back_at_once(lease) ? 0 : idle_most_ns(lease);
}

static void get_busy(struct lease *lease, uint64_t now_ns)
{
	uint64_t rest_ns = now_ns - lease->own.idle_since_ns;

	if (rest_ns < idle_most_ns(lease))
		lease->long_rests = 0;
	else if (lease->long_rests < LONG_RESTS)
		lease->long_rests++;
	lease->own.busy = 1;
	lease->own.idle_ns += rest_ns;
	__atomic_store_n(&lease->claims->busy, 1, __ATOMIC_RELEASE);
	lease_page_store(&lease->claims->idle_ns, lease->own.idle_ns);
	lease->busy = true;
	lease->active_ns = now_ns;
	lease_page_fence();
}

bool lease_is_sound(const struct lease *lease)
{
	const struct lease_claims *claims = lease->claims, *own = &lease->own;

	return lease->page == NULL ||
	       (__atomic_load_n(&claims->busy, __ATOMIC_RELAXED) == own->busy &&
		__atomic_load_n(&claims->held, __ATOMIC_RELAXED) == own->held &&
		__atomic_load_n(&claims->idle_since_ns, __ATOMIC_RELAXED) == own->idle_since_ns &&
		__atomic_load_n(&claims->idle_ns, __ATOMIC_RELAXED) == own->idle_ns &&
		__atomic_load_n(&claims->held_ns, __ATOMIC_RELAXED) == own->held_ns);
}

static void say_wants(struct lease *lease)
{
	lease->wants = true;
	say(lease, PROGRAM_WANTS, 0);
}

void lease_acknowledge(struct lease *lease)
{
	uint64_t asked;

	if (lease->page == NULL)
		return;
	/* It is sent under the lock: a thread that finds it told may say next that the work has drained. */
	pthread_mutex_lock(&lease->told_lock);
	asked = lease_page_load(&lease->page->asked);
	if (asked > lease->told) {
		lease->told = asked;
		say_of(lease, asked, PROGRAM_ACKED, 0);
	}
	pthread_mutex_unlock(&lease->told_lock);
}

static void begin_drain(struct lease *lease)
{
	lease->draining = true;
	lease->drains = false;
	lease->look_ns = lease->pause_ns = 0;
	lease->awake_until_ns = util_now_ns() + LEASE_SOON_NS;
}

/* Acknowledges that a lease was taken back, be it one that was never seen. */
static void look_whether_asked(struct lease *lease)
{
	uint64_t asked = lease_page_load(&lease->page->asked);

	if (asked <= lease->acked)
		return;
	lease->acked = lease->number = asked;
	lease->wants = false;
	begin_drain(lease);
	lease_acknowledge(lease);
	if (lease->held.first != NULL)
		say_wants(lease);
}

static bool may_submit(struct lease *lease)
{
	uint64_t number = granted(lease);

	if (number != 0 && number == lease->number && lease->busy) {
		/*
		 * The broker gives a lease back that it took from one that was about to go on. What that
		 * one said meanwhile it does not keep: it has the lease.
		 */
		lease->wants = false;
		return true;
	}
	if (number == 0) {
		look_whether_asked(lease);
		return false;
	}
	if (!lease->busy) {
		get_busy(lease, util_now_ns());
		number = granted(lease);
		if (number == 0) { /* taken back while it rested */
			rest(lease, util_now_ns());
			return false;
		}
	}
	if (number != lease->number)
		lease->awake_until_ns = 0;
	lease->turns.since_ns = util_now_ns();
	lease->number = number;
	lease->draining = lease->drains = false;
	lease->wants = false;
	return true;
}

/* --- what is held back --- */

/* Return: whether the command, which submits to the GPU, may be submitted now. */
static bool may_go(struct program *program, const struct vgpu_command *command)
{
	struct lease *lease = &program->lease;
	uint32_t stream = 0;

	lease->is_bounded = false;
	if (!may_submit(lease))
		return false;
	if (!flight_counts(command) || !held_stream(command, &stream) || stream > VGPU_HANDLES_MOST)
		return true;
	if (!flight_has_room(program, stream)) {
		lease->is_bounded = true;
		return false;
	}
	return true;
}

/* It goes. */
static void note_going(struct program *program, const struct vgpu_command *command)
{
	uint32_t stream;

	if (flight_counts(command) && held_stream(command, &stream) && stream <= VGPU_HANDLES_MOST)
		flight_add(program, command, stream);
	dirty_note(&program->lease.dirty, command);
}

static void hold(struct program *program, const struct vgpu_command *command)
{
	struct lease *lease = &program->lease;

	if (held_add(lease, command) != 0) {
		commands_refuse(program, command, CUDA_ERROR_OUT_OF_MEMORY);
		return;
	}
	if (lease->drains && lease->acked != lease->number)
		drain_forget(lease); /* it gave its lease back too early */
	/* Before it says so: the broker takes a lease away from one that is not busy. */
	if (!lease->busy)
		get_busy(lease, util_now_ns());
	if (!lease->wants && !lease->is_bounded)
		say_wants(lease);
}

bool lease_admit(struct program *program, const struct vgpu_command *command)
{
	struct lease *lease = &program->lease;
	const struct cmds_entry *entry = cmds_find(command->op);
	enum held_passing passing = HELD_PASSES;

	if (lease->page == NULL || entry == NULL)
		return true;
	/* Not judged yet: what lies behind a command that is too short is of the one before. */
	if (entry->work == CMDS_GPU && lease->held.first == NULL && may_go(program, command)) {
		note_going(program, command);
		return true;
	}
	/* One that makes no sense ends the program in any case. */
	if (cmds_check(command) != CMDS_FINE)
		return true;
	if (entry->work == CMDS_GPU)
		passing = HELD_WAITS;
	else if (lease->held.first != NULL)
		passing = held_judge(&lease->held, entry, command);
	if (passing == HELD_PASSES)
		dirty_note_destroyed(program, command);
	else if (passing == HELD_NOT_READY)
		commands_refuse(program, command, CUDA_ERROR_NOT_READY);
	else
		hold(program, command);
	return passing == HELD_PASSES;
}

bool lease_release(struct program *program, struct vgpu_command *to)
{
	struct lease *lease = &program->lease;
	struct lease_held **at = held_freed(&lease->held);

	if (lease->held.first == NULL)
		return false;
	if (at == NULL)
		at = &lease->held.first;
	if (held_is_work(*at) && !may_go(program, (const void *)(*at)->command)) {
		if (!lease->is_bounded && !lease->wants && !lease->draining)
			say_wants(lease);
		at = lease->is_bounded ? held_first_of_stream(program) : NULL;
		if (at == NULL)
			return false;
	}
	held_take(lease, at, to);
	if (cmds_find(to->op)->work == CMDS_GPU)
		note_going(program, to);
	dirty_note_destroyed(program, to);
	return true;
}

bool lease_is_full(const struct lease *lease)
{
	return lease->held.bytes >= LEASE_HELD_MOST_BYTES;
}

/* --- giving it back --- */

/* What is in flight ends in a moment. */
static void say_draining(struct lease *lease)
{
	lease->drains = true;
	lease->look_ns = lease->pause_ns = 0;
	say(lease, PROGRAM_DRAINING, 0);
}

/*
 * The GPU was just found to work. Tells the broker a moment before it will have done so, if the program
 * submits nothing then: it was asked to, or rests.
 */
static void foresee_end(struct program *program, uint64_t now_ns)
{
	struct lease *lease = &program->lease;
	uint64_t left_ns;

	if (lease->drains || (!lease->draining && !gives_back_at_once(lease)))
		return;
	left_ns = drain_left_ns(program, now_ns);
	if (left_ns == UINT64_MAX)
		return;
	if (left_ns > DRAIN_SOON_NS) {
		if (lease->look_ns > now_ns + left_ns - DRAIN_SOON_NS)
			lease->look_ns = now_ns + left_ns - DRAIN_SOON_NS;
		return;
	}
	if (!lease->draining) {
		begin_drain(lease);
		lease->returned = lease->number;
	}
	say_draining(lease);
}

/* Looks at the GPU, more seldom the longer it works. Return: whether it is known to be idle. */
static bool is_drained(struct program *program, uint64_t now_ns)
{
	struct lease *lease = &program->lease;

	if (now_ns < lease->look_ns)
		return false;
	if (!dirty_is_any(program)) {
		lease->look_ns = lease->pause_ns = 0;
		return true;
	}
	lease->active_ns = now_ns;
	lease->pause_ns += lease->pause_ns / LOOK_PART + LOOK_LEAST_NS / 4;
	if (lease->pause_ns < LOOK_LEAST_NS)
		lease->pause_ns = LOOK_LEAST_NS;
	if (lease->pause_ns > LOOK_MOST_NS)
		lease->pause_ns = LOOK_MOST_NS;
	lease->look_ns = now_ns + lease->pause_ns;
	foresee_end(program, now_ns);
	return false;
}

/* What was to be drained has drained. */
static void end_drain(struct lease *lease, uint64_t now_ns)
{
	if (lease->drains && lease->acked != lease->number)
		drain_learn(lease, now_ns);
	if (lease->busy && lease->held.first == NULL)
		rest(lease, now_ns);
	lease->draining = lease->drains = false;
	lease->awake_until_ns = 0;
	say(lease, PROGRAM_DRAINED, 0);
	lease->number = 0;
}

void lease_look(struct program *program, uint64_t now_ns, bool had_command)
{
	struct lease *lease = &program->lease;
	uint64_t since_ns;

	if (lease->page == NULL)
		return;
	look_whether_asked(lease);
	if (had_command) {
		lease->active_ns = now_ns;
		lease->pause_ns = lease->look_ns = 0;
	}
	if (lease->draining) {
		if (!lease->busy || is_drained(program, now_ns))
			end_drain(lease, now_ns);
		return;
	}
	if (!lease->busy)
		return;
	if (lease->held.first != NULL || now_ns - lease->active_ns < patience_ns(lease))
		return;
	since_ns = lease->active_ns;
	if (!is_drained(program, now_ns))
		return;
	drain_learn(lease, since_ns);
	rest(lease, since_ns);
	if (!lease_has_rivals(lease))
		return;
	lease->returned = lease->number;
	say(lease, PROGRAM_RETURNED, now_ns - since_ns);
	lease->number = 0;
}

bool lease_is_soon(struct lease *lease, uint64_t now_ns)
{
	uint32_t soon;

	if (lease->page == NULL)
		return false;
	if (lease->draining)
		return now_ns < lease->awake_until_ns &&
		       __atomic_load_n(&lease->page->may_poll, __ATOMIC_RELAXED) != 0;
	if (lease->held.first == NULL)
		return false;
	soon = __atomic_load_n(&lease->page->soon, __ATOMIC_ACQUIRE);
	if (soon != lease->soon) {
		lease->soon = soon;
		lease->awake_until_ns = now_ns + LEASE_SOON_NS;
	}
	return now_ns < lease->awake_until_ns;
}

uint64_t lease_pause_ns(const struct lease *lease, uint64_t now_ns)
{
	uint64_t look_ns;

	if (lease->page == NULL || !lease->busy ||
	    (lease->held.first != NULL && !lease->draining && !lease->is_bounded))
		return UINT64_MAX;
	if (lease->is_bounded && !lease->draining)
		return lease->flight.look_ns > now_ns ? lease->flight.look_ns - now_ns : 0;
	look_ns = lease->active_ns + patience_ns(lease);
	if (lease->draining || lease->look_ns > look_ns)
		look_ns = lease->look_ns;
	return look_ns > now_ns ? look_ns - now_ns : 0;
}
