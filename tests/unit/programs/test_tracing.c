/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_tracing.c - traces from worker to broker: all events, none before and none after, whatever the file says */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vgpud/programs/tracing.h"
#include "worker/trace.h"

#define FOR_NS (3600 * UTIL_NS_PER_S) /* no test lasts as long */
#define CHANNELS (TRACING_MOST + 1)

static struct channel channels[CHANNELS];
static struct trace trace; /* the worker's, of channel 0 */
static void *mapped;

struct channel *programs_next(const struct programs *programs, const struct channel *channel)
{
	(void)programs;
	if (channel == NULL)
		return &channels[0];
	return channel < &channels[CHANNELS - 1] ? (struct channel *)channel + 1 : NULL;
}

void arbiter_watch(struct arbiter_program *program, struct arbiter_watch *watch)
{
	program->watch = watch;
}

static int set_up(void **state)
{
	(void)state;
	memset(channels, 0, sizeof(channels));
	for (unsigned i = 0; i < CHANNELS; i++) {
		channels[i].state = VGPU_CHANNEL_OPEN;
		channels[i].report = memfd_create("report", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (channels[i].report < 0 || ftruncate(channels[i].report, REPORT_BYTES) != 0)
			return -1;
	}
	mapped = mmap(NULL, TRACE_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		      channels[0].report, 0);
	trace_init(&trace, mapped);
	return mapped == MAP_FAILED;
}

static int tear_down(void **state)
{
	(void)state;
	munmap(mapped, TRACE_FILE_BYTES);
	for (unsigned i = 0; i < CHANNELS; i++)
		close(channels[i].report);
	return 0;
}

static off_t size_of(const struct channel *channel)
{
	struct stat st;

	assert_int_equal(fstat(channel->report, &st), 0);
	return st.st_size;
}

static struct tracing *begin(void)
{
	struct tracing *tracing;

	assert_int_equal(tracing_begin(&tracing, &channels[0], FOR_NS), 0);
	return tracing;
}

static void add(uint64_t number)
{
	const struct trace_event event = {
		.begun_ns = trace_begin(&trace),
		.ended_ns = util_now_ns(),
		.number = number,
		.kind = TRACE_SUBMISSION,
	};

	trace_add(&trace, &event);
}

/* Takes all that is there, which is numbered from `first` on. Return: how many. */
static unsigned take(struct tracing *tracing, uint64_t first)
{
	static struct trace_event events[100];
	unsigned all = 0;
	int num;

	while ((num = tracing_take(tracing, events, 100)) > 0)
		for (int i = 0; i < num; i++)
			assert_int_equal(events[i].number, first + all++);
	assert_int_equal(num, 0);
	return all;
}

static void test_nothing_is_written_that_is_not_asked_for(void **state)
{
	struct tracing *tracing;

	(void)state;
	assert_false(trace_is_on(&trace));
	assert_int_equal(trace_begin(&trace), 0);
	add(1); /* would die of it: the ring is behind the file's end */
	assert_int_equal(size_of(&channels[0]), REPORT_BYTES);
	tracing = begin();
	assert_true(trace_is_on(&trace));
	assert_int_equal(size_of(&channels[0]), TRACE_FILE_BYTES);
	add(2);
	assert_int_equal(take(tracing, 2), 1);
	tracing_end(tracing, &channels[0]);
	assert_false(trace_is_on(&trace));
	add(3);
	tracing = begin();
	assert_int_equal(take(tracing, 0), 0);
	tracing_end(tracing, &channels[0]);
}

/* A launch of that function, as the worker tells it. */
static void launch(uint64_t function)
{
	const struct trace_event event = {
		.begun_ns = trace_begin(&trace),
		.ended_ns = util_now_ns(),
		.number = function,
		.kind = TRACE_COMMAND,
		.op = VGPU_CMD_LAUNCH,
	};

	trace_add(&trace, &event);
}

static void assert_named(struct tracing *tracing, const char *name)
{
	struct trace_event event;
	const char *found;

	assert_int_equal(tracing_take(tracing, &event, 1), 1);
	found = tracing_name(tracing, event.name);
	if (name == NULL)
		assert_null(found);
	else
		assert_string_equal(found, name);
}

static void test_kernels_have_names(void **state)
{
	static char name[300];
	struct trace_ring *ring = (struct trace_ring *)((uint8_t *)mapped + TRACE_RING_AT);
	struct tracing *tracing;

	(void)state;
	trace_function(&trace, 7, "saxpy");
	trace_function(&trace, VGPU_HANDLES_MOST, "a\033[2Jb");
	tracing = begin();
	launch(7);
	launch(VGPU_HANDLES_MOST);
	launch(8); /* nobody said what that is */
	launch(VGPU_HANDLES_MOST + UINT64_C(1));
	launch(7);
	trace_function(&trace, 7, "another"); /* its number is in use again */
	launch(7);
	trace_function(&trace, 9, memset(name, 'x', sizeof(name) - 1));
	launch(9);
	assert_named(tracing, "saxpy");
	assert_named(tracing, "a?[2Jb");
	assert_named(tracing, NULL);
	assert_named(tracing, NULL);
	assert_named(tracing, "saxpy");
	assert_named(tracing, "another");
	name[TRACE_NAME_SIZE - 1] = '\0';
	assert_named(tracing, name);
	/* More kernels than there is room for have numbers alone. */
	for (uint32_t i = 100; i < 100 + TRACE_NAMES; i++) {
		trace_function(&trace, i, "k");
		launch(i);
		assert_named(tracing, i < 100 + TRACE_NAMES - 4 ? "k" : NULL);
	}
	/* Numbers and texts that no worker of ours writes. */
	assert_null(tracing_name(tracing, 0));
	assert_null(tracing_name(tracing, TRACE_NAMES + 1));
	assert_null(tracing_name(tracing, UINT32_MAX));
	tracing_end(tracing, &channels[0]);
	tracing = begin();
	memset(ring->name[0], 'y', TRACE_NAME_SIZE); /* without an end */
	assert_int_equal(strlen(tracing_name(tracing, 1)), TRACE_NAME_SIZE - 1);
	memset(ring->name[0], 'z', TRACE_NAME_SIZE);
	assert_int_equal(tracing_name(tracing, 1)[0], 'y'); /* read once */
	tracing_end(tracing, &channels[0]);
	trace_end(&trace);
}

static void test_a_command_says_what_it_is(void **state)
{
	struct {
		struct vgpu_command head;
		struct vgpu_cmd_copy copy;
	} __attribute__((packed, aligned(8))) command = {
		.head = { .op = VGPU_CMD_COPY, .thread = 5, .bytes = sizeof(command) },
		.copy = { .bytes = 4096, .stream = 9 },
	};
	struct tracing *tracing = begin();
	uint64_t now_ns = util_now_ns();
	struct trace_event event;

	(void)state;
	trace_command(&trace, &command.head, 0, false); /* not traced */
	trace_command(&trace, &command.head, now_ns, true);
	assert_int_equal(tracing_take(tracing, &event, 1), 1);
	assert_int_equal(event.kind, TRACE_COMMAND);
	assert_int_equal(event.op, VGPU_CMD_COPY);
	assert_int_equal(event.number, 4096);
	assert_int_equal(event.stream, 9);
	assert_int_equal(event.thread, 5);
	assert_int_equal(event.failed, 1);
	assert_int_equal(event.begun_ns, now_ns);
	assert_true(event.ended_ns >= now_ns);
	assert_int_equal(tracing_take(tracing, &event, 1), 0);
	tracing_end(tracing, &channels[0]);
}

static void test_events_go_round_the_ring(void **state)
{
	struct tracing *tracing = begin();
	uint64_t first = 0;

	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		for (uint64_t i = 0; i < TRACE_EVENTS * 2 / 3; i++)
			add(first + i);
		assert_int_equal(take(tracing, first), TRACE_EVENTS * 2 / 3);
		first += TRACE_EVENTS * 2 / 3;
	}
	assert_int_equal(tracing_lost(tracing), 0);
	tracing_end(tracing, &channels[0]);
}

