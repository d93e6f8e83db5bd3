/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_arbiter.c - leases and the workers that have them: what the pages say, and who may lie in them */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/lease/arbiter_private.h"

#define WAIT_MS 20000

static const struct lease_settings settings = {
	.turn_ns = 2 * UTIL_NS_PER_MS,
	.idle_ns = 50 * UTIL_NS_PER_US,
	.yield_ns = 20 * UTIL_NS_PER_MS,
	.ack_ns = 10 * UTIL_NS_PER_S,
	.repeat_ns = 60 * UTIL_NS_PER_S,
};
static const struct lease_vm_settings normal = { .priority = 1, .share = 100 };

/* A program, and its worker's side of what both share. */
struct one {
	struct arbiter_program program;
	const volatile struct lease_page *page;
	volatile struct lease_claims *claims;
	unsigned woken, unread; /* messages that nothing has read; the last one acknowledges */
	bool frozen;
	enum vgpu_end end;
	uint64_t kept_ns, began_ns;
};

static sd_event *event;
static struct arbiter *arbiter;

static void on_wake(void *arg)
{
	((struct one *)arg)->woken++;
}

static void say(struct one *one, enum program_state_what what, uint64_t number);

static bool on_listen(void *arg)
{
	struct one *one = arg;

	if (one->unread == 0)
		return false;
	if (--one->unread == 0)
		say(one, PROGRAM_ACKED, one->page->asked);
	return true;
}

static void on_freeze(void *arg, bool frozen)
{
	((struct one *)arg)->frozen = frozen;
}

static void on_end(void *arg, enum vgpu_end why)
{
	struct one *one = arg;

	one->end = why;
	arbiter_end(&one->program);
}

static const struct arbiter_handler handler = {
	.wake = on_wake, .listen = on_listen, .freeze = on_freeze, .end = on_end
};

#define VMS 4u

/* How often a VM was told that its requests may be tried again. */
static unsigned told[VMS];

static void on_turn(void *arg, uint32_t vm_id)
{
	(void)arg;
	assert_true(vm_id < VMS);
	told[vm_id]++;
}

static int set_up(void **state)
{
	(void)state;
	memset(told, 0, sizeof(told));
	if (sd_event_new(&event) < 0 || arbiter_new(&arbiter, event, &settings, on_turn, NULL) != 0)
		return -1;
	arbiter->may_poll = false; /* whatever this machine has */
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arbiter_free(arbiter);
	sd_event_unref(event);
	return 0;
}

static void join(struct one *one, uint32_t vm_id)
{
	*one = (struct one){ .began_ns = util_now_ns() };
	assert_int_equal(arbiter_join(arbiter, &one->program, vm_id, &normal, &handler, one), 0);
	arbiter_keep(&one->program, &one->kept_ns);
	one->page = mmap(NULL, LEASE_PAGE_BYTES, PROT_READ, MAP_SHARED, one->program.fds[0], 0);
	one->claims = mmap(NULL, LEASE_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			   one->program.fds[1], 0);
	assert_true(one->page != MAP_FAILED && one->claims != MAP_FAILED);
	arbiter_close_fds(&one->program);
}

static void leave(struct one *one)
{
	arbiter_leave(&one->program);
	munmap((void *)one->page, LEASE_PAGE_BYTES);
	munmap((void *)one->claims, LEASE_PAGE_BYTES);
}

static void say(struct one *one, enum program_state_what what, uint64_t number)
{
	const struct program_state state = { .what = what, .lease = number };

	arbiter_hear(&one->program, &state);
}

static void want(struct one *one)
{
	one->claims->busy = 1;
	say(one, PROGRAM_WANTS, 0);
}

static void rest(struct one *one)
{
	one->claims->idle_since_ns = util_now_ns();
	one->claims->busy = 0;
}

/* Lets time pass until the condition holds. */
#define UNTIL(condition)                                                              \
	do {                                                                          \
		uint64_t until_ns = util_now_ns() + WAIT_MS * UTIL_NS_PER_MS;         \
		while (!(condition) && util_now_ns() < until_ns)                      \
			assert_true(sd_event_run(event, UTIL_NS_PER_MS / 1000) >= 0); \
		assert_true(condition);                                               \
	} while (0)

