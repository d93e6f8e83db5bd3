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

#define HEAD ".version 7.0\n.target sm_75\n.address_size 64\n"

/* fill(u64 to, u32 value): to[thread] = value + thread */
static const char fill_text[] = HEAD
	".visible .entry fill(.param .u64 to, .param .u32 value)\n{\n"
	".reg .b32 %r<6>; .reg .b64 %rd<4>;\n"
	"ld.param.u64 %rd1, [to]; ld.param.u32 %r1, [value];\n"
	"mov.u32 %r2, %tid.x; mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x;\n"
	"mad.lo.u32 %r2, %r3, %r4, %r2; add.u32 %r1, %r1, %r2;\n"
	"mul.wide.u32 %rd2, %r2, 4; add.u64 %rd1, %rd1, %rd2;\n"
	"st.global.u32 [%rd1], %r1; ret;\n}\n";

/* spin(u64 flag): until the word there is not 0 */
static const char spin_text[] = HEAD
	".visible .entry spin(.param .u64 flag)\n{\n"
	".reg .b32 %r<2>; .reg .b64 %rd<2>; .reg .pred %p<2>;\n"
	"ld.param.u64 %rd1, [flag];\n"
	"again: ld.volatile.global.u32 %r1, [%rd1]; setp.eq.u32 %p1, %r1, 0;\n"
	"@%p1 bra again; ret;\n}\n";

/* bad(): writes where there is nothing */
static const char bad_text[] = HEAD ".visible .entry bad()\n{\n"
				    ".reg .b64 %rd<2>; .reg .b32 %r<2>;\n"
				    "mov.u64 %rd1, 16; mov.u32 %r1, 1;\n"
				    "st.global.u32 [%rd1], %r1; ret;\n}\n";

/* say(): prints one line */
static const char say_text[] = HEAD
	".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 v);\n"
	".global .align 1 .b8 line[4] = {104, 105, 10, 0};\n"
	".visible .entry say()\n{\n"
	".reg .b32 %r<2>; .reg .b64 %rd<4>;\n"
	"mov.u64 %rd1, line; cvta.global.u64 %rd2, %rd1; mov.u64 %rd3, 0;\n"
	"{ .param .b64 a; st.param.b64 [a], %rd2; .param .b64 b; st.param.b64 [b], %rd3;\n"
	".param .b32 c; call.uni (c), vprintf, (a, b); ld.param.b32 %r1, [c]; }\n"
	"ret;\n}\n";

struct fill_parameters {
	uint64_t to;
	uint32_t value;
};

static void setup_with(struct guest *guest, const char *spec)
{
	guest_open(guest, spec, HELPERS_MOST);
	guest_run(guest, 50);
}

static uint64_t allocate(struct guest *guest, uint64_t bytes)
{
	struct vgpu_reply reply;

	assert_int_equal(ASK(guest, 0, &reply, MEMORY_ALLOC, memory_alloc, .bytes = bytes),
			 CUDA_SUCCESS);
	return reply.value[0];
}

