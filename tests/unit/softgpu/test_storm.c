/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_storm.c - several threads use one device at random, each with objects of its own, and
 * nothing is lost */

#include "tests/unit/softgpu/device.h"

extern const char kernels[], kernels_end[];

#define THREADS 4
#define STEPS 1000
#define OBJECTS 4

static struct rig rig;
static struct softgpu_module *module;
static struct softgpu_function *count, *set;

/* What one thread has; word is its counter. */
struct user {
	pthread_t thread;
	unsigned word;
	uint32_t seed;
	uint32_t expected; /* its counter, when all has run */
	struct softgpu_stream *streams[OBJECTS];
	struct softgpu_event *events[OBJECTS];
	uint64_t blocks[OBJECTS]; /* device memory */
};

static uint32_t next(struct user *user, uint32_t below)
{
	user->seed = user->seed * 1664525 + 1013904223;
	return (user->seed >> 8) % below;
}

static void launch_count(struct user *user, struct softgpu_stream *stream)
{
	const uint64_t address = rig_word(&rig, user->word);
	const void *parameters[] = { &address };
	const struct softgpu_launch one = {
		.function = count,
		.grid = { 1 + next(user, 8), 1, 1 },
		.block = { 1 + next(user, 100), 1, 1 },
		.stream = stream,
		.parameters = parameters,
	};

	OK(softgpu_launch(rig.gpu, &one));
	user->expected += one.grid.x * one.block.x;
}

static void nothing(void *argument)
{
	(void)softgpu_stream_query(rig.gpu, argument);
}

/* One random thing. Objects are made anew where they are destroyed. */
static void step(struct user *user)
{
	const unsigned which = next(user, OBJECTS);
	struct softgpu_stream *stream = user->streams[which];
	uint64_t *block = &user->blocks[next(user, OBJECTS)];
	struct softgpu_module *other;
	const struct softgpu_image image = { kernels, (uint64_t)(kernels_end - kernels) };

	switch (next(user, 14)) {
	case 0:
		OK(softgpu_stream_destroy(rig.gpu, stream));
		user->streams[which] = rig_stream(&rig, next(user, 2));
		break;
	case 1:
		OK(softgpu_event_destroy(rig.gpu, user->events[which]));
		user->events[which] = rig_event(&rig);
		break;
	case 2:
		OK(softgpu_event_record(rig.gpu, user->events[which],
					user->streams[next(user, OBJECTS)]));
		break;
	case 3:
		OK(softgpu_stream_wait_event(rig.gpu, stream, user->events[next(user, OBJECTS)]));
		break;
	case 4:
		OK(softgpu_mem_free(rig.gpu, *block));
		OK(softgpu_mem_alloc(rig.gpu, 1 + next(user, 100000), block));
		break;
	case 5:
		OK(softgpu_memcpy_async(rig.gpu, *block, rig_word(&rig, 100), 1, stream));
		break;
	case 6:
		OK(softgpu_stream_synchronize(rig.gpu, stream));
		break;
	case 7:
		OK(softgpu_stream_host_function(rig.gpu, stream, nothing, NULL));
		break;
	case 8:
		OK(softgpu_stream_write_value(rig.gpu, stream, rig_word(&rig, user->word + 8), 1,
					      4));
		OK(softgpu_stream_wait_value(rig.gpu, stream, rig_word(&rig, user->word + 8), 1, 4,
					     SOFTGPU_WAIT_EQ));
		break;
	case 9:
		if (next(user, 8) != 0)
			break; /* costs more than the others together */
		OK(softgpu_module_load(rig.gpu, &image, 1, NULL, &other));
		OK(softgpu_module_unload(rig.gpu, other));
		break;
	case 10:
		launch_count(user, NULL);
		break;
	default:
		launch_count(user, stream);
		break;
	}
}

static void *use(void *argument)
{
	struct user *user = argument;

	for (int i = 0; i < OBJECTS; i++) {
		user->streams[i] = rig_stream(&rig, i % 2);
		user->events[i] = rig_event(&rig);
		OK(softgpu_mem_alloc(rig.gpu, 100, &user->blocks[i]));
	}
	for (int i = 0; i < STEPS; i++)
		step(user);
	return NULL;
}

static void storm(void)
{
	const struct softgpu_image image = { kernels, (uint64_t)(kernels_end - kernels) };
	struct user users[THREADS];

	OK(softgpu_module_load(rig.gpu, &image, 1, NULL, &module));
	OK(softgpu_module_function(rig.gpu, module, "count", &count));
	OK(softgpu_module_function(rig.gpu, module, "set", &set));
	for (unsigned i = 0; i < THREADS; i++) {
		users[i] = (struct user){ .word = i, .seed = 100 + i };
		assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(users[i].thread, NULL);
	OK(softgpu_synchronize(rig.gpu));
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(rig_read(&rig, users[i].word), users[i].expected);
}

static void threads_share_a_device(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ .processors = 3 });
	storm();
	rig_close(&rig);
}

static void threads_share_a_device_with_every_switch(void **state)
{
	(void)state;
	rig_open(&rig, (struct softgpu_config){ .processors = 1,
						.switches = { .block_free = true,
							      .queue = 2,
							      .fault_late_ms = 10,
							      .slow_copy_mib_s = 1000 } });
	storm();
	rig_close(&rig);
}

/* Stopped at any moment: all calls return, and the device can be closed. */
static void *use_until_error(void *argument)
{
	struct user *user = argument;
	const uint64_t address = rig_word(&rig, 0);
	const uint32_t value = 1;
	const void *parameters[] = { &address, &value };
	struct softgpu_launch one = { .function = set,
				      .grid = { 3, 1, 1 },
				      .block = { 64, 1, 1 },
				      .parameters = parameters };
	struct softgpu_stream *stream;

	while (softgpu_stream_create(rig.gpu, 0, 0, &stream) == SOFTGPU_SUCCESS) {
		one.stream = stream;
		(void)softgpu_launch(rig.gpu, &one);
		(void)softgpu_memcpy(rig.gpu, rig_word(&rig, 1), address, 4);
		(void)softgpu_stream_host_function(rig.gpu, stream, nothing, stream);
		(void)softgpu_stream_synchronize(rig.gpu, stream);
		(void)softgpu_stream_destroy(rig.gpu, stream);
		rig_write(&rig, 16 + user->word, rig_read(&rig, 16 + user->word) + 1);
	}
	return NULL;
}

static void a_device_stops_at_any_moment(void **state)
{
	const struct softgpu_image image = { kernels, (uint64_t)(kernels_end - kernels) };
	struct user users[THREADS];

	(void)state;
	for (uint32_t round = 0; round < 20; round++) {
		rig_open(&rig, (struct softgpu_config){ .processors = 2 });
		OK(softgpu_module_load(rig.gpu, &image, 1, NULL, &module));
		OK(softgpu_module_function(rig.gpu, module, "set", &set));
		for (unsigned i = 0; i < THREADS; i++) {
			users[i] = (struct user){ .word = i };
			assert_int_equal(
				pthread_create(&users[i].thread, NULL, use_until_error, &users[i]),
				0);
		}
		while (rig_read(&rig, 16) < round)
			sched_yield();
		softgpu_stop(rig.gpu);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(users[i].thread, NULL);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_a_device),
		cmocka_unit_test(threads_share_a_device_with_every_switch),
		cmocka_unit_test(a_device_stops_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
