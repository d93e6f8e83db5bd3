/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pool.c - each rule of starting workers, and random histories against a model */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vgpud/exec/pool.h"

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define DEADLINE (60 * S)

/* --- each rule --- */

/* A pool whose first worker is on its way since now_ns. */
static void start(struct exec_pool *pool, uint64_t now_ns)
{
	exec_pool_init(pool, now_ns);
	assert_int_equal(exec_pool_poll(pool, now_ns), EXEC_POOL_START);
	exec_pool_started(pool, now_ns + DEADLINE);
}

/* The next start comes so long after now_ns, and not before. */
static void starts_after(struct exec_pool *pool, uint64_t now_ns, uint64_t pause_ns)
{
	assert_int_equal(pool->next_ns, now_ns + pause_ns);
	if (pause_ns > 0)
		assert_int_equal(exec_pool_poll(pool, now_ns + pause_ns - 1), EXEC_POOL_WAIT);
	assert_int_equal(exec_pool_poll(pool, now_ns + pause_ns), EXEC_POOL_START);
	exec_pool_started(pool, now_ns + pause_ns + DEADLINE);
}

static void rule1_one_at_a_time_and_the_next_at_once(void **arg)
{
	struct exec_pool pool;

	(void)arg;
	start(&pool, 5);
	assert_int_equal(exec_pool_poll(&pool, 6), EXEC_POOL_WAIT);
	exec_pool_ready(&pool);
	assert_int_equal(pool.next_ns, EXEC_POOL_NEVER);
	assert_int_equal(exec_pool_poll(&pool, 1000 * S), EXEC_POOL_WAIT);
	exec_pool_taken(&pool, 1000 * S);
	starts_after(&pool, 1000 * S, 0);
}

static void rule2_pauses_double_up_to_the_most(void **arg)
{
	static const uint64_t pause_ms[] = { 100,  200,	  400,	 800,	1600,  3200,
					     6400, 12800, 25600, 30000, 30000, 30000 };
	struct exec_pool pool;
	uint64_t now_ns = 0;

	(void)arg;
	start(&pool, now_ns);
	for (size_t i = 0; i < sizeof(pause_ms) / sizeof(pause_ms[0]); i++) {
		exec_pool_failed(&pool, now_ns);
		starts_after(&pool, now_ns, pause_ms[i] * MS);
		now_ns += pause_ms[i] * MS;
	}
	exec_pool_ready(&pool);
	exec_pool_taken(&pool, now_ns);
	starts_after(&pool, now_ns, 0);
	exec_pool_failed(&pool, now_ns);
	starts_after(&pool, now_ns, 100 * MS);
}

static void rule3_silence_is_trouble_only_in_a_row(void **arg)
{
	struct exec_pool pool;

	(void)arg;
	start(&pool, 0);
	for (int i = 1; i < EXEC_POOL_SILENT_MAX; i++)
		assert_false(exec_pool_silent(&pool, 0));
	exec_pool_started(&pool, DEADLINE);
	exec_pool_ready(&pool);
	for (int i = 1; i < EXEC_POOL_SILENT_MAX; i++)
		assert_false(exec_pool_silent(&pool, 0));
	assert_true(exec_pool_silent(&pool, 0));
}

static void rule4_an_ailing_executor_starts_with_pauses(void **arg)
{
	struct exec_pool pool;

	(void)arg;
	start(&pool, 0);
	exec_pool_ready(&pool);
	exec_pool_taken(&pool, S);
	starts_after(&pool, S, 0);
	exec_pool_idle_died(&pool, 0, EXEC_POOL_SOUND_NS - 1);
	exec_pool_ready(&pool); /* which heals nothing: each of them got so far */
	exec_pool_taken(&pool, 2 * S);
	starts_after(&pool, 2 * S, 100 * MS);
	exec_pool_ready(&pool);
	exec_pool_taken(&pool, 3 * S);
	starts_after(&pool, 3 * S, 200 * MS);
	exec_pool_answered(&pool);
	exec_pool_ready(&pool);
	exec_pool_taken(&pool, 4 * S);
	starts_after(&pool, 4 * S, 0);
	exec_pool_ready(&pool);
	exec_pool_spare_died(&pool, 4 * S, 4 * S + EXEC_POOL_SOUND_NS); /* after a sound life */
	starts_after(&pool, 4 * S + EXEC_POOL_SOUND_NS, 100 * MS);
	assert_false(pool.ails);
}

static void rule5_the_dying_are_bounded(void **arg)
{
	struct exec_pool pool;
	uint64_t now_ns = 0;
	int waits = 0;

	(void)arg;
	start(&pool, 0);
	for (int i = 0; i < EXEC_POOL_DYING_MAX; i++)
		exec_pool_killed(&pool);
	exec_pool_failed(&pool, now_ns);
	while (now_ns = pool.next_ns, exec_pool_poll(&pool, now_ns) == EXEC_POOL_HELD)
		waits++;
	assert_true(waits > 3);
	assert_true(now_ns >= EXEC_POOL_CROWDED_NS);
	exec_pool_buried(&pool);
	assert_int_equal(exec_pool_poll(&pool, pool.next_ns), EXEC_POOL_START);
	/* Another time it begins to count anew. */
	now_ns = pool.next_ns;
	exec_pool_killed(&pool);
	assert_int_equal(exec_pool_poll(&pool, now_ns), EXEC_POOL_HELD);
}

