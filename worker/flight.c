/* SPDX-License-Identifier: GPL-2.0-or-later */
/* flight.c - bounds what a program has in flight on its GPU, by time */

#include "worker/flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "worker/program.h"

/*
 * Theory of operation. Another program that gets the lease waits for what this one has in flight, so
 * that is bounded (rule 6 of vgpud/sched/lease.h) by a number of kernels: in_flight_us divided by the
 * time that one takes, at least two. The other one also waits until the lease has changed hands: that
 * takes HANDOVER_NS, which come off in_flight_us. The first of a stream that has nothing in flight is
 * never held back: what is in flight on other streams may wait for it.
 *
 * What a kernel takes is estimated. As long as the bound is not reached nothing is asked of the
 * driver. When it is, the streams are asked once: a program that waits for each of its kernels has
 * nothing in flight, and goes on. One that has presses on: from then on a *marker*, an event, goes
 * behind each half of the bound, so the GPU still has the other half when the worker hears of the
 * first. The time between two markers is that of the kernels between them. A marker takes the GPU a
 * microsecond or two.
 *
 * Where two kernels take longer than the bound, the second goes only when the first is about to end:
 * another program then waits for one of them at most. If the first ended before that, the GPU had
 * nothing to do: such kernels are not alike, and the next EAGER of them go at once.
 *
 * A function that was never launched before may take any time: with it the bound starts anew, at two.
 * If nothing finishes for yield_us the bound doubles: kernels may wait for one that is held back.
 */

#define HANDOVER_NS (300 * UTIL_NS_PER_US) /* a process wakes up, the GPU changes contexts */
#define LEAST 2u
#define MOST 1024u
#define PARTS 2u			 /* of the bound: markers within it */
#define REFILL_NS (300 * UTIL_NS_PER_US) /* before the end of a long kernel the next one goes */
#define EAGER 64u
#define ASKED_MOST 8u /* streams, when the bound is reached */
#define UNREADY_MOST 4u
#define PAUSE_LEAST_NS (2 * UTIL_NS_PER_US)
#define PAUSE_MOST_NS (100 * UTIL_NS_PER_US)

int flight_begin(struct flight *flight)
{
	/* Pages that are never touched take no memory. */
	flight->streams = calloc(VGPU_HANDLES_MOST + 1, sizeof(*flight->streams));
	flight->bound = LEAST;
	return flight->streams != NULL ? 0 : -ENOMEM;
}

void flight_finish(struct program *program)
{
	struct flight *flight = &program->lease.flight;
	const struct gpu_ops *ops = program->gpu->ops;

	while (flight->marker_num > 0)
		ops->event_destroy(program->gpu, flight->markers[--flight->marker_num].event);
	while (flight->spare_num > 0)
		ops->event_destroy(program->gpu, flight->spares[--flight->spare_num]);
	free(flight->streams);
	flight->streams = NULL;
}

bool flight_counts(const struct vgpu_command *command)
{
	return command->op == VGPU_CMD_LAUNCH || command->op == VGPU_CMD_SET;
}

bool flight_is_first(const struct program *program, uint32_t stream)
{
	const struct flight_stream *of = &program->lease.flight.streams[stream];

	return of->issued == of->done;
}

/* Counts are free-running. Return: how many are done that were not known to be. */
static uint32_t advance(struct flight *flight, uint32_t stream, uint32_t done)
{
	struct flight_stream *of = &flight->streams[stream];
	uint32_t num = done - of->done;

	of->done = done;
	if (of->marked - of->done > UINT32_MAX / 2)
		of->marked = done;
	flight->num -= num;
	return num;
}

static void set_bound(struct program *program)
{
	struct flight *flight = &program->lease.flight;
	uint64_t most_ns = program->lease.page->in_flight_us * UTIL_NS_PER_US;
	uint64_t bound;

	most_ns -= most_ns / 2 < HANDOVER_NS ? most_ns / 2 : HANDOVER_NS;
	bound = flight->each_ns > 0 ? most_ns / flight->each_ns : MOST;
	flight->bound = bound < LEAST ? LEAST : bound > MOST ? MOST : (uint32_t)bound;
}

