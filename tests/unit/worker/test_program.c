/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_program.c - a program through its ring, run by the worker's code on softgpu */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/worker/guest.h"
#include "tests/unit/worker/kernels.h"

/* fill into device memory, which comes back into the window. */
static void test_launch_and_copy(void **state)
{
	const uint32_t blocks = 4, threads = 64;
	struct kernels_fill_parameters parameters;
	struct guest guest;
	const uint32_t *got;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
	parameters.to = guest_allocate(&guest, 4 * blocks * threads);
	parameters.value = 1000;
	assert_int_equal(guest_load(&guest, 1, 7, kernels_fill), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 7, 9, "fill"), CUDA_SUCCESS);
	guest_launch(&guest, VGPU_NO_REPLY, 9, VGPU_STREAM_LEGACY, blocks, threads, &parameters,
		     12);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0),
			 CUDA_SUCCESS);
	assert_int_equal(
		ASK(&guest, 0, NULL, HOST_MAP, host_map, .at = GUEST_BULK_AT, .bytes = VGPU_PIECE),
		CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, COPY_WAIT, copy_wait,
			     .to = guest.address + GUEST_BULK_AT, .from = parameters.to,
			     .bytes = 4 * blocks * threads, .kind = VGPU_COPY_TO_WINDOW),
			 CUDA_SUCCESS);
	got = (const uint32_t *)(guest.view + GUEST_BULK_AT);
	for (uint32_t i = 0; i < blocks * threads; i++)
		assert_int_equal(got[i], 1000 + i);
	assert_int_equal(ASK(&guest, 0, NULL, MEMORY_FREE, memory_free, .address = parameters.to),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, MEMORY_FREE, memory_free, .address = parameters.to),
			 CUDA_ERROR_INVALID_VALUE);
	guest_close(&guest);
	assert_int_equal(guest.end, VGPU_END_BAD_COMMAND);
}

/* --- errors ------------------------------------------------------------------------------------ */

/* A command without a slot fails: the next wait says so, once. */
static void test_error_without_slot(void **state)
{
	struct guest guest;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
	SEND(&guest, VGPU_NO_REPLY, SET, set, .address = 4096, .width = 4, .rows = 1,
	     .element_bytes = 1);
	SEND(&guest, VGPU_NO_REPLY, STREAM_DESTROY, stream_destroy, .stream = 77);
	UNTIL(vgpu_ring_load(&guest.control->error) == CUDA_ERROR_INVALID_VALUE);
	/* Not of a wait: it keeps its own result. */
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_QUERY, stream_query, .stream = 0),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(vgpu_ring_load(&guest.control->error), CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0),
			 CUDA_SUCCESS);
	SEND(&guest, VGPU_NO_REPLY, EVENT_DESTROY, event_destroy, .event = 5);
	assert_int_equal(guest_ask(&guest, 0, VGPU_CMD_CONTEXT_SYNCHRONIZE, "", 0, NULL, 0, NULL),
			 CUDA_ERROR_INVALID_HANDLE);
	guest_close(&guest);
}

