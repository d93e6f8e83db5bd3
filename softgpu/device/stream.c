/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - queues of commands, and when the first of each may start */

#include <stdlib.h>

#include "softgpu/device/callback.h"
#include "softgpu/device/command.h"
#include "softgpu/device/copier.h"
#include "softgpu/device/device.h"
#include "softgpu/device/engine.h"
#include "softgpu/device/heap.h"
#include "softgpu/device/stream.h"
#include "softgpu/device/watch.h"

static void stream_init(struct sg_stream *stream, uint32_t flags, int priority)
{
	*stream = (struct sg_stream){ .flags = flags, .priority = priority, .references = 1 };
	TAILQ_INIT(&stream->commands);
}

void sg_streams_init(struct sg_streams *streams)
{
	TAILQ_INIT(&streams->busy);
	TAILQ_INIT(&streams->per_thread);
	stream_init(&streams->legacy, 0, SOFTGPU_PRIORITY_LEAST);
	streams->legacy.id = ++streams->last_id;
}

void sg_streams_end(struct sg_streams *streams)
{
	struct sg_stream *stream;

	while ((stream = TAILQ_FIRST(&streams->per_thread)) != NULL) {
		TAILQ_REMOVE(&streams->per_thread, stream, in_per_thread);
		free(stream);
	}
}

void sg_stream_get(struct sg_stream *stream)
{
	stream->references++;
}

void sg_stream_put(struct softgpu *gpu, struct sg_stream *stream)
{
	if (--stream->references > 0)
		return;
	gpu->streams.count--;
	free(stream);
}

struct sg_stream *sg_stream_new(struct sg_streams *streams, uint32_t flags, int priority)
{
	struct sg_stream *stream;

	if (streams->count == SG_STREAM_MAX)
		return NULL;
	stream = malloc(sizeof(*stream));
	if (!stream)
		return NULL;
	stream_init(stream, flags, priority);
	stream->id = ++streams->last_id;
	streams->count++;
	return stream;
}

/*
 * A thread's own default stream, made with its first use. It stays when the thread ends; a later
 * thread with the same pthread_t takes it over, which orders nothing that was not ordered.
 */
static struct sg_stream *per_thread(struct sg_streams *streams)
{
	struct sg_stream *stream;

	TAILQ_FOREACH(stream, &streams->per_thread, in_per_thread) {
		if (pthread_equal(stream->thread, pthread_self()))
			return stream;
	}
	stream = sg_stream_new(streams, 0, SOFTGPU_PRIORITY_LEAST);
	if (!stream)
		return NULL;
	stream->thread = pthread_self();
	TAILQ_INSERT_TAIL(&streams->per_thread, stream, in_per_thread);
	return stream;
}

struct sg_stream *sg_stream_find(struct softgpu *gpu, const struct softgpu_stream *handle)
{
	if (!handle || handle == SOFTGPU_STREAM_LEGACY)
		return &gpu->streams.legacy;
	if (handle == SOFTGPU_STREAM_PER_THREAD)
		return per_thread(&gpu->streams);
	return sg_handle_find(&gpu->handles, SG_HANDLE_STREAM, handle);
}

/* --- when a command may start ------------------------------------------------------------ */

/* The default stream's rules: see SOFTGPU_STREAM_LEGACY. */
static bool default_rules_allow(const struct sg_streams *streams, const struct sg_stream *stream,
				const struct sg_command *command)
{
	const struct sg_stream *other;
	const struct sg_command *first;

	if (stream->flags & SOFTGPU_STREAM_NON_BLOCKING)
		return true;
	if (stream != &streams->legacy) {
		first = TAILQ_FIRST(&streams->legacy.commands);
		return !first || first->number > command->number;
	}
	TAILQ_FOREACH(other, &streams->busy, in_busy) {
		if (other != stream && !(other->flags & SOFTGPU_STREAM_NON_BLOCKING) &&
		    TAILQ_FIRST(&other->commands)->number < command->number)
			return false;
	}
	return true;
}

