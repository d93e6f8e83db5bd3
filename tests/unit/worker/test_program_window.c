/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_program_window.c - two programs of one VM in one window: neither reaches the other's pieces */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/worker/guest.h"
#include "tests/unit/worker/kernels.h"

#define SPEC "cpu memory=64M processors=2"
#define ROUNDS 2000u

/* Pieces of the window, by number. vgpu.ko keeps their owners in page 2 of the first. */
enum { FIRST, A_CHANNEL, A_BULK, A_MORE, B_CHANNEL, B_BULK, NOBODY, B_LAST };

#define AT(piece) ((piece)*VGPU_PIECE)

enum { CHANNEL_A = 3, CHANNEL_B = 4 };

struct pair {
	int window;
	uint8_t *view;
	struct guest a, b;
};

static void share_out(uint8_t *owners)
{
	memset(owners, 0, VGPU_PAGE);
	owners[A_CHANNEL] = owners[A_BULK] = owners[A_MORE] = CHANNEL_A + 1;
	owners[B_CHANNEL] = owners[B_BULK] = owners[B_LAST] = CHANNEL_B + 1;
}

static void start(struct guest *guest, int window, uint32_t channel, uint64_t control_at)
{
	const struct guest_place place = {
		.window = window,
		.control_at = control_at,
		.channel = channel,
	};

	guest_open_at(guest, SPEC, 4, &place);
	guest_run(guest, 0);
}

static void begin(struct pair *pair)
{
	pair->window = guest_window();
	pair->view = mmap(NULL, GUEST_WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			  pair->window, 0);
	assert_ptr_not_equal(pair->view, MAP_FAILED);
	share_out(pair->view + VGPU_WINDOW_OWNERS);
	start(&pair->a, pair->window, CHANNEL_A, AT(A_CHANNEL));
	start(&pair->b, pair->window, CHANNEL_B, AT(B_CHANNEL));
}

static void end(struct pair *pair)
{
	guest_close(&pair->a);
	guest_close(&pair->b);
	munmap(pair->view, GUEST_WINDOW_BYTES);
	close(pair->window);
}

/* --- kernels ------------------------------------------------------------------------------------- */

/* Has a kernel of A write there. Return: what its wait says. */
static int32_t write_to(struct guest *a, uint64_t address)
{
	const struct kernels_fill_parameters parameters = { .to = address, .value = 0x5a5a5a5a };

	memcpy(a->view + AT(A_BULK), kernels_fill, sizeof(kernels_fill));
	assert_int_equal(ASK(a, 1, NULL, MODULE_LOAD, module_load, .at = AT(A_BULK),
			     .bytes = sizeof(kernels_fill) - 1, .module = 1),
			 CUDA_SUCCESS);
	assert_int_equal(guest_function(a, 1, 1, 1, "fill"), CUDA_SUCCESS);
	guest_launch(a, VGPU_NO_REPLY, 1, 0, 1, 4, &parameters, 12);
	return ASK(a, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0);
}

/* One kernel of A, with a pair of its own since it loses the context. in_b: of B's mapping. */
static int32_t kernel_writes(uint64_t at, bool in_b, bool map_more, bool give_back)
{
	struct pair pair;
	uint8_t was[16];
	int32_t result;

	begin(&pair);
	memcpy(was, pair.view + at, sizeof(was));
	if (map_more || give_back)
		assert_int_equal(ASK(&pair.a, 0, NULL, HOST_MAP, host_map, .at = AT(A_MORE),
				     .bytes = VGPU_PIECE),
				 CUDA_SUCCESS);
	if (give_back)
		assert_int_equal(ASK(&pair.a, 0, NULL, HOST_UNMAP, host_unmap, .at = AT(A_MORE),
				     .bytes = VGPU_PIECE),
				 CUDA_SUCCESS);
	result = write_to(&pair.a, (in_b ? pair.b.address : pair.a.address) + at);
	if (result == CUDA_SUCCESS)
		assert_int_equal(*(uint32_t *)(pair.view + at), 0x5a5a5a5a);
	else
		assert_memory_equal(was, pair.view + at, sizeof(was));
	/* The other program goes on. */
	assert_int_equal(ASK(&pair.b, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0),
			 CUDA_SUCCESS);
	end(&pair);
	return result;
}

