/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter.c - gives the programs of one GPU their leases */

#include "vgpud/lease/arbiter.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/util.h"

/*
 * Theory of operation. Each event is told to the pure arbiter, then `settle` carries out what it
 * decides and sets the timer for its next look. What a handler does within may come back here: then
 * the outer call goes on deciding.
 *
 * Before each event the holder's claims are read: while nobody else wants the GPU, a worker rests and
 * becomes busy again without a message, and what it rested is not billed.
 */

/* Messages of a worker between two grants: it wants, acknowledges, has drained, gives back. */
#define WORDS 8u

/*
 * How often the holder's time is counted although nothing happens: so much of it is lost by a kill -9 at
 * most. A holder that has rested for so long gives its lease back, and then nothing looks at it any more.
 */
#define TICK_NS (100 * UTIL_NS_PER_MS)

struct arbiter_vm {
	TAILQ_ENTRY(arbiter_vm) link;
	struct lease_vm vm;
	unsigned num; /* of programs */
};

struct arbiter {
	struct lease lease;
	TAILQ_HEAD(, arbiter_vm) vms;
	sd_event *event;
	sd_event_source *timer;
	bool settling;
};

static struct arbiter_program *program_of(struct lease_member *member)
{
	return (struct arbiter_program *)((char *)member -
					  offsetof(struct arbiter_program, member));
}

/* --- what is shared with a worker --- */

/* Makes a page of shared memory. Return: its descriptor or -errno. */
static int make_page(void **page, int protection, int seals)
{
	int fd = memfd_create("vgpu-lease", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	*page = MAP_FAILED;
	if (ftruncate(fd, LEASE_PAGE_BYTES) == 0)
		*page = mmap(NULL, LEASE_PAGE_BYTES, protection, MAP_SHARED, fd, 0);
	/* From now on the mapping of ours may be the last one that can be written. */
	if (*page != MAP_FAILED &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | seals) == 0)
		return fd;
	err = errno;
	if (*page != MAP_FAILED)
		munmap(*page, LEASE_PAGE_BYTES);
	close(fd);
	return -err;
}

static void unmap(struct arbiter_program *program)
{
	arbiter_close_fds(program);
	if (program->page != NULL)
		munmap(program->page, LEASE_PAGE_BYTES);
	if (program->claims != NULL)
		munmap((void *)program->claims, LEASE_PAGE_BYTES);
	program->page = NULL;
	program->claims = NULL;
}

static int map(struct arbiter_program *program)
{
	void *page = NULL, *claims = NULL;

	program->fds[0] = program->fds[1] = -1;
	program->fds[0] = make_page(&page, PROT_READ | PROT_WRITE, F_SEAL_FUTURE_WRITE);
	if (program->fds[0] < 0)
		return program->fds[0];
	program->page = page;
	program->fds[1] = make_page(&claims, PROT_READ, 0);
	if (program->fds[1] < 0)
		return program->fds[1];
	program->claims = claims;
	return 0;
}

void arbiter_close_fds(struct arbiter_program *program)
{
	for (unsigned i = 0; i < 2; i++) {
		if (program->fds[i] >= 0)
			close(program->fds[i]);
		program->fds[i] = -1;
	}
}

static bool is_busy(const struct arbiter_program *program)
{
	lease_page_fence();
	return __atomic_load_n(&program->claims->busy, __ATOMIC_ACQUIRE) != 0;
}

/* Return: how long the worker says that it has rested, since it began. */
static uint64_t claimed_idle_ns(const struct arbiter_program *program, uint64_t now_ns)
{
	const volatile struct lease_claims *claims = program->claims;
	uint64_t idle_ns = __atomic_load_n(&claims->idle_ns, __ATOMIC_ACQUIRE);
	uint64_t since_ns = __atomic_load_n(&claims->idle_since_ns, __ATOMIC_ACQUIRE);

	if (is_busy(program) || since_ns >= now_ns)
		return idle_ns;
	return util_add_saturated(idle_ns, now_ns - since_ns);
}

/* Counts what the holder says that it rested. */
static void count_rest(struct arbiter *arbiter, uint64_t now_ns)
{
	struct arbiter_program *program;
	uint64_t idle_ns;

	if (arbiter->lease.holder == NULL)
		return;
	program = program_of(arbiter->lease.holder);
	idle_ns = claimed_idle_ns(program, now_ns);
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
	if (is_busy(program))
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
	struct lease_member *holder = arbiter->lease.holder;
	struct arbiter_program *program;

	if (holder == NULL || holder->state != LEASE_HOLDS)
		return;
	program = program_of(holder);
	if (is_busy(program) ||
	    util_add_saturated(lease_page_load((const uint64_t *)&program->claims->idle_since_ns),
			       TICK_NS) > now_ns)
		return;
	if (!take_from_resting(arbiter, program, now_ns))
		leave_it(program);
}

