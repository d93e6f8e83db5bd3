/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_streams.c - order on streams, the default stream's rules, events, host functions, the end */

#include "tests/unit/softgpu/device.h"

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ 0 });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

/* --- order ------------------------------------------------------------------------------- */

static void work_of_a_stream_runs_in_its_order(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);

	(void)state;
	rig_hold(&rig, stream, 0);
	rig_mark(&rig, stream, 1, 7);
	assert_int_equal(softgpu_stream_query(rig.gpu, stream), SOFTGPU_NOT_READY);
	assert_int_equal(rig_read(&rig, 1), 0);
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	assert_int_equal(rig_read(&rig, 1), 7);
	OK(softgpu_stream_query(rig.gpu, stream));
}

static void streams_run_beside_one_another(void **state)
{
	struct softgpu_stream *held = rig_stream(&rig, 0), *free_one = rig_stream(&rig, 0);

	(void)state;
	rig_hold(&rig, held, 0);
	rig_mark(&rig, free_one, 1, 7);
	OK(softgpu_stream_synchronize(rig.gpu, free_one));
	assert_int_equal(rig_read(&rig, 1), 7);
	assert_int_equal(softgpu_stream_query(rig.gpu, held), SOFTGPU_NOT_READY);
	rig_write(&rig, 0, 1);
	OK(softgpu_synchronize(rig.gpu));
}

static void the_legacy_stream_waits_for_blocking_ones_and_they_for_it(void **state)
{
	struct softgpu_stream *before = rig_stream(&rig, 0), *after = rig_stream(&rig, 0);
	struct softgpu_stream *apart = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);

	(void)state;
	rig_hold(&rig, before, 0);
	rig_mark(&rig, NULL, 1, 1);  /* waits for `before` */
	rig_mark(&rig, after, 2, 1); /* waits for the legacy stream */
	rig_mark(&rig, apart, 3, 1);
	OK(softgpu_stream_synchronize(rig.gpu, apart));
	assert_int_equal(rig_read(&rig, 3), 1);
	assert_int_equal(rig_read(&rig, 1), 0);
	assert_int_equal(rig_read(&rig, 2), 0);
	assert_int_equal(softgpu_stream_query(rig.gpu, SOFTGPU_STREAM_LEGACY), SOFTGPU_NOT_READY);
	assert_int_equal(softgpu_stream_query(rig.gpu, after), SOFTGPU_NOT_READY);
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, after));
	assert_int_equal(rig_read(&rig, 1), 1);
	assert_int_equal(rig_read(&rig, 2), 1);
}

static void the_legacy_stream_does_not_wait_for_non_blocking_ones(void **state)
{
	struct softgpu_stream *apart = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);

	(void)state;
	rig_hold(&rig, apart, 0);
	rig_mark(&rig, NULL, 1, 1);
	OK(softgpu_stream_synchronize(rig.gpu, NULL));
	assert_int_equal(rig_read(&rig, 1), 1);
	rig_write(&rig, 0, 1);
	OK(softgpu_synchronize(rig.gpu));
}

static void *query_own_default(void *argument)
{
	struct rig *shared = argument;

	return (void *)(intptr_t)softgpu_stream_query(shared->gpu, SOFTGPU_STREAM_PER_THREAD);
}

static void each_thread_has_its_own_default_stream(void **state)
{
	pthread_t other;
	void *queried;

	(void)state;
	rig_hold(&rig, SOFTGPU_STREAM_PER_THREAD, 0);
	assert_int_equal(softgpu_stream_query(rig.gpu, SOFTGPU_STREAM_PER_THREAD),
			 SOFTGPU_NOT_READY);
	assert_int_equal(pthread_create(&other, NULL, query_own_default, &rig), 0);
	pthread_join(other, &queried);
	assert_int_equal((intptr_t)queried, SOFTGPU_SUCCESS);
	rig_mark(&rig, NULL, 1, 1); /* it is a blocking stream */
	assert_int_equal(softgpu_stream_query(rig.gpu, NULL), SOFTGPU_NOT_READY);
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, NULL));
}

