/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_kernels.c - kernels on the device: launches, kernels that wait, faults, the end, the
 * switches */

#include "tests/unit/softgpu/device.h"

extern const char kernels[], kernels_end[];

static struct rig rig;
static struct softgpu_module *module;

static void load(void)
{
	const struct softgpu_image image = { kernels, (uint64_t)(kernels_end - kernels) };
	char text[1024] = "";
	const struct softgpu_log log = { text, sizeof(text) };

	if (softgpu_module_load(rig.gpu, &image, 1, &log, &module) != SOFTGPU_SUCCESS)
		fail_msg("kernels.ptx: %s", text);
}

static int setup(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ 0 });
	load();
	return 0;
}

static int setup_one_processor(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ .processors = 1 });
	load();
	return 0;
}

static int setup_block_free(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ .switches = { .block_free = true } });
	load();
	return 0;
}

static int setup_queue(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ .switches = { .queue = 3 } });
	load();
	return 0;
}

static int setup_fault_late(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ .switches = { .fault_late_ms = 60000 } });
	load();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

static struct softgpu_function *function(const char *name)
{
	struct softgpu_function *found;

	OK(softgpu_module_function(rig.gpu, module, name, &found));
	return found;
}

/* A launch with the address of a word, and a further parameter for kernels that have two. */
static enum softgpu_result try_launch(const char *name, struct softgpu_stream *stream,
				      uint32_t blocks, uint32_t threads, unsigned word,
				      uint64_t second)
{
	const uint64_t address = rig_word(&rig, word);
	const void *parameters[] = { &address, &second };
	const struct softgpu_launch launch = {
		.function = function(name),
		.grid = { blocks, 1, 1 },
		.block = { threads, 1, 1 },
		.stream = stream,
		.parameters = parameters,
	};

	return softgpu_launch(rig.gpu, &launch);
}

static void launch(const char *name, struct softgpu_stream *stream, uint32_t blocks,
		   uint32_t threads, unsigned word, uint64_t second)
{
	OK(try_launch(name, stream, blocks, threads, word, second));
}

/* --- launches ---------------------------------------------------------------------------- */

static void every_thread_of_every_block_runs_once(void **state)
{
	static const struct {
		uint32_t blocks, threads;
	} rows[] = { { 1, 1 }, { 1, 1024 }, { 1000, 1 }, { 77, 33 }, { 3, 1024 } };
	uint32_t expected = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		launch("count", NULL, rows[i].blocks, rows[i].threads, 0, 0);
		expected += rows[i].blocks * rows[i].threads;
		OK(softgpu_synchronize(rig.gpu));
		assert_int_equal(rig_read(&rig, 0), expected);
	}
}

static void kernels_of_a_stream_run_one_after_the_other(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0);

	(void)state;
	launch("spin", stream, 1, 32, 0, 0);
	launch("set", stream, 1, 1, 1, 7);
	launch("set", rig_stream(&rig, 0), 1, 1, 2, 7);
	rig_await(&rig, 2, 7);
	assert_int_equal(rig_read(&rig, 1), 0);
	rig_write(&rig, 0, 1);
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	assert_int_equal(rig_read(&rig, 1), 7);
}