static void carry_out(struct arbiter *arbiter, const struct lease_decision *decision,
		      uint64_t now_ns)
{
	struct arbiter_program *program = program_of(decision->member);

	switch (decision->what) {
	case LEASE_GRANT:
		program->words = WORDS;
		program->idle_ns = claimed_idle_ns(program, now_ns);
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
		break;
	case LEASE_END_HUNG:
		program->end = VGPU_END_HUNG;
		break;
	}
}

/* Tells the holder whether others want its lease. */
static bool tell_holder(struct arbiter *arbiter, uint64_t now_ns)
{
	struct lease_member *holder = arbiter->lease.holder;
	uint32_t contended = lease_is_contended(&arbiter->lease, now_ns);
	struct arbiter_program *program;

	if (holder == NULL || holder->state != LEASE_HOLDS)
		return false;
	program = program_of(holder);
	if (contended == program->page->contended)
		return false;
	__atomic_store_n(&program->page->contended, contended, __ATOMIC_RELEASE);
	if (contended == 0 || is_busy(program))
		return false;
	/* It rests, and would say nothing: its next command may take its time. */
	if (take_from_resting(arbiter, program, now_ns))
		return true;
	leave_it(program);
	return false;
}

static void end_those_who_must(struct arbiter *arbiter)
{
	struct lease_member *member;
	struct arbiter_vm *vm;
	bool ended;

	do {
		ended = false;
		TAILQ_FOREACH(vm, &arbiter->vms, link) {
			TAILQ_FOREACH(member, &vm->vm.members, link)
				if (program_of(member)->end != VGPU_END_NONE)
					break;
			if (member != NULL)
				break;
		}
		if (vm != NULL) {
			struct arbiter_program *program = program_of(member);
			enum vgpu_end why = program->end;

			program->end = VGPU_END_NONE;
			ended = true;
			program->handler->end(program->arg, why); /* it may be gone now */
		}
	} while (ended);
}

static void set_timer(struct arbiter *arbiter, uint64_t now_ns)
{
	uint64_t next_ns = lease_next_ns(&arbiter->lease, now_ns);

	if (arbiter->lease.holder != NULL && next_ns > now_ns + TICK_NS)
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
			keep(program_of(member));
			take_share(program_of(member), now_ns);
		}
}

static void settle(struct arbiter *arbiter)
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
	keep_all(arbiter, now_ns);
	set_timer(arbiter, now_ns);
	arbiter->settling = false;
	end_those_who_must(arbiter);
}

/* Return: the time of an event, up to which the holder's rest is counted. */
static uint64_t event_ns(struct arbiter *arbiter)
{
	uint64_t now_ns = util_now_ns();

	count_rest(arbiter, now_ns);
	return now_ns;
}

static int on_time(sd_event_source *source, uint64_t usec, void *arg)
{
	(void)source;
	(void)usec;
	take_from_idle(arg, event_ns(arg));
	settle(arg);
	return 0;
}

/* --- what happens --- */

int arbiter_new(struct arbiter **out, sd_event *event, const struct lease_settings *settings)
{
	struct arbiter *arbiter = calloc(1, sizeof(*arbiter));
	int err;

	if (arbiter == NULL)
		return -ENOMEM;
	TAILQ_INIT(&arbiter->vms);
	arbiter->event = event;
	lease_init(&arbiter->lease, settings, util_now_ns());
	err = sd_event_add_time(event, &arbiter->timer, CLOCK_MONOTONIC, 0, 1, on_time, arbiter);
	if (err < 0) {
		free(arbiter);
		return err;
	}
	sd_event_source_set_enabled(arbiter->timer, SD_EVENT_OFF);
	/* What workers have said is heard before anyone is found to have said nothing. */
	sd_event_source_set_priority(arbiter->timer, SD_EVENT_PRIORITY_NORMAL + 1);
	*out = arbiter;
	return 0;
}

void arbiter_free(struct arbiter *arbiter)
{
	if (arbiter == NULL)
		return;
	sd_event_source_disable_unref(arbiter->timer);
	free(arbiter);
}

/* What the worker itself keeps to. */
static void tell_settings(struct arbiter_program *program)
{
	const struct lease_settings *settings = &program->arbiter->lease.settings;
	struct lease_page *page = program->page;

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

	lease_set(&arbiter->lease, settings, event_ns(arbiter));
	TAILQ_FOREACH(vm, &arbiter->vms, link)
		TAILQ_FOREACH(member, &vm->vm.members, link)
			tell_settings(program_of(member));
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
	lease_vm_set(&arbiter->lease, &vm->vm, settings, event_ns(arbiter));
	settle(arbiter);
}