/* To the nanosecond, and what is kept is what was billed. */
static void assert_sums(struct one *const *all, unsigned num)
{
	struct arbiter_time time = arbiter_time(arbiter);
	uint64_t now_ns = util_now_ns();

	assert_int_equal(time.billed_ns + time.idle_ns + time.overhead_ns, time.elapsed_ns);
	for (unsigned i = 0; i < num; i++) {
		assert_int_equal(all[i]->kept_ns, all[i]->program.member.billed_ns);
		assert_true(all[i]->kept_ns <= now_ns - all[i]->began_ns);
	}
}

static void test_a_lone_program_hears_of_its_lease_once(void **state)
{
	struct one a;
	uint64_t number;

	(void)state;
	join(&a, 1);
	assert_string_equal(arbiter_state(&a.program), "rests");
	want(&a);
	number = a.page->grant;
	assert_true(number != 0 && a.woken == 1);
	assert_string_equal(arbiter_state(&a.program), "holds");
	UNTIL(util_now_ns() - a.began_ns > 3 * settings.turn_ns);
	for (int i = 0; i < 3; i++) { /* it rests and goes on without a word */
		rest(&a);
		assert_string_equal(arbiter_state(&a.program), "rests");
		a.claims->busy = 1;
		assert_sums((struct one *[]){ &a }, 1);
	}
	assert_true(a.page->grant == number && a.page->asked == 0 && a.woken == 1);
	leave(&a);
}

static void test_what_rests_is_taken_at_once(void **state)
{
	struct one a, b;

	(void)state;
	join(&a, 1);
	join(&b, 2);
	want(&a);
	rest(&a);
	want(&b);
	assert_true(a.page->grant == 0 && a.page->asked == 0 && a.woken == 1);
	assert_true(b.page->grant != 0 && b.woken == 1);
	assert_string_equal(arbiter_state(&a.program), "rests");
	leave(&a);
	leave(&b);
}

/* Nothing looks at a program that has nothing to do, and its rest is not billed. */
static void test_what_rests_for_long_gives_its_lease_back(void **state)
{
	struct one a;

	(void)state;
	join(&a, 1);
	want(&a);
	rest(&a);
	UNTIL(a.page->grant == 0);
	assert_true(a.program.member.state == LEASE_NONE && a.woken == 1);
	assert_true(a.program.member.billed_ns <= a.claims->idle_since_ns - a.began_ns);
	assert_sums((struct one *[]){ &a }, 1);
	want(&a);
	assert_true(a.page->grant != 0);
	leave(&a);
}

static void test_a_turn_ends(void **state)
{
	struct arbiter_waited waited;
	struct one a, b;
	uint64_t number;

	(void)state;
	join(&a, 1);
	join(&b, 2);
	want(&a);
	number = a.page->grant;
	want(&b);
	assert_true(a.page->contended != 0 && b.page->grant == 0);
	assert_string_equal(arbiter_state(&b.program), "share");
	UNTIL(a.page->asked == number);
	assert_true(a.page->grant == 0 && b.page->grant == 0);
	say(&a, PROGRAM_ACKED, number - 1); /* of another lease: nothing */
	assert_false(a.program.member.acked);
	say(&a, PROGRAM_ACKED, number);
	assert_true(a.program.member.acked && b.page->grant == 0);
	say(&a, PROGRAM_WANTS, 0);
	say(&a, PROGRAM_DRAINED, number);
	assert_true(b.page->grant > number);
	assert_sums((struct one *[]){ &a, &b }, 2);
	assert_true(arbiter_waited(&b.program, 0, &waited));
	assert_true(waited.cause == ARBITER_CAUSE_VM && waited.vm_id == 1 && waited.ns > 0);
	assert_false(arbiter_waited(&b.program, 1, &waited));
	leave(&b);
	assert_false(arbiter_waited(&b.program, 0, &waited));
	assert_true(a.page->grant > number + 1);
	leave(&a);
}

