/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_program_input.c - a program whose commands make no sense, or name what is not its own */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/worker/guest.h"
#include "tests/unit/worker/kernels.h"
#include "worker/waits.h"

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
	guest_start(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, kernels_spin), CUDA_SUCCESS);
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
	guest_start(&guest, "cpu memory=64M processors=2");
	device = guest_allocate(&guest, 4096);
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
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0),
			 CUDA_SUCCESS);
	guest_close(&guest);
}

/* Ends of a copy that are not what it says, and boxes that are none. */
static void test_bad_copies(void **state)
{
	struct guest guest;
	uint64_t own, device;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
	device = guest_allocate(&guest, 4096);
	own = guest.address + GUEST_CONTROL_AT + VGPU_CHANNEL_FREE;
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
	guest_close(&guest);
}

static void test_refused(void **state)
{
	const struct vgpu_cmd_refused once = { .times = 1 }, never = { .times = 0 };
	struct guest guest;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
#define ASK_REFUSED(args, tail, bytes) \
	guest_ask(&guest, 0, VGPU_CMD_REFUSED, &(args), sizeof(args), tail, bytes, NULL)
	assert_int_equal(ASK_REFUSED(once, "cuArrayCreate", 14), CUDA_SUCCESS);
	assert_int_equal(ASK_REFUSED(never, "cuArrayCreate", 14), CUDA_ERROR_INVALID_VALUE);
	/* No name, no end, an end inside. */
	assert_int_equal(ASK_REFUSED(once, NULL, 0), CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK_REFUSED(once, "", 1), CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK_REFUSED(once, "cuArrayCreate", 13), CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK_REFUSED(once, "cu\0ray", 7), CUDA_ERROR_INVALID_VALUE);
#undef ASK_REFUSED
	guest_close(&guest);
}

static void test_bad_positions(void **state)
{
	struct guest guest;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
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
	guest_close(&guest);
}

