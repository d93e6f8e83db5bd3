/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_seat.c - what becomes of a seat's jobs, and of the seat, whatever its worker does */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>

#include "tests/unit/exec/double.h"
#include "vgpud/exec/seat.h"

#define JOBS (SEAT_JOBS_MAX + 8)
#define UNFIT_NS UINT64_MAX /* an answer with it is said to fit nothing */

enum fate { NONE, DONE, DIED, UNSTARTED, FAILED };

/* The handler's last call for each job, by its id; began is counted separately. */
static enum fate fate[JOBS];
static int began[JOBS], changed, misbehaved;
static uint64_t exec_ns[JOBS];
static struct executors *executors;
static struct seat_set *set;
static struct seat_job jobs[JOBS];

static void on_done(void *arg, struct seat_job *job, const struct worker_done *done)
{
	assert_ptr_equal(arg, fate);
	assert_int_equal(fate[job - jobs], NONE);
	fate[job - jobs] = DONE;
	exec_ns[job - jobs] = done->exec_ns;
}

static void on_began(void *arg, struct seat_job *job)
{
	(void)arg;
	assert_int_equal(fate[job - jobs], NONE);
	began[job - jobs]++;
}

static void on_died(void *arg, struct seat_job *job)
{
	(void)arg;
	assert_int_equal(fate[job - jobs], NONE);
	fate[job - jobs] = DIED;
}

static void on_unstarted(void *arg, struct seat_job *job)
{
	(void)arg;
	assert_int_equal(fate[job - jobs], NONE);
	fate[job - jobs] = UNSTARTED;
}

static bool on_fits(void *arg, const struct seat_job *job, const struct worker_done *done)
{
	(void)arg;
	assert_int_equal(fate[job - jobs], NONE);
	return done->exec_ns != UNFIT_NS;
}

static void on_failed(void *arg, struct seat_job *job)
{
	(void)arg;
	assert_int_equal(fate[job - jobs], NONE);
	fate[job - jobs] = FAILED;
}

static void on_misbehaved(void *arg, struct seat *seat, const char *why)
{
	(void)arg;
	assert_false(seat_ready(seat));
	assert_non_null(strstr(why, "(good)"));
	misbehaved++;
}

static const struct seat_handler handler = {
	.fits = on_fits,
	.failed = on_failed,
	.misbehaved = on_misbehaved,
	.done = on_done,
	.began = on_began,
	.died = on_died,
	.unstarted = on_unstarted,
};

static void on_changed(void *arg)
{
	(void)arg;
	changed++;
}

static int open_house(void **state)
{
	static const struct executors_handler callbacks = { .changed = on_changed };

	(void)state;
	memset(fate, 0, sizeof(fate));
	memset(began, 0, sizeof(began));
	memset(jobs, 0, sizeof(jobs));
	changed = misbehaved = 0;
	if (executors_new(&executors, double_event, 30 * UTIL_NS_PER_S, &callbacks, NULL) != 0)
		return 1;
	set = seat_set_new(executors, &handler, fate);
	return set == NULL;
}

static int close_house(void **state)
{
	(void)state;
	seat_set_free(set);
	executors_free(executors);
	return 0;
}

static struct seat *ready_seat(void)
{
	struct seat *seat = seat_new(set, DOUBLE_GOOD);

	assert_non_null(seat);
	assert_true(DOUBLE_UNTIL(seat_ready(seat)));
	return seat;
}

/*
 * Return: what seat_submit() says. A job that was not taken, since its worker's end was seen already,
 * waits like one that comes back unstarted.
 */
static int give(struct seat *seat, uint64_t id, enum double_deed deed)
{
	int taken;

	fate[id] = NONE;
	jobs[id].wire.busy_poll_us = deed;
	jobs[id].wire.len_bytes = 40;
	taken = seat_submit(seat, &jobs[id]);
	if (taken < 0)
		fate[id] = UNSTARTED;
	return taken;
}