/* The lease passes on a moment before the work has ended, which its own program pays for. */
static void test_a_lease_passes_on_while_work_drains(void **state)
{
	uint64_t number, billed_ns;
	struct one a, b;

	(void)state;
	join(&a, 1);
	join(&b, 2);
	want(&a);
	number = a.page->grant;
	want(&b);
	UNTIL(a.page->asked == number);
	say(&a, PROGRAM_DRAINING, number - 1); /* of another lease: nothing */
	assert_true(b.page->grant == 0);
	say(&a, PROGRAM_DRAINING, number); /* which acknowledges, too */
	assert_true(b.page->grant == number + 1 && a.program.member.acked);
	assert_true(a.page->clear_ns > 0 && b.page->clear_ns == 0);
	say(&a, PROGRAM_WANTS, 0);
	billed_ns = a.program.member.billed_ns;
	arbiter_count(arbiter);
	assert_true(a.program.member.billed_ns > billed_ns);
	assert_true(b.program.member.billed_ns == 0 && b.program.member.order_ns == 0);
	say(&a, PROGRAM_DRAINED, number);
	billed_ns = a.program.member.billed_ns;
	assert_true(b.page->clear_ns > a.page->clear_ns);
	arbiter_count(arbiter);
	assert_true(b.program.member.billed_ns > 0 && a.program.member.billed_ns == billed_ns);
	/* One that will have nothing to do says so before it is asked. */
	say(&b, PROGRAM_DRAINING, number + 1);
	assert_true(a.page->grant == number + 2 && b.page->asked != number + 1);
	say(&b, PROGRAM_DRAINED, number + 1);
	assert_sums((struct one *[]){ &a, &b }, 2);
	leave(&b);
	leave(&a);
}

/* Takes the notes of a watch. Return: their states, in a text. */
static const char *notes(struct arbiter_watch *watch)
{
	static char text[512];
	size_t used = 0;

	text[0] = '\0';
	for (; watch->taken < watch->head; watch->taken++) {
		const struct arbiter_note *note = &watch->note[watch->taken % ARBITER_NOTES];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", used ? " " : "");
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s",
					 note->state ? note->state : "rests");
		if (note->taken)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "/%u",
						 note->by_vm_id);
		assert_true(note->at_ns > 0 && note->at_ns <= util_now_ns());
	}
	return text;
}

static void test_changes_of_a_lease_are_noted(void **state)
{
	static struct arbiter_watch watch;
	struct one a, b;

	(void)state;
	memset(&watch, 0, sizeof(watch));
	join(&a, 1);
	join(&b, 2);
	arbiter_watch(&a.program, &watch);
	assert_string_equal(notes(&watch), "rests");
	want(&b);
	want(&a);
	assert_string_equal(notes(&watch), "share/2");
	UNTIL(b.page->asked != 0);
	say(&b, PROGRAM_ACKED, b.page->asked);
	say(&b, PROGRAM_DRAINED, b.page->asked);
	assert_true(strcmp(notes(&watch), "handover/2 holds") == 0);
	want(&b);
	UNTIL(a.page->asked != 0);
	say(&a, PROGRAM_ACKED, a.page->asked);
	say(&a, PROGRAM_DRAINED, a.page->asked);
	assert_string_equal(notes(&watch), "yields rests");
	/* Nobody takes them: the oldest stay, and nothing is written over them. */
	for (unsigned i = 0; i < ARBITER_NOTES; i++) {
		arbiter_stop(&a.program, true);
		want(&a);
		arbiter_stop(&a.program, false);
	}
	assert_true(watch.head - watch.taken <= ARBITER_NOTES);
	arbiter_watch(&a.program, NULL);
	watch.taken = watch.head;
	leave(&b);
	assert_string_equal(notes(&watch), "");
	leave(&a);
}

