/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_copies.c - copies and fills of boxes, memory that comes and goes, pools, the switches for
 * them */

#include <errno.h>
#include <sys/mman.h>

#include "tests/unit/softgpu/device.h"

static struct rig rig;

static int setup(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ 0 });
	return 0;
}

static int setup_block_free(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ .switches = { .block_free = true } });
	return 0;
}

static int setup_slow_copy(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ .switches = { .slow_copy_mib_s = 1 } });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

static uint64_t allocate(uint64_t bytes)
{
	uint64_t address;

	OK(softgpu_mem_alloc(rig.gpu, bytes, &address));
	return address;
}

/* --- copies ------------------------------------------------------------------------------ */

static void bytes_go_there_and_back(void **state)
{
	static const uint64_t sizes[] = { 1, 3, 4096, 16384, 16385, 65536, 65537, 9u << 20 };
	const uint64_t most = 9u << 20;
	unsigned char *out = malloc(most), *in = malloc(most);
	uint64_t there = allocate(most + 5), other = allocate(most);
	struct softgpu_stream *stream = rig_stream(&rig, 0);

	(void)state;
	for (uint64_t i = 0; i < most; i++)
		out[i] = (unsigned char)(i * 7 + (i >> 8));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(in, 0, most);
		OK(softgpu_memcpy_async(rig.gpu, there + 5, (uintptr_t)out, sizes[i], stream));
		OK(softgpu_memcpy_async(rig.gpu, other, there + 5, sizes[i], stream));
		OK(softgpu_memcpy_async(rig.gpu, (uintptr_t)in, other, sizes[i], stream));
		OK(softgpu_stream_synchronize(rig.gpu, stream));
		assert_memory_equal(in, out, sizes[i]);
	}
	free(out);
	free(in);
}

static void unregistered_memory_may_go_when_the_call_returned(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	uint64_t there = allocate(65536);
	unsigned char *out = malloc(65536), in[16];

	(void)state;
	memset(out, 0x5a, 65536);
	rig_hold(&rig, stream, 0);
	OK(softgpu_memcpy_async(rig.gpu, there, (uintptr_t)out, 65536, stream));
	memset(out, 0, 65536);
	free(out);
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	OK(softgpu_memcpy(rig.gpu, (uintptr_t)in, there + 65536 - 16, 16));
	for (size_t i = 0; i < sizeof(in); i++)
		assert_int_equal(in[i], 0x5a);
}

/* A box of 5 x 3 x 2 bytes out of planes of 16 x 8 into planes of 32 x 4. */
static void boxes_are_cut_out_and_put_in(void **state)
{
	unsigned char from[16 * 8 * 4], to[32 * 4 * 4], *byte;
	uint64_t there = allocate(sizeof(from)), back = allocate(sizeof(to));
	const struct softgpu_copy box = {
		.from = { SOFTGPU_SIDE_DEVICE, there, 16, 8, 3, 2, 1 },
		.to = { SOFTGPU_SIDE_DEVICE, back, 32, 4, 7, 1, 2 },
		.width_bytes = 5,
		.rows = 3,
		.planes = 2,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i % 251);
	memset(to, 0xff, sizeof(to));
	OK(softgpu_memcpy(rig.gpu, there, (uintptr_t)from, sizeof(from)));
	OK(softgpu_memcpy(rig.gpu, back, (uintptr_t)to, sizeof(to)));
	OK(softgpu_copy(rig.gpu, &box));
	OK(softgpu_memcpy(rig.gpu, (uintptr_t)to, back, sizeof(to)));
	for (int z = 0; z < 4; z++) {
		for (int y = 0; y < 4; y++) {
			for (int x = 0; x < 32; x++) {
				bool inside = z >= 2 && y >= 1 && x >= 7 && x < 12;

				byte = &to[(z * 4 + y) * 32 + x];
				assert_int_equal(*byte,
						 inside ? from[((z - 1) * 8 + y + 1) * 16 + x - 4]
							: 0xff);
			}
		}
	}
}