/* A kernel that faults ends the context: waits that are open, and all later commands. */
static void test_fault(void **state)
{
	struct guest guest;
	struct vgpu_reply reply;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
	assert_int_equal(
		ASK(&guest, 0, NULL, STREAM_CREATE, stream_create, .stream = 1, .flags = 1),
		CUDA_SUCCESS);
	assert_int_equal(guest_load(&guest, 1, 1, kernels_bad), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "bad"), CUDA_SUCCESS);
	guest_launch(&guest, VGPU_NO_REPLY, 1, 1, 1, 1, NULL, 0);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 1),
			 CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(vgpu_ring_load(&guest.control->sticky), CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(ASK(&guest, 2, NULL, MEMORY_ALLOC, memory_alloc, .bytes = 16),
			 CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(guest_load(&guest, 1, 2, kernels_fill), CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(guest_ask(&guest, 3, VGPU_CMD_NOP, "", 0, NULL, 0, &reply), CUDA_SUCCESS);
	guest_close(&guest);
}

/* The same with a fault that shows late, while the program waits for an event on another stream. */
static void test_late_fault(void **state)
{
	struct guest guest;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2 fault-late=100");
	for (uint32_t i = 1; i <= 2; i++)
		assert_int_equal(
			ASK(&guest, 0, NULL, STREAM_CREATE, stream_create, .stream = i, .flags = 1),
			CUDA_SUCCESS);
	SEND(&guest, VGPU_NO_REPLY, EVENT_CREATE, event_create, .event = 1);
	assert_int_equal(guest_load(&guest, 1, 1, kernels_bad), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "bad"), CUDA_SUCCESS);
	guest_launch(&guest, VGPU_NO_REPLY, 1, 1, 1, 1, NULL, 0);
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 1, .stream = 1);
	SEND(&guest, 0, EVENT_SYNCHRONIZE, event_synchronize, .event = 1);
	SEND(&guest, 2, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 1);
	assert_int_equal(guest_wait(&guest, 0, NULL), CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(guest_wait(&guest, 2, NULL), CUDA_ERROR_ILLEGAL_ADDRESS);
	guest_close(&guest);
}

/* --- what must not wait for one another -------------------------------------------------------- */

/*
 * A kernel spins on a word of the window. Threads of the program free memory and load a module, which
 * wait for it as with a real driver; launches, copies and waits on other streams go on all the same.
 */
static void test_spinning_kernel(void **state)
{
	volatile uint32_t *flag;
	struct kernels_fill_parameters parameters;
	struct guest guest;
	uint64_t spare, flag_at;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2 block-free");
	assert_int_equal(guest_load(&guest, 1, 1, kernels_spin), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "spin"), CUDA_SUCCESS);
	assert_int_equal(guest_load(&guest, 1, 2, kernels_fill), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 2, 2, "fill"), CUDA_SUCCESS);
	for (uint32_t i = 1; i <= 2; i++)
		assert_int_equal(
			ASK(&guest, 0, NULL, STREAM_CREATE, stream_create, .stream = i, .flags = 1),
			CUDA_SUCCESS);
	parameters.to = guest_allocate(&guest, 4096);
	spare = guest_allocate(&guest, 4096);
	flag_at = GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS;
	flag = (volatile uint32_t *)(guest.view + flag_at);
	flag_at += guest.address;
	guest_launch(&guest, VGPU_NO_REPLY, 1, 1, 1, 1, &flag_at, sizeof(flag_at));

	/* These wait: threads 10 to 12 of the program. */
	guest_send(&guest, VGPU_CMD_MEMORY_FREE, 10, 10,
		   &(struct vgpu_cmd_memory_free){ .address = spare },
		   sizeof(struct vgpu_cmd_memory_free), NULL, 0);
	memcpy(guest.view + GUEST_BULK_AT, kernels_fill, sizeof(kernels_fill));
	guest_send(&guest, VGPU_CMD_MODULE_LOAD, 11, 11,
		   &(struct vgpu_cmd_module_load){
			   .at = GUEST_BULK_AT, .bytes = sizeof(kernels_fill), .module = 3 },
		   sizeof(struct vgpu_cmd_module_load), NULL, 0);
	guest_send(&guest, VGPU_CMD_CONTEXT_SYNCHRONIZE, 12, 12, "", 0, NULL, 0);
	SEND(&guest, 13, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 1);

	/* And these do not. */
	for (uint32_t i = 0; i < 50; i++) {
		parameters.value = i;
		guest_launch(&guest, VGPU_NO_REPLY, 2, 2, 1, 32, &parameters, 12);
		assert_int_equal(
			ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 2),
			CUDA_SUCCESS);
	}
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_QUERY, stream_query, .stream = 1),
			 CUDA_ERROR_NOT_READY);
	for (uint32_t slot = 10; slot <= 13; slot++)
		assert_false(guest_is_done(&guest, slot));
	*flag = 1;
	for (uint32_t slot = 10; slot <= 13; slot++)
		assert_int_equal(guest_wait(&guest, slot, NULL), CUDA_SUCCESS);
	guest_close(&guest);
}