static bool may_start(const struct softgpu *gpu, const struct sg_stream *stream,
		      const struct sg_command *command)
{
	if (command->kind == SG_COMMAND_WAIT_MARK && !command->mark->reached)
		return false;
	if (command->kind == SG_COMMAND_LAUNCH && !sg_engine_has_room(&gpu->engine))
		return false;
	return default_rules_allow(&gpu->streams, stream, command);
}

static void write_value(struct softgpu *gpu, const struct sg_command_value *value)
{
	void *word = sg_memory_host(gpu->memory, value->address, value->bytes);

	if (!word)
		sg_device_fail(gpu, SOFTGPU_ILLEGAL_ADDRESS,
			       "a stream's write of a value: its memory was freed or unregistered");
	else if (value->bytes == 4)
		__atomic_store_n((uint32_t *)word, (uint32_t)value->value, __ATOMIC_RELEASE);
	else
		__atomic_store_n((uint64_t *)word, value->value, __ATOMIC_RELEASE);
}

/* Hands a command to the part that runs it, or runs and ends it where it takes no time. */
static void start(struct softgpu *gpu, struct sg_command *command)
{
	command->started = true;
	switch (command->kind) {
	case SG_COMMAND_LAUNCH:
		sg_engine_run(gpu, command);
		return;
	case SG_COMMAND_TRANSFER:
		if (command->caller) {
			command->caller->started = true;
			pthread_cond_broadcast(&gpu->changed);
		} else {
			sg_copiers_run(gpu, command);
		}
		return;
	case SG_COMMAND_HOST_FUNCTION:
		sg_callbacks_run(gpu, command);
		return;
	case SG_COMMAND_WAIT_VALUE:
		sg_watch_run(gpu, command);
		return;
	case SG_COMMAND_RECORD:
		command->mark->reached = true;
		command->mark->time_ns = sg_device_now_ns(gpu);
		break;
	case SG_COMMAND_WRITE_VALUE:
		write_value(gpu, &command->value);
		break;
	case SG_COMMAND_FREE:
		sg_heap_free(gpu, command->address);
		break;
	case SG_COMMAND_WAIT_MARK:
	case SG_COMMAND_KIND_NUM:
		break;
	}
	sg_stream_command_ended(gpu, command);
}

static void set_stuck(struct sg_streams *streams, struct sg_stream *stream, bool stuck)
{
	if (stream->stuck != stuck)
		streams->stuck += stuck ? 1 : -1;
	stream->stuck = stuck;
}

/* Starts commands of one stream until one takes time or may not start. */
static void advance_stream(struct softgpu *gpu, struct sg_stream *stream)
{
	struct sg_command *command;

	sg_stream_get(stream);
	while (gpu->error == SOFTGPU_SUCCESS &&
	       (command = TAILQ_FIRST(&stream->commands)) != NULL && !command->started) {
		bool may = may_start(gpu, stream, command);

		set_stuck(&gpu->streams, stream, !may);
		if (!may)
			break;
		start(gpu, command);
	}
	sg_stream_put(gpu, stream);
}

/*
 * Starts what can be started: of `stream` (NULL: none), then, if `again` or if a command ended, of
 * all streams until none ends any more. Ops that start and end in here come back to this function,
 * which then leaves the rest to the caller that is inside already.
 */
static void advance(struct softgpu *gpu, struct sg_stream *stream, bool again)
{
	struct sg_streams *streams = &gpu->streams;
	struct sg_stream *each, *next;

	if (streams->advancing) {
		streams->advance_again = true;
		return;
	}
	streams->advancing = true;
	streams->advance_again = again;
	if (stream)
		advance_stream(gpu, stream);
	while (streams->advance_again && streams->stuck > 0 && gpu->error == SOFTGPU_SUCCESS) {
		streams->advance_again = false;
		for (each = TAILQ_FIRST(&streams->busy); each; each = next) {
			next = TAILQ_NEXT(each, in_busy);
			if (each->stuck)
				advance_stream(gpu, each);
			if (gpu->error != SOFTGPU_SUCCESS)
				break; /* all commands were dropped: `next` may be gone */
		}
	}
	streams->advancing = false;
}

/* --- the life of a command --------------------------------------------------------------- */