static void a_destroyed_stream_runs_to_its_end(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);

	(void)state;
	rig_hold(&rig, stream, 0);
	rig_mark(&rig, stream, 1, 7);
	OK(softgpu_stream_destroy(rig.gpu, stream));
	assert_int_equal(softgpu_stream_query(rig.gpu, stream), SOFTGPU_INVALID_HANDLE);
	assert_int_equal(softgpu_stream_destroy(rig.gpu, stream), SOFTGPU_INVALID_HANDLE);
	rig_write(&rig, 0, 1);
	OK(softgpu_synchronize(rig.gpu));
	assert_int_equal(rig_read(&rig, 1), 7);
}

static void a_thousand_streams_pass_a_value_on(void **state)
{
	enum { STREAMS = 1000 };
	static struct softgpu_stream *streams[STREAMS];
	struct softgpu_event *event = rig_event(&rig);
	uint64_t address, value;

	(void)state;
	OK(softgpu_mem_alloc(rig.gpu, (STREAMS + 1) * 4, &address));
	rig_write(&rig, 1, 4711);
	for (int i = 0; i < STREAMS; i++)
		streams[i] = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);
	rig_hold(&rig, streams[0], 0);
	OK(softgpu_memcpy_async(rig.gpu, address, rig_word(&rig, 1), 4, streams[0]));
	/* Each copies what the one before it copied. */
	for (int i = 0; i < STREAMS; i++) {
		if (i > 0)
			OK(softgpu_stream_wait_event(rig.gpu, streams[i], event));
		OK(softgpu_memcpy_async(rig.gpu, address + 4 * (i + 1), address + 4 * i, 4,
					streams[i]));
		OK(softgpu_event_record(rig.gpu, event, streams[i]));
	}
	assert_int_equal(softgpu_event_query(rig.gpu, event), SOFTGPU_NOT_READY);
	rig_write(&rig, 0, 1);
	OK(softgpu_event_synchronize(rig.gpu, event));
	value = 0;
	OK(softgpu_memcpy(rig.gpu, (uintptr_t)&value, address + 4 * STREAMS, 4));
	assert_int_equal(value, 4711);
	for (int i = 0; i < STREAMS; i++)
		OK(softgpu_stream_destroy(rig.gpu, streams[i]));
}

static void streams_say_what_they_are(void **state)
{
	struct softgpu_stream *stream;
	uint64_t id, other_id;
	uint32_t flags;
	int priority;

	(void)state;
	OK(softgpu_stream_create(rig.gpu, SOFTGPU_STREAM_NON_BLOCKING, -100, &stream));
	OK(softgpu_stream_priority(rig.gpu, stream, &priority));
	assert_int_equal(priority, SOFTGPU_PRIORITY_GREATEST);
	OK(softgpu_stream_flags(rig.gpu, stream, &flags));
	assert_int_equal(flags, SOFTGPU_STREAM_NON_BLOCKING);
	OK(softgpu_stream_id(rig.gpu, stream, &id));
	OK(softgpu_stream_id(rig.gpu, NULL, &other_id));
	assert_int_not_equal(id, other_id);
	assert_int_equal(softgpu_stream_create(rig.gpu, 2, 0, &stream), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_stream_destroy(rig.gpu, SOFTGPU_STREAM_LEGACY),
			 SOFTGPU_INVALID_HANDLE);
}

/* --- events ------------------------------------------------------------------------------ */

static void an_event_covers_what_was_before_it(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	struct softgpu_event *event = rig_event(&rig);

	(void)state;
	OK(softgpu_event_query(rig.gpu, event)); /* never recorded */
	OK(softgpu_event_synchronize(rig.gpu, event));
	rig_hold(&rig, stream, 0);
	OK(softgpu_event_record(rig.gpu, event, stream));
	rig_hold(&rig, stream, 1);
	assert_int_equal(softgpu_event_query(rig.gpu, event), SOFTGPU_NOT_READY);
	rig_write(&rig, 0, 1);
	OK(softgpu_event_synchronize(rig.gpu, event));
	OK(softgpu_event_query(rig.gpu, event));
	assert_int_equal(softgpu_stream_query(rig.gpu, stream), SOFTGPU_NOT_READY);
	rig_write(&rig, 1, 1);
	OK(softgpu_synchronize(rig.gpu));
}