static void bad_boxes_are_refused(void **state)
{
	const uint64_t there = allocate(1024);
	unsigned char host[2048] = { 0 };
	struct softgpu_copy good = {
		.to = { SOFTGPU_SIDE_DEVICE, there, 32, 0, 0, 0, 0 },
		.from = { SOFTGPU_SIDE_HOST, (uintptr_t)host, 32, 0, 0, 0, 0 },
		.width_bytes = 32,
		.rows = 32,
		.planes = 1,
	}, bad;

	(void)state;
	OK(softgpu_copy(rig.gpu, &good));
	bad = good;
	bad.to.pitch_bytes = 31; /* below the width */
	assert_int_equal(softgpu_copy(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	bad = good;
	bad.rows = 33; /* beyond the allocation */
	assert_int_equal(softgpu_copy(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	bad = good;
	bad.to.y = UINT64_MAX; /* sums overflow */
	assert_int_equal(softgpu_copy(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	bad = good;
	bad.to.z = UINT64_MAX / 2;
	bad.to.rows = 32;
	assert_int_equal(softgpu_copy(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	bad = good;
	bad.to.base = there + 1; /* the last byte does not fit */
	assert_int_equal(softgpu_copy(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	bad = good;
	bad.planes = 2;
	bad.to.rows = 31; /* planes overlap */
	assert_int_equal(softgpu_copy(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	bad = good;
	bad.from.side = SOFTGPU_SIDE_DEVICE; /* not registered */
	assert_int_equal(softgpu_copy(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_memcpy(rig.gpu, there, 0, 4), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_memcpy(rig.gpu, there + 2048, (uintptr_t)host, 4),
			 SOFTGPU_INVALID_VALUE);
	bad = good;
	bad.rows = 0; /* nothing to do, wherever */
	bad.to.base = 0;
	OK(softgpu_copy(rig.gpu, &bad));
	OK(softgpu_synchronize(rig.gpu)); /* none of them is the context's error */
}

static void fills_have_elements_of_three_sizes(void **state)
{
	unsigned char bytes[64 * 4];
	uint64_t there = allocate(sizeof(bytes));

	(void)state;
	OK(softgpu_memset(rig.gpu, &(struct softgpu_set){ there, 0, 256, 1, 1, 0x11 }));
	OK(softgpu_memset(rig.gpu, &(struct softgpu_set){ there + 66, 64, 3, 2, 2, 0xaabbccdd }));
	OK(softgpu_memset(rig.gpu, &(struct softgpu_set){ there + 192, 0, 2, 1, 4, 0x01020304 }));
	OK(softgpu_memcpy(rig.gpu, (uintptr_t)bytes, there, sizeof(bytes)));
	for (int i = 0; i < 256; i++) {
		int row = i / 64, column = i % 64;
		unsigned char expected = 0x11;

		if ((row == 1 || row == 2) && column >= 2 && column < 8)
			expected = column % 2 == 0 ? 0xdd : 0xcc;
		if (row == 3 && column < 8)
			expected = (unsigned char)(4 - column % 4);
		assert_int_equal(bytes[i], expected);
	}
	assert_int_equal(softgpu_memset(rig.gpu, &(struct softgpu_set){ there + 1, 0, 1, 1, 2, 0 }),
			 SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_memset(rig.gpu, &(struct softgpu_set){ there, 0, 1, 1, 3, 0 }),
			 SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_memset(rig.gpu, &(struct softgpu_set){ there, 0, 257, 1, 1, 0 }),
			 SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_memset(rig.gpu, &(struct softgpu_set){ there, 4, 5, 2, 1, 0 }),
			 SOFTGPU_INVALID_VALUE);
}

/* Rows of 100 bytes, filled and copied in the order of a stream that first has to wait. */
static void boxes_and_fills_keep_a_streams_order(void **state)
{
	enum { WIDTH = 100, ROWS = 3 };
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	uint64_t there, pitch;
	void *back;

	(void)state;
	OK(softgpu_mem_alloc_pitch(rig.gpu, WIDTH, ROWS, 4, &there, &pitch));
	assert_true(pitch >= WIDTH && pitch % 512 == 0);
	OK(softgpu_host_alloc(rig.gpu, WIDTH * ROWS, &back)); /* zeros */
	const struct softgpu_copy box = {
		.from = { SOFTGPU_SIDE_DEVICE, there, pitch, 0, 0, 0, 0 },
		.to = { SOFTGPU_SIDE_ANY, (uintptr_t)back, WIDTH, 0, 0, 0, 0 },
		.width_bytes = WIDTH,
		.rows = ROWS,
		.planes = 1,
	};

	rig_hold(&rig, stream, 0);
	for (unsigned row = 0; row < ROWS; row++) {
		const struct softgpu_set set = { there + row * pitch, 0, WIDTH, 1, 1, row + 1 };

		OK(softgpu_memset_async(rig.gpu, &set, stream));
	}
	OK(softgpu_copy_async(rig.gpu, &box, stream));
	assert_int_equal(*(unsigned char *)back, 0);
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	for (int i = 0; i < WIDTH * ROWS; i++)
		assert_int_equal(((unsigned char *)back)[i], i / WIDTH + 1);
	assert_int_equal(softgpu_mem_alloc_pitch(rig.gpu, 0, 1, 4, &there, &pitch),
			 SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_mem_alloc_pitch(rig.gpu, 1, 1, 5, &there, &pitch),
			 SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_mem_alloc_pitch(rig.gpu, UINT64_MAX, 1, 4, &there, &pitch),
			 SOFTGPU_OUT_OF_MEMORY);
	assert_int_equal(softgpu_mem_alloc_pitch(rig.gpu, 1u << 20, UINT64_MAX, 4, &there, &pitch),
			 SOFTGPU_OUT_OF_MEMORY);
}

static void copies_end_when_slow_and_stop_when_told(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	struct softgpu_event *start = rig_event(&rig), *end = rig_event(&rig);
	uint64_t from = allocate(4u << 20), to = allocate(4u << 20);
	float ms;

	(void)state;
	/* 50 KiB at 1 MiB/s. */
	OK(softgpu_event_record(rig.gpu, start, stream));
	OK(softgpu_memcpy_async(rig.gpu, to, from, 51200, stream));
	OK(softgpu_event_record(rig.gpu, end, stream));
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	OK(softgpu_event_elapsed(rig.gpu, start, end, &ms));
	assert_true(ms >= 48.0f); /* by the device's own clock: the switch's contract */
	OK(softgpu_memcpy_async(rig.gpu, to, from, 4u << 20, stream)); /* 4 s */
	assert_int_equal(softgpu_stream_query(rig.gpu, stream), SOFTGPU_NOT_READY);
	softgpu_stop(rig.gpu);
	assert_int_equal(softgpu_stream_query(rig.gpu, stream), SOFTGPU_DEINITIALIZED);
}

/* --- memory that goes -------------------------------------------------------------------- */

static void what_is_freed_or_not_ours_is_told(void **state)
{
	uint64_t address = allocate(100), free_before, free_after, total;

	(void)state;
	OK(softgpu_mem_info(rig.gpu, &free_before, &total));
	assert_int_equal(total, 64u << 20);
	OK(softgpu_mem_free(rig.gpu, address));
	OK(softgpu_mem_info(rig.gpu, &free_after, &total));
	assert_true(free_after > free_before);
	assert_int_equal(softgpu_mem_free(rig.gpu, address), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_mem_free(rig.gpu, allocate(100) + 1), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_mem_free(rig.gpu, rig_word(&rig, 0)), SOFTGPU_INVALID_VALUE);
	OK(softgpu_mem_free(rig.gpu, 0));
	assert_int_equal(softgpu_mem_alloc(rig.gpu, 0, &address), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_mem_alloc(rig.gpu, 65u << 20, &address), SOFTGPU_OUT_OF_MEMORY);
	assert_int_equal(softgpu_mem_alloc(rig.gpu, UINT64_MAX, &address), SOFTGPU_OUT_OF_MEMORY);
}

static void memory_that_work_uses_goes_after_it(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	uint64_t address = allocate(40u << 20);
	struct softgpu_pointer_info info;

	(void)state;
	rig_hold(&rig, stream, 0);
	OK(softgpu_memcpy_async(rig.gpu, rig_word(&rig, 1), address, 4, stream));
	OK(softgpu_mem_free(rig.gpu, address));
	assert_int_equal(softgpu_mem_free(rig.gpu, address), SOFTGPU_INVALID_VALUE);
	OK(softgpu_pointer_info(rig.gpu, address, &info)); /* still there */
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	assert_int_equal(softgpu_pointer_info(rig.gpu, address, &info), SOFTGPU_INVALID_VALUE);
}

static void *let_go(void *argument)
{
	rig_write(argument, 0, 1);
	return NULL;
}

static void an_allocation_waits_for_freed_memory_when_it_is_short(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	uint64_t address = allocate(40u << 20), again;
	pthread_t other;

	(void)state;
	rig_hold(&rig, stream, 0);
	OK(softgpu_mem_free(rig.gpu, address));
	assert_int_equal(pthread_create(&other, NULL, let_go, &rig), 0);
	OK(softgpu_mem_alloc(rig.gpu, 40u << 20, &again));
	pthread_join(other, NULL);
}

struct freeing {
	uint64_t address;
	uint32_t word_at_return;
	enum softgpu_result result;
};

static void *free_it(void *argument)
{
	struct freeing *freeing = argument;

	rig_write(&rig, 1, 1); /* about to */
	freeing->result = softgpu_mem_free(rig.gpu, freeing->address);
	freeing->word_at_return = rig_read(&rig, 0);
	return NULL;
}

static void a_free_blocks_with_the_switch(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);
	struct freeing freeing = { .address = allocate(100) };
	pthread_t other;

	(void)state;
	rig_hold(&rig, stream, 0);
	assert_int_equal(pthread_create(&other, NULL, free_it, &freeing), 0);
	rig_await(&rig, 1, 1);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	/* What does not block, does not with the switch on either. */
	OK(softgpu_mem_free(rig.gpu, 0));
	(void)allocate(100);
	rig_mark(&rig, rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING), 2, 1);
	rig_await(&rig, 2, 1);
	rig_write(&rig, 0, 1);
	pthread_join(other, NULL);
	assert_int_equal(freeing.result, SOFTGPU_SUCCESS);
	assert_int_equal(freeing.word_at_return, 1);
}

static void a_copy_whose_memory_is_gone_is_the_contexts_error(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	char text[SOFTGPU_TEXT_LEN];
	uint64_t address, other;
	void *host;

	(void)state;
	OK(softgpu_mem_alloc_async(rig.gpu, 100, NULL, stream, &address));
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	rig_hold(&rig, stream, 0);
	OK(softgpu_memcpy_async(rig.gpu, address, rig_word(&rig, 1), 4, stream));
	/* Freed by another stream too early. */
	OK(softgpu_mem_free_async(rig.gpu, address, rig_stream(&rig, 0)));
	rig_write(&rig, 0, 1);
	assert_int_equal(softgpu_stream_synchronize(rig.gpu, stream), SOFTGPU_ILLEGAL_ADDRESS);
	OK(softgpu_fault_text(rig.gpu, text));
	assert_non_null(strstr(text, "freed"));
	assert_int_equal(softgpu_mem_alloc(rig.gpu, 4, &other), SOFTGPU_ILLEGAL_ADDRESS);
	assert_int_equal(softgpu_host_alloc(rig.gpu, 4, &host), SOFTGPU_ILLEGAL_ADDRESS);
	softgpu_stop(rig.gpu);
	assert_int_equal(softgpu_error(rig.gpu), SOFTGPU_ILLEGAL_ADDRESS); /* the first stays */
}

/* --- host memory ------------------------------------------------------------------------- */

static void host_memory_is_registered_once(void **state)
{
	unsigned char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct softgpu_pointer_info info;

	(void)state;
	assert_ptr_not_equal(memory, MAP_FAILED);
	OK(softgpu_host_register(rig.gpu, memory, 8192));
	assert_int_equal(softgpu_host_register(rig.gpu, memory + 4096, 8192),
			 SOFTGPU_HOST_MEMORY_ALREADY_REGISTERED);
	OK(softgpu_pointer_info(rig.gpu, (uintptr_t)memory + 5000, &info));
	assert_int_equal(info.kind, SOFTGPU_MEMORY_HOST);
	assert_int_equal(info.start, (uintptr_t)memory);
	assert_int_equal(info.bytes, 8192);
	OK(softgpu_memset(rig.gpu, &(struct softgpu_set){ (uintptr_t)memory, 0, 8192, 1, 1, 7 }));
	OK(softgpu_synchronize(rig.gpu));
	assert_int_equal(memory[8191], 7);
	assert_int_equal(softgpu_host_unregister(rig.gpu, memory + 1),
			 SOFTGPU_HOST_MEMORY_NOT_REGISTERED);
	OK(softgpu_host_unregister(rig.gpu, memory));
	assert_int_equal(softgpu_host_unregister(rig.gpu, memory),
			 SOFTGPU_HOST_MEMORY_NOT_REGISTERED);
	assert_int_equal(softgpu_host_register(rig.gpu, NULL, 4), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_host_register(rig.gpu, memory, 0), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_host_register(rig.gpu, memory, UINT64_MAX), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_host_free(rig.gpu, memory), SOFTGPU_INVALID_VALUE);
	munmap(memory, 8192);
}

static void host_memory_can_be_taken_back_after_an_error(void **state)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct softgpu_stream *stream = rig_stream(&rig, 0);

	(void)state;
	OK(softgpu_host_register(rig.gpu, memory, 4096));
	rig_hold(&rig, stream, 0);
	OK(softgpu_memcpy_async(rig.gpu, rig_word(&rig, 1), (uintptr_t)memory, 4, stream));
	softgpu_stop(rig.gpu);
	OK(softgpu_host_unregister(rig.gpu, memory));
	munmap(memory, 4096);
}

/* --- pools ------------------------------------------------------------------------------- */

static uint64_t attribute(struct softgpu_pool *pool, enum softgpu_pool_attribute which)
{
	uint64_t value;

	OK(softgpu_pool_attribute_get(rig.gpu, pool, which, &value));
	return value;
}

static void pools_count_what_is_allocated_from_them(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	struct softgpu_pointer_info info;
	struct softgpu_pool *pool, *standard;
	uint64_t one, two;

	(void)state;
	OK(softgpu_pool_create(rig.gpu, 1000, &pool));
	OK(softgpu_mem_alloc_async(rig.gpu, 600, pool, stream, &one));
	assert_int_equal(softgpu_mem_alloc_async(rig.gpu, 600, pool, stream, &two),
			 SOFTGPU_OUT_OF_MEMORY);
	assert_int_equal(attribute(pool, SOFTGPU_POOL_USED_MEM_CURRENT), 600);
	OK(softgpu_pointer_info(rig.gpu, one, &info));
	assert_ptr_equal(info.pool, pool);
	OK(softgpu_mem_free_async(rig.gpu, one, stream));
	assert_int_equal(softgpu_mem_free_async(rig.gpu, one, stream), SOFTGPU_INVALID_VALUE);
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	assert_int_equal(attribute(pool, SOFTGPU_POOL_USED_MEM_CURRENT), 0);
	assert_int_equal(attribute(pool, SOFTGPU_POOL_USED_MEM_HIGH), 600);
	OK(softgpu_pool_attribute_set(rig.gpu, pool, SOFTGPU_POOL_USED_MEM_HIGH, 0));
	assert_int_equal(attribute(pool, SOFTGPU_POOL_USED_MEM_HIGH), 0);
	OK(softgpu_pool_attribute_set(rig.gpu, pool, SOFTGPU_POOL_RELEASE_THRESHOLD, UINT64_MAX));
	assert_int_equal(attribute(pool, SOFTGPU_POOL_RELEASE_THRESHOLD), UINT64_MAX);
	OK(softgpu_pool_trim(rig.gpu, pool, 0));
	OK(softgpu_mem_alloc_async(rig.gpu, 600, pool, stream, &one));
	OK(softgpu_pool_destroy(rig.gpu, pool)); /* its memory lives on */
	assert_int_equal(softgpu_pool_destroy(rig.gpu, pool), SOFTGPU_INVALID_HANDLE);
	OK(softgpu_mem_free(rig.gpu, one));
	OK(softgpu_pool_default(rig.gpu, &standard));
	assert_int_equal(softgpu_pool_destroy(rig.gpu, standard), SOFTGPU_INVALID_VALUE);
}

static void what_is_freed_on_a_stream_is_handed_out_again_there(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);
	uint64_t first, again, other;

	(void)state;
	rig_hold(&rig, stream, 0);
	OK(softgpu_mem_alloc_async(rig.gpu, 40u << 20, NULL, stream, &first));
	for (int i = 0; i < 100; i++) {
		OK(softgpu_mem_free_async(rig.gpu, first, stream));
		OK(softgpu_mem_alloc_async(rig.gpu, 40u << 20, NULL, stream, &again));
		assert_int_equal(again, first);
	}
	assert_int_equal(softgpu_mem_alloc_async(rig.gpu, 40u << 20, NULL, NULL, &other),
			 SOFTGPU_OUT_OF_MEMORY);
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	/* The frees that were taken back do nothing. */
	OK(softgpu_memset(rig.gpu, &(struct softgpu_set){ first, 0, 4, 1, 4, 1 }));
	OK(softgpu_synchronize(rig.gpu));
	OK(softgpu_mem_free(rig.gpu, first));
}

/* --- the switches' spelling -------------------------------------------------------------- */

static void switches_are_read(void **state)
{
	struct softgpu_switches switches = { 0 };
	static const struct {
		const char *text;
		int err;
	} bad[] = {
		{ "", -EINVAL },
		{ "block", -EINVAL },
		{ "queue", -EINVAL },
		{ "queue=", -EINVAL },
		{ "queue=0", -ERANGE },
		{ "queue=1000001", -ERANGE },
		{ "queue=x", -EINVAL },
		{ "queues=3", -EINVAL },
		{ "fault-late=0", -ERANGE },
		{ "slow-copy=-1", -EINVAL },
		{ "block-free=1", -EINVAL },
		{ "no-write-values=1", -EINVAL },
	};

	(void)state;
	assert_int_equal(softgpu_switch_parse(&switches, "block-free"), 0);
	assert_int_equal(softgpu_switch_parse(&switches, "queue=3"), 0);
	assert_int_equal(softgpu_switch_parse(&switches, "fault-late"), 0);
	assert_int_equal(softgpu_switch_parse(&switches, "slow-copy=7"), 0);
	assert_true(switches.block_free);
	assert_false(switches.no_write_values);
	assert_int_equal(softgpu_switch_parse(&switches, "no-write-values"), 0);
	assert_true(switches.no_write_values);
	assert_int_equal(switches.queue, 3);
	assert_int_equal(switches.fault_late_ms, 50);
	assert_int_equal(switches.slow_copy_mib_s, 7);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(softgpu_switch_parse(&switches, bad[i].text), bad[i].err);
}

static void a_config_out_of_bounds_is_refused(void **state)
{
	struct softgpu *gpu;
	struct softgpu_config config = { .memory_bytes = 1u << 20, .host = softgpu_host_default() };

	(void)state;
	assert_int_equal(softgpu_open(NULL, &gpu), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_open(&config, NULL), SOFTGPU_INVALID_VALUE);
	config.memory_bytes = (1u << 20) - 1;
	assert_int_equal(softgpu_open(&config, &gpu), SOFTGPU_INVALID_VALUE);
	config.memory_bytes = (1ull << 40) + 1;
	assert_int_equal(softgpu_open(&config, &gpu), SOFTGPU_INVALID_VALUE);
	config.memory_bytes = 1u << 20;
	config.processors = 257;
	assert_int_equal(softgpu_open(&config, &gpu), SOFTGPU_INVALID_VALUE);
	config.processors = 1;
	config.host = NULL;
	assert_int_equal(softgpu_open(&config, &gpu), SOFTGPU_INVALID_VALUE);
}

static void turn_nothing(void *argument)
{
	(void)argument;
}

/* A host that has no threads left after a number of them. */
static int threads_left;

static int refuse_thread(void *owner, const char *name, void *(*body)(void *argument),
			 void *argument, uint64_t *thread)
{
	if (threads_left-- <= 0)
		return -EAGAIN;
	return softgpu_host_default()->thread_start(owner, name, body, argument, thread);
}

static void a_host_without_threads_is_told(void **state)
{
	struct softgpu_host host = *softgpu_host_default();
	struct softgpu_config config = { .memory_bytes = 1u << 20, .processors = 3, .host = &host };
	struct softgpu *gpu;

	(void)state;
	host.thread_start = refuse_thread;
	for (int threads = 0; threads < 5; threads++) {
		threads_left = threads;
		assert_int_equal(softgpu_open(&config, &gpu), SOFTGPU_OPERATING_SYSTEM);
	}
	threads_left = 5; /* two copiers, three processors */
	OK(softgpu_open(&config, &gpu));
	assert_int_equal(softgpu_stream_host_function(gpu, NULL, turn_nothing, NULL),
			 SOFTGPU_OPERATING_SYSTEM);
	OK(softgpu_synchronize(gpu));
	softgpu_close(gpu);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_there_and_back),
		TEST(unregistered_memory_may_go_when_the_call_returned),
		TEST(boxes_are_cut_out_and_put_in),
		TEST(bad_boxes_are_refused),
		TEST(fills_have_elements_of_three_sizes),
		TEST(boxes_and_fills_keep_a_streams_order),
		cmocka_unit_test_setup_teardown(copies_end_when_slow_and_stop_when_told,
						setup_slow_copy, teardown),
		TEST(what_is_freed_or_not_ours_is_told),
		TEST(memory_that_work_uses_goes_after_it),
		TEST(an_allocation_waits_for_freed_memory_when_it_is_short),
		cmocka_unit_test_setup_teardown(a_free_blocks_with_the_switch, setup_block_free,
						teardown),
		TEST(a_copy_whose_memory_is_gone_is_the_contexts_error),
		TEST(host_memory_is_registered_once),
		TEST(host_memory_can_be_taken_back_after_an_error),
		TEST(pools_count_what_is_allocated_from_them),
		TEST(what_is_freed_on_a_stream_is_handed_out_again_there),
		cmocka_unit_test(switches_are_read),
		cmocka_unit_test(a_config_out_of_bounds_is_refused),
		cmocka_unit_test(a_host_without_threads_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