static void test_what_has_no_room_is_counted(void **state)
{
	struct tracing *tracing = begin();

	(void)state;
	for (uint64_t i = 0; i < TRACE_EVENTS + 7; i++)
		add(i);
	assert_int_equal(tracing_lost(tracing), 7);
	assert_int_equal(take(tracing, 0), TRACE_EVENTS);
	add(8);
	assert_int_equal(take(tracing, 8), 1);
	tracing_end(tracing, &channels[0]);
	tracing = begin();
	assert_int_equal(tracing_lost(tracing), 0); /* of this one */
	tracing_end(tracing, &channels[0]);
}

static void test_nothing_is_added_after_the_end(void **state)
{
	struct tracing *tracing = begin();
	struct trace_event event = { .begun_ns = tracing_until_ns(tracing) };

	(void)state;
	trace_add(&trace, &event);
	assert_int_equal(take(tracing, 0), 0);
	event.begun_ns--;
	trace_add(&trace, &event);
	assert_int_equal(take(tracing, 0), 1);
	tracing_end(tracing, NULL);	 /* its program has gone */
	assert_true(channels[0].traced); /* it was not touched */
}

static void test_a_worker_that_says_what_cannot_be(void **state)
{
	struct trace_ring *ring = trace.ring;
	struct tracing *tracing = begin();
	struct trace_event event;

	(void)state;
	ring->head = TRACE_EVENTS + 1;
	assert_int_equal(tracing_take(tracing, &event, 1), -EPROTO);
	ring->head = UINT64_MAX;
	assert_int_equal(tracing_take(tracing, &event, 1), -EPROTO);
	ring->head = 1;
	assert_int_equal(ftruncate(channels[0].report, REPORT_BYTES), 0);
	assert_int_equal(tracing_take(tracing, &event, 1), -EPROTO);
	assert_int_equal(tracing_lost(tracing), 0);
	tracing_end(tracing, &channels[0]);
	/* The next trace makes it whole again. */
	tracing = begin();
	add(1);
	assert_int_equal(take(tracing, 1), 1);
	tracing_end(tracing, &channels[0]);
}