/* It has a worker again, which works. */
static void works(struct seat *seat)
{
	assert_true(DOUBLE_UNTIL(seat_ready(seat)));
	assert_int_equal(give(seat, JOBS - 1, DOUBLE_ANSWERS), 1);
	assert_true(DOUBLE_UNTIL(fate[JOBS - 1] != NONE));
	assert_int_equal(fate[JOBS - 1], DONE);
}

static void test_jobs_in_their_order(void **arg)
{
	struct seat *seat = ready_seat();

	(void)arg;
	assert_int_equal(give(seat, 0, DOUBLE_ANSWERS), 1);
	assert_int_equal(give(seat, 1, DOUBLE_ANSWERS), 0);
	assert_int_equal(give(seat, 2, DOUBLE_ANSWERS), 0);
	assert_true(DOUBLE_UNTIL(fate[2] == DONE));
	assert_true(fate[0] == DONE && fate[1] == DONE);
	assert_true(began[0] == 0 && began[1] == 1 && began[2] == 1);
	assert_string_equal(seat_executor(seat), DOUBLE_GOOD);
	assert_string_equal(seat_info(seat)->name, "double");
	assert_null(seat_trouble(seat));
}

/* The loop is held up: what workers answered meanwhile, and that one of them died, is there to be taken. */
static void test_what_lies_unread_is_taken(void **arg)
{
	struct seat *seat = ready_seat(), *other = ready_seat();
	const uint64_t until_ns = util_now_ns() + 30 * UTIL_NS_PER_S;

	(void)arg;
	for (uint64_t id = 0; id < 3; id++)
		give(seat, id, DOUBLE_ANSWERS);
	give(other, 3, DOUBLE_ANSWERS);
	give(other, 4, DOUBLE_DIES);
	while ((fate[2] == NONE || fate[4] == NONE) && util_now_ns() < until_ns) {
		seat_set_listen(set);
		sched_yield();
	}
	for (uint64_t id = 0; id < 4; id++)
		assert_int_equal(fate[id], DONE);
	assert_int_equal(fate[4], DIED);
	works(seat);
	works(other);
}

static void test_a_job_kills_the_worker(void **arg)
{
	struct seat *seat = ready_seat();

	(void)arg;
	give(seat, 0, DOUBLE_ANSWERS);
	give(seat, 1, DOUBLE_DIES);
	give(seat, 2, DOUBLE_ANSWERS);
	assert_true(DOUBLE_UNTIL(fate[1] != NONE && fate[2] != NONE));
	assert_true(fate[0] == DONE && fate[1] == DIED && fate[2] == UNSTARTED);
	works(seat);
}

static void test_a_worker_forks_and_ends(void **arg)
{
	struct seat *seat = ready_seat();
	pid_t escaped;

	(void)arg;
	give(seat, 0, DOUBLE_FORKS);
	assert_true(DOUBLE_UNTIL(fate[0] == DONE));
	escaped = (pid_t)exec_ns[0];
	assert_true(escaped > 1);
	/*
	 * Its child answers as long as the end was not seen; one job may be lost to that. Then the seat
	 * has another worker.
	 */
	fate[1] = DONE;
	for (int tries = 0; tries < 500 && fate[1] == DONE; tries++)
		if (seat_ready(seat) && give(seat, 1, DOUBLE_ANSWERS) >= 0)
			assert_true(DOUBLE_UNTIL(fate[1] != NONE));
	assert_true(sd_event_run(double_event, 0) >= 0);
	works(seat);
	kill(escaped, SIGKILL);
}

static void test_the_running_job_is_killed(void **arg)
{
	struct seat *seat = ready_seat();

	(void)arg;
	give(seat, 0, DOUBLE_WAITS);
	give(seat, 1, DOUBLE_ANSWERS);
	seat_kill(seat, &jobs[0]);
	assert_true(fate[0] == NONE && fate[1] == UNSTARTED);
	works(seat);
}