static void test_an_outlaster_is_passed_and_charged(void **state)
{
	struct one a, b;
	uint64_t billed_ns;

	(void)state;
	join(&a, 1);
	join(&b, 2);
	want(&a);
	want(&b);
	UNTIL(a.page->asked != 0);
	say(&a, PROGRAM_ACKED, a.page->asked);
	UNTIL(b.page->grant != 0);
	assert_string_equal(arbiter_state(&a.program), "yields");
	billed_ns = a.program.member.billed_ns;
	UNTIL(util_now_ns() - b.program.member.granted_ns > UTIL_NS_PER_MS);
	assert_sums((struct one *[]){ &a, &b }, 2);
	assert_true(a.program.member.billed_ns > billed_ns);
	assert_int_equal(b.program.member.billed_ns, 0);
	leave(&a);
	leave(&b);
}

/* Two that have to acknowledge within a millisecond. */
static void join_two_of_little_patience(struct one *a, struct one *b)
{
	struct lease_settings quick = settings;

	quick.ack_ns = UTIL_NS_PER_MS;
	arbiter_set(arbiter, &quick);
	join(a, 1);
	join(b, 2);
}

static void test_one_that_does_not_hear_is_frozen_then_ends(void **state)
{
	struct one a, b;

	(void)state;
	join_two_of_little_patience(&a, &b);
	want(&a);
	want(&b);
	UNTIL(a.frozen);
	assert_string_equal(arbiter_state(&a.program), "frozen");
	assert_true(b.page->grant != 0); /* its turn comes at once */
	rest(&b);
	say(&b, PROGRAM_RETURNED, b.page->grant);
	UNTIL(!a.frozen); /* the turn of a has passed while it was frozen */
	assert_int_equal(a.end, VGPU_END_NONE);
	say(&a, PROGRAM_ACKED, a.page->asked);
	say(&a, PROGRAM_WANTS, 0);
	say(&a, PROGRAM_DRAINED, a.page->asked);
	assert_true(a.page->grant != 0);
	want(&b);
	UNTIL(a.end == VGPU_END_LEASE_IGNORED);
	assert_false(a.frozen);
	leave(&a);
	leave(&b);
}

/* vgpud was held up: what the worker said lies in its socket, behind what is not about leases. */
static void test_what_lies_unread_was_said_in_time(void **state)
{
	struct one a, b;

	(void)state;
	join_two_of_little_patience(&a, &b);
	a.unread = 100;
	want(&a);
	want(&b);
	UNTIL(b.page->grant != 0);
	assert_int_equal(a.unread, 0);
	assert_true(!a.frozen && a.end == VGPU_END_NONE && a.program.member.acked);
	leave(&a);
	leave(&b);
}

static void test_one_that_talks_without_end_is_frozen(void **state)
{
	struct one a, b;

	(void)state;
	join_two_of_little_patience(&a, &b);
	a.unread = 1u << 31;
	want(&a);
	want(&b);
	UNTIL(a.frozen);
	assert_true(b.page->grant != 0);
	leave(&a);
	leave(&b);
}

static void test_a_stopped_vm_has_no_lease(void **state)
{
	struct lease_vm_settings paused = normal;
	struct one a;

	(void)state;
	paused.paused = true;
	join(&a, 1);
	arbiter_stop(&a.program, true);
	want(&a);
	assert_string_equal(arbiter_state(&a.program), "paused");
	assert_int_equal(a.page->grant, 0);
	arbiter_stop(&a.program, false);
	assert_true(a.page->grant != 0);
	arbiter_set_vm(arbiter, 2, &paused); /* has no programs here */
	arbiter_set_vm(arbiter, 1, &paused);
	assert_true(a.page->asked != 0);
	leave(&a);
}

static void test_a_worker_that_talks_too_much_ends(void **state)
{
	struct one a;

	(void)state;
	join(&a, 1);
	for (int i = 0; i < 100 && a.end == VGPU_END_NONE; i++)
		say(&a, PROGRAM_DRAINED, 0);
	assert_int_equal(a.end, VGPU_END_LEASE_IGNORED);
	leave(&a);
}