static void a_wait_is_for_the_record_that_was_the_last_then(void **state)
{
	struct softgpu_stream *slow = rig_stream(&rig, 0), *quick = rig_stream(&rig, 0);
	struct softgpu_stream *waiting = rig_stream(&rig, 0);
	struct softgpu_event *event = rig_event(&rig);

	(void)state;
	rig_hold(&rig, slow, 0);
	OK(softgpu_event_record(rig.gpu, event, slow));
	OK(softgpu_stream_wait_event(rig.gpu, waiting, event));
	rig_mark(&rig, waiting, 1, 7);
	OK(softgpu_event_record(rig.gpu, event, quick));
	OK(softgpu_event_synchronize(rig.gpu, event)); /* of the second record */
	assert_int_equal(softgpu_stream_query(rig.gpu, waiting), SOFTGPU_NOT_READY);
	assert_int_equal(rig_read(&rig, 1), 0);
	OK(softgpu_event_destroy(rig.gpu, event)); /* the wait holds what it needs */
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, waiting));
	assert_int_equal(rig_read(&rig, 1), 7);
}

static void turn_clock(void *argument)
{
	struct rig *shared = argument;

	atomic_fetch_add(&shared->added_ns, 3600 * UTIL_NS_PER_S);
}

static void events_have_times(void **state)
{
	struct softgpu_event *start = rig_event(&rig), *end = rig_event(&rig), *untimed;
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	float ms;

	(void)state;
	assert_int_equal(softgpu_event_elapsed(rig.gpu, start, end, &ms), SOFTGPU_INVALID_HANDLE);
	rig_hold(&rig, stream, 0);
	OK(softgpu_event_record(rig.gpu, start, stream));
	OK(softgpu_stream_host_function(rig.gpu, stream, turn_clock, &rig));
	OK(softgpu_event_record(rig.gpu, end, stream));
	assert_int_equal(softgpu_event_elapsed(rig.gpu, start, end, &ms), SOFTGPU_NOT_READY);
	rig_write(&rig, 0, 1);
	OK(softgpu_event_synchronize(rig.gpu, end));
	OK(softgpu_event_elapsed(rig.gpu, start, end, &ms));
	assert_true(ms >= 3600.0f * 1000 && ms < 3660.0f * 1000);
	OK(softgpu_event_elapsed(rig.gpu, end, start, &ms));
	assert_true(ms <= -3600.0f * 1000);
	OK(softgpu_event_create(rig.gpu, SOFTGPU_EVENT_DISABLE_TIMING, &untimed));
	OK(softgpu_event_record(rig.gpu, untimed, stream));
	OK(softgpu_event_synchronize(rig.gpu, untimed));
	assert_int_equal(softgpu_event_elapsed(rig.gpu, start, untimed, &ms),
			 SOFTGPU_INVALID_HANDLE);
}

static void a_destroyed_event_is_told(void **state)
{
	struct softgpu_event *event = rig_event(&rig), *next;
	float ms;

	(void)state;
	OK(softgpu_event_destroy(rig.gpu, event));
	next = rig_event(&rig); /* takes its place in the table */
	assert_ptr_not_equal(event, next);
	assert_int_equal(softgpu_event_query(rig.gpu, event), SOFTGPU_INVALID_HANDLE);
	assert_int_equal(softgpu_event_record(rig.gpu, event, NULL), SOFTGPU_INVALID_HANDLE);
	assert_int_equal(softgpu_event_synchronize(rig.gpu, event), SOFTGPU_INVALID_HANDLE);
	assert_int_equal(softgpu_event_destroy(rig.gpu, event), SOFTGPU_INVALID_HANDLE);
	assert_int_equal(softgpu_stream_wait_event(rig.gpu, NULL, event), SOFTGPU_INVALID_HANDLE);
	assert_int_equal(softgpu_event_elapsed(rig.gpu, event, next, &ms), SOFTGPU_INVALID_HANDLE);
	/* A stream is no event. */
	assert_int_equal(softgpu_event_query(rig.gpu, (void *)rig_stream(&rig, 0)),
			 SOFTGPU_INVALID_HANDLE);
}