static void parameters_come_in_any_size_and_as_a_blob(void **state)
{
	const uint64_t address = rig_word(&rig, 0);
	const uint8_t small = 200;
	const uint16_t middle = 40000;
	const double large = -2.5;
	const void *parameters[] = { &address, &small, &middle, &large };
	uint64_t offsets[4], bytes[4], none;
	unsigned char blob[64] = { 0 };
	struct softgpu_launch one = { .function = function("sizes"),
				      .grid = { 1, 1, 1 },
				      .block = { 1, 1, 1 },
				      .parameters = parameters };
	double stored;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		OK(softgpu_function_parameter(rig.gpu, one.function, i, &offsets[i], &bytes[i]));
		memcpy(blob + offsets[i], parameters[i], bytes[i]);
	}
	assert_int_equal(softgpu_function_parameter(rig.gpu, one.function, 4, &none, &none),
			 SOFTGPU_INVALID_VALUE);
	for (int as_blob = 0; as_blob < 2; as_blob++) {
		memset(rig.words, 0, 64);
		OK(softgpu_launch(rig.gpu, &one));
		OK(softgpu_synchronize(rig.gpu));
		assert_int_equal(rig_read(&rig, 0), small);
		assert_int_equal(rig_read(&rig, 1), middle);
		memcpy(&stored, &rig.words[2], sizeof(stored));
		assert_true(stored == large);
		one.parameters = NULL;
		one.blob = blob;
		one.blob_bytes = sizeof(blob);
	}
	one.blob_bytes = offsets[3] + bytes[3] - 1;
	assert_int_equal(softgpu_launch(rig.gpu, &one), SOFTGPU_INVALID_VALUE);
	one.blob = NULL;
	assert_int_equal(softgpu_launch(rig.gpu, &one), SOFTGPU_INVALID_VALUE);
	parameters[2] = NULL;
	one.parameters = parameters;
	assert_int_equal(softgpu_launch(rig.gpu, &one), SOFTGPU_INVALID_VALUE);
}