/* fill into device memory, which comes back into the window. */
static void test_launch_and_copy(void **state)
{
	const uint32_t blocks = 4, threads = 64;
	struct fill_parameters parameters;
	struct guest guest;
	const uint32_t *got;

	(void)state;
	setup_with(&guest, "cpu memory=64M processors=2");
	parameters.to = allocate(&guest, 4 * blocks * threads);
	parameters.value = 1000;
	assert_int_equal(guest_load(&guest, 1, 7, fill_text), CUDA_SUCCESS);
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
	setup_with(&guest, "cpu memory=64M processors=2");
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
	setup_with(&guest, "cpu memory=64M processors=2");
	assert_int_equal(
		ASK(&guest, 0, NULL, STREAM_CREATE, stream_create, .stream = 1, .flags = 1),
		CUDA_SUCCESS);
	assert_int_equal(guest_load(&guest, 1, 1, bad_text), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "bad"), CUDA_SUCCESS);
	guest_launch(&guest, VGPU_NO_REPLY, 1, 1, 1, 1, NULL, 0);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 1),
			 CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(vgpu_ring_load(&guest.control->sticky), CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(ASK(&guest, 2, NULL, MEMORY_ALLOC, memory_alloc, .bytes = 16),
			 CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(guest_load(&guest, 1, 2, fill_text), CUDA_ERROR_ILLEGAL_ADDRESS);
	assert_int_equal(guest_ask(&guest, 3, VGPU_CMD_NOP, "", 0, NULL, 0, &reply), CUDA_SUCCESS);
	guest_close(&guest);
}

/* The same with a fault that shows late, while the program waits for an event on another stream. */
static void test_late_fault(void **state)
{
	struct guest guest;

	(void)state;
	setup_with(&guest, "cpu memory=64M processors=2 fault-late=100");
	for (uint32_t i = 1; i <= 2; i++)
		assert_int_equal(
			ASK(&guest, 0, NULL, STREAM_CREATE, stream_create, .stream = i, .flags = 1),
			CUDA_SUCCESS);
	SEND(&guest, VGPU_NO_REPLY, EVENT_CREATE, event_create, .event = 1);
	assert_int_equal(guest_load(&guest, 1, 1, bad_text), CUDA_SUCCESS);
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
	struct fill_parameters parameters;
	struct guest guest;
	uint64_t spare, flag_at;

	(void)state;
	setup_with(&guest, "cpu memory=64M processors=2 block-free");
	assert_int_equal(guest_load(&guest, 1, 1, spin_text), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "spin"), CUDA_SUCCESS);
	assert_int_equal(guest_load(&guest, 1, 2, fill_text), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 2, 2, "fill"), CUDA_SUCCESS);
	for (uint32_t i = 1; i <= 2; i++)
		assert_int_equal(
			ASK(&guest, 0, NULL, STREAM_CREATE, stream_create, .stream = i, .flags = 1),
			CUDA_SUCCESS);
	parameters.to = allocate(&guest, 4096);
	spare = allocate(&guest, 4096);
	flag_at = GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS;
	flag = (volatile uint32_t *)(guest.view + flag_at);
	flag_at += guest.address;
	guest_launch(&guest, VGPU_NO_REPLY, 1, 1, 1, 1, &flag_at, sizeof(flag_at));

	/* These wait: threads 10 to 12 of the program. */
	guest_send(&guest, VGPU_CMD_MEMORY_FREE, 10, 10,
		   &(struct vgpu_cmd_memory_free){ .address = spare },
		   sizeof(struct vgpu_cmd_memory_free), NULL, 0);
	memcpy(guest.view + GUEST_BULK_AT, fill_text, sizeof(fill_text));
	guest_send(&guest, VGPU_CMD_MODULE_LOAD, 11, 11,
		   &(struct vgpu_cmd_module_load){
			   .at = GUEST_BULK_AT, .bytes = sizeof(fill_text), .module = 3 },
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
	setup_with(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, spin_text), CUDA_SUCCESS);
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
	setup_with(&guest, "cpu memory=64M processors=2");
	for (uint32_t i = 0; i < 50; i++) {
		at = allocate(&guest, 64);
		for (uint32_t slot = 1; slot <= 3; slot++)
			SEND(&guest, slot, MEMORY_FREE, memory_free, .address = at);
		assert_int_equal(guest_wait(&guest, 1, NULL), CUDA_SUCCESS);
		assert_int_equal(guest_wait(&guest, 2, NULL), CUDA_ERROR_INVALID_VALUE);
		assert_int_equal(guest_wait(&guest, 3, NULL), CUDA_ERROR_INVALID_VALUE);
	}
	guest_close(&guest);
}

/* --- text -------------------------------------------------------------------------------------- */

static void test_text(void **state)
{
	struct guest guest;
	struct vgpu_reply reply;

	(void)state;
	setup_with(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, say_text), CUDA_SUCCESS);
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

/* --- what makes no sense ----------------------------------------------------------------------- */

/* Puts one command before a worker that runs. Return: why it ended. */
static enum vgpu_end end_of(const void *bytes, uint32_t len, uint32_t tail_moves)
{
	const uint64_t one = 1;
	struct guest guest;

	guest_open(&guest, "cpu memory=64M processors=1", 1);
	guest_run(&guest, 0);
	guest_put(&guest, bytes, len);
	if (tail_moves > 0)
		vgpu_ring_publish(&guest.control->tail, guest.tail + tail_moves);
	(void)!write(guest.kick, &one, sizeof(one));
	pthread_join(guest.thread, NULL);
	guest.runs = false;
	guest_close(&guest);
	return guest.end;
}

