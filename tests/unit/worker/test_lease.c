/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lease.c - what a program's worker holds back without a lease, and for want of room in flight */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "common/cuda/cuda_abi.h"
#include "tests/unit/worker/guest.h"
#include "tests/unit/worker/kernels.h"
#include "worker/drain.h"
#include "worker/flight.h"
#include "worker/lease.h"

/* The broker's side: pages, and what the worker has said. */
static struct lease_page page;
static struct lease_claims claims;
static volatile unsigned said[PROGRAM_DRAINING + 1];
static volatile uint64_t said_number;

static void hear(const struct program_state *state)
{
	said_number = state->lease;
	__atomic_add_fetch(&said[state->what], 1, __ATOMIC_RELEASE);
}

static unsigned heard(enum program_state_what what)
{
	return __atomic_load_n(&said[what], __ATOMIC_ACQUIRE);
}

static uint64_t flag_at;
static volatile uint32_t *flag;

static uint32_t held(void)
{
	return __atomic_load_n(&claims.held, __ATOMIC_ACQUIRE);
}

/* Opens a program with two streams and the kernels spin (1) and fill (2), and no lease. */
static void open_without_lease(struct guest *guest, uint32_t in_flight_us, uint32_t yield_us)
{
	guest_open(guest, "cpu memory=64M processors=2", 4);
	page = (struct lease_page){
		.idle_us = 50, .in_flight_us = in_flight_us, .yield_us = yield_us, .contended = 1
	};
	memset(&claims, 0, sizeof(claims));
	memset((void *)said, 0, sizeof(said));
	assert_int_equal(lease_begin(&guest->program->lease, &page, &claims, hear), 0);
	guest_run(guest, 100);
	assert_int_equal(guest_load(guest, 1, 1, kernels_spin), CUDA_SUCCESS);
	assert_int_equal(guest_function(guest, 1, 1, 1, "spin"), CUDA_SUCCESS);
	assert_int_equal(guest_load(guest, 1, 2, kernels_fill), CUDA_SUCCESS);
	assert_int_equal(guest_function(guest, 1, 2, 2, "fill"), CUDA_SUCCESS);
	for (uint32_t i = 1; i <= 2; i++)
		assert_int_equal(
			ASK(guest, 0, NULL, STREAM_CREATE, stream_create, .stream = i, .flags = 1),
			CUDA_SUCCESS);
	flag_at = guest->address + GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS;
	flag = (volatile uint32_t *)(guest->view + GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS);
	assert_int_equal(heard(PROGRAM_WANTS), 0); /* nothing of that is work */
}

static void kick(const struct guest *guest)
{
	const uint64_t one = 1;

	assert_int_equal(write(guest->kick, &one, sizeof(one)), sizeof(one));
}

static void grant(const struct guest *guest, uint64_t number)
{
	lease_page_store(&page.grant, number);
	kick(guest);
}

static void ask_back(const struct guest *guest, uint64_t number)
{
	lease_page_store(&page.grant, 0);
	lease_page_store(&page.asked, number);
	kick(guest);
}

static void fill(struct guest *guest, uint32_t stream, uint64_t to)
{
	const struct kernels_fill_parameters parameters = { .to = to };

	guest_launch(guest, VGPU_NO_REPLY, 2, stream, 1, 1, &parameters, sizeof(parameters));
}

static void spin(struct guest *guest, uint32_t stream)
{
	guest_launch(guest, VGPU_NO_REPLY, 1, stream, 1, 1, &flag_at, sizeof(flag_at));
}

static CUresult query(struct guest *guest, uint32_t stream)
{
	return (CUresult)ASK(guest, 0, NULL, STREAM_QUERY, stream_query, .stream = stream);
}

static void synchronize(struct guest *guest, uint32_t stream)
{
	assert_int_equal(
		ASK(guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = stream),
		CUDA_SUCCESS);
}

