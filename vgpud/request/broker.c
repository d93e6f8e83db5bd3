/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker.c - a request's life: it arrives, waits, runs, ends, and is answered */

#include "vgpud/request/broker.h"

#include <stdlib.h>

#include "common/util.h"
#include "common/wire/proto_check.h"
#include "vgpud/request/broker_private.h"

/*
 * Theory of operation. A request is
 *
 *   arrived -> judged -> accepted by the ledger -> WAITING -> STARTED -> ended
 *                                           \___________________________/
 *
 * Once the ledger has accepted it, each event goes through broker_advance(), where life.c decides
 * what the event means. So a request passes end_request() exactly once: there its row is finished
 * in the ledger, and only then is the guest answered.
 *
 * A request that passes its deadline while it runs is ended at once, but its worker still has it:
 * the struct stays, LATE, until the worker gives it back.
 */

/* --- memory --- */

struct request *broker_request_take(struct broker *broker)
{
	struct request *request = TAILQ_FIRST(&broker->unused);

	if (request != NULL)
		TAILQ_REMOVE(&broker->unused, request, vm_link);
	else
		request = malloc(sizeof(*request));
	return request;
}

void broker_request_put(struct broker *broker, struct request *request)
{
	TAILQ_INSERT_HEAD(&broker->unused, request, vm_link);
}

/* --- the timer of deadlines and tokens --- */

/*
 * Moves the timer, but only to an earlier time; later deadlines are found when it fires. So a
 * request that ends in time costs no system call for its deadline.
 */
void broker_expect_expiry(struct broker *broker, uint64_t at_ns)
{
	if (at_ns >= broker->expiry_ns)
		return;
	broker->expiry_ns = at_ns;
	sd_event_source_set_time(broker->expiry, at_ns / UTIL_NS_PER_US + 1);
	sd_event_source_set_enabled(broker->expiry, SD_EVENT_ONESHOT);
}

/* --- the end --- */

uint32_t broker_make_error(uint8_t *msg, uint32_t status, bool with_crc)
{
	struct proto_response response = { .status = status, .with_crc = with_crc };

	return proto_make_response(msg, &response);
}

/*
 * Finishes the row and then answers the guest. Takes the request out of its VM's list; the caller
 * takes it out of the scheduler.
 * msg: its response, or NULL to make one that has only the status.
 */
static void end_request(struct broker *broker, struct request *request,
			const struct life_step *step, const uint8_t *msg, uint32_t len_bytes)
{
	struct ledger_request *row = &request->row;
	struct vm *vm = request->vm;
	uint8_t error[VGPU_MSG_MAX];

	if (step->end == LIFE_END_MUTE) {
		len_bytes = 0;
	} else if (msg == NULL) {
		msg = error;
		len_bytes = broker_make_error(error, step->status, request->with_crc);
	}
	row->status = step->status;
	row->response_bytes = (uint16_t)len_bytes;
	row->total_ns = util_now_ns() - row->received_ns;
	/* A request that never ran has waited all the time. */
	if (row->executor == VGPU_EXECUTOR_NONE)
		row->wait_ns = row->total_ns;
	/* Before the answer: a kill -9 in between must not lose an answered request. */
	ledger_finished(broker->ledger, row);
	vm->figures.ended[row->status]++;
	vm->figures.limited += row->limited_ns > 0;
	stats_count(&vm->figures.stats, row);
	if (row->status != VGPU_ERR_OK) {
		vm->figures.last_error = row->status;
		vm->figures.last_error_ns = row->received_ns + row->total_ns;
	}
	TAILQ_REMOVE(&vm->requests, request, vm_link);
	broker->live--;
	if (broker->draining && broker->live == 0)
		sd_event_source_set_enabled(broker->last_ended, SD_EVENT_ONESHOT);
	if (step->end == LIFE_END_TOLD)
		request->origin->answer(request, msg, len_bytes);
}

/* The worker's figure for its execution time is cut to the time that our own clock measured. */
static void finish_item(struct broker *broker, struct request *request)
{
	sched_finish(&broker->sched, &request->item, request->row.exec_ns, util_now_ns());
	request->row.exec_ns = request->item.used_ns;
}

void broker_end_turn(struct broker *broker, struct request *request)
{
	if (request->turn == NULL)
		return;
	/* Its VM's others may be tried again: the caller dispatches, as a place in the window is free. */
	request->vm->sched.waits_turn = false;
	if (broker->gate != NULL)
		broker->gate->over(broker->gate_arg, request->turn);
	request->turn = NULL;
}

/* Tells the scheduler what became of a request. */
static void reschedule(struct broker *broker, struct request *request)
{
	struct sched_item *item = &request->item;

	if (item->state == SCHED_STARTED &&
	    (request->life == LIFE_WAITING || request->life == LIFE_OVER))
		broker_end_turn(broker, request);
	if (item->state == SCHED_STARTED && request->life == LIFE_WAITING)
		sched_requeue(&broker->sched, item);
	else if (item->state == SCHED_STARTED && request->life == LIFE_OVER)
		finish_item(broker, request);
	else if (item->state == SCHED_QUEUED && request->life == LIFE_OVER)
		sched_remove(&broker->sched, item);
}

/* msg: its response, if the event brought one; else NULL. */
static void advance(struct broker *broker, struct request *request, enum life_event event,
		    uint32_t status, const uint8_t *msg, uint32_t len_bytes)
{
	struct life_step step = life_step(request->life, event, status);
	struct vm *vm = request->vm;

	if (request->life == LIFE_WAITING && step.end != LIFE_NO_END)
		request->row.limited_ns = sched_limited_ns(&request->item, util_now_ns());
	request->life = step.next;
	reschedule(broker, request);
	if (step.end != LIFE_NO_END)
		end_request(broker, request, &step, msg, len_bytes);
	if (step.next != LIFE_OVER)
		return;
	broker_request_put(broker, request);
	if (vm->removed && vm->sched.started == 0)
		vm_free(vm);
}

void broker_advance(struct broker *broker, struct request *request, enum life_event event,
		    uint32_t status)
{
	advance(broker, request, event, status, NULL, 0);
}

void broker_end_queued(struct broker *broker, struct vm *vm, uint32_t status)
{
	struct sched_item *item;

	while ((item = TAILQ_FIRST(&vm->sched.queue)) != NULL)
		broker_advance(broker, request_of(item), LIFE_TURN_OUT, status);
}

void broker_returned(struct broker *broker, struct request *request, uint32_t status,
		     const uint8_t *msg, uint32_t len_bytes)
{
	advance(broker, request, LIFE_RETURN, status, msg, len_bytes);
}

void broker_cancel(struct broker *broker, struct request *request)
{
	broker_advance(broker, request, LIFE_TURN_OUT, VGPU_ERR_CANCELLED);
}

/* --- the loop's polling --- */

bool broker_look(struct broker *broker)
{
	return busy_poll_look(&broker->poll, util_now_ns(),
			      broker->conf->busy_poll_us * UTIL_NS_PER_US);
}

void broker_message_came(struct broker *broker, uint64_t now_ns)
{
	busy_poll_came(&broker->poll, now_ns, broker->conf->busy_poll_us * UTIL_NS_PER_US);
	busy_poll_expect(&broker->poll, broker->live > 0 ? BUSY_POLL_ANSWER : BUSY_POLL_REQUEST,
			 now_ns);
}