static void test_nonsense(void **state)
{
	const struct vgpu_command none = { .bytes = 16, .reply = VGPU_NO_REPLY };
	const struct vgpu_command unknown = { .op = 9999, .bytes = 16, .reply = VGPU_NO_REPLY };
	const struct vgpu_command short_one = { .op = 1, .bytes = 15, .reply = VGPU_NO_REPLY };
	const struct vgpu_command long_one = { .op = 1, .bytes = 17, .reply = VGPU_NO_REPLY };
	const struct vgpu_command huge = { .op = 1, .bytes = UINT32_MAX, .reply = VGPU_NO_REPLY };
	const struct vgpu_command no_slot = { .op = VGPU_CMD_CONTEXT_SYNCHRONIZE,
					      .bytes = 16,
					      .reply = VGPU_NO_REPLY };
	const struct vgpu_command far_slot = { .op = 1, .bytes = 16, .reply = VGPU_REPLIES };
	const struct vgpu_command nop = { .op = 1, .bytes = 16, .reply = VGPU_NO_REPLY };
	const struct vgpu_command *const all[] = { &none, &unknown, &short_one, &long_one,
						   &huge, &no_slot, &far_slot };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(end_of(all[i], sizeof(none), 0), VGPU_END_BAD_COMMAND);
	/* A tail that runs beyond the ring. */
	assert_int_equal(end_of(&nop, sizeof(nop), VGPU_RING_UNITS + 1), VGPU_END_BAD_COMMAND);
	assert_int_equal(end_of(&nop, sizeof(nop), UINT32_MAX / 2), VGPU_END_BAD_COMMAND);
}

/* A slot that is still in use. */
static void test_busy_slot(void **state)
{
	uint64_t flag_at = VGPU_WINDOW_BAND_FIRST + GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS;
	struct guest guest;

	(void)state;
	setup_with(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, spin_text), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "spin"), CUDA_SUCCESS);
	guest_launch(&guest, VGPU_NO_REPLY, 1, 0, 1, 1, &flag_at, sizeof(flag_at));
	SEND(&guest, 0, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0);
	guest_send(&guest, VGPU_CMD_NOP, 0, 0, "", 0, NULL, 0);
	pthread_join(guest.thread, NULL);
	guest.runs = false;
	assert_int_equal(guest.end, VGPU_END_BAD_COMMAND);
	guest.view[GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS] = 1;
	guest_close(&guest);
}