/* More threads than helpers: the 17th waits for its turn, the issuing thread does not. */
static void test_more_threads_than_helpers(void **state)
{
	const uint32_t num = HELPERS_MOST + 8;
	uint64_t flag_at = VGPU_WINDOW_BAND_FIRST + GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS;
	struct guest guest;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, kernels_spin), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "spin"), CUDA_SUCCESS);
	guest_launch(&guest, VGPU_NO_REPLY, 1, 0, 1, 1, &flag_at, sizeof(flag_at));
	for (uint32_t i = 0; i < num; i++)
		guest_send(&guest, VGPU_CMD_CONTEXT_SYNCHRONIZE, (uint16_t)i, 10 + i, "", 0, NULL,
			   0);
	assert_int_equal(guest_ask(&guest, 0, VGPU_CMD_NOP, "", 0, NULL, 0, NULL), CUDA_SUCCESS);
	assert_false(guest_is_done(&guest, 10));
	guest.view[GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS] = 1;
	for (uint32_t i = 0; i < num; i++)
		assert_int_equal(guest_wait(&guest, 10 + i, NULL), CUDA_SUCCESS);
	guest_close(&guest);
}

/* Commands of one thread that block come one after the other: free, then what it freed is gone. */
static void test_order_of_a_thread(void **state)
{
	struct guest guest;
	uint64_t at;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
	for (uint32_t i = 0; i < 50; i++) {
		at = guest_allocate(&guest, 64);
		for (uint32_t slot = 1; slot <= 3; slot++)
			SEND(&guest, slot, MEMORY_FREE, memory_free, .address = at);
		assert_int_equal(guest_wait(&guest, 1, NULL), CUDA_SUCCESS);
		assert_int_equal(guest_wait(&guest, 2, NULL), CUDA_ERROR_INVALID_VALUE);
		assert_int_equal(guest_wait(&guest, 3, NULL), CUDA_ERROR_INVALID_VALUE);
	}
	guest_close(&guest);
}

/* Waits of every kind on a GPU that cannot write values; stream 1 has a kernel that spins. */
static void test_no_write_values(void **state)
{
	uint64_t flag_at = VGPU_WINDOW_BAND_FIRST + GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS;
	uint64_t own = flag_at + VGPU_PAGE;
	struct guest guest;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2 no-write-values");
	assert_int_equal(guest_load(&guest, 1, 1, kernels_spin), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "spin"), CUDA_SUCCESS);
	assert_int_equal(
		ASK(&guest, 0, NULL, STREAM_CREATE, stream_create, .stream = 1, .flags = 1),
		CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_CREATE, event_create, .event = 1),
			 CUDA_SUCCESS);
	guest_launch(&guest, VGPU_NO_REPLY, 1, 1, 1, 1, &flag_at, sizeof(flag_at));
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 1, .stream = 1);
	guest_send(&guest, VGPU_CMD_STREAM_SYNCHRONIZE, 10, 10,
		   &(struct vgpu_cmd_stream_synchronize){ .stream = 1 },
		   sizeof(struct vgpu_cmd_stream_synchronize), NULL, 0);
	guest_send(&guest, VGPU_CMD_EVENT_SYNCHRONIZE, 11, 11,
		   &(struct vgpu_cmd_event_synchronize){ .event = 1 },
		   sizeof(struct vgpu_cmd_event_synchronize), NULL, 0);
	/* A mark that cannot be made is no error; a word that cannot be written is one. */
	SEND(&guest, VGPU_NO_REPLY, STREAM_WRITE_VALUE, stream_write_value, .address = own,
	     .bytes = 4, .value = 7, .flags = VGPU_WRITE_MARK);
	assert_int_equal(ASK(&guest, 0, NULL, COPY_WAIT, copy_wait, .to = own + 64, .from = own,
			     .bytes = 16),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_WRITE_VALUE, stream_write_value,
			     .address = own, .bytes = 4, .value = 7),
			 CUDA_ERROR_NOT_SUPPORTED);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_WAIT_VALUE, stream_wait_value, .address = own,
			     .bytes = 4),
			 CUDA_ERROR_NOT_SUPPORTED);
	assert_false(guest_is_done(&guest, 10) || guest_is_done(&guest, 11));
	guest.view[GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS] = 1;
	assert_int_equal(guest_wait(&guest, 10, NULL), CUDA_SUCCESS);
	assert_int_equal(guest_wait(&guest, 11, NULL), CUDA_SUCCESS);
	assert_int_equal(guest.program->waits.num, 0);
	guest_close(&guest);
}