static void rule6_late_is_given_up(void **arg)
{
	struct exec_pool pool;

	(void)arg;
	start(&pool, 0);
	assert_int_equal(exec_pool_poll(&pool, DEADLINE - 1), EXEC_POOL_WAIT);
	assert_int_equal(exec_pool_poll(&pool, DEADLINE), EXEC_POOL_LATE);
	exec_pool_failed(&pool, DEADLINE);
	starts_after(&pool, DEADLINE, 100 * MS);
}

/* --- random histories --- */

/*
 * The model keeps no state but what has happened, and each question is answered by reading all of
 * that again.
 */
enum what { INIT, STARTED, FAILED, SILENT, READY, TAKEN, SPARE_DIED, IDLE_DIED, ANSWERED, CROWDED };

#define EVENTS 400
#define HISTORIES 300

struct event {
	enum what what;
	uint64_t at_ns, ready_ns;
};

struct model {
	struct event event[EVENTS];
	int events;
	unsigned dying;
	unsigned seed;
};

static void log_event(struct model *m, enum what what, uint64_t at_ns, uint64_t ready_ns)
{
	m->event[m->events++] = (struct event){ what, at_ns, ready_ns };
}

static unsigned draw(struct model *m, unsigned below)
{
	return (unsigned)rand_r(&m->seed) % below;
}

static bool young(const struct event *e)
{
	return e->at_ns - e->ready_ns < EXEC_POOL_SOUND_NS;
}

/* Whether it ails after the first n events: the last word was a young death, not an answer. */
static bool ails(const struct model *m, int n)
{
	while (n-- > 0) {
		if (m->event[n].what == ANSWERED)
			return false;
		if (m->event[n].what == IDLE_DIED || m->event[n].what == SPARE_DIED)
			return young(&m->event[n]);
	}
	return false;
}

/* Whether pauses begin anew with event n. */
static bool resets(const struct model *m, int n)
{
	switch (m->event[n].what) {
	case ANSWERED:
		return true;
	case READY:
		return !ails(m, n);
	case IDLE_DIED:
	case SPARE_DIED:
		return !young(&m->event[n]);
	default:
		return false;
	}
}

static bool pauses(const struct model *m, int n)
{
	switch (m->event[n].what) {
	case FAILED:
	case SILENT:
	case SPARE_DIED:
	case CROWDED:
		return true;
	case TAKEN:
		return ails(m, n);
	default:
		return false;
	}
}

/* The pause that event n brought. */
static uint64_t pause_ns(const struct model *m, int n)
{
	uint64_t pause = 100 * MS;
	int from = n;

	/* A spare's death after a sound life counts anew with itself. */
	while (from > 0 && !resets(m, from))
		from--;
	for (; from < n; from++)
		if (pauses(m, from) && pause < 30 * S)
			pause *= 2;
	return pause < 30 * S ? pause : 30 * S;
}

/* When the next start is due by what has happened; the last event that matters says so. */
static uint64_t due_ns(const struct model *m)
{
	for (int n = m->events - 1; n >= 0; n--) {
		if (pauses(m, n))
			return m->event[n].at_ns + pause_ns(m, n);
		if (m->event[n].what == TAKEN || m->event[n].what == INIT)
			return m->event[n].at_ns;
	}
	return EXEC_POOL_NEVER;
}

static unsigned silent_in_a_row(const struct model *m)
{
	unsigned silent = 0;

	for (int n = m->events - 1; n >= 0 && m->event[n].what != READY; n--)
		silent += m->event[n].what == SILENT;
	return silent;
}

/* Since when the dying are too many: the first such look since the last start. */
static uint64_t crowded_since_ns(const struct model *m)
{
	uint64_t since_ns = EXEC_POOL_NEVER;

	for (int n = m->events - 1; n >= 0 && m->event[n].what != STARTED; n--)
		if (m->event[n].what == CROWDED)
			since_ns = m->event[n].at_ns;
	return since_ns;
}

struct history {
	struct exec_pool pool;
	struct model m;
	uint64_t now_ns, ready_ns, deadline_ns;
	int starts, crowded, late;
};