static void test_without_a_lease_work_waits_and_questions_do_not(void **state)
{
	struct guest guest;
	uint64_t to, other;

	(void)state;
	open_without_lease(&guest, 1000, 10000);
	to = guest_allocate(&guest, 4096);
	other = guest_allocate(&guest, 4096);
	fill(&guest, 1, to);
	fill(&guest, 1, to);
	assert_int_equal(query(&guest, 1), CUDA_ERROR_NOT_READY);
	assert_int_equal(query(&guest, 2), CUDA_SUCCESS);
	assert_true(heard(PROGRAM_WANTS) == 1 && held() == 2 && claims.busy == 1);
	/* Copies need no lease, on a stream with nothing held back. */
	assert_int_equal(ASK(&guest, 0, NULL, COPY_WAIT, copy_wait, .from = to, .to = other,
			     .bytes = 64, .stream = 2),
			 CUDA_SUCCESS);
	SEND(&guest, 5, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 1);
	assert_int_equal(query(&guest, 2), CUDA_SUCCESS);
	assert_false(guest_is_done(&guest, 5));
	grant(&guest, 7);
	assert_int_equal(guest_wait(&guest, 5, NULL), CUDA_SUCCESS);
	assert_int_equal(query(&guest, 1), CUDA_SUCCESS);
	assert_int_equal(held(), 0);
	/* Others want it, and it has nothing to do. */
	UNTIL(heard(PROGRAM_RETURNED) == 1);
	assert_true(said_number == 7 && claims.busy == 0);
	guest_close(&guest);
}

/*
 * Copies of any stream wait behind held work of the legacy stream, and its own behind that of any
 * stream.
 */
static void test_the_legacy_stream_orders_copies(void **state)
{
	static const uint32_t streams[][2] = { { VGPU_STREAM_LEGACY, 2 },
					       { 1, VGPU_STREAM_LEGACY } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct guest guest;
		uint64_t to, other;

		open_without_lease(&guest, 1000, 10000);
		to = guest_allocate(&guest, 4096);
		other = guest_allocate(&guest, 4096);
		fill(&guest, streams[i][0], to);
		SEND(&guest, 5, COPY_WAIT, copy_wait, .from = to, .to = other, .bytes = 64,
		     .stream = streams[i][1]);
		assert_int_equal(query(&guest, streams[i][0]), CUDA_ERROR_NOT_READY);
		assert_false(guest_is_done(&guest, 5));
		assert_int_equal(held(), 2);
		grant(&guest, 7);
		assert_int_equal(guest_wait(&guest, 5, NULL), CUDA_SUCCESS);
		guest_close(&guest);
	}
}

/* What was submitted is waited for, and handles that nothing held back changes can be used. */
static void test_what_is_held_back_keeps_only_what_depends_on_it(void **state)
{
	struct guest guest;
	uint64_t to;

	(void)state;
	open_without_lease(&guest, 1000, 10000);
	to = guest_allocate(&guest, 4096);
	for (uint32_t event = 1; event <= 2; event++)
		assert_int_equal(ASK(&guest, 0, NULL, EVENT_CREATE, event_create, .event = event),
				 CUDA_SUCCESS);
	page.idle_us = 60000000; /* it keeps its lease, however late the next command comes */
	grant(&guest, 7);
	fill(&guest, 1, to);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_RECORD, event_record, .event = 1, .stream = 1),
			 CUDA_SUCCESS);
	page.idle_us = 50;
	kick(&guest);
	UNTIL(heard(PROGRAM_RETURNED) == 1);
	fill(&guest, 1, to);
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 2, .stream = 1);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_SYNCHRONIZE, event_synchronize, .event = 1),
			 CUDA_SUCCESS);
	assert_int_equal(held(), 2);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_QUERY, event_query, .event = 1), CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_QUERY, event_query, .event = 2),
			 CUDA_ERROR_NOT_READY);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_ELAPSED, event_elapsed, .start = 1, .end = 2),
			 CUDA_ERROR_NOT_READY);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_CREATE, event_create, .event = 3),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_CREATE, stream_create, .stream = 3),
			 CUDA_SUCCESS);
	assert_int_equal(guest_load(&guest, 1, 3, kernels_fill), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 3, 3, "fill"), CUDA_SUCCESS);
	/* It ends the event that is to be recorded, and its number is to be another one's. */
	SEND(&guest, VGPU_NO_REPLY, EVENT_DESTROY, event_destroy, .event = 2);
	SEND(&guest, 5, EVENT_CREATE, event_create, .event = 2);
	SEND(&guest, 6, EVENT_SYNCHRONIZE, event_synchronize, .event = 2);
	SEND(&guest, 7, MODULE_UNLOAD, module_unload, .module = 2);
	SEND(&guest, 8, MEMORY_FREE, memory_free, .address = to);
	assert_int_equal(query(&guest, 1), CUDA_ERROR_NOT_READY);
	for (uint32_t slot = 5; slot <= 8; slot++)
		assert_false(guest_is_done(&guest, slot));
	assert_int_equal(held(), 7);
	grant(&guest, 8);
	for (uint32_t slot = 5; slot <= 8; slot++)
		assert_int_equal(guest_wait(&guest, slot, NULL), CUDA_SUCCESS);
	assert_int_equal(held(), 0);
	guest_close(&guest);
}