static void test_what_is_refused(void **state)
{
	struct tracing *of[TRACING_MOST], *one;

	(void)state;
	for (unsigned i = 0; i < TRACING_MOST; i++)
		assert_int_equal(tracing_begin(&of[i], &channels[i], FOR_NS), 0);
	assert_int_equal(tracing_begin(&one, &channels[0], FOR_NS), -EBUSY);
	assert_int_equal(tracing_begin(&one, &channels[TRACING_MOST], FOR_NS), -EUSERS);
	assert_null(one);
	for (unsigned i = 0; i < TRACING_MOST; i++)
		tracing_end(of[i], &channels[i]);
	channels[0].state = VGPU_CHANNEL_CLOSING;
	assert_int_equal(tracing_begin(&one, &channels[0], FOR_NS), -ENODATA);
	/* No room: the seal stands for a full disk. */
	assert_int_equal(fcntl(channels[TRACING_MOST].report, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_true(tracing_begin(&one, &channels[TRACING_MOST], FOR_NS) < 0);
	assert_int_equal(size_of(&channels[TRACING_MOST]), REPORT_BYTES);
	assert_false(channels[TRACING_MOST].traced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TRACING_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TRACING_TEST(test_nothing_is_written_that_is_not_asked_for),
		TRACING_TEST(test_kernels_have_names),
		TRACING_TEST(test_a_command_says_what_it_is),
		TRACING_TEST(test_events_go_round_the_ring),
		TRACING_TEST(test_what_has_no_room_is_counted),
		TRACING_TEST(test_nothing_is_added_after_the_end),
		TRACING_TEST(test_a_worker_that_says_what_cannot_be),
		TRACING_TEST(test_what_is_refused),
#undef TRACING_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
