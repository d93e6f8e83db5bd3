/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - what tests of a whole device share: one with a clock that they turn and kept output */

#ifndef TESTS_SOFTGPU_DEVICE_H
#define TESTS_SOFTGPU_DEVICE_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/util.h"
#include "softgpu/softgpu.h"
#include "softgpu/softgpu_memory.h"

#define WAIT_MOST_NS (60 * UTIL_NS_PER_S) /* after that a condition has failed */
#define OUTPUT_LEN (1u << 20)

/* A device under test. */
struct rig {
	struct softgpu_host host;
	struct softgpu *gpu;
	atomic_uint_fast64_t added_ns; /* that the test turned the clock on */
	pthread_mutex_t lock;	       /* guards `output` */
	char output[3][OUTPUT_LEN];    /* by enum softgpu_output */
	size_t used[3];		       /* bytes of each */
	/* Words of registered memory: kernels, copies and streams see them at the same address. */
	uint32_t *words;
};

#define WORDS 4096

static uint64_t rig_now_ns(void *owner)
{
	struct rig *rig = owner;

	return util_now_ns() + atomic_load(&rig->added_ns);
}

static void rig_output(void *owner, enum softgpu_output kind, const char *text, size_t bytes)
{
	struct rig *rig = owner;
	size_t *used = &rig->used[kind];

	pthread_mutex_lock(&rig->lock);
	assert_true(*used + bytes < OUTPUT_LEN);
	memcpy(rig->output[kind] + *used, text, bytes);
	*used += bytes;
	rig->output[kind][*used] = '\0';
	pthread_mutex_unlock(&rig->lock);
}

/* Opens a device; config's host is filled in. */
static void rig_open(struct rig *rig, struct softgpu_config config)
{
	void *words;

	memset(rig, 0, sizeof(*rig));
	pthread_mutex_init(&rig->lock, NULL);
	rig->host = *softgpu_host_default();
	rig->host.owner = rig;
	rig->host.now_ns = rig_now_ns;
	rig->host.output = rig_output;
	config.host = &rig->host;
	if (config.memory_bytes == 0)
		config.memory_bytes = 64u << 20;
	if (config.processors == 0)
		config.processors = 2;
	assert_int_equal(softgpu_open(&config, &rig->gpu), SOFTGPU_SUCCESS);
	assert_int_equal(softgpu_host_alloc(rig->gpu, WORDS * sizeof(uint32_t), &words),
			 SOFTGPU_SUCCESS);
	rig->words = words;
}

static void rig_close(struct rig *rig)
{
	softgpu_close(rig->gpu);
	pthread_mutex_destroy(&rig->lock);
}

/* The address of a word for kernels and streams. */
static inline uint64_t rig_word(const struct rig *rig, unsigned index)
{
	return (uintptr_t)&rig->words[index];
}

static inline uint32_t rig_read(const struct rig *rig, unsigned index)
{
	return __atomic_load_n(&rig->words[index], __ATOMIC_ACQUIRE);
}

static inline void rig_write(struct rig *rig, unsigned index, uint32_t value)
{
	__atomic_store_n(&rig->words[index], value, __ATOMIC_RELEASE);
}

/* Waits until a word has a value. */
static inline void rig_await(const struct rig *rig, unsigned index, uint32_t value)
{
	const uint64_t end_ns = util_now_ns() + WAIT_MOST_NS;

	while (rig_read(rig, index) != value) {
		assert_true(util_now_ns() < end_ns);
		sched_yield();
	}
}

static inline struct softgpu_stream *rig_stream(struct rig *rig, uint32_t flags)
{
	struct softgpu_stream *stream;

	assert_int_equal(softgpu_stream_create(rig->gpu, flags, 0, &stream), SOFTGPU_SUCCESS);
	return stream;
}

static inline struct softgpu_event *rig_event(struct rig *rig)
{
	struct softgpu_event *event;

	assert_int_equal(softgpu_event_create(rig->gpu, 0, &event), SOFTGPU_SUCCESS);
	return event;
}

/* Work that ends when the test writes 1 to a word. */
static inline void rig_hold(struct rig *rig, struct softgpu_stream *stream, unsigned index)
{
	assert_int_equal(softgpu_stream_wait_value(rig->gpu, stream, rig_word(rig, index), 1, 4,
						   SOFTGPU_WAIT_EQ),
			 SOFTGPU_SUCCESS);
}

/* Work that writes a value to a word. */
static inline void rig_mark(struct rig *rig, struct softgpu_stream *stream, unsigned index,
			    uint32_t value)
{
	assert_int_equal(
		softgpu_stream_write_value(rig->gpu, stream, rig_word(rig, index), value, 4),
		SOFTGPU_SUCCESS);
}

#define OK(call) assert_int_equal(call, SOFTGPU_SUCCESS)

#endif