/* Images and names that are none, arguments too few. */
static void test_bad_modules(void **state)
{
	const struct vgpu_cmd_module_function no_room = {
		.at = GUEST_BULK_AT, .bytes = 8, .module = 1, .function = 3
	};
	struct kernels_fill_parameters parameters = { 0 };
	struct guest guest;
	struct vgpu_reply reply;
	const uint32_t *log;

	(void)state;
	guest_start(&guest, "cpu memory=64M processors=2");
	assert_int_equal(guest_load(&guest, 1, 1, "\177ELF nothing"), CUDA_ERROR_NO_BINARY_FOR_GPU);
	assert_int_equal(guest_load(&guest, 1, 1, "no PTX at all"), CUDA_ERROR_INVALID_IMAGE);
	assert_int_equal(guest_load(&guest, 1, 0, kernels_fill), CUDA_ERROR_INVALID_HANDLE);
	memcpy(guest.view + GUEST_BULK_AT, KERNELS_HEAD "nonsense",
	       sizeof(KERNELS_HEAD "nonsense"));
	assert_int_not_equal(ASK(&guest, 1, NULL, MODULE_LOAD, module_load, .at = GUEST_BULK_AT,
				 .bytes = sizeof(KERNELS_HEAD "nonsense"),
				 .log_at = GUEST_BULK_AT + 65536, .log_bytes = 1000, .module = 1),
			     CUDA_SUCCESS);
	log = (const uint32_t *)(guest.view + GUEST_BULK_AT + 65536);
	assert_in_range(log[0], 1, 992);
	assert_int_equal(guest_load(&guest, 1, 1, kernels_fill), CUDA_SUCCESS);
	assert_int_equal(guest_load(&guest, 1, 1, kernels_fill), CUDA_ERROR_INVALID_HANDLE);
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

/* The GPU of the next test: it has the names, and another thread of the program unloads their module. */
static struct {
	struct guest *guest;
	const struct gpu_ops *ops;
} going;

#define UNLOAD_MS 100 /* it must not be done so soon; that it is may show a moment later, too */

static CUresult names_that_go(struct gpu *gpu, CUmodule module, uint32_t num, const char **names)
{
	const struct vgpu_cmd_module_unload unload = { .module = 1 };
	CUresult result = going.ops->module_names(gpu, module, num, names);

	guest_send(going.guest, VGPU_CMD_MODULE_UNLOAD, 1, 1, &unload, sizeof(unload), NULL, 0);
	for (unsigned ms = 0; ms < UNLOAD_MS && !guest_is_done(going.guest, 1); ms++)
		usleep(1000);
	return result;
}

static void test_names_of_a_module_that_goes(void **state)
{
	struct vgpu_reply reply;
	struct gpu_ops ops;
	struct guest guest;

	(void)state;
	guest_open(&guest, "cpu memory=64M processors=1", 4);
	guest_run(&guest, 200);
	assert_int_equal(guest_load(&guest, 2, 1, kernels_fill), CUDA_SUCCESS);
	going.guest = &guest;
	going.ops = guest.gpu->ops;
	ops = *going.ops;
	ops.module_names = names_that_go;
	guest.gpu->ops = &ops;
	assert_int_equal(ASK(&guest, 0, &reply, MODULE_NAMES, module_names, .at = GUEST_BULK_AT,
			     .bytes = 64, .module = 1),
			 CUDA_SUCCESS);
	assert_int_equal(reply.value[0], 1);
	assert_string_equal((const char *)guest.view + GUEST_BULK_AT, "fill");
	assert_int_equal(guest_wait(&guest, 1, NULL), CUDA_SUCCESS);
	guest.gpu->ops = going.ops;
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
#ifdef __SANITIZE_THREAD__
	return; /* the race is what it is about */
#endif
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

/* Has the GPU answer a wait, then writes over its reply before the worker has seen it. */
static void test_overwritten_reply(void **state)
{
	uint64_t later_ns = UINT64_MAX / 2;
	struct guest guest;

	(void)state;
	guest_open(&guest, "cpu memory=64M processors=1", 1);
	SEND(&guest, 7, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0);
	assert_int_equal(serve_turn(guest.program), 1);
	UNTIL(guest_is_done(&guest, 7));
	memset(&guest.replies[7], 0x55, sizeof(guest.replies[7]));
	waits_look(guest.program, later_ns);
	assert_true(guest_is_done(&guest, 7));
	assert_int_equal(guest.replies[7].result, CUDA_SUCCESS);
	waits_look(guest.program, later_ns);
	assert_int_equal(guest.program->waits.num, 0);
	/* The slot is free again. */
	SEND(&guest, 7, NOP, nop, );
	assert_int_equal(serve_turn(guest.program), 1);
	assert_true(guest_is_done(&guest, 7));
	guest_close(&guest);
}

/* A wait that goes on is not answered early, whatever the program writes. */
static void test_overwritten_reply_of_work(void **state)
{
	uint64_t later_ns = UINT64_MAX / 2;
	volatile uint32_t *flag;
	struct guest guest;

	(void)state;
	guest_open(&guest, "cpu memory=64M processors=1", 1);
	flag = (volatile uint32_t *)(guest.view + GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS);
	SEND(&guest, 1, STREAM_WAIT_VALUE, stream_wait_value,
	     .address = guest.address + GUEST_CONTROL_AT + VGPU_CHANNEL_WORDS, .value = 1,
	     .bytes = 4);
	SEND(&guest, 7, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0);
	assert_int_equal(serve_turn(guest.program), 1);
	assert_int_equal(serve_turn(guest.program), 1);
	memset(&guest.replies[7], 0x55, sizeof(guest.replies[7]));
	waits_look(guest.program, later_ns);
	assert_false(guest_is_done(&guest, 7));
	assert_int_equal(guest.program->waits.num, 1);
	*flag = 1;
	UNTIL(guest_is_done(&guest, 7));
	guest_close(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_busy_slot),
		cmocka_unit_test(test_foreign_memory),
		cmocka_unit_test(test_bad_copies),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_positions),
		cmocka_unit_test(test_bad_modules),
		cmocka_unit_test(test_names_of_a_module_that_goes),
		cmocka_unit_test(test_changing_ring),
		cmocka_unit_test(test_overwritten_reply),
		cmocka_unit_test(test_overwritten_reply_of_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