static void bad_launches_are_refused_at_the_call(void **state)
{
	struct softgpu_launch one = { .function = function("exact"),
				      .grid = { 1, 1, 1 },
				      .block = { 32, 2, 1 } },
			      bad;

	(void)state;
	OK(softgpu_launch(rig.gpu, &one));
	bad = one;
	bad.block.y = 1; /* .reqntid 32, 2, 1 */
	assert_int_equal(softgpu_launch(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	bad = one;
	bad.grid.x = 0;
	assert_int_equal(softgpu_launch(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	bad = one;
	bad.grid.y = 65536;
	assert_int_equal(softgpu_launch(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	bad = one;
	bad.shared_bytes = 48 * 1024 + 1;
	assert_int_equal(softgpu_launch(rig.gpu, &bad), SOFTGPU_INVALID_VALUE);
	OK(softgpu_function_attribute_set(rig.gpu, one.function, 8, 227 * 1024));
	bad.shared_bytes = 227 * 1024;
	OK(softgpu_launch(rig.gpu, &bad));
	assert_int_equal(softgpu_function_attribute_set(rig.gpu, one.function, 8, 227 * 1024 + 1),
			 SOFTGPU_INVALID_VALUE);
	assert_int_equal(try_launch("count", NULL, 1, 1025, 0, 0), SOFTGPU_INVALID_VALUE);
	assert_int_equal(try_launch("sizes", NULL, 1, 65, 0, 0), SOFTGPU_INVALID_VALUE);
	bad = one;
	bad.function = (struct softgpu_function *)module;
	assert_int_equal(softgpu_launch(rig.gpu, &bad), SOFTGPU_INVALID_HANDLE);
	assert_int_equal(softgpu_launch(rig.gpu, NULL), SOFTGPU_INVALID_VALUE);
	OK(softgpu_synchronize(rig.gpu));
}

static int attribute(const char *name, int which)
{
	int value;

	OK(softgpu_function_attribute_get(rig.gpu, function(name), which, &value));
	return value;
}

static void functions_and_modules_say_what_they_are(void **state)
{
	struct softgpu_function *one = function("sizes"), *at;
	struct softgpu_module *of;
	uint32_t count, blocks, threads;
	uint64_t shared;
	const char *name;
	int value;

	(void)state;
	assert_int_equal(attribute("sizes", SOFTGPU_FUNCTION_MAX_THREADS_PER_BLOCK), 64);
	assert_int_equal(attribute("count", SOFTGPU_FUNCTION_MAX_THREADS_PER_BLOCK), 1024);
	assert_int_equal(attribute("sizes", SOFTGPU_FUNCTION_SHARED_BYTES), 1024);
	assert_int_equal(attribute("print", SOFTGPU_FUNCTION_LOCAL_BYTES) >= 8, 1);
	assert_int_equal(attribute("sizes", SOFTGPU_FUNCTION_PTX_VERSION), 75);
	assert_true(attribute("sizes", SOFTGPU_FUNCTION_REGISTERS) > 0);
	assert_int_equal(softgpu_function_attribute_get(rig.gpu, one, 16, &value),
			 SOFTGPU_INVALID_VALUE);
	OK(softgpu_module_function_count(rig.gpu, module, &count));
	assert_int_equal(count, 13);
	OK(softgpu_module_function_at(rig.gpu, module, 0, &at));
	OK(softgpu_function_name(rig.gpu, at, &name));
	assert_string_equal(name, "spin");
	OK(softgpu_function_module(rig.gpu, at, &of));
	assert_ptr_equal(of, module);
	assert_int_equal(softgpu_module_function(rig.gpu, module, "missing", &at),
			 SOFTGPU_NOT_FOUND);
	OK(softgpu_occupancy(rig.gpu, one, 64, 0, &blocks));
	assert_int_equal(blocks, 32);
	/* What a driver answers on a device of the same capability: .maxntid is not looked at. */
	OK(softgpu_occupancy(rig.gpu, one, 65, 0, &blocks));
	assert_int_equal(blocks, 21);
	OK(softgpu_occupancy(rig.gpu, one, 64, 100 * 1024, &blocks));
	assert_int_equal(blocks, 0);
	assert_int_equal(softgpu_occupancy(rig.gpu, one, 0, 0, &blocks), SOFTGPU_INVALID_VALUE);
	OK(softgpu_occupancy_shared(rig.gpu, one, 4, 64, &shared));
	assert_int_equal(shared, 48128);
	assert_int_equal(softgpu_occupancy_shared(rig.gpu, one, 33, 64, &shared),
			 SOFTGPU_INVALID_VALUE);
	OK(softgpu_function_attribute_set(rig.gpu, one, 8, 100 * 1024));
	OK(softgpu_occupancy(rig.gpu, one, 64, 100 * 1024, &blocks));
	assert_int_equal(blocks, 2);
	assert_int_equal(attribute("sizes", SOFTGPU_FUNCTION_BINARY_VERSION), 90);
	OK(softgpu_occupancy_block(rig.gpu, function("count"), NULL, 0, &blocks, &threads));
	assert_int_equal(threads, 1024);
	assert_int_equal(blocks, 2 * 2);
}

static void variables_live_in_the_module(void **state)
{
	uint64_t address, bytes;
	uint32_t value;

	(void)state;
	rig_write(&rig, 2, 99);
	launch("variables", NULL, 1, 1, 0, 0);
	launch("variables", NULL, 1, 1, 0, 0);
	OK(softgpu_synchronize(rig.gpu));
	assert_int_equal(rig_read(&rig, 0), 42);
	assert_int_equal(rig_read(&rig, 1), 9);
	assert_int_equal(rig_read(&rig, 2), 0);
	OK(softgpu_module_global(rig.gpu, module, "counter", &address, &bytes));
	assert_int_equal(bytes, 4);
	OK(softgpu_memcpy(rig.gpu, (uintptr_t)&value, address, 4));
	assert_int_equal(value, 43);
	OK(softgpu_module_global(rig.gpu, module, "constants", &address, &bytes));
	assert_int_equal(bytes, 16);
	assert_int_equal(softgpu_mem_free(rig.gpu, address), SOFTGPU_INVALID_VALUE);
	assert_int_equal(softgpu_module_global(rig.gpu, module, "missing", &address, &bytes),
			 SOFTGPU_NOT_FOUND);
}

static void bad_images_are_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *reason;
	} rows[] = {
		{ "\x50\xed\x55\xba\x01\x00\x10\x00", 8, "is a fatbin" },
		{ "\x7f"
		  "ELF",
		  4, "machine code" },
		{ "hello", 5, "" },
		{ ".version 7.0\n.target sm_75\n.address_size 64\n.entry k()\n{ frob.u32; ret; }",
		  74, "line 5" },
	};
	char text[256];
	const struct softgpu_log log = { text, sizeof(text) };
	struct softgpu_module *other;
	struct softgpu_image image;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		image = (struct softgpu_image){ rows[i].text, rows[i].bytes };
		assert_int_not_equal(softgpu_module_load(rig.gpu, &image, 1, &log, &other),
				     SOFTGPU_SUCCESS);
		assert_non_null(strstr(text, rows[i].reason));
	}
	assert_int_equal(softgpu_module_load(rig.gpu, &image, 0, &log, &other),
			 SOFTGPU_INVALID_VALUE);
	OK(softgpu_synchronize(rig.gpu));
}

/* --- kernels that wait ------------------------------------------------------------------- */

/* Kernels 1 and 2 wait for kernel 3, all on one processor. */
static void kernels_wait_for_a_later_one_on_another_stream(void **state)
{
	struct softgpu_stream *streams[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		streams[i] = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);
	launch("spin", streams[0], 1, 64, 0, 0);
	launch("spin", streams[1], 4, 256, 0, 0);
	launch("set", streams[2], 1, 1, 0, 1);
	OK(softgpu_synchronize(rig.gpu));
}

static void blocks_of_a_cooperative_grid_meet(void **state)
{
	uint32_t each;
	const uint64_t address = rig_word(&rig, 0);
	const void *parameters[] = { &address };
	struct softgpu_counts counts;
	struct softgpu_launch one = { .function = function("meet"),
				      .block = { 256, 1, 1 },
				      .parameters = parameters,
				      .cooperative = true };

	(void)state;
	OK(softgpu_occupancy(rig.gpu, one.function, 256, 0, &each));
	assert_int_equal(each, 8);
	one.grid = (struct softgpu_dim){ each + 1, 1, 1 };
	assert_int_equal(softgpu_launch(rig.gpu, &one), SOFTGPU_COOPERATIVE_LAUNCH_TOO_LARGE);
	one.grid.x = each;
	/* Two at once on two streams, that together do not fit. */
	for (int i = 0; i < 2; i++) {
		one.stream = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);
		OK(softgpu_launch(rig.gpu, &one));
	}
	OK(softgpu_synchronize(rig.gpu));
	assert_int_equal(rig_read(&rig, 0), 2 * each);
	/* Those that wait do not keep the processor from those that they wait for. */
	OK(softgpu_counts(rig.gpu, &counts));
	assert_true(counts.instructions < 100000);
}

static void sleeping_blocks_leave_the_processor_to_others(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);

	(void)state;
	launch("doze", stream, 8, 128, 0, 0);
	launch("count", NULL, 100, 32, 1, 0);
	OK(softgpu_stream_synchronize(rig.gpu, NULL));
	assert_int_equal(rig_read(&rig, 1), 3200);
	assert_int_equal(softgpu_stream_query(rig.gpu, stream), SOFTGPU_NOT_READY);
	rig_write(&rig, 0, 1);
	OK(softgpu_synchronize(rig.gpu));
}

static void a_kernel_of_higher_priority_goes_before_the_blocks_of_others(void **state)
{
	struct softgpu_stream *low = rig_stream(&rig, 0), *high, *start = rig_stream(&rig, 0);
	struct softgpu_event *event = rig_event(&rig);

	(void)state;
	OK(softgpu_stream_create(rig.gpu, 0, SOFTGPU_PRIORITY_GREATEST, &high));
	/* Both may start at the same moment, the low one is there first. */
	rig_hold(&rig, start, 0);
	OK(softgpu_event_record(rig.gpu, event, start));
	OK(softgpu_stream_wait_event(rig.gpu, low, event));
	OK(softgpu_stream_wait_event(rig.gpu, high, event));
	launch("count", low, 1000, 32, 1, 0);
	launch("count", high, 10, 32, 2, 0);
	/* What each had counted when the high one ended. */
	OK(softgpu_memcpy_async(rig.gpu, rig_word(&rig, 3), rig_word(&rig, 1), 8, high));
	rig_write(&rig, 0, 1);
	OK(softgpu_synchronize(rig.gpu));
	assert_int_equal(rig_read(&rig, 1), 32000);
	assert_int_equal(rig_read(&rig, 3), 0);
	assert_int_equal(rig_read(&rig, 4), 320);
}

struct busy {
	atomic_bool spinning;
	uint32_t word_at_free, word_at_load, word_at_sync;
	uint64_t address;
};

/* What another thread does while a kernel spins; each notes whether the kernel was still waiting.
 */
static void *free_load_synchronize(void *argument)
{
	struct softgpu_stream *stream = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);
	struct busy *busy = argument;

	launch("set", stream, 1, 1, 1, 1);
	OK(softgpu_stream_synchronize(rig.gpu, stream));
	rig_write(&rig, 2, 1);
	OK(softgpu_mem_free(rig.gpu, busy->address));
	busy->word_at_free = rig_read(&rig, 0);
	rig_write(&rig, 2, 2);
	load();
	busy->word_at_load = rig_read(&rig, 0);
	rig_write(&rig, 2, 3);
	OK(softgpu_synchronize(rig.gpu));
	busy->word_at_sync = rig_read(&rig, 0);
	return NULL;
}