struct room {
	const struct sg_stream *stream;
	const struct sg_command *command;
};

static bool has_room(struct softgpu *gpu, const void *argument)
{
	const struct room *room = argument;
	const uint32_t queue = gpu->config.switches.queue;

	if (room->command->kind == SG_COMMAND_LAUNCH &&
	    room->stream->launch_count >= (queue != 0 ? queue : SG_STREAM_LAUNCHES))
		return false;
	return room->stream->command_count < SG_STREAM_COMMANDS;
}

enum softgpu_result sg_stream_submit(struct softgpu *gpu, struct sg_stream *stream,
				     struct sg_command *command)
{
	const struct room room = { stream, command };
	enum softgpu_result result;

	sg_stream_get(stream);
	result = sg_device_wait(gpu, has_room, &room);
	if (result != SOFTGPU_SUCCESS) {
		sg_stream_put(gpu, stream);
		return result;
	}
	command->stream = stream;
	command->number = ++gpu->streams.last_number;
	if (TAILQ_EMPTY(&stream->commands)) {
		TAILQ_INSERT_TAIL(&gpu->streams.busy, stream, in_busy);
		sg_stream_get(stream); /* for its commands together */
	}
	TAILQ_INSERT_TAIL(&stream->commands, command, in_stream);
	stream->command_count++;
	if (command->kind == SG_COMMAND_LAUNCH)
		stream->launch_count++;
	advance(gpu, stream, false);
	sg_stream_put(gpu, stream);
	return SOFTGPU_SUCCESS;
}

/* Takes a command from its stream and frees it. The stream may be gone afterwards. */
static void remove_op(struct softgpu *gpu, struct sg_command *command)
{
	struct sg_stream *stream = command->stream;

	TAILQ_REMOVE(&stream->commands, command, in_stream);
	stream->command_count--;
	if (command->kind == SG_COMMAND_LAUNCH)
		stream->launch_count--;
	sg_command_free(gpu, command);
	if (!TAILQ_EMPTY(&stream->commands))
		return;
	set_stuck(&gpu->streams, stream, false);
	TAILQ_REMOVE(&gpu->streams.busy, stream, in_busy);
	sg_stream_put(gpu, stream);
}

void sg_stream_command_ended(struct softgpu *gpu, struct sg_command *command)
{
	struct sg_stream *stream = command->stream;

	sg_stream_get(stream);
	remove_op(gpu, command);
	pthread_cond_broadcast(&gpu->changed);
	if (gpu->error == SOFTGPU_SUCCESS) {
		sg_heap_free_due(gpu);
		advance(gpu, stream, true);
	}
	sg_stream_put(gpu, stream);
}

void sg_streams_drop(struct softgpu *gpu)
{
	struct sg_stream *stream, *next_stream;
	struct sg_command *command, *next;

	for (stream = TAILQ_FIRST(&gpu->streams.busy); stream; stream = next_stream) {
		next_stream = TAILQ_NEXT(stream, in_busy);
		sg_stream_get(stream);
		for (command = TAILQ_FIRST(&stream->commands); command; command = next) {
			next = TAILQ_NEXT(command, in_stream);
			if (!command->started)
				remove_op(gpu, command);
		}
		sg_stream_put(gpu, stream);
	}
}

/* --- waiting ----------------------------------------------------------------------------- */

/* Whether all commands of a stream up to a number have ended. */
static bool stream_reached(const struct sg_stream *stream, uint64_t number)
{
	const struct sg_command *first = TAILQ_FIRST(&stream->commands);

	return !first || first->number > number;
}

struct target {
	const struct sg_stream *stream;
	uint64_t number;
};

static bool target_reached(struct softgpu *gpu, const void *argument)
{
	const struct target *target = argument;

	(void)gpu;
	return stream_reached(target->stream, target->number);
}

enum softgpu_result sg_stream_wait(struct softgpu *gpu, struct sg_stream *stream)
{
	const struct target target = { stream, gpu->streams.last_number };
	enum softgpu_result result;

	sg_stream_get(stream);
	result = sg_device_wait(gpu, target_reached, &target);
	sg_stream_put(gpu, stream);
	return result;
}