/* --- text -------------------------------------------------------------------------------------- */

static void test_text(void **state)
{
	struct guest guest;
	struct vgpu_reply reply;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, kernels_say), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "say"), CUDA_SUCCESS);
	assert_int_equal(vgpu_ring_load(&guest.control->text), 0);
	guest_launch(&guest, VGPU_NO_REPLY, 1, 0, 1, 2, NULL, 0);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0),
			 CUDA_SUCCESS);
	/* It is there before the wait returns. */
	assert_int_equal(vgpu_ring_load(&guest.control->text), 6);
	assert_int_equal(
		ASK(&guest, 0, &reply, TEXT_TAKE, text_take, .at = GUEST_BULK_AT, .bytes = 4),
		CUDA_SUCCESS);
	assert_int_equal(reply.value[0], 4);
	assert_int_equal(reply.value[1], 1);
	assert_int_equal(reply.value[2], 2);
	assert_memory_equal(guest.view + GUEST_BULK_AT, "hi\nh", 4);
	assert_int_equal(
		ASK(&guest, 0, &reply, TEXT_TAKE, text_take, .at = GUEST_BULK_AT, .bytes = 100),
		CUDA_SUCCESS);
	assert_int_equal(reply.value[0], 2);
	assert_int_equal(vgpu_ring_load(&guest.control->text), 0);
	guest_close(&guest);
}

/* --- the rest ---------------------------------------------------------------------------------- */

static void test_sleep_and_kick(void **state)
{
	struct guest guest;
	uint64_t sleeps = 0;

	(void)state;
	guest_open(&guest, "cpu memory=64M processors=1", 1);
	guest_run(&guest, 0);
	for (uint32_t i = 0; i < 100; i++) {
		UNTIL(guest.control->sleeps > sleeps);
		sleeps = guest.control->sleeps;
		assert_int_equal(guest_ask(&guest, 0, VGPU_CMD_NOP, "", 0, NULL, 0, NULL),
				 CUDA_SUCCESS);
	}
	guest_close(&guest);
}

/* The program sleeps on its eventfd, behind the events that it has seen. */
static void test_wakes_the_program(void **state)
{
	struct guest guest;
	uint64_t calls;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=1");
	for (uint32_t i = 0; i < 100; i++) {
		vgpu_ring_store(&guest.control->events_park,
				vgpu_ring_load(&guest.control->events));
		vgpu_ring_fence();
		SEND(&guest, 0, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0);
		UNTIL(read(guest.call, &calls, sizeof(calls)) == sizeof(calls));
		assert_true(guest_is_done(&guest, 0));
	}
	assert_int_equal(guest.control->wakes, 100);
	guest_close(&guest);
}