static void run_busy(struct busy *busy, uint32_t until)
{
	pthread_t other;

	OK(softgpu_mem_alloc(rig.gpu, 100, &busy->address));
	launch("spin", rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING), 4, 256, 0, 0);
	assert_int_equal(pthread_create(&other, NULL, free_load_synchronize, busy), 0);
	rig_await(&rig, 2, until);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	/* Whatever blocks there: launches, queries and copies go on here. */
	launch("set", rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING), 1, 1, 3, 1);
	rig_await(&rig, 3, 1);
	OK(softgpu_memcpy(rig.gpu, rig_word(&rig, 4), rig_word(&rig, 3), 4));
	rig_write(&rig, 0, 1);
	pthread_join(other, NULL);
	assert_int_equal(busy->word_at_sync, 1);
}

static void frees_and_loads_go_on_beside_a_spinning_kernel(void **state)
{
	struct busy busy = { 0 };

	(void)state;
	run_busy(&busy, 3);
	assert_int_equal(busy.word_at_free, 0);
	assert_int_equal(busy.word_at_load, 0);
}

static void frees_and_loads_block_with_the_switch(void **state)
{
	struct busy busy = { 0 };

	(void)state;
	run_busy(&busy, 1);
	assert_int_equal(busy.word_at_free, 1);
	assert_int_equal(busy.word_at_load, 1);
}