static void test_a_worker_can_only_read_its_lease(void **state)
{
	struct arbiter_program program;
	int fd;

	(void)state;
	assert_int_equal(arbiter_join(arbiter, &program, 1, &normal, &handler, NULL), 0);
	fd = program.fds[0];
	assert_true(mmap(NULL, LEASE_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
		    MAP_FAILED);
	assert_true(write(fd, "x", 1) < 0 && errno == EPERM);
	assert_true(ftruncate(fd, 0) < 0 && errno == EPERM);
	assert_true(ftruncate(program.fds[1], 0) < 0 && errno == EPERM); /* vgpud would die of it */
	arbiter_leave(&program);
	arbiter_leave(&program); /* does nothing */
	arbiter_end(&program);
	assert_null(arbiter_state(&program));
}

/* --- requests of version 1 --- */

/* Return: the turn that a request begins with; NULL: it waits. */
static struct arbiter_vm *ask(uint32_t vm_id)
{
	struct arbiter_vm *turn;

	if (!arbiter_ask(arbiter, vm_id, &normal, &turn))
		return NULL;
	assert_non_null(turn);
	return turn;
}

static void run_loop(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static void test_without_programs_requests_need_no_turns(void **state)
{
	struct arbiter_vm *turn;
	struct one a;

	(void)state;
	assert_true(arbiter_ask(arbiter, 1, &normal, &turn));
	assert_null(turn);
	join(&a, 2);
	assert_true(arbiter_has_programs(arbiter));
	leave(&a);
	assert_true(arbiter_ask(arbiter, 1, &normal, &turn));
	assert_null(turn);
	assert_int_equal(told[1], 0);
}

static void test_a_request_has_a_turn_of_its_vm(void **state)
{
	struct arbiter_vm *turn;
	struct one a;

	(void)state;
	join(&a, 1);
	turn = ask(2); /* the GPU is free: at once, and nothing is told later */
	assert_non_null(turn);
	want(&a);
	assert_int_equal(a.page->grant, 0);
	assert_string_equal(arbiter_state(&a.program), "share");
	UNTIL(arbiter_time(arbiter).billed_ns > 2 * settings.turn_ns);
	assert_int_equal(a.page->grant, 0); /* nothing interrupts it */
	arbiter_turn_over(turn);
	assert_int_equal(a.page->grant, 0);
	turn = ask(2); /* the next one is before a program of equal priority */
	assert_non_null(turn);
	arbiter_turn_over(turn);
	run_loop();
	assert_true(a.page->grant != 0);
	assert_sums((struct one *[]){ &a }, 1);
	assert_int_equal(told[2], 0);
	leave(&a);
}

static void test_a_request_waits_for_a_turn_and_comes_before_programs(void **state)
{
	struct arbiter_vm *turn;
	struct one a, b;
	uint64_t number;

	(void)state;
	join(&a, 1);
	join(&b, 2);
	want(&a);
	number = a.page->grant;
	want(&b);
	assert_null(ask(3));
	UNTIL(a.page->asked == number);
	say(&a, PROGRAM_ACKED, number);
	assert_int_equal(told[3], 0);
	say(&a, PROGRAM_DRAINED, number);
	assert_true(a.page->grant == 0 && b.page->grant == 0);
	assert_int_equal(told[3], 0); /* only from the loop */
	run_loop();
	/* It did not ask: it was cancelled meanwhile. */
	assert_true(told[3] == 1 && b.page->grant != 0);
	assert_null(ask(3));
	number = b.page->grant;
	rest(&b);
	say(&b, PROGRAM_RETURNED, number);
	turn = ask(3);
	assert_non_null(turn);
	arbiter_turn_over(turn);
	run_loop();
	leave(&a);
	leave(&b);
}

/* Return: for what a VM has waited at the GPU, added up; its number there goes to *number. */
static uint64_t vm_waited(uint32_t vm_id, uint64_t *number)
{
	struct arbiter_vm_waited found;
	uint64_t ns = 0;

	for (unsigned i = 0; arbiter_vm_waited(arbiter, i, &found); i++) {
		if (found.vm_id != vm_id)
			continue;
		*number = found.number;
		for (unsigned j = 0; j < found.num; j++)
			ns += found.waited[j].ns;
	}
	return ns;
}

static void test_why_requests_wait(void **state)
{
	struct lease_vm_settings changed = normal;
	struct arbiter_turn why;
	struct arbiter_vm *turn;
	uint64_t number = 0, before = 0, ns;
	struct one a;

	(void)state;
	join(&a, 1);
	assert_false(arbiter_turn_waits(arbiter, 2, &why)); /* it has asked for nothing */
	want(&a);
	assert_null(ask(2));
	assert_true(arbiter_turn_waits(arbiter, 2, &why));
	assert_string_equal(why.why, "share");
	assert_true(why.taken && why.by_program && why.by_vm_id == 1);
	changed.priority = 2;
	arbiter_set_vm(arbiter, 1, &changed);
	assert_true(arbiter_turn_waits(arbiter, 2, &why));
	assert_string_equal(why.why, "priority");
	UNTIL(arbiter_turn_waits(arbiter, 2, &why) && vm_waited(2, &number) > UTIL_NS_PER_MS);
	changed.paused = true;
	arbiter_set_vm(arbiter, 2, &changed);
	assert_true(arbiter_turn_waits(arbiter, 2, &why));
	assert_string_equal(why.why, "paused");
	arbiter_set_vm(arbiter, 2, &normal);
	rest(&a);
	say(&a, PROGRAM_RETURNED, a.page->grant);
	turn = ask(2);
	assert_non_null(turn);
	assert_false(arbiter_turn_waits(arbiter, 2, &why));
	want(&a); /* from now on no other request joins the turn */
	assert_null(ask(2));
	assert_true(arbiter_turn_waits(arbiter, 2, &why));
	assert_string_equal(why.why, "own");
	assert_true(why.taken && !why.by_program && why.by_vm_id == 2);
	/* The VM has no program, and its sums stay as long as its requests may have turns. */
	ns = vm_waited(2, &before);
	assert_true(ns > UTIL_NS_PER_MS && before == number);
	arbiter_turn_over(turn);
	run_loop();
	leave(&a);
	run_loop();
	assert_int_equal(vm_waited(2, &number), 0);
	join(&a, 1);
	want(&a);
	assert_null(ask(2));
	vm_waited(2, &number);
	assert_true(number > before); /* its sums began anew */
	leave(&a);
	run_loop();
}

static void test_others_of_the_vm_join_a_turn_that_nobody_else_wants(void **state)
{
	struct arbiter_vm *first, *second, *other;
	struct one a;

	(void)state;
	join(&a, 1);
	first = ask(2);
	second = ask(2);
	assert_true(first != NULL && second == first);
	assert_null(ask(3)); /* of another VM: not beside them */
	assert_null(ask(2)); /* from now on somebody else waits */
	want(&a);
	arbiter_turn_over(first);
	run_loop();
	assert_int_equal(told[2] + told[3], 0);
	arbiter_turn_over(second);
	run_loop(); /* the other VM's, which does not ask; then this one's; then the program */
	assert_true(told[2] == 1 && told[3] == 1);
	assert_true(a.page->grant != 0);
	other = ask(3);
	assert_null(other);
	leave(&a);
}

static void test_a_capped_vm_begins_no_others_in_its_turn(void **state)
{
	const struct lease_vm_settings capped = { .priority = 1, .share = 100, .cap_percent = 1 };
	struct arbiter_vm *turn, *second;
	struct one a;

	(void)state;
	join(&a, 1);
	assert_true(arbiter_ask(arbiter, 2, &capped, &turn));
	UNTIL(arbiter_time(arbiter).billed_ns > 2 * settings.turn_ns);
	assert_false(arbiter_ask(arbiter, 2, &capped, &second)); /* its bucket is empty */
	arbiter_turn_over(turn);
	run_loop();
	assert_false(arbiter_ask(arbiter, 2, &capped, &second));
	assert_int_equal(told[2], 0);
	arbiter_set_vm(arbiter, 2, &normal);
	run_loop();
	assert_int_equal(told[2], 1);
	leave(&a);
}

static void test_a_request_that_runs_is_over_before_the_first_program_begins(void **state)
{
	struct arbiter_vm *first, *second;
	struct one a;

	(void)state;
	arbiter_adopt(arbiter, 2, &normal, &first);
	arbiter_adopt(arbiter, 3, &normal, &second);
	assert_true(first != NULL && second != NULL);
	join(&a, 1);
	want(&a);
	run_loop();
	assert_int_equal(a.page->grant, 0);
	arbiter_turn_over(second); /* in any order */
	run_loop();
	assert_int_equal(a.page->grant, 0);
	arbiter_turn_over(first);
	run_loop();
	assert_true(a.page->grant != 0);
	leave(&a);
}

static void test_what_waits_when_the_last_program_goes_is_told(void **state)
{
	struct arbiter_vm *turn;
	struct one a;

	(void)state;
	join(&a, 1);
	turn = ask(2);
	assert_null(ask(3));
	leave(&a);
	run_loop();
	assert_int_equal(told[3], 1);
	assert_true(arbiter_ask(arbiter, 3, &normal, &turn));
	assert_null(turn);
}

static void test_a_vm_that_is_removed(void **state)
{
	struct arbiter_vm *turn;
	struct one a;

	(void)state;
	join(&a, 1);
	turn = ask(2);
	want(&a);
	assert_null(ask(3));
	arbiter_remove_vm(arbiter, 3); /* it waits */
	arbiter_remove_vm(arbiter, 2); /* its request runs: its worker has it */
	arbiter_remove_vm(arbiter, 0); /* was never here */
	assert_int_equal(a.page->grant, 0);
	arbiter_turn_over(turn);
	run_loop();
	assert_true(a.page->grant != 0);
	assert_int_equal(told[2] + told[3], 0);
	leave(&a);
}

/* --- rubbish --- */

#define PROGRAMS 6u

static uint64_t seed = 1;

static uint32_t some(uint32_t num)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % num;
}

static uint64_t some_word(void)
{
	switch (some(4)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX - some(3);
	case 2:
		return util_now_ns() + some(1000) - 500;
	default:
		return (uint64_t)some(UINT32_MAX) << some(33);
	}
}

/* Requests that run, and the turn of each VM's, which is the same while one of them does. */
#define TURNS 3u
static unsigned running[VMS];
static struct arbiter_vm *turn[VMS];

static void do_something(struct one *one, uint32_t vm_id)
{
	struct lease_vm_settings changed = {
		.priority = (uint8_t)some(3),
		.paused = some(4) == 0,
		.share = 1 + some(LEASE_SHARE_MOST),
		.cap_percent = some(2) * (1 + some(100)),
	};
	struct program_state state = {
		.what = PROGRAM_WANTS + some(4),
		.lease = some(2) ? one->program.member.number : some_word(),
		.tail_ns = some_word(),
	};
	struct arbiter_vm *given;

	switch (some(10)) {
	case 0:
		arbiter_set_vm(arbiter, vm_id, &changed);
		break;
	case 1:
		arbiter_stop(&one->program, some(2) == 0);
		break;
	case 2:
		leave(one);
		join(one, vm_id);
		break;
	case 3:
		one->claims->busy = some(2);
		one->claims->idle_since_ns = some_word();
		one->claims->idle_ns = some_word();
		break;
	case 4:
		assert_true(sd_event_run(event, 0) >= 0);
		break;
	case 5:
		if (running[vm_id] == TURNS || !arbiter_ask(arbiter, vm_id, &changed, &given))
			break;
		assert_true(running[vm_id] == 0 || given == turn[vm_id]);
		turn[vm_id] = given;
		running[vm_id]++;
		break;
	case 6:
		if (running[vm_id] > 0) {
			running[vm_id]--;
			arbiter_turn_over(turn[vm_id]);
		}
		break;
	default:
		arbiter_hear(&one->program, &state);
	}
}

static void test_rubbish_bills_nobody_else(void **state)
{
	struct one programs[PROGRAMS], *all[PROGRAMS];

	(void)state;
	for (uint32_t i = 0; i < PROGRAMS; i++) {
		all[i] = &programs[i];
		join(&programs[i], i / 2);
	}
	for (int round = 0; round < 20000; round++) {
		uint32_t i = some(PROGRAMS);

		do_something(&programs[i], i / 2);
		if (programs[i].end != VGPU_END_NONE) {
			leave(&programs[i]);
			join(&programs[i], i / 2);
		}
		if (round % 16 == 0)
			assert_sums(all, PROGRAMS);
	}
	for (uint32_t i = 0; i < PROGRAMS; i++)
		leave(&programs[i]);
	for (uint32_t i = 0; i < VMS; i++)
		for (; running[i] > 0; running[i]--)
			arbiter_turn_over(turn[i]);
	run_loop();
	assert_sums(NULL, 0);
}

/* The next one hears of it when the holder is asked, or at once where turns are short. */
static void test_the_next_one_is_warned(void **state)
{
	struct one first, second, third;
	unsigned woken;

	(void)state;
	arbiter->may_poll = true;
	join(&first, 1);
	join(&second, 2);
	join(&third, 3);
	want(&first);
	want(&second);
	want(&third);
	assert_true(first.page->grant == 1 && second.page->soon == 0 && third.page->soon == 0);
	UNTIL(first.page->asked == 1);
	assert_true(second.page->soon == 1 && third.page->soon == 0 && first.page->soon == 0);
	woken = second.woken;
	say(&first, PROGRAM_ACKED, 1);
	assert_true(second.page->soon == 1 && second.woken == woken); /* once */
	say(&first, PROGRAM_DRAINED, 1);
	assert_true(second.page->grant == 2 && third.page->soon == 0);
	rest(&second);
	say(&second, PROGRAM_RETURNED, 2); /* a turn of a moment: the next one may be, too */
	assert_int_equal(third.page->grant, 3);
	assert_int_equal(second.page->soon + first.page->soon, 1);
	want(&second); /* warned at once */
	assert_int_equal(second.page->soon, 2);
	leave(&third);
	leave(&second);
	leave(&first);
}

static void test_on_few_processors_nobody_is_warned(void **state)
{
	struct one first, second;

	(void)state;
	join(&first, 1);
	join(&second, 2);
	want(&first);
	want(&second);
	UNTIL(first.page->asked == 1);
	assert_int_equal(second.page->soon, 0);
	leave(&second);
	leave(&first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ARBITER_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		ARBITER_TEST(test_a_lone_program_hears_of_its_lease_once),
		ARBITER_TEST(test_what_rests_is_taken_at_once),
		ARBITER_TEST(test_what_rests_for_long_gives_its_lease_back),
		ARBITER_TEST(test_a_turn_ends),
		ARBITER_TEST(test_a_lease_passes_on_while_work_drains),
		ARBITER_TEST(test_changes_of_a_lease_are_noted),
		ARBITER_TEST(test_an_outlaster_is_passed_and_charged),
		ARBITER_TEST(test_one_that_does_not_hear_is_frozen_then_ends),
		ARBITER_TEST(test_what_lies_unread_was_said_in_time),
		ARBITER_TEST(test_one_that_talks_without_end_is_frozen),
		ARBITER_TEST(test_a_stopped_vm_has_no_lease),
		ARBITER_TEST(test_a_worker_that_talks_too_much_ends),
		ARBITER_TEST(test_a_worker_can_only_read_its_lease),
		ARBITER_TEST(test_without_programs_requests_need_no_turns),
		ARBITER_TEST(test_a_request_has_a_turn_of_its_vm),
		ARBITER_TEST(test_a_request_waits_for_a_turn_and_comes_before_programs),
		ARBITER_TEST(test_why_requests_wait),
		ARBITER_TEST(test_others_of_the_vm_join_a_turn_that_nobody_else_wants),
		ARBITER_TEST(test_a_capped_vm_begins_no_others_in_its_turn),
		ARBITER_TEST(test_a_request_that_runs_is_over_before_the_first_program_begins),
		ARBITER_TEST(test_what_waits_when_the_last_program_goes_is_told),
		ARBITER_TEST(test_a_vm_that_is_removed),
		ARBITER_TEST(test_rubbish_bills_nobody_else),
		ARBITER_TEST(test_the_next_one_is_warned),
		ARBITER_TEST(test_on_few_processors_nobody_is_warned),
#undef ARBITER_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