/* One that has rested for long each time gives its lease back sooner, until it goes on at once. */
static void test_long_rests_are_noticed(void **state)
{
	struct guest guest;
	uint64_t to;

	(void)state;
	open_without_lease(&guest, 1000, 10000);
	page.idle_us = 1;
	to = guest_allocate(&guest, 4096);
	for (unsigned i = 1; i <= 3; i++) {
		usleep(10);
		fill(&guest, 1, to);
		UNTIL(heard(PROGRAM_WANTS) == i);
		grant(&guest, 7 + i);
		UNTIL(heard(PROGRAM_RETURNED) == i);
	}
	usleep(10);
	fill(&guest, 1, to);
	UNTIL(heard(PROGRAM_WANTS) == 4);
	assert_int_equal(guest.program->lease.long_rests, 3);
	page.idle_us = 60000000; /* what comes within a minute has come at once */
	grant(&guest, 11);
	UNTIL(heard(PROGRAM_RETURNED) == 4);
	fill(&guest, 1, to);
	UNTIL(heard(PROGRAM_WANTS) == 5);
	assert_int_equal(guest.program->lease.long_rests, 0);
	guest_close(&guest);
}

/* A time is asked for by each look, and only a change of the page begins it. */
static void test_a_worker_stays_awake_for_a_while(void **state)
{
	struct lease_page its = { .soon = 0 };
	struct lease lease = { .page = &its };
	struct lease_held work;

	(void)state;
	its.soon = 1;
	assert_false(lease_is_soon(&lease, 1000)); /* it wants nothing */
	its.soon = 0;
	lease.held.first = &work;
	assert_false(lease_is_soon(&lease, 1000));
	its.soon = 1;
	assert_true(lease_is_soon(&lease, 1000));
	assert_true(lease_is_soon(&lease, 999 + LEASE_SOON_NS));
	assert_false(lease_is_soon(&lease, 1000 + LEASE_SOON_NS));
	its.soon = 2;
	assert_true(lease_is_soon(&lease, 1001 + LEASE_SOON_NS));
	lease.page = NULL;
	assert_false(lease_is_soon(&lease, 1001 + LEASE_SOON_NS));
}

static void test_a_lease_is_given_back_when_asked(void **state)
{
	struct guest guest;
	uint64_t to;

	(void)state;
	open_without_lease(&guest, 1000, 10000);
	to = guest_allocate(&guest, 4096);
	grant(&guest, 7);
	*flag = 0;
	spin(&guest, 1);
	assert_int_equal(query(&guest, 1), CUDA_ERROR_NOT_READY);
	ask_back(&guest, 7);
	UNTIL(heard(PROGRAM_ACKED) == 1);
	fill(&guest, 2, to); /* from now on */
	assert_int_equal(query(&guest, 2), CUDA_ERROR_NOT_READY);
	assert_true(held() == 1 && heard(PROGRAM_DRAINED) == 0 && heard(PROGRAM_WANTS) == 1);
	*flag = 1;
	UNTIL(heard(PROGRAM_DRAINED) == 1);
	assert_true(said_number == 7 && held() == 1 && claims.busy == 1);
	grant(&guest, 8);
	synchronize(&guest, 2);
	assert_int_equal(heard(PROGRAM_ACKED), 1);
	guest_close(&guest);
}