/* Memory that is not the program's, whatever names it. */
static void test_foreign_memory(void **state)
{
	struct guest guest;
	uint64_t own, device, foreign[8];
	uint32_t num = 0;

	(void)state;
	setup_with(&guest, "cpu memory=64M processors=2");
	device = allocate(&guest, 4096);
	own = guest.address + GUEST_CONTROL_AT + VGPU_CHANNEL_FREE;
	foreign[num++] = (uintptr_t)&guest;
	foreign[num++] = (uintptr_t)guest.program;
	foreign[num++] = 0;
	foreign[num++] = UINT64_MAX - 8;
	foreign[num++] = device + 4096 - 8;		/* its end lies outside */
	foreign[num++] = guest.address;			/* the first pages */
	foreign[num++] = guest.address + GUEST_BULK_AT; /* its own, but not mapped */
	foreign[num++] = guest.address + GUEST_WINDOW_BYTES - 8;
	for (uint32_t i = 0; i < num; i++) {
		for (uint32_t kind = 0; kind <= 3; kind++) {
			assert_int_equal(ASK(&guest, 0, NULL, COPY, copy, .to = foreign[i],
					     .from = own, .bytes = 16, .kind = kind),
					 CUDA_ERROR_INVALID_VALUE);
			assert_int_equal(ASK(&guest, 0, NULL, COPY_WAIT, copy_wait, .to = own,
					     .from = foreign[i], .bytes = 16, .kind = kind),
					 CUDA_ERROR_INVALID_VALUE);
		}
		assert_int_equal(ASK(&guest, 0, NULL, SET, set, .address = foreign[i], .width = 16,
				     .rows = 1, .element_bytes = 1),
				 CUDA_ERROR_INVALID_VALUE);
		assert_int_equal(ASK(&guest, 0, NULL, STREAM_WRITE_VALUE, stream_write_value,
				     .address = foreign[i] & ~7ull, .bytes = 8),
				 foreign[i] == device + 4096 - 8 ? CUDA_SUCCESS
								 : CUDA_ERROR_INVALID_VALUE);
	}
	/* Device memory is no window. */
	assert_int_equal(ASK(&guest, 0, NULL, COPY, copy, .to = own, .from = device, .bytes = 16,
			     .kind = VGPU_COPY_FROM_WINDOW),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(
		ASK(&guest, 0, NULL, COPY, copy, .to = device, .from = own, .bytes = 16, .kind = 4),
		CUDA_ERROR_INVALID_VALUE);
	/* Boxes whose sums overflow, or whose rows overlap. */
	assert_int_equal(ASK(&guest, 0, NULL, COPY_BOX, copy_box, .to = device,
			     .to_pitch_bytes = 1ull << 40, .from = own,
			     .from_pitch_bytes = 1ull << 40, .width_bytes = 16, .rows = 1ull << 40,
			     .planes = 1, .kind = VGPU_COPY_FROM_WINDOW),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(&guest, 0, NULL, COPY_BOX, copy_box, .to = device, .to_pitch_bytes = 8,
			     .from = own, .from_pitch_bytes = 16, .width_bytes = 16, .rows = 2,
			     .planes = 1, .kind = VGPU_COPY_FROM_WINDOW),
			 CUDA_ERROR_INVALID_VALUE);
	/* Positions: in the first pages, beyond the window, around its end. */
	assert_int_equal(ASK(&guest, 0, NULL, TEXT_TAKE, text_take, .at = 0, .bytes = 16),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(&guest, 0, NULL, TEXT_TAKE, text_take, .at = GUEST_WINDOW_BYTES - 8,
			     .bytes = 16),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(
		ASK(&guest, 0, NULL, TEXT_TAKE, text_take, .at = UINT64_MAX - 7, .bytes = 16),
		CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(&guest, 0, NULL, HOST_MAP, host_map, .at = 0, .bytes = VGPU_PIECE),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(&guest, 0, NULL, HOST_MAP, host_map, .at = GUEST_BULK_AT + 4096,
			     .bytes = VGPU_PIECE),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(&guest, 0, NULL, HOST_MAP, host_map, .at = GUEST_CONTROL_AT,
			     .bytes = VGPU_PIECE),
			 CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
	assert_int_equal(ASK(&guest, 0, NULL, HOST_UNMAP, host_unmap, .at = GUEST_CONTROL_AT,
			     .bytes = VGPU_PIECE),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0),
			 CUDA_SUCCESS);
	guest_close(&guest);
}

/* Images and names that are none, arguments too few. */
static void test_bad_modules(void **state)
{
	const struct vgpu_cmd_module_function no_room = {
		.at = GUEST_BULK_AT, .bytes = 8, .module = 1, .function = 3
	};
	struct fill_parameters parameters = { 0 };
	struct guest guest;
	struct vgpu_reply reply;
	const uint32_t *log;

	(void)state;
	setup_with(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, "\177ELF nothing"), CUDA_ERROR_NO_BINARY_FOR_GPU);
	assert_int_equal(guest_load(&guest, 1, 1, "no PTX at all"), CUDA_ERROR_INVALID_IMAGE);
	assert_int_equal(guest_load(&guest, 1, 0, fill_text), CUDA_ERROR_INVALID_HANDLE);
	memcpy(guest.view + GUEST_BULK_AT, HEAD "nonsense", sizeof(HEAD "nonsense"));
	assert_int_not_equal(ASK(&guest, 1, NULL, MODULE_LOAD, module_load, .at = GUEST_BULK_AT,
				 .bytes = sizeof(HEAD "nonsense"), .log_at = GUEST_BULK_AT + 65536,
				 .log_bytes = 1000, .module = 1),
			     CUDA_SUCCESS);
	log = (const uint32_t *)(guest.view + GUEST_BULK_AT + 65536);
	assert_in_range(log[0], 1, 992);
	assert_int_equal(guest_load(&guest, 1, 1, fill_text), CUDA_SUCCESS);
	assert_int_equal(guest_load(&guest, 1, 1, fill_text), CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "no such kernel"), CUDA_ERROR_NOT_FOUND);
	assert_int_equal(guest_function(&guest, 1, 2, 1, "fill"), CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(guest_function(&guest, 1, 1, 1, "fill"), CUDA_SUCCESS);
	assert_int_equal(guest_ask(&guest, 1, VGPU_CMD_MODULE_FUNCTION, &no_room, sizeof(no_room),
				   "fill", 5, NULL),
			 CUDA_ERROR_INVALID_VALUE);
	/* A name without its NUL. */
	assert_int_equal(guest_ask(&guest, 1, VGPU_CMD_MODULE_FUNCTION, &no_room, sizeof(no_room),
				   "fill", 4, NULL),
			 CUDA_ERROR_INVALID_VALUE);
	guest_launch(&guest, 0, 1, 0, 1, 1, &parameters, 11);
	assert_int_equal(guest_wait(&guest, 0, NULL), CUDA_ERROR_INVALID_VALUE);
	guest_launch(&guest, 0, 9, 0, 1, 1, &parameters, 12);
	assert_int_equal(guest_wait(&guest, 0, NULL), CUDA_ERROR_INVALID_HANDLE);
	assert_int_equal(ASK(&guest, 0, &reply, MODULE_NAMES, module_names, .at = GUEST_BULK_AT,
			     .bytes = 64, .module = 1),
			 CUDA_SUCCESS);
	assert_int_equal(reply.value[0], 1);
	assert_string_equal((const char *)guest.view + GUEST_BULK_AT, "fill");
	assert_int_equal(ASK(&guest, 0, NULL, MODULE_UNLOAD, module_unload, .module = 1),
			 CUDA_SUCCESS);
	guest_launch(&guest, 0, 1, 0, 1, 1, &parameters, 12);
	assert_int_equal(guest_wait(&guest, 0, NULL), CUDA_ERROR_INVALID_HANDLE);
	guest_close(&guest);
}

static void *scribble(void *argument)
{
	struct guest *guest = argument;
	volatile uint8_t *ring = guest->view + GUEST_CONTROL_AT + VGPU_CHANNEL_RING;
	volatile uint32_t *stop = (volatile uint32_t *)(guest->view + GUEST_BULK_AT);

	for (uint32_t i = 1; *stop == 0; i = i * 1103515245 + 12345)
		ring[i % (16 * VGPU_RING_UNIT)] = (uint8_t)(i >> 16);
	return NULL;
}

/* Another thread of the program writes into the ring while the worker reads: it ends, or goes on. */
static void test_changing_ring(void **state)
{
	const struct vgpu_command nop = { .op = 1, .bytes = 16, .reply = VGPU_NO_REPLY };
	const uint64_t one = 1;
	struct guest guest;
	pthread_t thread;

	(void)state;
	for (uint32_t round = 0; round < 20; round++) {
		guest_open(&guest, "cpu memory=64M processors=1", 2);
		for (uint32_t i = 0; i < VGPU_RING_UNITS; i++)
			memcpy(guest.view + GUEST_CONTROL_AT + VGPU_CHANNEL_RING +
				       i * VGPU_RING_UNIT,
			       &nop, sizeof(nop));
		guest_run(&guest, 0);
		assert_int_equal(pthread_create(&thread, NULL, scribble, &guest), 0);
		for (uint32_t i = 1; i <= 4000; i++)
			vgpu_ring_publish(&guest.control->tail, i);
		*(volatile uint32_t *)(guest.view + GUEST_BULK_AT) = 1;
		pthread_join(thread, NULL);
		memset(guest.view + GUEST_CONTROL_AT + VGPU_CHANNEL_RING, 0, VGPU_RING_LEN);
		guest.tail = 4000;
		guest_put(&guest, &(uint64_t){ 0 }, sizeof(uint64_t));
		assert_int_equal(write(guest.kick, &one, sizeof(one)), sizeof(one));
		pthread_join(guest.thread, NULL);
		guest.runs = false;
		assert_int_equal(guest.end, VGPU_END_BAD_COMMAND);
		guest_close(&guest);
	}
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
	setup_with(&guest, "cpu memory=64M processors=1");
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
	setup_with(&guest, "cpu memory=64M processors=1");
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
	setup_with(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, spin_text), CUDA_SUCCESS);
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
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_busy_slot),
		cmocka_unit_test(test_foreign_memory),
		cmocka_unit_test(test_bad_modules),
		cmocka_unit_test(test_changing_ring),
		cmocka_unit_test(test_sleep_and_kick),
		cmocka_unit_test(test_wakes_the_program),
		cmocka_unit_test(test_events_and_pools),
		cmocka_unit_test(test_many_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