/* Of one that waited behind it, the worker's running job is told as died. */
static void test_a_waiting_job_is_killed(void **arg)
{
	struct seat *seat = ready_seat();

	(void)arg;
	give(seat, 0, DOUBLE_WAITS);
	give(seat, 1, DOUBLE_ANSWERS);
	seat_kill(seat, &jobs[1]);
	assert_true(fate[0] == DIED && fate[1] == NONE);
	works(seat);
}

/* Each way in which a worker can misbehave with a job; only that worker is killed for it. */
static void test_it_misbehaves(void **arg)
{
	static const struct {
		enum double_deed deed;
		enum fate own; /* what becomes of that job */
	} cases[] = {
		{ DOUBLE_TWICE, DONE },	     { DOUBLE_EARLY, DONE },
		{ DOUBLE_SHUTS, DONE },	     { DOUBLE_WRONG_ID, UNSTARTED },
		{ DOUBLE_SHORT, UNSTARTED }, { DOUBLE_LONG, UNSTARTED },
		{ DOUBLE_LIES, UNSTARTED },
	};
	struct seat *seat = ready_seat();

	(void)arg;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int before = misbehaved, second;

		memset(jobs, 0, sizeof(jobs));
		assert_int_equal(give(seat, 0, cases[i].deed), 1);
		second = give(seat, 1, DOUBLE_ANSWERS);
		/* A worker that shuts its half at once is found out by this job already. */
		assert_true(second == 0 || (cases[i].deed == DOUBLE_SHUTS && second == -EAGAIN));
		/* One that shut its half is found out by the next job. */
		if (cases[i].deed == DOUBLE_SHUTS) {
			assert_true(DOUBLE_UNTIL(fate[0] == DONE));
			for (uint64_t next = 2;
			     second == 0 && seat_ready(seat) && next < JOBS - 1 &&
			     give(seat, next, DOUBLE_ANSWERS) >= 0;
			     next++)
				assert_true(sd_event_run(double_event, 10000) >= 0);
		}
		assert_true(DOUBLE_UNTIL(misbehaved > before));
		assert_int_equal(misbehaved, before + 1);
		assert_int_equal(fate[0], cases[i].own);
		assert_int_equal(fate[1], UNSTARTED); /* which is not to blame, and runs anew */
		works(seat);
	}
}

/* A job that had to do with two such workers is not given to a third. */
static void test_twice_misled(void **arg)
{
	struct seat *seat = ready_seat();

	(void)arg;
	give(seat, 0, DOUBLE_WRONG_ID);
	assert_true(DOUBLE_UNTIL(fate[0] != NONE));
	assert_int_equal(fate[0], UNSTARTED);
	assert_true(DOUBLE_UNTIL(seat_ready(seat)));
	give(seat, 0, DOUBLE_WRONG_ID);
	assert_true(DOUBLE_UNTIL(fate[0] != NONE));
	assert_int_equal(fate[0], FAILED);
	works(seat);
}

/* Among many ids no two are alike, nor is one near the other. */
static void test_ids_are_not_to_be_guessed(void **arg)
{
	struct seat *seat = ready_seat();
	uint64_t last = 0;

	(void)arg;
	for (int i = 0; i < 100; i++) {
		uint64_t id, apart;

		assert_int_equal(give(seat, 0, DOUBLE_ANSWERS), 1);
		id = jobs[0].wire.id;
		apart = id > last ? id - last : last - id;
		assert_true(apart > 1000000);
		last = id;
		assert_true(DOUBLE_UNTIL(fate[0] == DONE));
	}
}

/* It has its bound, and says when it takes more. */
static void test_a_full_seat(void **arg)
{
	struct seat *seat = ready_seat();
	int result = 0, num = 1, before;

	(void)arg;
	give(seat, 0, DOUBLE_WAITS);
	for (; seat_ready(seat); num += result >= 0)
		result = give(seat, (uint64_t)num, DOUBLE_ANSWERS);
	assert_int_equal(result, -EAGAIN);
	assert_true(num > 8 && num <= SEAT_JOBS_MAX);
	before = changed;
	seat_kill(seat, &jobs[0]);
	assert_true(changed > before);
	assert_int_equal(fate[num - 1], UNSTARTED);
	works(seat);
}