/* The issuing thread may be in a call of the driver's for long: another one acknowledges for it. */
static void test_another_thread_acknowledges(void **state)
{
	struct guest guest;

	(void)state;
	open_without_lease(&guest, 1000, 10000);
	grant(&guest, 7);
	*flag = 0;
	spin(&guest, 1);
	assert_int_equal(query(&guest, 1), CUDA_ERROR_NOT_READY);
	lease_page_store(&page.grant, 0);
	lease_acknowledge(&guest.program->lease);
	assert_int_equal(heard(PROGRAM_ACKED), 0); /* nobody has asked */
	lease_page_store(&page.asked, 7);
	lease_acknowledge(&guest.program->lease);
	lease_acknowledge(&guest.program->lease);
	assert_true(heard(PROGRAM_ACKED) == 1 && said_number == 7);
	kick(&guest);
	assert_int_equal(query(&guest, 1), CUDA_ERROR_NOT_READY);
	assert_int_equal(heard(PROGRAM_DRAINED), 0);
	*flag = 1;
	UNTIL(heard(PROGRAM_DRAINED) == 1);
	assert_int_equal(heard(PROGRAM_ACKED), 1); /* once for both */
	guest_close(&guest);
}

/* One that has its lease says nothing, however often it rests, and is asked for it while it rests. */
static void test_a_lone_program_is_silent(void **state)
{
	struct guest guest;
	uint64_t to;

	(void)state;
	open_without_lease(&guest, 1000, 10000);
	page.contended = 0;
	to = guest_allocate(&guest, 4096);
	grant(&guest, 7);
	for (int i = 0; i < 3; i++) {
		fill(&guest, 1, to);
		synchronize(&guest, 1);
		UNTIL(__atomic_load_n(&claims.busy, __ATOMIC_ACQUIRE) == 0);
	}
	for (int what = PROGRAM_WANTS; what <= PROGRAM_DRAINED; what++)
		assert_int_equal(said[what], 0);
	assert_true(claims.idle_ns > 0 && claims.idle_since_ns > 0);
	lease_page_store(&page.grant, 0); /* as vgpud takes it from one that rests */
	fill(&guest, 1, to);
	UNTIL(heard(PROGRAM_WANTS) == 1);
	grant(&guest, 8);
	synchronize(&guest, 1);
	guest_close(&guest);
}

/*
 * The broker takes the lease of one that rests, is stopped, finds that it went on meanwhile, and gives
 * the same lease back. It forgets that it was wanted then; the next time it has to hear it.
 */
static void test_a_lease_that_was_taken_in_vain_is_wanted_again(void **state)
{
	struct guest guest;
	uint64_t to;

	(void)state;
	open_without_lease(&guest, 1000, 10000);
	page.contended = 0;
	to = guest_allocate(&guest, 4096);
	grant(&guest, 7);
	for (unsigned i = 1; i <= 3; i++) {
		fill(&guest, 1, to);
		synchronize(&guest, 1);
		UNTIL(__atomic_load_n(&claims.busy, __ATOMIC_ACQUIRE) == 0);
		lease_page_store(&page.grant, 0);
		fill(&guest, 1, to);
		UNTIL(heard(PROGRAM_WANTS) == i);
		grant(&guest, 7);
	}
	synchronize(&guest, 1);
	guest_close(&guest);
}