static void do_empty(struct history *h)
{
	uint64_t due = due_ns(&h->m);

	assert_int_equal(h->pool.next_ns, due);
	if (h->now_ns < due)
		assert_int_equal(exec_pool_poll(&h->pool, h->now_ns), EXEC_POOL_WAIT);
	if (h->now_ns < due || draw(&h->m, 4) > 0)
		h->now_ns = h->now_ns < due ? due : h->now_ns + draw(&h->m, 3) * S;
	if (h->m.dying >= EXEC_POOL_DYING_MAX) {
		enum exec_pool_step step = exec_pool_poll(&h->pool, h->now_ns);

		log_event(&h->m, CROWDED, h->now_ns, 0);
		assert_int_equal(step, h->now_ns - crowded_since_ns(&h->m) < EXEC_POOL_CROWDED_NS
					       ? EXEC_POOL_HELD
					       : EXEC_POOL_CROWDED);
		h->crowded += step == EXEC_POOL_CROWDED;
		return;
	}
	assert_int_equal(exec_pool_poll(&h->pool, h->now_ns), EXEC_POOL_START);
	h->starts++;
	if (draw(&h->m, 10) == 0) {
		exec_pool_failed(&h->pool, h->now_ns);
		log_event(&h->m, FAILED, h->now_ns, 0);
		return;
	}
	h->deadline_ns = h->now_ns + draw(&h->m, 5) * S;
	exec_pool_started(&h->pool, h->deadline_ns);
	log_event(&h->m, STARTED, h->now_ns, 0);
}

static void do_starting(struct history *h)
{
	bool trouble;

	h->now_ns += draw(&h->m, 3000) * MS;
	switch (draw(&h->m, 4)) {
	case 0:
		trouble = exec_pool_silent(&h->pool, h->now_ns);
		log_event(&h->m, SILENT, h->now_ns, 0);
		assert_int_equal(trouble, silent_in_a_row(&h->m) >= 3);
		break;
	case 1:
		assert_int_equal(exec_pool_poll(&h->pool, h->now_ns),
				 h->now_ns < h->deadline_ns ? EXEC_POOL_WAIT : EXEC_POOL_LATE);
		if (h->now_ns < h->deadline_ns)
			break;
		h->late++;
		exec_pool_killed(&h->pool);
		h->m.dying++;
		exec_pool_failed(&h->pool, h->now_ns);
		log_event(&h->m, FAILED, h->now_ns, 0);
		break;
	default:
		exec_pool_ready(&h->pool);
		log_event(&h->m, READY, h->now_ns, 0);
		h->ready_ns = h->now_ns;
	}
}

static void do_spare(struct history *h)
{
	h->now_ns += draw(&h->m, 40) * S;
	assert_int_equal(exec_pool_poll(&h->pool, h->now_ns), EXEC_POOL_WAIT);
	if (draw(&h->m, 3) > 0) {
		exec_pool_taken(&h->pool, h->now_ns);
		log_event(&h->m, TAKEN, h->now_ns, 0);
	} else {
		exec_pool_spare_died(&h->pool, h->ready_ns, h->now_ns);
		log_event(&h->m, SPARE_DIED, h->now_ns, h->ready_ns);
	}
}

/* The seats' events meanwhile. */
static void do_others(struct history *h)
{
	switch (draw(&h->m, 8)) {
	case 0:
		exec_pool_answered(&h->pool);
		log_event(&h->m, ANSWERED, h->now_ns, 0);
		break;
	case 1:
		if (h->ready_ns > 0) {
			exec_pool_idle_died(&h->pool, h->ready_ns, h->now_ns);
			log_event(&h->m, IDLE_DIED, h->now_ns, h->ready_ns);
		}
		break;
	case 2:
	case 3:
		exec_pool_killed(&h->pool);
		h->m.dying++;
		break;
	case 4:
		for (; h->m.dying > 0 && draw(&h->m, 20) > 0; h->m.dying--)
			exec_pool_buried(&h->pool);
		break;
	default:
		break;
	}
	assert_int_equal(h->pool.ails, ails(&h->m, h->m.events));
	assert_int_equal(h->pool.dying, h->m.dying);
}

static void random_histories_as_the_model(void **arg)
{
	int starts = 0, crowded = 0, late = 0;

	(void)arg;
	for (unsigned seed = 1; seed <= HISTORIES; seed++) {
		struct history h = { .m.seed = seed, .now_ns = seed };

		exec_pool_init(&h.pool, h.now_ns);
		log_event(&h.m, INIT, h.now_ns, 0);
		while (h.m.events < EVENTS - 4) {
			switch (h.pool.state) {
			case EXEC_POOL_EMPTY:
				do_empty(&h);
				break;
			case EXEC_POOL_STARTING:
				do_starting(&h);
				break;
			case EXEC_POOL_SPARE:
				do_spare(&h);
				break;
			}
			do_others(&h);
		}
		starts += h.starts;
		crowded += h.crowded;
		late += h.late;
	}
	/* The histories came everywhere. */
	assert_true(starts > 10 * HISTORIES);
	assert_true(crowded > HISTORIES / 4);
	assert_true(late > HISTORIES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule1_one_at_a_time_and_the_next_at_once),
		cmocka_unit_test(rule2_pauses_double_up_to_the_most),
		cmocka_unit_test(rule3_silence_is_trouble_only_in_a_row),
		cmocka_unit_test(rule4_an_ailing_executor_starts_with_pauses),
		cmocka_unit_test(rule5_the_dying_are_bounded),
		cmocka_unit_test(rule6_late_is_given_up),
		cmocka_unit_test(random_histories_as_the_model),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