static void test_events_and_pools(void **state)
{
	struct guest guest;
	struct vgpu_reply reply;
	uint64_t at;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=1");
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_CREATE, event_create, .event = 1),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_CREATE, event_create, .event = 2),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_CREATE, event_create, .event = 2),
			 CUDA_ERROR_INVALID_HANDLE);
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 1);
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 2);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_SYNCHRONIZE, event_synchronize, .event = 2),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_QUERY, event_query, .event = 1), CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, &reply, EVENT_ELAPSED, event_elapsed, .start = 1, .end = 2),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, POOL_CREATE, pool_create, .pool = 4), CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, POOL_SET, pool_set, .pool = 4, .attribute = 4,
			     .value = 1 << 20),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, &reply, POOL_GET, pool_get, .pool = 4, .attribute = 4),
			 CUDA_SUCCESS);
	assert_int_equal(reply.value[0], 1 << 20);
	assert_int_equal(ASK(&guest, 0, &reply, MEMORY_ALLOC_ASYNC, memory_alloc_async, .bytes = 64,
			     .pool = 4),
			 CUDA_SUCCESS);
	at = reply.value[0];
	assert_int_equal(ASK(&guest, 0, NULL, SET, set, .address = at, .width = 64, .rows = 1,
			     .element_bytes = 1),
			 CUDA_SUCCESS);
	SEND(&guest, VGPU_NO_REPLY, MEMORY_FREE_ASYNC, memory_free_async, .address = at);
	assert_int_equal(ASK(&guest, 0, NULL, SET, set, .address = at, .width = 64, .rows = 1,
			     .element_bytes = 1),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(&guest, 0, NULL, POOL_TRIM, pool_trim, .pool = 4), CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, POOL_DESTROY, pool_destroy, .pool = 4), CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, POOL_GET, pool_get, .pool = 4, .attribute = 4),
			 CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(ASK(&guest, 0, &reply, POOL_GET, pool_get, .pool = 0, .attribute = 4),
			 CUDA_SUCCESS);
	guest_close(&guest);
}

/* As many waits as there are slots, on an event that a spinning kernel holds back. */
static void test_many_waits(void **state)
{
	uint64_t flag_at = VGPU_WINDOW_BAND_FIRST + GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS;
	struct guest guest;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, kernels_spin), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "spin"), CUDA_SUCCESS);
	for (uint32_t i = 1; i <= 2; i++)
		assert_int_equal(
			ASK(&guest, 0, NULL, STREAM_CREATE, stream_create, .stream = i, .flags = 1),
			CUDA_SUCCESS);
	SEND(&guest, VGPU_NO_REPLY, EVENT_CREATE, event_create, .event = 1);
	SEND(&guest, VGPU_NO_REPLY, EVENT_CREATE, event_create, .event = 2);
	guest_launch(&guest, VGPU_NO_REPLY, 1, 1, 1, 1, &flag_at, sizeof(flag_at));
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 1, .stream = 1);
	SEND(&guest, VGPU_NO_REPLY, EVENT_RECORD, event_record, .event = 2, .stream = 2);
	for (uint32_t slot = 1; slot < VGPU_REPLIES; slot++) {
		if (slot % 2 == 0)
			SEND(&guest, slot, EVENT_SYNCHRONIZE, event_synchronize, .event = 1);
		else
			SEND(&guest, slot, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 1);
	}
	/* A destroyed stream's waits go on. */
	SEND(&guest, VGPU_NO_REPLY, STREAM_DESTROY, stream_destroy, .stream = 1);
	assert_int_equal(ASK(&guest, 0, NULL, EVENT_SYNCHRONIZE, event_synchronize, .event = 2),
			 CUDA_SUCCESS);
	for (uint32_t slot = 1; slot < VGPU_REPLIES; slot++)
		assert_false(guest_is_done(&guest, slot));
	guest.view[GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS] = 1;
	for (uint32_t slot = 1; slot < VGPU_REPLIES; slot++)
		assert_int_equal(guest_wait(&guest, slot, NULL), CUDA_SUCCESS);
	guest_close(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_launch_and_copy),
		cmocka_unit_test(test_error_without_slot),
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_late_fault),
		cmocka_unit_test(test_spinning_kernel),
		cmocka_unit_test(test_more_threads_than_helpers),
		cmocka_unit_test(test_order_of_a_thread),
		cmocka_unit_test(test_no_write_values),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_sleep_and_kick),
		cmocka_unit_test(test_wakes_the_program),
		cmocka_unit_test(test_events_and_pools),
		cmocka_unit_test(test_many_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