/* A program that waits for an early event learns of it though later work waits for room. */
static void test_a_wait_waits_only_for_what_is_before_it(void **state)
{
	struct guest guest;
	uint64_t to;

	(void)state;
	open_without_lease(&guest, 1, 60000000);
	to = guest_allocate(&guest, 4096);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_CREATE, event_create, .event = 1),
			 CUDA_SUCCESS);
	*flag = 0;
	fill(&guest, 1, to);
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 1, .stream = 1);
	for (int i = 0; i < 10; i++)
		spin(&guest, 2);
	SEND(&guest, 5, EVENT_SYNCHRONIZE, event_synchronize, .event = 1);
	SEND(&guest, 6, EVENT_SYNCHRONIZE, event_synchronize, .event = 1);
	SEND(&guest, 7, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 1);
	SEND(&guest, 8, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 2);
	assert_int_equal(query(&guest, 1), CUDA_ERROR_NOT_READY);
	assert_int_equal(held(), 16);
	grant(&guest, 7);
	for (uint32_t slot = 5; slot <= 7; slot++)
		assert_int_equal(guest_wait(&guest, slot, NULL), CUDA_SUCCESS);
	assert_true(held() >= 9 && !guest_is_done(&guest, 8));
	*flag = 1;
	assert_int_equal(guest_wait(&guest, 8, NULL), CUDA_SUCCESS);
	assert_int_equal(held(), 0);
	guest_close(&guest);
}

/* What is not recorded yet, and an event of the same number that is made later, is waited for in turn. */
static void test_a_wait_does_not_overtake_its_own_record(void **state)
{
	struct guest guest;

	(void)state;
	open_without_lease(&guest, 1, 60000000);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_CREATE, event_create, .event = 1),
			 CUDA_SUCCESS);
	*flag = 0;
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 1, .stream = 1);
	spin(&guest, 1);
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 1, .stream = 1);
	SEND(&guest, 5, EVENT_SYNCHRONIZE, event_synchronize, .event = 1);
	assert_int_equal(query(&guest, 1), CUDA_ERROR_NOT_READY);
	grant(&guest, 7);
	UNTIL(held() == 0);
	assert_false(guest_is_done(&guest, 5));
	*flag = 1;
	assert_int_equal(guest_wait(&guest, 5, NULL), CUDA_SUCCESS);
	guest_close(&guest);
}

static struct program no_gpu;
static struct lease_page no_gpu_page;

/* A turn that begins at 1000 and lasts for that long. */
static void run_for(struct lease *lease, uint64_t ns)
{
	lease->turns.since_ns = 1000;
	drain_learn(lease, 1000 + ns);
}

/* Three turns that are as long as the one before say how long the next one is. */
static void test_the_end_of_a_turn_is_foreseen(void **state)
{
	struct lease *lease = &no_gpu.lease;

	(void)state;
	memset(&no_gpu, 0, sizeof(no_gpu));
	lease->page = &no_gpu_page;
	no_gpu_page.clear_ns = 900;
	for (int i = 0; i < 4; i++) {
		lease->turns.since_ns = 5000;
		assert_true(drain_left_ns(&no_gpu, 5000) == UINT64_MAX);
		run_for(lease, 800 + (uint64_t)i % 2);
	}
	assert_true(drain_left_ns(&no_gpu, 5000) == UINT64_MAX); /* none has begun */
	lease->turns.since_ns = 5000;
	assert_true(drain_left_ns(&no_gpu, 5000) == 800);
	assert_true(drain_left_ns(&no_gpu, 5300) == 500);
	assert_true(drain_left_ns(&no_gpu, 5900) == 0);
	assert_true(drain_left_ns(&no_gpu, 5901) == UINT64_MAX); /* another kind of turn */
	run_for(lease, 1000);
	lease->turns.since_ns = 5000;
	assert_true(drain_left_ns(&no_gpu, 5000) == UINT64_MAX);
	for (int i = 0; i < 4; i++)
		run_for(lease, 1000);
	lease->turns.since_ns = 5000;
	assert_true(drain_left_ns(&no_gpu, 5000) == 1000);
	no_gpu_page.clear_ns = 5200; /* until then the GPU worked for another one */
	assert_true(drain_left_ns(&no_gpu, 5300) == 900);
	no_gpu_page.clear_ns = 0; /* it still does */
	assert_true(drain_left_ns(&no_gpu, 5300) == UINT64_MAX);
	no_gpu_page.clear_ns = 900;
	drain_forget(lease);
	assert_true(drain_left_ns(&no_gpu, 5000) == UINT64_MAX);
}