int arbiter_join(struct arbiter *arbiter, struct arbiter_program *program, uint32_t vm_id,
		 const struct lease_vm_settings *settings, const struct arbiter_handler *handler,
		 void *arg)
{
	struct arbiter_vm *vm = find_vm(arbiter, vm_id);
	int err;

	*program = (struct arbiter_program){ .handler = handler, .arg = arg, .words = WORDS };
	err = map(program);
	if (err == 0 && vm == NULL) {
		vm = calloc(1, sizeof(*vm));
		err = vm != NULL ? 0 : -ENOMEM;
		if (vm != NULL) {
			lease_vm_join(&arbiter->lease, &vm->vm, vm_id, settings, event_ns(arbiter));
			TAILQ_INSERT_TAIL(&arbiter->vms, vm, link);
		}
	}
	if (err != 0) {
		unmap(program);
		return err;
	}
	vm->num++;
	program->vm = vm;
	program->arbiter = arbiter;
	program->share_at_ns = util_now_ns();
	tell_settings(program);
	lease_join(&arbiter->lease, &vm->vm, &program->member, LEASE_PROGRAM, event_ns(arbiter));
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
	now_ns = event_ns(arbiter);
	switch (state->what) {
	case PROGRAM_WANTS:
		lease_want(lease, &program->member, now_ns);
		break;
	case PROGRAM_RETURNED:
		lease_return(lease, &program->member, state->lease, state->tail_ns, now_ns);
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
	lease_stop(&arbiter->lease, &program->member, stopped, event_ns(arbiter));
	settle(arbiter);
}

void arbiter_end(struct arbiter_program *program)
{
	struct arbiter *arbiter = program->arbiter;

	if (arbiter == NULL)
		return;
	arbiter_close_fds(program);
	program->end = VGPU_END_NONE;
	lease_end(&arbiter->lease, &program->member, event_ns(arbiter));
	settle(arbiter);
}

void arbiter_leave(struct arbiter_program *program)
{
	struct arbiter *arbiter = program->arbiter;
	struct arbiter_vm *vm = program->vm;

	if (arbiter == NULL)
		return;
	lease_leave(&arbiter->lease, &program->member, event_ns(arbiter));
	keep(program);
	program->kept_ns = NULL;
	unmap(program);
	program->arbiter = NULL;
	if (--vm->num == 0) {
		TAILQ_REMOVE(&arbiter->vms, vm, link);
		lease_vm_leave(&arbiter->lease, &vm->vm);
		free(vm);
	}
	settle(arbiter);
}

void arbiter_count(struct arbiter *arbiter)
{
	event_ns(arbiter);
	settle(arbiter);
}

struct arbiter_time arbiter_time(struct arbiter *arbiter)
{
	const struct lease *lease = &arbiter->lease;

	arbiter_count(arbiter);
	return (struct arbiter_time){
		.billed_ns = lease->billed_ns,
		.idle_ns = lease->idle_ns,
		.overhead_ns = lease->overhead_ns,
		.elapsed_ns = lease->at_ns - lease->since_ns,
	};
}

const char *arbiter_state(const struct arbiter_program *program)
{
	static const char *const waits[LEASE_WHY_NUM] = {
		[LEASE_WHY_PAUSED] = "paused",	   [LEASE_WHY_CAP] = "cap",
		[LEASE_WHY_PRIORITY] = "priority", [LEASE_WHY_SHARE] = "share",
		[LEASE_WHY_OWN] = "own",	   [LEASE_WHY_HANDOVER] = "handover",
	};

	if (program->arbiter == NULL)
		return NULL;
	switch (program->member.state) {
	case LEASE_WAITS:
		return waits[lease_why_now(&program->arbiter->lease, &program->member)];
	case LEASE_HOLDS:
		return is_busy(program) ? "holds" : "rests";
	case LEASE_NONE:
		return "rests";
	case LEASE_FROZEN:
		return "frozen";
	default:
		return "yields";
	}
}

bool arbiter_waited(const struct arbiter_program *program, unsigned index,
		    struct arbiter_waited *out)
{
	struct arbiter_waited found[LEASE_RIVALS + 3];
	const struct lease_vm *vm;
	unsigned num = 0;

	if (program->arbiter == NULL)
		return false;
	vm = &program->vm->vm;
	found[num++] = (struct arbiter_waited){ "paused", 0, vm->waited_ns[LEASE_WHY_PAUSED] };
	found[num++] = (struct arbiter_waited){ "cap", 0, vm->waited_ns[LEASE_WHY_CAP] };
	for (unsigned i = 0; i < LEASE_RIVALS; i++)
		found[num++] = (struct arbiter_waited){ NULL, vm->rival[i].id, vm->rival[i].ns };
	found[num++] = (struct arbiter_waited){ "others", 0, vm->rival_other_ns };
	for (unsigned i = 0; i < num; i++)
		if (found[i].ns > 0 && index-- == 0) {
			*out = found[i];
			return true;
		}
	return false;
}
