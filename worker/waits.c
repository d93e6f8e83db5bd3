/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waits.c - waits whose end the GPU itself writes into the reply */

#include "worker/waits.h"

#include "common/util.h"
#include "common/wire/cmds_check.h"

/*
 * Looking costs a read of memory, but also a wake-up of the worker, which sleeps in between: the longer,
 * the longer the wait has lasted, so that the program learns of the end at most a hundredth late.
 */
#define LOOK_LEAST_NS (20 * UTIL_NS_PER_US)
#define LOOK_MOST_NS (1 * UTIL_NS_PER_MS)
#define LOOK_PART 128 /* of the time that the wait has lasted */
/* Asking the driver costs about a microsecond. */
#define ASK_FIRST_NS (200 * UTIL_NS_PER_US)
#define ASK_LATER_NS (1 * UTIL_NS_PER_MS)
#define ASK_LATER_AFTER_NS (10 * UTIL_NS_PER_MS)

static const uint64_t no_values[7];

/* Return: how long to pause before the next look at a wait. */
static uint64_t pause_ns(const struct waits_one *one, uint64_t now_ns)
{
	uint64_t part_ns = (now_ns - one->since_ns) / LOOK_PART;

	return part_ns < LOOK_LEAST_NS	? LOOK_LEAST_NS
	       : part_ns > LOOK_MOST_NS ? LOOK_MOST_NS
					: part_ns;
}

/* Fills in what is the same for all. */
static struct waits_one *open_wait(struct program *program, const struct vgpu_command *command,
				   const struct waits_one *one, CUresult result)
{
	struct waits *waits = &program->waits;
	struct waits_one *opened = &waits->open[waits->num++];

	*opened = *one;
	opened->slot = command->reply;
	opened->sequence = command->sequence;
	opened->result = result;
	opened->op = command->op;
	opened->thread = command->thread;
	opened->bytes = trace_is_on(&program->report.trace) ? cmds_copied(command) : 0;
	opened->since_ns = util_now_ns();
	opened->ask_ns = opened->since_ns + ASK_FIRST_NS;
	if (waits->num == 1 || waits->look_ns > opened->since_ns + LOOK_LEAST_NS)
		waits->look_ns = opened->since_ns + LOOK_LEAST_NS;
	return opened;
}

static CUresult put_mark(struct program *program, const struct vgpu_command *command,
			 CUstream stream, struct waits_one *one, CUresult result)
{
	const struct vgpu_reply *reply = &program->channel.replies[command->reply];
	CUresult written;

	channel_preset(&program->channel, command, result);
	written = program->gpu->ops->stream_write_value(program->gpu, stream,
							(uintptr_t)&reply->done, command->sequence,
							sizeof(reply->done), 0);
	if (written != CUDA_SUCCESS)
		return written;
	one->stream = stream;
	open_wait(program, command, one, result);
	return CUDA_SUCCESS;
}

CUresult waits_stream(struct program *program, const struct vgpu_command *command, CUstream stream,
		      uint32_t number, CUresult result)
{
	struct handles_entry entry = { 0 };
	struct waits_one one = { .number = number, .ours = -1 };

	if (number != 0 && program_find(program, HANDLES_STREAM, number, &entry))
		one.generation = entry.generation;
	return put_mark(program, command, stream, &one, result);
}

/* Return: which stream of ours has no wait; -1 with the reason in *result. */
static int free_stream(struct program *program, CUresult *result)
{
	struct waits *waits = &program->waits;

	for (uint32_t i = 0; i < waits->stream_num; i++)
		if (!waits->streams_busy[i])
			return (int)i;
	/* There are no more waits than slots, and each has one stream. */
	*result = program->gpu->ops->stream_create(program->gpu, CU_STREAM_NON_BLOCKING, 0,
						   &waits->streams[waits->stream_num]);
	return *result == CUDA_SUCCESS ? (int)waits->stream_num++ : -1;
}

/* The worker asks by itself. */
static CUresult watch_event(struct program *program, const struct vgpu_command *command,
			    CUevent event, uint32_t number, CUresult result)
{
	CUresult asked = program->gpu->ops->event_query(program->gpu, event);
	struct waits_one one = { .event = event, .number = number, .ours = -1 };
	struct handles_entry entry = { 0 };

	if (asked == CUDA_SUCCESS)
		return waits_none(program, command, result);
	if (asked != CUDA_ERROR_NOT_READY)
		return asked;
	if (program_find(program, HANDLES_EVENT, number, &entry))
		one.generation = entry.generation;
	open_wait(program, command, &one, result)->ask_ns = 0;
	return CUDA_SUCCESS;
}

CUresult waits_event(struct program *program, const struct vgpu_command *command, CUevent event,
		     uint32_t number, CUresult result)
{
	struct waits *waits = &program->waits;
	struct waits_one one = { .number = 0 };
	CUresult err = CUDA_SUCCESS;

	if (lease_has_rivals(&program->lease))
		return watch_event(program, command, event, number, result);
	one.ours = free_stream(program, &err);
	if (one.ours < 0)
		return err;
	err = program->gpu->ops->stream_wait_event(program->gpu, waits->streams[one.ours], event,
						   0);
	if (err == CUDA_SUCCESS)
		err = put_mark(program, command, waits->streams[one.ours], &one, result);
	waits->streams_busy[one.ours] = err == CUDA_SUCCESS;
	return err;
}

CUresult waits_none(struct program *program, const struct vgpu_command *command, CUresult result)
{
	channel_reply(&program->channel, command, (int32_t)result, no_values);
	report_close(&program->report, util_now_ns());
	return CUDA_SUCCESS;
}