/* num of them took the time since the last ones, or since the first began. */
static void learn(struct program *program, uint32_t num, uint64_t now_ns)
{
	struct flight *flight = &program->lease.flight;
	uint64_t each_ns = (now_ns - flight->since_ns) / num;

	if (flight->each_ns == 0 || !flight->presses) {
		/* The GPU may have rested in between: it is an upper bound. */
		if (flight->each_ns == 0 || each_ns < flight->each_ns)
			flight->each_ns = each_ns;
	} else {
		flight->each_ns = (3 * flight->each_ns + each_ns) / 4;
	}
	flight->since_ns = flight->finished_ns = now_ns;
	set_bound(program);
}

/* --- markers --- */

static void look_at_markers(struct program *program, uint64_t now_ns)
{
	struct flight *flight = &program->lease.flight;
	const struct gpu_ops *ops = program->gpu->ops;
	unsigned kept = 0, unready = 0;
	uint32_t num = 0;

	for (unsigned i = 0; i < flight->marker_num; i++) {
		struct flight_marker marker = flight->markers[i];

		if (unready >= UNREADY_MOST ||
		    (marker.live &&
		     ops->event_query(program->gpu, marker.event) == CUDA_ERROR_NOT_READY)) {
			unready++;
			flight->markers[kept++] = marker;
			continue;
		}
		flight->spares[flight->spare_num++] = marker.event;
		/* An older one of the stream may be found after a newer one. */
		if (marker.live &&
		    marker.count - flight->streams[marker.stream].done <= UINT32_MAX / 2)
			num += advance(flight, marker.stream, marker.count);
	}
	flight->marker_num = kept;
	if (num > 0)
		learn(program, num, now_ns);
	if (num > 0 && flight->num == 0 && !program->lease.draining)
		flight->eager = EAGER;
}

/* Puts a marker behind what the stream has. */
static void mark(struct program *program, uint32_t number)
{
	struct flight *flight = &program->lease.flight;
	struct flight_stream *of = &flight->streams[number];
	const struct gpu_ops *ops = program->gpu->ops;
	CUstream stream;
	CUevent event;

	if (of->issued == of->marked || flight->marker_num == FLIGHT_MARKERS ||
	    !program_stream(program, number, &stream))
		return;
	if (flight->spare_num > 0)
		event = flight->spares[--flight->spare_num];
	else if (ops->event_create(program->gpu, CU_EVENT_DISABLE_TIMING, &event) != CUDA_SUCCESS)
		return;
	if (ops->event_record(program->gpu, event, stream, 0) != CUDA_SUCCESS) {
		flight->spares[flight->spare_num++] = event;
		return;
	}
	of->marked = of->issued;
	flight->markers[flight->marker_num++] = (struct flight_marker){
		.event = event, .stream = (uint16_t)number, .live = true, .count = of->issued
	};
}

/* --- the bound --- */

static bool is_below_bound(const struct flight *flight)
{
	return flight->num < flight->bound;
}

/* Return: when the second of two long kernels may go; 0: at once. */
static uint64_t second_at_ns(const struct flight *flight)
{
	if (!flight->presses || flight->bound != LEAST || flight->num == 0 || flight->eager > 0 ||
	    flight->each_ns <= REFILL_NS)
		return 0;
	return flight->since_ns + flight->each_ns - REFILL_NS;
}

/* The bound is reached, and nothing was marked. Return: whether some streams turn out to be empty. */
static bool ask_streams(struct program *program, uint64_t now_ns)
{
	const struct lease *lease = &program->lease;
	struct flight *flight = &program->lease.flight;
	uint32_t num = 0;

	for (uint32_t i = 0; i < lease->dirty.num && i < ASKED_MOST; i++) {
		uint32_t number = lease->dirty.streams[i];
		CUstream stream;

		if (!flight_is_first(program, number) &&
		    (!program_stream(program, number, &stream) ||
		     program->gpu->ops->stream_query(program->gpu, stream) != CUDA_ERROR_NOT_READY))
			num += advance(flight, number, flight->streams[number].issued);
	}
	if (num > 0)
		learn(program, num, now_ns);
	return num > 0;
}