static void test_retired_with_a_job(void **arg)
{
	struct seat *seat = ready_seat();

	(void)arg;
	give(seat, 0, DOUBLE_ANSWERS);
	seat_retire(seat);
	assert_true(DOUBLE_UNTIL(fate[0] != NONE));
	assert_int_equal(fate[0], DONE);
}

static void test_retired_with_a_job_that_kills_its_worker(void **arg)
{
	struct seat *seat = ready_seat();

	(void)arg;
	give(seat, 0, DOUBLE_DIES);
	seat_retire(seat);
	assert_true(DOUBLE_UNTIL(fate[0] != NONE));
	assert_int_equal(fate[0], DIED);
}

static void test_retired_while_it_waits(void **arg)
{
	struct seat *seat = seat_new(set, DOUBLE_HANGS);

	(void)arg;
	assert_false(seat_ready(seat));
	seat_retire(seat);
}

static void test_each_seat_has_a_worker_of_its_own(void **arg)
{
	struct seat *first = ready_seat(), *second = ready_seat();

	(void)arg;
	give(first, 0, DOUBLE_WAITS);
	give(second, 1, DOUBLE_ANSWERS);
	assert_true(DOUBLE_UNTIL(fate[1] == DONE));
	assert_int_equal(fate[0], NONE);
}

static void test_trouble(void **arg)
{
	struct seat *seat = seat_new(set, DOUBLE_REFUSES);

	(void)arg;
	assert_false(executors_settled(executors));
	assert_true(DOUBLE_UNTIL(seat_trouble(seat) != NULL));
	assert_string_equal(seat_trouble(seat), "it does not want to");
	assert_string_equal(executors_trouble(executors, DOUBLE_REFUSES), "it does not want to");
	assert_null(executors_trouble(executors, DOUBLE_GOOD));
	assert_true(executors_settled(executors));
	assert_true(changed > 0);
}

static void test_late(void **arg)
{
	struct seat *seat;

	(void)arg;
	executors_set_start_deadline(executors, UTIL_NS_PER_S / 10);
	seat = seat_new(set, DOUBLE_HANGS);
	assert_true(DOUBLE_UNTIL(seat_trouble(seat) != NULL));
	assert_non_null(strstr(seat_trouble(seat), "not ready in time"));
}

static void test_silent(void **arg)
{
	struct seat *seat = seat_new(set, DOUBLE_ENDS);

	(void)arg;
	assert_true(DOUBLE_UNTIL(seat_trouble(seat) != NULL));
	assert_string_equal(seat_trouble(seat), "the worker process ended as it started");
}

#define SEAT_TEST(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SEAT_TEST(test_jobs_in_their_order),
		SEAT_TEST(test_what_lies_unread_is_taken),
		SEAT_TEST(test_a_job_kills_the_worker),
		SEAT_TEST(test_a_worker_forks_and_ends),
		SEAT_TEST(test_the_running_job_is_killed),
		SEAT_TEST(test_a_waiting_job_is_killed),
		SEAT_TEST(test_it_misbehaves),
		SEAT_TEST(test_twice_misled),
		SEAT_TEST(test_ids_are_not_to_be_guessed),
		SEAT_TEST(test_a_full_seat),
		SEAT_TEST(test_retired_with_a_job),
		SEAT_TEST(test_retired_with_a_job_that_kills_its_worker),
		SEAT_TEST(test_retired_while_it_waits),
		SEAT_TEST(test_each_seat_has_a_worker_of_its_own),
		SEAT_TEST(test_trouble),
		SEAT_TEST(test_late),
		SEAT_TEST(test_silent),
	};
	int status = double_role(argc, argv);

	if (status >= 0)
		return status;
	return cmocka_run_group_tests_name("seat", tests, double_set_up, double_tear_down);
}