/* --- the queue --------------------------------------------------------------------------- */

static void *launch_four(void *argument)
{
	struct softgpu_stream *stream = argument;

	for (uint32_t i = 1; i <= 4; i++) {
		launch("set", stream, 1, 1, 1, i);
		rig_write(&rig, 2, i); /* so many are queued */
	}
	return NULL;
}

static void a_full_queue_holds_launches_back(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);
	pthread_t other;

	(void)state;
	launch("spin", stream, 1, 1, 0, 0);
	assert_int_equal(pthread_create(&other, NULL, launch_four, stream), 0);
	rig_await(&rig, 2, 2); /* the first is `spin` */
	for (int i = 0; i < 1000; i++)
		sched_yield();
	assert_int_equal(rig_read(&rig, 2), 2);
	/* Other streams are not held back, nor other work of the device. */
	launch("set", rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING), 1, 1, 3, 1);
	rig_await(&rig, 3, 1);
	rig_write(&rig, 0, 1);
	pthread_join(other, NULL);
	OK(softgpu_synchronize(rig.gpu));
	assert_int_equal(rig_read(&rig, 1), 4);
}

static void *launch_until_error(void *argument)
{
	enum softgpu_result result;

	do {
		result = softgpu_launch(rig.gpu, argument);
		rig_write(&rig, 2, rig_read(&rig, 2) + 1);
	} while (result == SOFTGPU_SUCCESS);
	return (void *)(intptr_t)result;
}

static void stop_wakes_a_launch_that_waits_for_the_queue(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);
	struct softgpu_launch one = { .function = function("exact"),
				      .grid = { 1, 1, 1 },
				      .block = { 32, 2, 1 },
				      .stream = stream };
	pthread_t other;
	void *result;

	(void)state;
	launch("spin", stream, 1, 1, 0, 0);
	assert_int_equal(pthread_create(&other, NULL, launch_until_error, &one), 0);
	rig_await(&rig, 2, 2);
	softgpu_stop(rig.gpu);
	pthread_join(other, &result);
	assert_int_equal((intptr_t)result, SOFTGPU_DEINITIALIZED);
}