static void wait_for_room(struct program *program, uint64_t now_ns)
{
	const struct lease *lease = &program->lease;
	struct flight *flight = &program->lease.flight;
	uint64_t pause_ns = flight->each_ns / 8;

	flight->presses = true;
	for (uint32_t i = 0; i < lease->dirty.num; i++)
		mark(program, lease->dirty.streams[i]);
	if (now_ns - flight->finished_ns >= lease->page->yield_us * UTIL_NS_PER_US) {
		flight->bound *= 2;
		flight->finished_ns = now_ns;
	}
	if (pause_ns < PAUSE_LEAST_NS)
		pause_ns = PAUSE_LEAST_NS;
	if (pause_ns > PAUSE_MOST_NS)
		pause_ns = PAUSE_MOST_NS;
	flight->look_ns = now_ns + pause_ns;
	if (is_below_bound(flight) && second_at_ns(flight) < flight->look_ns)
		flight->look_ns = second_at_ns(flight);
}

uint64_t flight_left_ns(struct program *program, uint64_t now_ns)
{
	struct flight *flight = &program->lease.flight;
	uint64_t end_ns;

	if (!flight->presses || flight->each_ns == 0)
		return UINT64_MAX;
	look_at_markers(program, now_ns);
	end_ns = flight->since_ns + flight->num * flight->each_ns;
	return flight->num > 0 && end_ns > now_ns ? end_ns - now_ns : 0;
}

bool flight_has_room(struct program *program, uint32_t stream)
{
	struct flight *flight = &program->lease.flight;
	uint64_t now_ns;

	if (flight_is_first(program, stream) ||
	    (is_below_bound(flight) && second_at_ns(flight) == 0))
		return true;
	now_ns = util_now_ns();
	if (now_ns < flight->look_ns)
		return false;
	look_at_markers(program, now_ns);
	if (is_below_bound(flight) && second_at_ns(flight) <= now_ns)
		return true;
	if (flight->marker_num == 0 && ask_streams(program, now_ns) && is_below_bound(flight)) {
		flight->presses = false;
		return true;
	}
	wait_for_room(program, now_ns);
	return false;
}

void flight_add(struct program *program, const struct vgpu_command *command, uint32_t stream)
{
	struct flight *flight = &program->lease.flight;
	struct flight_stream *of = &flight->streams[stream];
	const struct vgpu_cmd_launch *launch = (const void *)(command + 1);

	if (command->op == VGPU_CMD_LAUNCH && launch->function <= VGPU_HANDLES_MOST &&
	    !(flight->seen[launch->function / 8] & 1u << launch->function % 8)) {
		flight->seen[launch->function / 8] |= (uint8_t)(1u << launch->function % 8);
		flight->bound = LEAST;
		flight->each_ns = 0;
	}
	if (flight->num == 0)
		flight->since_ns = flight->finished_ns = util_now_ns();
	/* It lies behind what was submitted before, not behind this one. */
	if (flight->presses && of->issued - of->marked >= flight->bound / PARTS)
		mark(program, stream);
	of->issued++;
	flight->num++;
	if (flight->eager > 0)
		flight->eager--;
}

void flight_forget(struct program *program, uint32_t stream)
{
	struct flight *flight = &program->lease.flight;

	if (flight_is_first(program, stream))
		return;
	advance(flight, stream, flight->streams[stream].issued);
	flight->streams[stream].marked = flight->streams[stream].done;
	for (unsigned i = 0; i < flight->marker_num; i++)
		if (flight->markers[i].stream == stream)
			flight->markers[i].live = false;
}