/* --- host functions ---------------------------------------------------------------------- */

struct asked {
	struct softgpu_stream *own, *other;
	struct softgpu_event *event;
	enum softgpu_result own_query, other_query, event_query, sync, own_sync, alloc, launch_like;
	uint64_t address;
	atomic_bool done;
};

static void ask(void *argument)
{
	struct asked *asked = argument;

	asked->own_query = softgpu_stream_query(rig.gpu, asked->own);
	asked->other_query = softgpu_stream_query(rig.gpu, asked->other);
	asked->event_query = softgpu_event_query(rig.gpu, asked->event);
	asked->sync = softgpu_synchronize(rig.gpu);
	asked->own_sync = softgpu_stream_synchronize(rig.gpu, asked->own);
	asked->alloc = softgpu_mem_alloc(rig.gpu, 100, &asked->address);
	asked->launch_like = softgpu_stream_write_value(rig.gpu, asked->other, rig_word(&rig, 2), 9,
							4);
	atomic_store(&asked->done, true);
}

static void a_host_function_may_ask_but_not_wait(void **state)
{
	struct asked asked = { .own = rig_stream(&rig, 0),
			       .other = rig_stream(&rig, 0),
			       .event = rig_event(&rig) };

	(void)state;
	rig_hold(&rig, asked.own, 0);
	OK(softgpu_stream_host_function(rig.gpu, asked.own, ask, &asked));
	OK(softgpu_event_record(rig.gpu, asked.event, asked.own));
	rig_mark(&rig, asked.own, 1, 7);
	assert_false(atomic_load(&asked.done));
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, asked.own));
	assert_true(atomic_load(&asked.done));
	assert_int_equal(asked.own_query, SOFTGPU_NOT_READY);
	assert_int_equal(asked.other_query, SOFTGPU_SUCCESS);
	assert_int_equal(asked.event_query, SOFTGPU_NOT_READY);
	assert_int_equal(asked.sync, SOFTGPU_NOT_PERMITTED);
	assert_int_equal(asked.own_sync, SOFTGPU_NOT_PERMITTED);
	assert_int_equal(asked.alloc, SOFTGPU_SUCCESS);
	assert_int_equal(asked.launch_like, SOFTGPU_SUCCESS);
	assert_int_equal(rig_read(&rig, 1), 7);
	OK(softgpu_synchronize(rig.gpu));
	assert_int_equal(rig_read(&rig, 2), 9);
}

/* --- values ------------------------------------------------------------------------------ */

static void waits_have_four_conditions(void **state)
{
	const struct {
		enum softgpu_wait condition;
		uint32_t not_yet, value, met;
	} rows[] = {
		{ SOFTGPU_WAIT_GEQ, 4, 5, 5 },
		{ SOFTGPU_WAIT_GEQ, 4, 5, 6 },
		{ SOFTGPU_WAIT_GEQ, 0xfffffff0u, 5, 0x7fffffffu }, /* cyclic */
		{ SOFTGPU_WAIT_EQ, 6, 5, 5 },
		{ SOFTGPU_WAIT_AND, 2, 5, 4 },
		{ SOFTGPU_WAIT_NOR, 0xfffffffau, 5, 0xfffffff0u },
	};
	struct softgpu_stream *stream = rig_stream(&rig, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_write(&rig, 0, rows[i].not_yet);
		OK(softgpu_stream_wait_value(rig.gpu, stream, rig_word(&rig, 0), rows[i].value, 4,
					     rows[i].condition));
		rig_mark(&rig, stream, 1, (uint32_t)i + 1);
		assert_int_equal(softgpu_stream_query(rig.gpu, stream), SOFTGPU_NOT_READY);
		rig_write(&rig, 0, rows[i].met);
		OK(softgpu_stream_synchronize(rig.gpu, stream));
		assert_int_equal(rig_read(&rig, 1), i + 1);
	}
}