/* --- faults and the end ------------------------------------------------------------------ */

static void an_endless_kernel_stops_in_the_middle(void **state)
{
	(void)state;
	launch("endless", rig_stream(&rig, 0), 64, 1024, 0, 0);
	launch("endless", rig_stream(&rig, 0), 1, 32, 0, 0);
	rig_await(&rig, 0, 1);
	softgpu_stop(rig.gpu);
	assert_int_equal(softgpu_synchronize(rig.gpu), SOFTGPU_DEINITIALIZED);
	/* The teardown joins the threads: it would hang if one went on. */
}

static void a_fault_is_the_contexts_error_and_stays(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, 0), *other = rig_stream(&rig, 0);
	struct softgpu_event *event = rig_event(&rig);
	char text[SOFTGPU_TEXT_LEN];
	struct softgpu_module *more;
	struct softgpu_launch again = { .function = function("stop"),
					.grid = { 1, 1, 1 },
					.block = { 1, 1, 1 } };
	uint64_t address;

	(void)state;
	launch("endless", other, 1, 32, 1, 0);
	OK(softgpu_mem_alloc(rig.gpu, 100, &address));
	/* All is queued before the fault: a call after it would answer with its code. */
	launch("spin", stream, 1, 32, 0, 0);
	launch("stray", stream, 1, 32, 0, address + 4096);
	OK(softgpu_event_record(rig.gpu, event, stream));
	rig_mark(&rig, stream, 5, 1);
	rig_write(&rig, 0, 1);
	assert_int_equal(softgpu_stream_synchronize(rig.gpu, stream), SOFTGPU_ILLEGAL_ADDRESS);
	assert_int_equal(rig_read(&rig, 5), 0); /* what was behind it does not run */
	OK(softgpu_fault_text(rig.gpu, text));
	assert_non_null(strstr(text, "stray"));
	assert_non_null(strstr(text, "st.global.u32"));
	assert_int_equal(softgpu_mem_free(rig.gpu, address), SOFTGPU_ILLEGAL_ADDRESS);
	assert_int_equal(softgpu_stream_query(rig.gpu, other), SOFTGPU_ILLEGAL_ADDRESS);
	assert_int_equal(softgpu_event_synchronize(rig.gpu, event), SOFTGPU_ILLEGAL_ADDRESS);
	assert_int_equal(softgpu_module_unload(rig.gpu, module), SOFTGPU_ILLEGAL_ADDRESS);
	assert_int_equal(softgpu_module_load(rig.gpu, NULL, 0, NULL, &more),
			 SOFTGPU_ILLEGAL_ADDRESS);
	assert_int_equal(softgpu_launch(rig.gpu, &again), SOFTGPU_ILLEGAL_ADDRESS);
	softgpu_stop(rig.gpu);
	assert_int_equal(softgpu_error(rig.gpu), SOFTGPU_ILLEGAL_ADDRESS);
}

static void a_trap_is_a_failed_launch(void **state)
{
	const struct softgpu_launch one = { .function = function("stop"),
					    .grid = { 1, 1, 1 },
					    .block = { 1, 1, 1 } };
	char text[SOFTGPU_TEXT_LEN];

	(void)state;
	OK(softgpu_launch(rig.gpu, &one));
	assert_int_equal(softgpu_synchronize(rig.gpu), SOFTGPU_LAUNCH_FAILED);
	OK(softgpu_fault_text(rig.gpu, text));
	assert_non_null(strstr(text, "trap"));
}

static void a_late_fault_shows_when_its_time_has_come(void **state)
{
	struct softgpu_stream *stream = rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING);
	uint64_t address;

	(void)state;
	rig_write(&rig, 0, 1);
	launch("stray", stream, 1, 32, 0, 8);
	/* The kernel has faulted when its processors are free for others. */
	launch("set", rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING), 1, 1, 1, 1);
	rig_await(&rig, 1, 1);
	assert_int_equal(softgpu_stream_query(rig.gpu, stream), SOFTGPU_NOT_READY);
	OK(softgpu_mem_alloc(rig.gpu, 4, &address));
	atomic_fetch_add(&rig.added_ns, 60 * UTIL_NS_PER_S);
	assert_int_equal(softgpu_stream_synchronize(rig.gpu, stream), SOFTGPU_ILLEGAL_ADDRESS);
}

