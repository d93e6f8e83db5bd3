/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter.c - gives the programs of one GPU their leases */

#include <errno.h>
#include <stdlib.h>

#include "common/util.h"
#include "vgpud/lease/arbiter_private.h"

/*
 * Theory of operation. Each event is told to the pure arbiter, then `settle` carries out what it
 * decides and sets the timer for its next look. What a handler does within may come back here: then
 * the outer call goes on deciding.
 *
 * Before each event the holder's claims are read: while no other wants the GPU, a worker rests and
 * becomes busy again without a message, and what it rested is not billed.
 */

/* Messages of a worker between two grants: it wants, acknowledges, drains, has drained, gives back. */
#define WORDS 8u

/* Messages that are taken at once of a worker that sends without end: more than its socket holds. */
#define UNREAD_MOST 1024u

/*
 * How often the holder's time is counted although nothing happens: so much of it is lost by a kill -9 at
 * most. A holder that has rested for so long gives its lease back, and then nothing looks at it any more.
 */
#define TICK_NS (100 * UTIL_NS_PER_MS)

struct arbiter_program *arbiter_holder(const struct arbiter *arbiter)
{
	struct lease_member *holder = arbiter->lease.holder;

	return holder != NULL && holder->kind == LEASE_PROGRAM ? arbiter_program_of(holder) : NULL;
}

/* Counts what the holder says that it rested. */
static void count_rest(struct arbiter *arbiter, uint64_t now_ns)
{
	struct arbiter_program *program = arbiter_holder(arbiter);
	uint64_t idle_ns;

	if (program == NULL)
		return;
	idle_ns = arbiter_claimed_idle_ns(program, now_ns);
	if (idle_ns <= program->idle_ns)
		return;
	lease_rest(&arbiter->lease, &program->member, idle_ns - program->idle_ns, now_ns);
	program->idle_ns = idle_ns;
}

/* --- decisions --- */

/* The holder rests and is asked to give its lease back: there is nothing to wait for. */
static bool take_from_resting(struct arbiter *arbiter, struct arbiter_program *program,
			      uint64_t now_ns)
{
	lease_page_store(&program->page->grant, 0);
	if (arbiter_is_busy(program))
		return false;
	count_rest(arbiter, now_ns);
	lease_return(&arbiter->lease, &program->member, program->member.number, 0, now_ns);
	return true;
}

/* The holder went on when its lease was to be taken from it: it may have seen that, and sleep. */
static void leave_it(struct arbiter_program *program)
{
	lease_page_store(&program->page->grant, program->member.number);
	program->words = WORDS;
	program->handler->wake(program->arg);
}

static void take_from_idle(struct arbiter *arbiter, uint64_t now_ns)
{
	struct arbiter_program *program = arbiter_holder(arbiter);

	if (program == NULL || program->member.state != LEASE_HOLDS)
		return;
	if (arbiter_is_busy(program) ||
	    util_add_saturated(lease_page_load((const uint64_t *)&program->claims->idle_since_ns),
			       TICK_NS) > now_ns)
		return;
	if (!take_from_resting(arbiter, program, now_ns))
		leave_it(program);
}

static void carry_out(struct arbiter *arbiter, const struct lease_decision *decision,
		      uint64_t now_ns)
{
	struct arbiter_program *program = arbiter_program_of(decision->member);

	if (decision->member->kind == LEASE_REQUEST) { /* rule 8: it is granted, nothing else */
		arbiter_turn_granted(arbiter, decision->member);
		return;
	}
	switch (decision->what) {
	case LEASE_GRANT:
		program->words = WORDS;
		program->idle_ns = arbiter_claimed_idle_ns(program, now_ns);
		lease_page_store(&program->page->clear_ns, 0);
		lease_page_store(&program->page->grant, decision->number);
		program->handler->wake(program->arg);
		break;
	case LEASE_REVOKE:
		if (take_from_resting(arbiter, program, now_ns))
			break;
		lease_page_store(&program->page->asked, decision->number);
		program->handler->wake(program->arg);
		break;
	case LEASE_FREEZE:
	case LEASE_THAW:
		program->handler->freeze(program->arg, decision->what == LEASE_FREEZE);
		break;
	case LEASE_END_DEAF:
		program->end = VGPU_END_LEASE_IGNORED;
		arbiter->must_end = true;
		break;
	case LEASE_END_HUNG:
		program->end = VGPU_END_HUNG;
		arbiter->must_end = true;
		break;
	}
}