static void trace_wait(struct program *program, const struct waits_one *one)
{
	const struct trace_event event = {
		.begun_ns = one->since_ns,
		.ended_ns = util_now_ns(),
		.number = one->bytes,
		.stream = one->event == NULL ? one->number : 0,
		.kind = TRACE_WAIT,
		.op = one->op,
		.thread = one->thread,
		.failed = program_sticky(program) != CUDA_SUCCESS,
	};

	trace_add(&program->report.trace, &event);
}

static void close_wait(struct program *program, uint32_t at)
{
	struct waits *waits = &program->waits;

	if (trace_is_on(&program->report.trace))
		trace_wait(program, &waits->open[at]);
	if (waits->open[at].ours >= 0)
		waits->streams_busy[waits->open[at].ours] = false;
	waits->open[at] = waits->open[--waits->num];
}

/* Return: whether the event or stream may be asked: the program may have destroyed it meanwhile. */
static bool is_there(struct program *program, const struct waits_one *one)
{
	enum handles_kind kind = one->event != NULL ? HANDLES_EVENT : HANDLES_STREAM;
	struct handles_entry entry;

	return one->number == 0 || (program_find(program, kind, one->number, &entry) &&
				    entry.generation == one->generation);
}

/* Return: whether the wait for an event, which the worker asks by itself, has been answered. */
static bool ask_event(struct program *program, struct waits_one *one, uint64_t now_ns)
{
	const struct vgpu_command command = { .reply = one->slot, .sequence = one->sequence };
	CUresult asked = CUDA_ERROR_INVALID_HANDLE;

	if (now_ns < one->ask_ns)
		return false;
	if (is_there(program, one))
		asked = program->gpu->ops->event_query(program->gpu, one->event);
	one->ask_ns = now_ns + pause_ns(one, now_ns);
	if (asked == CUDA_ERROR_NOT_READY)
		return false;
	program_note(program, asked);
	channel_reply(&program->channel, &command,
		      (int32_t)(asked == CUDA_SUCCESS ? one->result : asked), no_values);
	return true;
}

/*
 * Asks the driver whether the context is lost. A stream that has nothing left to do has written the
 * `done`: if it is not there the program has overwritten it, which would be waited for until the program's
 * end. So it is written once more.
 */
static void ask(struct program *program, struct waits_one *one, uint64_t now_ns)
{
	bool has_stream = is_there(program, one);
	CUresult result;

	one->ask_ns = now_ns +
		      (now_ns - one->since_ns < ASK_LATER_AFTER_NS ? ASK_FIRST_NS : ASK_LATER_NS);
	result = program->gpu->ops->stream_query(program->gpu, has_stream ? one->stream : NULL);
	if (result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY)
		program_note(program, result);
	if (result == CUDA_SUCCESS && has_stream &&
	    !channel_is_done(&program->channel, one->slot, one->sequence))
		channel_mend(&program->channel, one->slot, one->sequence, (int32_t)one->result);
}

/* Answers all open waits with the context's error, but those that the GPU has answered. */
static void give_up(struct program *program, CUresult sticky)
{
	struct waits *waits = &program->waits;

	program_drain(program);
	while (waits->num > 0) {
		const struct waits_one *one = &waits->open[waits->num - 1];
		const struct vgpu_command command = {
			.reply = one->slot,
			.sequence = one->sequence,
		};

		if (channel_is_done(&program->channel, one->slot, one->sequence))
			channel_done(&program->channel, one->slot);
		else
			channel_reply(&program->channel, &command, sticky, no_values);
		close_wait(program, waits->num - 1);
	}
}

/* Return: whether the GPU has written the end, of which the program hears now. */
static bool written_done(struct program *program, const struct waits_one *one)
{
	if (!channel_is_done(&program->channel, one->slot, one->sequence))
		return false;
	channel_done(&program->channel, one->slot);
	return true;
}

void waits_look(struct program *program, uint64_t now_ns)
{
	struct waits *waits = &program->waits;
	uint64_t look_ns = UINT64_MAX;

	for (uint32_t i = 0; i < waits->num;) {
		struct waits_one *one = &waits->open[i];
		bool is_done = one->event != NULL ? ask_event(program, one, now_ns)
						  : written_done(program, one);

		if (is_done) {
			close_wait(program, i);
			report_close(&program->report, now_ns);
			continue;
		}
		if (one->event == NULL && now_ns >= one->ask_ns)
			ask(program, one, now_ns);
		if (now_ns + pause_ns(one, now_ns) < look_ns)
			look_ns = now_ns + pause_ns(one, now_ns);
		i++;
	}
	waits->look_ns = look_ns;
	if (waits->num > 0 && program_sticky(program) != CUDA_SUCCESS)
		give_up(program, program_sticky(program));
}

uint64_t waits_pause_ns(const struct waits *waits, uint64_t now_ns)
{
	if (waits->num == 0)
		return UINT64_MAX;
	return waits->look_ns > now_ns ? waits->look_ns - now_ns : 0;
}

void waits_look_at(struct program *program, uint32_t slot)
{
	struct waits *waits = &program->waits;

	for (uint32_t i = 0; i < waits->num; i++) {
		if (waits->open[i].slot != slot ||
		    !channel_is_done(&program->channel, slot, waits->open[i].sequence))
			continue;
		channel_done(&program->channel, slot);
		close_wait(program, i);
		report_close(&program->report, util_now_ns());
		return;
	}
}

void waits_end(struct program *program)
{
	for (uint32_t i = 0; i < program->waits.stream_num; i++)
		program->gpu->ops->stream_destroy(program->gpu, program->waits.streams[i]);
}
