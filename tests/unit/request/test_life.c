/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_life.c - every order of events for one request, and for some that share a worker */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/vgpu_proto.h"
#include "vgpud/request/life.h"

/* --- one request, any events at all --- */

#define ANY_DEPTH 8 /* events in a row: 6^8 orders */

static const char *const event_names[LIFE_EVENT_NUM] = { "start",  "unstart", "return",
							 "expire", "abandon", "turn-out" };

struct one {
	enum life_state state;
	unsigned ends;
	bool abandoned, returned;
	enum life_event path[ANY_DEPTH];
	unsigned depth;
};

static void say_path(const struct one *one)
{
	printf("#");
	for (unsigned i = 0; i < one->depth; i++)
		printf(" %s", event_names[one->path[i]]);
	printf("\n");
}

#define CHECK_ONE(one, ok)             \
	do {                           \
		if (!(ok)) {           \
			say_path(one); \
			fail_msg(#ok); \
		}                      \
	} while (0)

static void check_step(struct one *one, enum life_state before, const struct life_step *step,
		       uint32_t status)
{
	bool began = before == LIFE_WAITING && step->next == LIFE_STARTED;

	one->ends += step->end != LIFE_NO_END;
	CHECK_ONE(one, one->ends <= 1);
	/* It ends when it is over at the latest, and not while it can still run and be answered. */
	CHECK_ONE(one, one->ends == (step->next == LIFE_OVER || step->next == LIFE_LATE));
	/* A request that has ended, or was run by a worker, never waits again, and never starts. */
	CHECK_ONE(one,
		  step->next != LIFE_WAITING || before == LIFE_WAITING || before == LIFE_STARTED);
	CHECK_ONE(one, !began || !one->returned);
	/* The status is the event's, or CANCELLED, without an answer, if abandoned. */
	CHECK_ONE(one, step->end != LIFE_END_TOLD || (!one->abandoned && step->status == status));
	CHECK_ONE(one, step->end != LIFE_END_MUTE ||
			       (one->abandoned && step->status == VGPU_ERR_CANCELLED));
	CHECK_ONE(one, before != LIFE_OVER || step->next == LIFE_OVER);
}

static unsigned long walk_one(const struct one *from)
{
	unsigned long steps = 0;

	if (from->depth == ANY_DEPTH)
		return 0;
	for (unsigned event = 0; event < LIFE_EVENT_NUM; event++) {
		struct one one = *from;
		uint32_t status = VGPU_ERR_TIMEOUT + event;
		struct life_step step = life_step(one.state, (enum life_event)event, status);

		one.path[one.depth++] = (enum life_event)event;
		one.abandoned |= event == LIFE_ABANDON;
		one.returned |= event == LIFE_RETURN && one.state != LIFE_WAITING;
		one.state = step.next;
		check_step(&one, from->state, &step, status);
		steps += 1 + walk_one(&one);
	}
	return steps;
}

static void in_any_order_it_ends_at_most_once(void **state)
{
	struct one one = { .state = LIFE_WAITING };

	(void)state;
	printf("# %lu steps\n", walk_one(&one));
}

/* Whatever became of it, a few events that always come in the end bring it there. */
static void from_every_state_there_is_an_end(void **state)
{
	(void)state;
	for (unsigned s = 0; s < LIFE_STATE_NUM; s++) {
		struct life_step step = life_step((enum life_state)s, LIFE_UNSTART, VGPU_ERR_OK);
		unsigned ends = (s == LIFE_LATE || s == LIFE_OVER) + (step.end != LIFE_NO_END);

		step = life_step(step.next, LIFE_TURN_OUT, VGPU_ERR_BACKEND_LOST);
		ends += step.end != LIFE_NO_END;
		assert_int_equal(step.next, LIFE_OVER);
		assert_int_equal(ends, 1);
		step = life_step((enum life_state)s, LIFE_RETURN, VGPU_ERR_OK);
		assert_int_equal(step.next, s == LIFE_WAITING ? LIFE_WAITING : LIFE_OVER);
	}
}

/* A request that a worker has must not be over, nor one that waits started, by a mistake of others.
 */
static void what_cannot_be_changes_nothing(void **state)
{
	static const bool can[LIFE_STATE_NUM][LIFE_EVENT_NUM] = {
		[LIFE_WAITING] = { [LIFE_START] = true,
				   [LIFE_EXPIRE] = true,
				   [LIFE_ABANDON] = true,
				   [LIFE_TURN_OUT] = true },
		[LIFE_STARTED] = { [LIFE_UNSTART] = true,
				   [LIFE_RETURN] = true,
				   [LIFE_EXPIRE] = true,
				   [LIFE_ABANDON] = true },
		[LIFE_UNWANTED] = { [LIFE_UNSTART] = true,
				    [LIFE_RETURN] = true,
				    [LIFE_EXPIRE] = true },
		[LIFE_LATE] = { [LIFE_UNSTART] = true, [LIFE_RETURN] = true },
	};

	(void)state;
	for (unsigned s = 0; s < LIFE_STATE_NUM; s++) {
		for (unsigned event = 0; event < LIFE_EVENT_NUM; event++) {
			struct life_step step = life_step((enum life_state)s,
							  (enum life_event)event, VGPU_ERR_OK);

			assert_int_equal(step.next != s, can[s][event]);
			assert_true(can[s][event] || step.end == LIFE_NO_END);
		}
	}
}

/* --- some requests and a worker, and what can be --- */

/*
 * The worker is given several at once, runs the oldest and then the next, dies, hangs and is
 * followed by the next. Meanwhile deadlines pass, guests go and administrators cancel; in the end
 * vgpud goes.
 */

#define REQUESTS 3
#define WORLD_DEPTH 14

struct life {
	enum life_state state;
	unsigned ends, runs;
	unsigned worker; /* which one has it, by generation; 0: none */
	bool late, abandoned;
	uint32_t status;
};

struct world {
	struct life life[REQUESTS];
	int line[REQUESTS]; /* what the worker has, oldest first */
	int line_num;
	unsigned worker; /* its generation */
};

enum choice {
	CHOICE_START, /* of a request */
	CHOICE_EXPIRE,
	CHOICE_ABANDON,
	CHOICE_CANCEL,
	CHOICE_ANSWER, /* of the worker, from here on */
	CHOICE_DIE,
	CHOICE_HANG,
	CHOICE_NUM
};

static void meet(struct world *w, int which, enum life_event event, uint32_t status)
{
	struct life *life = &w->life[which];
	struct life_step step = life_step(life->state, event, status);

	/* No possible event is ignored, except a second or late abandon. */
	assert_true(step.next != life->state || event == LIFE_ABANDON);
	if (step.end != LIFE_NO_END) {
		life->ends++;
		life->status = step.status;
	}
	assert_true(life->ends <= 1);
	life->state = step.next;
}

/* The worker, or its next, gives back the oldest that it has. */
static void give_back(struct world *w, enum life_event event, uint32_t status)
{
	int which = w->line[0];
	struct life *life = &w->life[which];

	assert_int_equal(life->worker, w->worker);
	w->line_num--;
	memmove(w->line, w->line + 1, sizeof(w->line[0]) * (REQUESTS - 1));
	life->worker = 0;
	life->runs += event == LIFE_RETURN;
	meet(w, which, event, status);
	assert_true(life->state == LIFE_OVER || event == LIFE_UNSTART);
}

static void lose_worker(struct world *w, uint32_t status)
{
	give_back(w, LIFE_RETURN, status);
	while (w->line_num > 0)
		give_back(w, LIFE_UNSTART, VGPU_ERR_OK);
	w->worker++;
}

static void start(struct world *w, int which)
{
	assert_int_equal(w->life[which].runs, 0);
	assert_int_equal(w->life[which].ends, 0);
	meet(w, which, LIFE_START, VGPU_ERR_OK);
	w->life[which].worker = w->worker;
	w->line[w->line_num++] = which;
}

/* Return: whether it can be now; then it was done. */
static bool choose(struct world *w, enum choice choice, int which)
{
	struct life *life = &w->life[which];
	bool waits = life->state == LIFE_WAITING;

	if (choice >= CHOICE_ANSWER ? which > 0 || w->line_num == 0 : life->state == LIFE_OVER)
		return false;
	switch (choice) {
	case CHOICE_START:
		if (waits)
			start(w, which);
		return waits;
	case CHOICE_EXPIRE:
		if (life->late)
			return false;
		life->late = true;
		meet(w, which, LIFE_EXPIRE, VGPU_ERR_TIMEOUT);
		return true;
	case CHOICE_ABANDON:
		if (life->abandoned || life->ends > 0)
			return false;
		life->abandoned = true;
		meet(w, which, LIFE_ABANDON, VGPU_ERR_CANCELLED);
		return true;
	case CHOICE_CANCEL:
		if (waits)
			meet(w, which, LIFE_TURN_OUT, VGPU_ERR_CANCELLED);
		return waits;
	case CHOICE_ANSWER:
		give_back(w, LIFE_RETURN, VGPU_ERR_OK);
		return true;
	case CHOICE_DIE:
		lose_worker(w, VGPU_ERR_GPU_FAULT);
		return true;
	case CHOICE_HANG:
		lose_worker(w, VGPU_ERR_GPU_HUNG);
		return true;
	case CHOICE_NUM:
		break;
	}
	return false;
}

/* vgpud goes: what the worker has comes back, what waits is turned out. */
static void check_end(struct world w)
{
	while (w.line_num > 0)
		give_back(&w, LIFE_RETURN, VGPU_ERR_BACKEND_LOST);
	for (int i = 0; i < REQUESTS; i++) {
		struct life *life = &w.life[i];

		if (life->state == LIFE_WAITING)
			meet(&w, i, LIFE_TURN_OUT, VGPU_ERR_BACKEND_LOST);
		assert_int_equal(life->state, LIFE_OVER);
		assert_int_equal(life->ends, 1);
		assert_int_equal(life->worker, 0);
		assert_true(life->runs <= 1);
		/* Nothing but its own end is its status. */
		assert_true(life->status != VGPU_ERR_CANCELLED || life->abandoned ||
			    life->runs == 0);
		assert_true(!life->abandoned || life->status == VGPU_ERR_CANCELLED);
		assert_true(life->status != VGPU_ERR_OK || life->runs == 1);
	}
}

static unsigned long walk_world(const struct world *from, unsigned depth)
{
	unsigned long worlds = 1;

	check_end(*from);
	for (unsigned i = 0; i < CHOICE_NUM * REQUESTS && depth < WORLD_DEPTH; i++) {
		struct world w = *from;

		if (choose(&w, (enum choice)(i / REQUESTS), (int)(i % REQUESTS)))
			worlds += walk_world(&w, depth + 1);
	}
	return worlds;
}

static void all_at_one_worker_each_end_once_and_run_once(void **state)
{
	struct world w = { .worker = 1 };

	(void)state;
	printf("# %lu histories\n", walk_world(&w, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_any_order_it_ends_at_most_once),
		cmocka_unit_test(from_every_state_there_is_an_end),
		cmocka_unit_test(what_cannot_be_changes_nothing),
		cmocka_unit_test(all_at_one_worker_each_end_once_and_run_once),
	};

	return cmocka_run_group_tests_name("life", tests, NULL, NULL);
}