static void test_kernels(void **state)
{
	static const uint64_t foreign[] = {
		0,
		VGPU_WINDOW_DEVICE,
		VGPU_WINDOW_OWNERS,
		AT(A_CHANNEL) - 16,
		AT(A_MORE) - 16,
		AT(A_MORE),
		AT(B_CHANNEL),
		AT(B_CHANNEL) + VGPU_CHANNEL_RING,
		AT(B_BULK) + 64,
		AT(NOBODY),
		AT(B_LAST),
		GUEST_WINDOW_BYTES - 16,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		assert_int_equal(kernel_writes(foreign[i], false, false, false),
				 CUDA_ERROR_ILLEGAL_ADDRESS);
		/* B's worker has its piece mapped, in this test in the same process. */
		assert_int_equal(kernel_writes(foreign[i], true, false, false),
				 CUDA_ERROR_ILLEGAL_ADDRESS);
	}
	/* Its own, and behind their end. */
	assert_int_equal(kernel_writes(AT(A_CHANNEL) + VGPU_CHANNEL_FREE, false, false, false),
			 CUDA_SUCCESS);
	assert_int_equal(kernel_writes(AT(A_MORE), false, true, false), CUDA_SUCCESS);
	assert_int_equal(kernel_writes(AT(B_CHANNEL), false, true, false),
			 CUDA_ERROR_ILLEGAL_ADDRESS);
	/* One that A gave back. */
	assert_int_equal(kernel_writes(AT(A_MORE), false, false, true), CUDA_ERROR_ILLEGAL_ADDRESS);
}

/* --- commands ------------------------------------------------------------------------------------ */