static void host_memory_in_use_by_a_kernel_is_let_go_on_stop(void **state)
{
	void *memory;

	(void)state;
	OK(softgpu_host_alloc(rig.gpu, 4096, &memory));
	launch("spin", rig_stream(&rig, 0), 8, 256, 0, 0);
	launch("endless", rig_stream(&rig, 0), 8, 256, 1, 0);
	rig_await(&rig, 1, 1);
	softgpu_stop(rig.gpu);
	assert_int_equal(softgpu_host_unregister(rig.gpu, memory),
			 SOFTGPU_HOST_MEMORY_NOT_REGISTERED); /* ours: softgpu_close frees it */
}

/* --- what kernels print and allocate ----------------------------------------------------- */

static void prints_come_out_when_a_call_waits(void **state)
{
	const struct softgpu_launch one = { .function = function("print"),
					    .grid = { 3, 1, 1 },
					    .block = { 64, 1, 1 } };
	const char *output = rig.output[SOFTGPU_OUTPUT_PRINTF];

	(void)state;
	OK(softgpu_launch(rig.gpu, &one));
	OK(softgpu_synchronize(rig.gpu));
	assert_non_null(strstr(output, "block 0 so\n"));
	assert_non_null(strstr(output, "block 1 so\n"));
	assert_non_null(strstr(output, "block 2 so\n"));
	assert_int_equal(strlen(output), 3 * strlen("block 0 so\n"));
}

static void a_full_print_buffer_drops_the_oldest(void **state)
{
	const struct softgpu_launch one = { .function = function("print"),
					    .grid = { 50000, 1, 1 },
					    .block = { 1, 1, 1 } };
	const char *output = rig.output[SOFTGPU_OUTPUT_PRINTF];
	uint64_t limit, used = 0;

	(void)state;
	OK(softgpu_limit_set(rig.gpu, SOFTGPU_LIMIT_PRINTF_BYTES, 1));
	OK(softgpu_limit_get(rig.gpu, SOFTGPU_LIMIT_PRINTF_BYTES, &limit));
	assert_int_equal(limit, 512u << 10);
	OK(softgpu_launch(rig.gpu, &one));
	OK(softgpu_synchronize(rig.gpu));
	/* Whole lines, each with 4 bytes more; the last block's is among them. */
	assert_int_equal(strncmp(output, "block ", 6), 0);
	for (const char *at = output; *at; at = strchr(at, '\n') + 1)
		used += 4 + strlen("block ") + strcspn(at + 6, "\n") + 1;
	assert_in_range(used, (512u << 10) - 40, 512u << 10);
	assert_non_null(strstr(output, "block 49999 so\n"));
}

static void malloc_in_kernels_has_a_limit(void **state)
{
	uint64_t limit;

	(void)state;
	launch("take", NULL, 1, 1, 0, 1u << 20);
	launch("take", NULL, 1, 1, 1, 16u << 20);
	OK(softgpu_synchronize(rig.gpu));
	assert_int_equal(rig_read(&rig, 0), 1);
	assert_int_equal(rig_read(&rig, 1), 0);
	assert_int_equal(softgpu_limit_set(rig.gpu, SOFTGPU_LIMIT_MALLOC_HEAP_BYTES, 32u << 20),
			 SOFTGPU_INVALID_VALUE); /* in use */
	OK(softgpu_limit_get(rig.gpu, SOFTGPU_LIMIT_MALLOC_HEAP_BYTES, &limit));
	assert_int_equal(limit, 8u << 20);
	assert_int_equal(softgpu_limit_set(rig.gpu, SOFTGPU_LIMIT_STACK_BYTES, 1u << 20),
			 SOFTGPU_INVALID_VALUE);
	OK(softgpu_limit_set(rig.gpu, SOFTGPU_LIMIT_STACK_BYTES, 1));
	OK(softgpu_limit_get(rig.gpu, SOFTGPU_LIMIT_STACK_BYTES, &limit));
	assert_int_equal(limit, 16);
	assert_int_equal(softgpu_limit_get(rig.gpu, SOFTGPU_LIMIT_NUM, &limit),
			 SOFTGPU_UNSUPPORTED_LIMIT);
	assert_int_equal(softgpu_limit_get(rig.gpu, SOFTGPU_LIMIT_NAMES, &limit),
			 SOFTGPU_INVALID_VALUE);
}