/* It says that its work drains before that has ended; what is said of one turn is over with it. */
static void test_a_program_that_rests_gives_its_lease_back_early(void **state)
{
	struct guest guest;
	struct lease *lease;

	(void)state;
	open_without_lease(&guest, 1000, 10000);
	lease = &guest.program->lease;
	page.idle_us = 0; /* each rest is long */
	for (unsigned i = 1; i <= 2; i++) {
		*flag = 0;
		lease->long_rests = lease->turns.steady_runs =
			3; /* as after turns of a minute each */
		lease->turns.run_ns = 60 * UTIL_NS_PER_S;
		lease->turns.since_ns = 0;
		spin(&guest, 1);
		UNTIL(heard(PROGRAM_WANTS) == i);
		assert_int_equal(lease->turns.steady_runs, 3);
		page.clear_ns = 1;
		grant(&guest, 6 + i);
		UNTIL(lease->turns.since_ns != 0);
		lease->turns.since_ns -= 60 * UTIL_NS_PER_S; /* it should end now */
		UNTIL(heard(PROGRAM_DRAINING) == i);
		assert_true(said_number == 6 + i && heard(PROGRAM_DRAINED) == i - 1);
		*flag = 1;
		UNTIL(heard(PROGRAM_DRAINED) == i);
		assert_true(claims.busy == 0 && heard(PROGRAM_RETURNED) == 0);
	}
	guest_close(&guest);
}

static CUresult never_ready(struct gpu *gpu, CUevent asked)
{
	(void)gpu;
	(void)asked;
	return CUDA_ERROR_NOT_READY;
}

/* Of two long kernels the second goes shortly before the first ends, on its stream. */
static void test_the_second_of_two_long_kernels_goes_late(void **state)
{
	static struct lease_page its = { .in_flight_us = 1000, .yield_us = 60000000 };
	struct gpu_ops ops = { .event_query = never_ready };
	struct gpu gpu = { .ops = &ops };
	struct flight *flight = &no_gpu.lease.flight;
	const uint64_t long_ns = 60 * UTIL_NS_PER_S;

	(void)state;
	memset(&no_gpu, 0, sizeof(no_gpu));
	no_gpu.gpu = &gpu;
	no_gpu.lease.page = &its;
	assert_int_equal(flight_begin(flight), 0);
	flight->presses = true;
	flight->num = flight->streams[1].issued = flight->streams[1].marked = 1;
	flight->marker_num = 1;
	flight->markers[0] = (struct flight_marker){ .stream = 1, .live = true, .count = 1 };
	flight->each_ns = long_ns;
	flight->since_ns = flight->finished_ns = util_now_ns();
	assert_false(flight_has_room(&no_gpu, 1));
	assert_true(flight_has_room(&no_gpu, 2)); /* the first of its stream */
	assert_true(flight_left_ns(&no_gpu, flight->since_ns) == long_ns);
	flight->look_ns = 0;
	flight->since_ns -= long_ns; /* it is about to end */
	assert_true(flight_has_room(&no_gpu, 1));
	flight->since_ns += long_ns;
	flight->eager = 1; /* the last ones were not alike */
	assert_true(flight_has_room(&no_gpu, 1));
	flight->eager = 0;
	flight->bound = 3; /* a bound of time */
	assert_true(flight_has_room(&no_gpu, 1));
	free(flight->streams);
}

/* Rule 6: two kernels at least, and the first of a stream in any case. */
static void test_what_is_in_flight_is_bounded(void **state)
{
	struct guest guest;
	uint64_t to;

	(void)state;
	open_without_lease(&guest, 1, 60000000);
	to = guest_allocate(&guest, 4096);
	grant(&guest, 7);
	*flag = 0;
	for (int i = 0; i < 10; i++)
		spin(&guest, 1);
	assert_int_equal(query(&guest, 1), CUDA_ERROR_NOT_READY);
	assert_int_equal(held(), 8);
	fill(&guest, 2, to);
	/* It overtakes those of the other stream; but what comes behind an event waits. */
	UNTIL(query(&guest, 2) == CUDA_SUCCESS);
	assert_int_equal(held(), 8);
	assert_int_equal(heard(PROGRAM_WANTS), 0); /* it has the lease */
	*flag = 1;
	synchronize(&guest, 1);
	assert_int_equal(held(), 0);
	guest_close(&guest);
}