/* Tells the holder whether others want its lease. */
static bool tell_holder(struct arbiter *arbiter, uint64_t now_ns)
{
	struct arbiter_program *program = arbiter_holder(arbiter);
	uint32_t contended = lease_is_contended(&arbiter->lease, now_ns);

	if (program == NULL || program->member.state != LEASE_HOLDS)
		return false;
	if (contended == program->page->contended)
		return false;
	__atomic_store_n(&program->page->contended, contended, __ATOMIC_RELEASE);
	if (contended == 0 || arbiter_is_busy(program))
		return false;
	/* It rests, and would say nothing: its next command may take its time. */
	if (take_from_resting(arbiter, program, now_ns))
		return true;
	leave_it(program);
	return false;
}

/* Tells the holder that what others had in flight when it got its lease has drained. */
static void tell_clear(const struct arbiter *arbiter, uint64_t now_ns)
{
	struct arbiter_program *program = arbiter_holder(arbiter);

	if (program != NULL && program->page->clear_ns == 0 && TAILQ_EMPTY(&arbiter->lease.charged))
		lease_page_store(&program->page->clear_ns, now_ns);
}

static struct arbiter_program *one_that_must_end(const struct arbiter *arbiter)
{
	struct lease_member *member;
	struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		TAILQ_FOREACH(member, &vm->vm.members, link)
			if (member->kind == LEASE_PROGRAM &&
			    arbiter_program_of(member)->end != VGPU_END_NONE)
				return arbiter_program_of(member);
	return NULL;
}

void arbiter_end_those_who_must(struct arbiter *arbiter)
{
	struct arbiter_program *program;

	while (arbiter->must_end && (program = one_that_must_end(arbiter)) != NULL) {
		enum vgpu_end why = program->end;

		program->end = VGPU_END_NONE;
		program->handler->end(program->arg, why); /* it may be gone now */
	}
	arbiter->must_end = false;
}