static void an_unloaded_module_runs_to_its_end(void **state)
{
	struct softgpu_function *set = function("set");
	struct softgpu_launch one = { .function = set, .grid = { 1, 1, 1 }, .block = { 1, 1, 1 } };
	struct softgpu_stream *stream = rig_stream(&rig, 0);

	(void)state;
	launch("spin", stream, 1, 1, 0, 0);
	launch("set", stream, 1, 1, 1, 7);
	OK(softgpu_module_unload(rig.gpu, module));
	assert_int_equal(softgpu_module_unload(rig.gpu, module), SOFTGPU_INVALID_HANDLE);
	assert_int_equal(softgpu_launch(rig.gpu, &one), SOFTGPU_INVALID_HANDLE);
	rig_write(&rig, 0, 1);
	OK(softgpu_synchronize(rig.gpu));
	assert_int_equal(rig_read(&rig, 1), 7);
}

static void counts_are_kept(void **state)
{
	struct softgpu_counts counts;

	(void)state;
	launch("count", NULL, 100, 64, 0, 0);
	launch("spin", rig_stream(&rig, SOFTGPU_STREAM_NON_BLOCKING), 1, 1, 1, 0);
	OK(softgpu_stream_synchronize(rig.gpu, NULL));
	OK(softgpu_counts(rig.gpu, &counts));
	assert_int_equal(counts.kernels, 1);
	assert_int_equal(counts.blocks, 100);
	assert_true(counts.instructions >= 3 * 6400 && counts.instructions <= 8 * 6400);
	assert_int_equal(counts.running, 1);
	rig_write(&rig, 1, 1);
	OK(softgpu_synchronize(rig.gpu));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_OF(name, its_setup) cmocka_unit_test_setup_teardown(name, its_setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_thread_of_every_block_runs_once),
		TEST(kernels_of_a_stream_run_one_after_the_other),
		TEST(parameters_come_in_any_size_and_as_a_blob),
		TEST(bad_launches_are_refused_at_the_call),
		TEST(functions_and_modules_say_what_they_are),
		TEST(variables_live_in_the_module),
		TEST(bad_images_are_refused_with_a_reason),
		TEST_OF(kernels_wait_for_a_later_one_on_another_stream, setup_one_processor),
		TEST_OF(blocks_of_a_cooperative_grid_meet, setup_one_processor),
		TEST_OF(sleeping_blocks_leave_the_processor_to_others, setup_one_processor),
		TEST_OF(a_kernel_of_higher_priority_goes_before_the_blocks_of_others,
			setup_one_processor),
		TEST(frees_and_loads_go_on_beside_a_spinning_kernel),
		TEST_OF(frees_and_loads_block_with_the_switch, setup_block_free),
		TEST_OF(a_full_queue_holds_launches_back, setup_queue),
		TEST_OF(stop_wakes_a_launch_that_waits_for_the_queue, setup_queue),
		TEST(an_endless_kernel_stops_in_the_middle),
		TEST(a_fault_is_the_contexts_error_and_stays),
		TEST(a_trap_is_a_failed_launch),
		TEST_OF(a_late_fault_shows_when_its_time_has_come, setup_fault_late),
		TEST(host_memory_in_use_by_a_kernel_is_let_go_on_stop),
		TEST(prints_come_out_when_a_call_waits),
		TEST(a_full_print_buffer_drops_the_oldest),
		TEST(malloc_in_kernels_has_a_limit),
		TEST(an_unloaded_module_runs_to_its_end),
		TEST(counts_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