static void values_of_eight_bytes_and_bad_ones(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	const uint64_t address = rig_word(&rig, 2);

	(void)state;
	OK(softgpu_stream_write_value(rig.gpu, stream, address, 0x123456789abcdefull, 8));
	OK(softgpu_stream_wait_value(rig.gpu, stream, address, 0x123456789abcdefull, 8,
				     SOFTGPU_WAIT_EQ));
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	assert_int_equal(rig_read(&rig, 2), 0x89abcdefu);
	assert_int_equal(softgpu_stream_write_value(rig.gpu, stream, address + 2, 0, 4),
			 SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_stream_write_value(rig.gpu, stream, 8, 0, 4),
			 SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_stream_write_value(rig.gpu, stream, address, 0, 2),
			 SOFTGPU_INVALID_VALUE);
	assert_int_equal(
		softgpu_stream_wait_value(rig.gpu, stream, address, 0, 4, (enum softgpu_wait)4),
		SOFTGPU_INVALID_VALUE);
}

/* --- the end ----------------------------------------------------------------------------- */

static void *synchronize(void *argument)
{
	struct rig *shared = argument;

	return (void *)(intptr_t)softgpu_synchronize(shared->gpu);
}

static void stop_wakes_waiting_calls_and_the_error_stays(void **state)
{
	struct softgpu_device_info info;
	struct softgpu_stream *stream = rig_stream(&rig, 0), *made;
	struct softgpu_event *event = rig_event(&rig);
	uint64_t address, total;
	pthread_t waiting;
	void *result;
	int value;

	(void)state;
	rig_hold(&rig, stream, 0);
	OK(softgpu_event_record(rig.gpu, event, stream));
	assert_int_equal(pthread_create(&waiting, NULL, synchronize, &rig), 0);
	softgpu_stop(rig.gpu);
	pthread_join(waiting, &result);
	assert_int_equal((intptr_t)result, SOFTGPU_DEINITIALIZED);
	assert_int_equal(softgpu_error(rig.gpu), SOFTGPU_DEINITIALIZED);
	assert_int_equal(softgpu_stream_query(rig.gpu, stream), SOFTGPU_DEINITIALIZED);
	assert_int_equal(softgpu_stream_create(rig.gpu, 0, 0, &made), SOFTGPU_DEINITIALIZED);
	assert_int_equal(softgpu_event_query(rig.gpu, event), SOFTGPU_DEINITIALIZED);
	assert_int_equal(softgpu_mem_alloc(rig.gpu, 4, &address), SOFTGPU_DEINITIALIZED);
	assert_int_equal(softgpu_mem_info(rig.gpu, &address, &total), SOFTGPU_DEINITIALIZED);
	assert_int_equal(softgpu_memcpy(rig.gpu, rig_word(&rig, 0), rig_word(&rig, 1), 4),
			 SOFTGPU_DEINITIALIZED);
	OK(softgpu_device_attribute(rig.gpu, 16, &value));
	assert_int_equal(value, 2);
	OK(softgpu_device_info(rig.gpu, &info));
	assert_string_equal(info.name, "softgpu (2 processors)");
	assert_true(info.memory_bytes == 64u << 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(work_of_a_stream_runs_in_its_order),
		TEST(streams_run_beside_one_another),
		TEST(the_legacy_stream_waits_for_blocking_ones_and_they_for_it),
		TEST(the_legacy_stream_does_not_wait_for_non_blocking_ones),
		TEST(each_thread_has_its_own_default_stream),
		TEST(a_destroyed_stream_runs_to_its_end),
		TEST(a_thousand_streams_pass_a_value_on),
		TEST(streams_say_what_they_are),
		TEST(an_event_covers_what_was_before_it),
		TEST(a_wait_is_for_the_record_that_was_the_last_then),
		TEST(events_have_times),
		TEST(a_destroyed_event_is_told),
		TEST(a_host_function_may_ask_but_not_wait),
		TEST(waits_have_four_conditions),
		TEST(values_of_eight_bytes_and_bad_ones),
		TEST(stop_wakes_waiting_calls_and_the_error_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