/* Kernels may wait for one that is held back: if nothing finishes the bound grows. */
static void test_the_bound_grows_when_nothing_finishes(void **state)
{
	struct guest guest;

	(void)state;
	open_without_lease(&guest, 1, 500);
	grant(&guest, 7);
	*flag = 0;
	for (int i = 0; i < 20; i++)
		spin(&guest, 1);
	UNTIL(held() == 0);
	assert_int_equal(query(&guest, 1), CUDA_ERROR_NOT_READY);
	*flag = 1;
	synchronize(&guest, 1);
	guest_close(&guest);
}

/* The order of what is held back is that of the ring: a thousand kernels add up as they should. */
static void test_a_flood_comes_through_whole(void **state)
{
	struct guest guest;
	uint64_t to;

	(void)state;
	open_without_lease(&guest, 100, 10000);
	to = guest_allocate(&guest, 4096);
	for (int i = 0; i < 1000; i++) {
		fill(&guest, 1 + i % 2, to);
		if (i == 300)
			grant(&guest, 7);
		if (i == 600)
			ask_back(&guest, 7);
		if (i == 900) {
			UNTIL(heard(PROGRAM_DRAINED) == 1);
			grant(&guest, 8);
		}
	}
	synchronize(&guest, 1);
	synchronize(&guest, 2);
	assert_true(held() == 0 && heard(PROGRAM_ACKED) == 1);
	assert_true(heard(PROGRAM_DRAINING) <= heard(PROGRAM_DRAINED));
	guest_close(&guest);
}

/* Waits for the end of the issuing thread, at most a minute. */
static enum vgpu_end end_of(struct guest *guest)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	assert_int_equal(pthread_timedjoin_np(guest->thread, NULL, &until), 0);
	guest->runs = false;
	return guest->end;
}

static void overwrite(unsigned field)
{
	uint64_t *const words[] = { &claims.idle_since_ns, &claims.idle_ns, &claims.held_ns };

	if (field == 0)
		claims.busy = 0;
	else if (field == 1)
		claims.held = 0;
	else if (field == 2)
		memset(&claims, 0xa5, sizeof(claims));
	else
		*words[field - 3] += 1;
}

static void test_one_whose_claims_are_overwritten_ends(void **state)
{
	(void)state;
	for (unsigned field = 0; field < 6; field++) {
		struct guest guest;

		open_without_lease(&guest, 1000, 10000);
		fill(&guest, 1, guest_allocate(&guest, 4096));
		UNTIL(heard(PROGRAM_WANTS) == 1);
		overwrite(field);
		/*
		 * It seems to rest: the broker gives it the lease and takes that at once, with one
		 * message.
		 */
		kick(&guest);
		assert_int_equal(end_of(&guest), VGPU_END_WORKER_LOST);
		guest_close(&guest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_lease_work_waits_and_questions_do_not),
		cmocka_unit_test(test_the_legacy_stream_orders_copies),
		cmocka_unit_test(test_what_is_held_back_keeps_only_what_depends_on_it),
		cmocka_unit_test(test_long_rests_are_noticed),
		cmocka_unit_test(test_a_worker_stays_awake_for_a_while),
		cmocka_unit_test(test_a_lease_is_given_back_when_asked),
		cmocka_unit_test(test_another_thread_acknowledges),
		cmocka_unit_test(test_a_lone_program_is_silent),
		cmocka_unit_test(test_a_lease_that_was_taken_in_vain_is_wanted_again),
		cmocka_unit_test(test_a_wait_waits_only_for_what_is_before_it),
		cmocka_unit_test(test_a_wait_does_not_overtake_its_own_record),
		cmocka_unit_test(test_the_end_of_a_turn_is_foreseen),
		cmocka_unit_test(test_a_program_that_rests_gives_its_lease_back_early),
		cmocka_unit_test(test_the_second_of_two_long_kernels_goes_late),
		cmocka_unit_test(test_what_is_in_flight_is_bounded),
		cmocka_unit_test(test_the_bound_grows_when_nothing_finishes),
		cmocka_unit_test(test_a_flood_comes_through_whole),
		cmocka_unit_test(test_one_whose_claims_are_overwritten_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