/* Addresses that are not A's, though a worker has them mapped. */
static void copies_of(struct pair *pair, uint64_t address)
{
	struct guest *a = &pair->a;
	uint64_t own = a->address + AT(A_CHANNEL) + VGPU_CHANNEL_FREE;

	for (uint32_t kind = 0; kind <= 3; kind++) {
		assert_int_equal(ASK(a, 0, NULL, COPY, copy, .to = address, .from = own,
				     .bytes = 16, .kind = kind),
				 CUDA_ERROR_INVALID_VALUE);
		assert_int_equal(ASK(a, 0, NULL, COPY_WAIT, copy_wait, .to = own, .from = address,
				     .bytes = 16, .kind = kind),
				 CUDA_ERROR_INVALID_VALUE);
		assert_int_equal(ASK(a, 0, NULL, COPY_BOX, copy_box, .to = own,
				     .to_pitch_bytes = 16, .from = address, .from_pitch_bytes = 16,
				     .width_bytes = 16, .rows = 2, .planes = 1, .kind = kind),
				 CUDA_ERROR_INVALID_VALUE);
	}
	assert_int_equal(ASK(a, 0, NULL, SET, set, .address = address, .width = 16, .rows = 1,
			     .element_bytes = 1),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(a, 0, NULL, STREAM_WRITE_VALUE, stream_write_value, .address = address,
			     .bytes = 8),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(a, 0, NULL, STREAM_WAIT_VALUE, stream_wait_value, .address = address,
			     .bytes = 8),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(guest_ask(a, 0, VGPU_CMD_COPY_IN,
				   &(struct vgpu_cmd_copy_in){ .to = address },
				   sizeof(struct vgpu_cmd_copy_in), "12345678", 8, NULL),
			 CUDA_ERROR_INVALID_VALUE);
}

/* Positions that a command may name only in A's own pieces. */
static void positions_of(struct guest *a, uint64_t at)
{
	const struct vgpu_cmd_module_function function = {
		.at = at, .bytes = 4096, .module = 1, .function = 2
	};

	assert_int_equal(
		ASK(a, 0, NULL, MODULE_LOAD, module_load, .at = at, .bytes = 64, .module = 2),
		CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(a, 0, NULL, MODULE_LOAD, module_load, .at = AT(A_BULK), .bytes = 64,
			     .log_at = at, .log_bytes = 64, .module = 2),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(guest_ask(a, 0, VGPU_CMD_MODULE_FUNCTION, &function, sizeof(function),
				   "fill", 5, NULL),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(
		ASK(a, 0, NULL, MODULE_NAMES, module_names, .at = at, .bytes = 64, .module = 1),
		CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(a, 0, NULL, TEXT_TAKE, text_take, .at = at, .bytes = 64),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(ASK(a, 0, NULL, HOST_MAP, host_map, .at = at / VGPU_PIECE * VGPU_PIECE,
			     .bytes = VGPU_PIECE),
			 CUDA_ERROR_INVALID_VALUE);
}

static void test_commands(void **state)
{
	static const uint64_t foreign[] = {
		0,	    VGPU_WINDOW_OWNERS, AT(B_CHANNEL), AT(B_BULK),
		AT(NOBODY), AT(B_LAST),		AT(B_BULK) - 8
	};
	struct pair pair;

	(void)state;
	begin(&pair);
	assert_int_equal(write_to(&pair.a, pair.a.address + AT(A_CHANNEL) + VGPU_CHANNEL_FREE),
			 CUDA_SUCCESS);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		copies_of(&pair, pair.a.address + foreign[i]);
		copies_of(&pair, pair.b.address + foreign[i]);
		positions_of(&pair.a, foreign[i]);
	}
	/* Begins in A's, ends in B's. */
	assert_int_equal(ASK(&pair.a, 0, NULL, HOST_MAP, host_map, .at = AT(A_MORE),
			     .bytes = 2 * VGPU_PIECE),
			 CUDA_ERROR_INVALID_VALUE);
	assert_int_equal(
		ASK(&pair.a, 0, NULL, TEXT_TAKE, text_take, .at = AT(B_CHANNEL) - 8, .bytes = 16),
		CUDA_ERROR_INVALID_VALUE);
	/* A piece that was A's. */
	pair.view[VGPU_WINDOW_OWNERS + A_MORE] = 0;
	assert_int_equal(
		ASK(&pair.a, 0, NULL, HOST_MAP, host_map, .at = AT(A_MORE), .bytes = VGPU_PIECE),
		CUDA_ERROR_INVALID_VALUE);
	positions_of(&pair.a, AT(A_MORE));
	end(&pair);
}

/* --- owners that change ---------------------------------------------------------------------------- */

static void *change_owner(void *argument)
{
	struct pair *pair = argument;
	volatile uint8_t *owner = pair->view + VGPU_WINDOW_OWNERS + A_MORE;
	volatile uint32_t *stop = (volatile uint32_t *)(pair->view + AT(A_BULK));

	while (*stop == 0)
		*owner = *owner == CHANNEL_A + 1 ? CHANNEL_B + 1 : CHANNEL_A + 1;
	return NULL;
}

/*
 * The owner of a piece changes while A's commands name it. vgpu.ko never does that before A's worker is
 * gone; whatever it does, no other piece is touched and both workers go on.
 */
static void test_changing_owner(void **state)
{
	struct pair pair;
	uint32_t maps = 0;
	pthread_t thread;

	(void)state;
#ifdef __SANITIZE_THREAD__
	return; /* the race is what it is about */
#endif
	begin(&pair);
	memset(pair.view + AT(B_BULK), 0xb5, VGPU_PIECE);
	memset(pair.view + AT(NOBODY), 0xb5, VGPU_PIECE);
	assert_int_equal(pthread_create(&thread, NULL, change_owner, &pair), 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		bool mapped = ASK(&pair.a, 0, NULL, HOST_MAP, host_map, .at = AT(A_MORE),
				  .bytes = VGPU_PIECE) == CUDA_SUCCESS;

		maps += mapped;
		assert_int_equal(ASK(&pair.a, 0, NULL, SET, set,
				     .address = pair.a.address + AT(A_MORE), .width = 64, .rows = 1,
				     .element_bytes = 1),
				 mapped ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
		while (mapped)
			mapped = ASK(&pair.a, 0, NULL, HOST_UNMAP, host_unmap, .at = AT(A_MORE),
				     .bytes = VGPU_PIECE) != CUDA_SUCCESS;
	}
	*(volatile uint32_t *)(pair.view + AT(A_BULK)) = 1;
	pthread_join(thread, NULL);
	for (uint64_t at = 0; at < VGPU_PIECE; at += 64) {
		assert_int_equal(pair.view[AT(B_BULK) + at], 0xb5);
		assert_int_equal(pair.view[AT(NOBODY) + at], 0xb5);
	}
	assert_in_range(maps, 1, ROUNDS);
	assert_int_equal(ASK(&pair.b, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0),
			 CUDA_SUCCESS);
	end(&pair);
}

/* Maps the window for A's channel once more. Return: what comes of it; never NONE. */
static enum vgpu_end opens_at(struct pair *pair, uint64_t control_at)
{
	const struct program_order order = {
		.what = PROGRAM_BIND,
		.window_bytes = GUEST_WINDOW_BYTES,
		.channel = CHANNEL_A,
		.control_at = control_at,
	};
	char why[WORKER_WHY_SIZE] = "";
	struct window window;
	enum vgpu_end result = window_map(&window, pair->window, &order, why, sizeof(why));

	assert_null(window.base);
	assert_string_not_equal(why, "");
	return result;
}

/*
 * A channel in a piece of another program opens nothing, nor does one whose program has its window
 * where none may be.
 */
static void test_foreign_channel(void **state)
{
	static const uint64_t bad[] = { AT(B_CHANNEL), AT(NOBODY), 0, GUEST_WINDOW_BYTES,
					AT(A_CHANNEL) + VGPU_PAGE };
	struct pair pair;

	(void)state;
	begin(&pair);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(opens_at(&pair, bad[i]), VGPU_END_BAD_COMMAND);
	pair.a.control->window_address = VGPU_WINDOW_BAND_END;
	assert_int_equal(opens_at(&pair, AT(A_CHANNEL)), VGPU_END_BAD_COMMAND);
	pair.a.control->window_address = pair.a.address + VGPU_PAGE;
	assert_int_equal(opens_at(&pair, AT(A_CHANNEL)), VGPU_END_BAD_COMMAND);
	end(&pair);
}

/* Where the worker has something else already: here, its own first mapping. */
static void test_taken_address(void **state)
{
	struct pair pair;

	(void)state;
	begin(&pair);
	assert_int_equal(opens_at(&pair, AT(A_CHANNEL)), VGPU_END_NO_ADDRESSES);
	end(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernels),	       cmocka_unit_test(test_commands),
		cmocka_unit_test(test_changing_owner), cmocka_unit_test(test_foreign_channel),
		cmocka_unit_test(test_taken_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