static void set_timer(struct arbiter *arbiter, uint64_t now_ns)
{
	uint64_t next_ns = lease_next_ns(&arbiter->lease, now_ns);

	if (arbiter_holder(arbiter) != NULL && next_ns > now_ns + TICK_NS)
		next_ns = now_ns + TICK_NS;
	if (next_ns == LEASE_NEVER) {
		sd_event_source_set_enabled(arbiter->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(arbiter->timer, next_ns / UTIL_NS_PER_US + 1);
	sd_event_source_set_enabled(arbiter->timer, SD_EVENT_ONESHOT);
}

/* A word at a time: a kill -9 leaves what was billed before, or what is billed now. */
static void keep(const struct arbiter_program *program)
{
	if (program->kept_ns != NULL && *program->kept_ns != program->member.billed_ns)
		__atomic_store_n(program->kept_ns, program->member.billed_ns, __ATOMIC_RELAXED);
}

static void take_share(struct arbiter_program *program, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - program->share_at_ns;
	uint64_t billed_ns = program->member.billed_ns;

	/* Of its first second it is what it has had so far. */
	if (passed_ns == 0 || (passed_ns < UTIL_NS_PER_S && program->share_billed_ns > 0))
		return;
	/* A refund of an earlier second: nothing. */
	program->share = billed_ns > program->share_billed_ns
				 ? (double)(billed_ns - program->share_billed_ns) /
					   (double)passed_ns
				 : 0;
	if (passed_ns < UTIL_NS_PER_S)
		return;
	program->share_at_ns = now_ns;
	program->share_billed_ns = billed_ns;
}

static void keep_all(struct arbiter *arbiter, uint64_t now_ns)
{
	struct lease_member *member;
	struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		TAILQ_FOREACH(member, &vm->vm.members, link) {
			if (member->kind != LEASE_PROGRAM)
				continue;
			keep(arbiter_program_of(member));
			take_share(arbiter_program_of(member), now_ns);
			arbiter_note(arbiter_program_of(member), now_ns);
		}
}

void arbiter_decide(struct arbiter *arbiter)
{
	struct lease_decision decision;
	uint64_t now_ns;

	if (arbiter->settling)
		return;
	arbiter->settling = true;
	now_ns = util_now_ns();
	do {
		while (lease_decide(&arbiter->lease, now_ns, &decision))
			carry_out(arbiter, &decision, now_ns);
	} while (tell_holder(arbiter, now_ns));
	tell_clear(arbiter, now_ns);
	arbiter_warn_next(arbiter, now_ns);
	keep_all(arbiter, now_ns);
	set_timer(arbiter, now_ns);
	arbiter->settling = false;
}

/* Return: a program that fails, and may have said something that has not been read; NULL: none. */
static struct arbiter_program *one_unheard(const struct arbiter *arbiter, uint64_t now_ns)
{
	struct lease_member *member;
	struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		TAILQ_FOREACH(member, &vm->vm.members, link) {
			uint64_t fails_ns = lease_fails_ns(&arbiter->lease, member);

			if (member->kind == LEASE_PROGRAM && fails_ns <= now_ns &&
			    arbiter_program_of(member)->heard_ns < fails_ns)
				return arbiter_program_of(member);
		}
	return NULL;
}

/*
 * Where vgpud itself was held up, a worker may have acknowledged in time, and its word lies in its socket
 * while that of another one is heard. So what it has said is taken before it is found to have said nothing.
 */
static void listen_to_those_who_fail(struct arbiter *arbiter)
{
	const uint64_t now_ns = util_now_ns();
	struct arbiter_program *program, *last = NULL;
	unsigned left = 0;

	arbiter->settling = true;
	while ((program = one_unheard(arbiter, now_ns)) != NULL) {
		if (program != last)
			left = UNREAD_MOST;
		last = program;
		if (left-- == 0 || !program->handler->listen(program->arg))
			program->heard_ns = now_ns;
	}
	arbiter->settling = false;
	lease_heard(&arbiter->lease, now_ns);
}

static void settle(struct arbiter *arbiter)
{
	if (arbiter->settling)
		return;
	listen_to_those_who_fail(arbiter);
	arbiter_decide(arbiter);
	arbiter_end_those_who_must(arbiter);
}

uint64_t arbiter_event_ns(struct arbiter *arbiter)
{
	uint64_t now_ns = util_now_ns();

	count_rest(arbiter, now_ns);
	return now_ns;
}

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	take_from_idle(arg, arbiter_event_ns(arg));
	settle(arg);
	return 0;
}

/* --- what happens --- */

int arbiter_new(struct arbiter **out, sd_event *event, const struct lease_settings *settings,
		void (*on_turn)(void *arg, uint32_t vm_id), void *arg)
{
	struct arbiter *arbiter = calloc(1, sizeof(*arbiter));
	int err;

	if (arbiter == NULL)
		return -ENOMEM;
	TAILQ_INIT(&arbiter->vms);
	arbiter_next_init(arbiter);
	arbiter->event = event;
	arbiter->on_turn = on_turn;
	arbiter->arg = arg;
	lease_init(&arbiter->lease, settings, util_now_ns());
	lease_heard(&arbiter->lease, 0);
	err = sd_event_add_time(event, &arbiter->timer, CLOCK_MONOTONIC, 0, 1, on_time, arbiter);
	if (err >= 0)
		err = arbiter_turns_init(arbiter);
	if (err < 0) {
		arbiter_free(arbiter);
		return err;
	}
	sd_event_source_set_enabled(arbiter->timer, SD_EVENT_OFF);
	*out = arbiter;
	return 0;
}

void arbiter_free(struct arbiter *arbiter)
{
	struct arbiter_vm *vm;

	if (arbiter == NULL)
		return;
	while ((vm = TAILQ_FIRST(&arbiter->vms)) != NULL) { /* with requests that run */
		TAILQ_REMOVE(&arbiter->vms, vm, link);
		free(vm);
	}
	sd_event_source_disable_unref(arbiter->turns);
	sd_event_source_disable_unref(arbiter->timer);
	free(arbiter);
}

/* What the worker itself keeps to. */
static void tell_settings(struct arbiter_program *program)
{
	const struct lease_settings *settings = &program->arbiter->lease.settings;
	struct lease_page *page = program->page;

	__atomic_store_n(&page->may_poll, program->arbiter->may_poll, __ATOMIC_RELAXED);
	__atomic_store_n(&page->idle_us, (uint32_t)(settings->idle_ns / UTIL_NS_PER_US),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&page->in_flight_us, (uint32_t)(settings->in_flight_ns / UTIL_NS_PER_US),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&page->yield_us, (uint32_t)(settings->yield_ns / UTIL_NS_PER_US),
			 __ATOMIC_RELAXED);
}

void arbiter_set(struct arbiter *arbiter, const struct lease_settings *settings)
{
	struct lease_member *member;
	struct arbiter_vm *vm;

	lease_set(&arbiter->lease, settings, arbiter_event_ns(arbiter));
	TAILQ_FOREACH(vm, &arbiter->vms, link)
		TAILQ_FOREACH(member, &vm->vm.members, link)
			if (member->kind == LEASE_PROGRAM)
				tell_settings(arbiter_program_of(member));
	settle(arbiter);
}

static struct arbiter_vm *find_vm(const struct arbiter *arbiter, uint32_t id)
{
	struct arbiter_vm *vm;

	TAILQ_FOREACH(vm, &arbiter->vms, link)
		if (vm->vm.id == id)
			return vm;
	return NULL;
}

void arbiter_set_vm(struct arbiter *arbiter, uint32_t vm_id,
		    const struct lease_vm_settings *settings)
{
	struct arbiter_vm *vm = find_vm(arbiter, vm_id);

	if (vm == NULL)
		return;
	lease_vm_set(&arbiter->lease, &vm->vm, settings, arbiter_event_ns(arbiter));
	settle(arbiter);
}

struct arbiter_vm *arbiter_get_vm(struct arbiter *arbiter, uint32_t id,
				  const struct lease_vm_settings *settings)
{
	static uint64_t last_number;
	struct arbiter_vm *vm = find_vm(arbiter, id);

	if (vm != NULL)
		return vm;
	vm = calloc(1, sizeof(*vm));
	if (vm == NULL)
		return NULL;
	vm->arbiter = arbiter;
	vm->number = ++last_number;
	lease_vm_join(&arbiter->lease, &vm->vm, id, settings, arbiter_event_ns(arbiter));
	TAILQ_INSERT_TAIL(&arbiter->vms, vm, link);
	return vm;
}

void arbiter_put_vm(struct arbiter_vm *vm)
{
	struct arbiter *arbiter = vm->arbiter;

	if (vm->num > 0 || vm->has_requests)
		return;
	TAILQ_REMOVE(&arbiter->vms, vm, link);
	lease_vm_leave(&arbiter->lease, &vm->vm);
	free(vm);
}

int arbiter_join(struct arbiter *arbiter, struct arbiter_program *program, uint32_t vm_id,
		 const struct lease_vm_settings *settings, const struct arbiter_handler *handler,
		 void *arg)
{
	struct arbiter_vm *vm;
	int err;

	*program = (struct arbiter_program){ .handler = handler, .arg = arg, .words = WORDS };
	err = arbiter_map(program);
	vm = err == 0 ? arbiter_get_vm(arbiter, vm_id, settings) : NULL;
	if (err == 0 && vm == NULL)
		err = -ENOMEM;
	if (err != 0) {
		arbiter_unmap(program);
		return err;
	}
	vm->num++;
	arbiter->num++;
	program->vm = vm;
	program->arbiter = arbiter;
	program->share_at_ns = util_now_ns();
	tell_settings(program);
	lease_join(&arbiter->lease, &vm->vm, &program->member, LEASE_PROGRAM,
		   arbiter_event_ns(arbiter));
	return 0;
}

void arbiter_keep(struct arbiter_program *program, uint64_t *at)
{
	program->kept_ns = at;
}

void arbiter_hear(struct arbiter_program *program, const struct program_state *state)
{
	struct arbiter *arbiter = program->arbiter;
	struct lease *lease;
	uint64_t now_ns;

	if (arbiter == NULL)
		return;
	lease = &arbiter->lease;
	if (program->words == 0) {
		program->handler->end(program->arg, VGPU_END_LEASE_IGNORED);
		return;
	}
	program->words--;
	now_ns = arbiter_event_ns(arbiter);
	switch (state->what) {
	case PROGRAM_WANTS:
		lease_want(lease, &program->member, now_ns);
		break;
	case PROGRAM_RETURNED:
		arbiter_gave_back(arbiter, program, now_ns);
		lease_return(lease, &program->member, state->lease, state->tail_ns, now_ns);
		break;
	case PROGRAM_DRAINING:
		arbiter_gave_back(arbiter, program, now_ns);
		lease_draining(lease, &program->member, state->lease, now_ns);
		break;
	case PROGRAM_ACKED:
		lease_ack(lease, &program->member, state->lease, now_ns);
		break;
	default:
		lease_drained(lease, &program->member, state->lease, now_ns);
	}
	settle(arbiter);
}

void arbiter_stop(struct arbiter_program *program, bool stopped)
{
	struct arbiter *arbiter = program->arbiter;

	if (arbiter == NULL || stopped == program->member.stopped)
		return;
	lease_stop(&arbiter->lease, &program->member, stopped, arbiter_event_ns(arbiter));
	settle(arbiter);
}

void arbiter_end(struct arbiter_program *program)
{
	struct arbiter *arbiter = program->arbiter;

	if (arbiter == NULL)
		return;
	arbiter_close_fds(program);
	program->end = VGPU_END_NONE;
	lease_end(&arbiter->lease, &program->member, arbiter_event_ns(arbiter));
	settle(arbiter);
}

void arbiter_leave(struct arbiter_program *program)
{
	struct arbiter *arbiter = program->arbiter;
	struct arbiter_vm *vm = program->vm;

	if (arbiter == NULL)
		return;
	lease_leave(&arbiter->lease, &program->member, arbiter_event_ns(arbiter));
	keep(program);
	program->kept_ns = NULL;
	arbiter_unmap(program);
	program->arbiter = NULL;
	vm->num--;
	if (--arbiter->num == 0)
		arbiter_turns_over(arbiter);
	arbiter_put_vm(vm);
	settle(arbiter);
}

void arbiter_count(struct arbiter *arbiter)
{
	arbiter_event_ns(arbiter);
	settle(arbiter);
}
