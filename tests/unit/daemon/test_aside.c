/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_aside.c - work beside the loop: done, ended before it is done, more than there may be */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

#include "vgpud/aside.h"

struct fixture {
	sd_event *event;
	int done; /* calls */
};

struct data {
	sem_t *go;   /* run() waits for it, as for a server */
	sem_t *gone; /* drop() says so */
	int answer;
};

static sem_t go, gone;

static void run(void *data)
{
	struct data *d = data;

	sem_wait(d->go);
	d->answer = 42;
}

static void done(void *arg, void *data)
{
	struct fixture *f = arg;

	assert_int_equal(((struct data *)data)->answer, 42);
	f->done++;
}

static void drop(void *data)
{
	sem_post(((struct data *)data)->gone);
	free(data);
}

static const struct aside_work work = { .run = run, .done = done, .drop = drop };

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_return_code(sd_event_new(&f->event), 0);
	sem_init(&go, 0, 0);
	sem_init(&gone, 0, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(aside_busy(), 0);
	sd_event_unref(f->event);
	free(f);
	return 0;
}

static int begin(struct fixture *f, struct aside **aside)
{
	struct data *data = calloc(1, sizeof(*data));

	assert_non_null(data);
	*data = (struct data){ .go = &go, .gone = &gone };
	return aside_begin(aside, f->event, &work, data, f);
}

/* A thread's last step comes after drop(), and takes it no time worth naming. */
static void wait_idle(void)
{
	while (aside_busy() > 0)
		sched_yield();
}

static void it_is_done_from_the_loop(void **state)
{
	struct fixture *f = *state;
	struct aside *aside;

	assert_int_equal(begin(f, &aside), 0);
	assert_int_equal(sd_event_run(f->event, 0), 0);
	assert_int_equal(f->done, 0);
	sem_post(&go);
	while (f->done == 0)
		assert_return_code(sd_event_run(f->event, UINT64_MAX), 0);
	sem_wait(&gone);
	wait_idle();
	assert_int_equal(f->done, 1);
}

static void what_was_ended_is_never_done(void **state)
{
	struct fixture *f = *state;
	struct aside *aside;

	assert_int_equal(begin(f, &aside), 0);
	assert_int_equal(begin(f, NULL), 0);
	aside_end(aside);
	aside_end(NULL);
	aside_end_all();
	assert_int_equal(sem_trywait(&gone), -1); /* the threads have it still */
	sem_post(&go);
	sem_post(&go);
	sem_wait(&gone);
	sem_wait(&gone);
	wait_idle();
	assert_int_equal(sd_event_run(f->event, 0), 0);
	assert_int_equal(f->done, 0);
}

static void there_is_a_bound(void **state)
{
	struct fixture *f = *state;
	struct aside *aside[ASIDE_MAX], *more;

	for (unsigned i = 0; i < ASIDE_MAX; i++)
		assert_int_equal(begin(f, &aside[i]), 0);
	assert_int_equal(begin(f, &more), -EBUSY);
	sem_wait(&gone); /* of the one that was refused */
	/* One that was ended waits for its server all the same. */
	aside_end(aside[0]);
	assert_int_equal(aside_busy(), ASIDE_MAX);
	assert_int_equal(begin(f, &more), -EBUSY);
	sem_wait(&gone);
	for (unsigned i = 0; i < ASIDE_MAX; i++)
		sem_post(&go);
	while (f->done < ASIDE_MAX - 1)
		assert_return_code(sd_event_run(f->event, UINT64_MAX), 0);
	for (unsigned i = 0; i < ASIDE_MAX; i++)
		sem_wait(&gone);
	wait_idle();
	sem_post(&go);
	assert_int_equal(begin(f, &more), 0);
	while (f->done < ASIDE_MAX)
		assert_return_code(sd_event_run(f->event, UINT64_MAX), 0);
	sem_wait(&gone);
	wait_idle();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_done_from_the_loop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_ended_is_never_done, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_a_bound, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
