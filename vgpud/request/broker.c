/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker.c - a request's life: it arrives, waits, runs, ends, and is answered */

#include "vgpud/request/broker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "common/wire/proto_check.h"
#include "vgpud/request/broker_private.h"

/*
 * Theory of operation. A request is
 *
 *   arrived -> judged -> accepted by the ledger -> WAITING -> STARTED -> ended
 *                                           \___________________________/
 *
 * and whatever happens to it from the ledger's word on comes to broker_advance(), where
 * request_life.c says what it means. So it goes through end_request() exactly once: there its row
 * is finished in the ledger, and only then is the guest answered.
 *
 * A request that passes its deadline while it runs is ended at once, but its worker still has it:
 * the struct stays, LATE, until the worker gives it back.
 */

static const struct executors_handler executors_callbacks;

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
 * The timer is only ever moved to an earlier time here; later ones are found when it fires. So a
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
 * Finishes the row and answers the guest, in this order. Takes the request out of its VM's list;
 * the scheduler's part is the caller's.
 * msg: its response, or NULL to make one of status alone.
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
	if (row->executor == VGPU_EXECUTOR_NONE)
		row->wait_ns = row->total_ns;
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

/* Has the scheduler follow what became of a request. */
static void reschedule(struct broker *broker, struct request *request)
{
	struct sched_item *item = &request->item;

	if (item->state == SCHED_STARTED && request->life == LIFE_WAITING)
		sched_requeue(&broker->sched, item);
	else if (item->state == SCHED_STARTED && request->life == LIFE_OVER)
		sched_finish(&broker->sched, item);
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

/* --- execution --- */

void broker_message_came(struct broker *broker, uint64_t now_ns)
{
	busy_poll_came(&broker->poll, now_ns, broker->conf->busy_poll_us * UTIL_NS_PER_US);
	busy_poll_expect(&broker->poll, broker->live > 0 ? BUSY_POLL_ANSWER : BUSY_POLL_REQUEST,
			 now_ns);
}

/* Starts what may start now, on each GPU. */
void broker_dispatch(struct broker *broker)
{
	for (unsigned gpu = 0; gpu < broker->gpus; gpu++) {
		uint64_t now_ns = util_now_ns();
		struct sched_item *item;

		while ((item = sched_pop(&broker->sched, gpu, now_ns)) != NULL) {
			struct request *request = request_of(item);
			struct seat *seat = request->vm->exec.seat;
			int begins;

			request->job.busy_poll_us = broker->conf->busy_poll_us;
			begins = seat_submit(seat, request);
			if (begins < 0) {
				sched_requeue(&broker->sched, item);
				break;
			}
			broker_advance(broker, request, LIFE_START, VGPU_ERR_OK);
			if (begins == 0)
				sched_behind(item);
			request->row.executor = (uint8_t)seat_info(seat)->executor;
			request->row.wait_ns = item->started_ns - request->row.received_ns;
			request->row.limited_ns = item->limited_ns;
			request->row.pool = (uint8_t)name_pool(item->pool);
			request->row.priority = request->vm->sched.priority;
			broker_expect_expiry(
				broker, now_ns + broker->sched.pool[item->pool].exec_deadline_ns);
		}
	}
	if (broker->sched.token_ns != SCHED_NEVER)
		broker_expect_expiry(broker, broker->sched.token_ns);
	broker->sched.token_ns = SCHED_NEVER;
}

/* It was with its worker, but behind others: only now does its time there count. */
static void on_began(void *arg, struct request *request)
{
	struct broker *broker = arg;
	struct sched_item *item = &request->item;

	sched_begin(item, util_now_ns());
	if (request->life != LIFE_LATE)
		request->row.wait_ns = item->started_ns - request->row.received_ns;
	broker_expect_expiry(broker,
			     item->started_ns + broker->sched.pool[item->pool].exec_deadline_ns);
}

static void on_done(void *arg, struct request *request, const struct exec_done *done)
{
	struct broker *broker = arg;
	struct proto_response response;

	/* The worker may have run wild: what it says goes to a guest only if it is well-formed. */
	if (proto_check_response(done->msg, done->len_bytes, request->with_crc, &response) == 0) {
		request->row.exec_ns = done->exec_ns;
		advance(broker, request, LIFE_RETURN, response.status, done->msg, done->len_bytes);
	} else {
		broker_advance(broker, request, LIFE_RETURN, VGPU_ERR_INTERNAL);
	}
	broker_message_came(broker, util_now_ns());
	broker_dispatch(broker);
}

static void pause_offender(struct broker *broker, struct vm *vm)
{
	char text[128];
	struct ledger_event event = {
		.kind = "pause",
		.subject = vm->name,
		.old_value = "running",
		.new_value = "paused",
		.text = text,
		.uid = -1,
		.pid = -1,
	};

	snprintf(text, sizeof(text), "its requests killed %u workers within %u s",
		 broker->conf->fault_limit, broker->conf->fault_window_s);
	log_warning("%s: paused: %s; vgpuadm resume %s lets it go on", vm->name, text, vm->name);
	vm->sched.paused = true;
	ledger_event(broker->ledger, &event);
	broker->handler->paused(broker->arg, vm);
}

/*
 * The audit trail has what the request did to its worker, the ledger how it ended; where these are
 * two things, both are told.
 */
static void tell_fatal(struct broker *broker, const struct request *request, uint32_t what)
{
	struct life_step step = life_step(request->life, LIFE_RETURN, what);
	uint32_t end = step.end == LIFE_NO_END ? request->row.status : step.status;
	const char *name = request->vm->name;
	char text[160];
	struct ledger_event event = {
		.kind = what == VGPU_ERR_GPU_HUNG ? "gpu-hung" : "gpu-fault",
		.subject = name,
		.text = text,
		.uid = -1,
		.pid = -1,
	};

	if (end == what)
		snprintf(text, sizeof(text), "%s", name_error_text(what));
	else
		snprintf(text, sizeof(text), "%s; it %s with %s", name_error_text(what),
			 step.end == LIFE_NO_END ? "had ended before" : "ends", name_error(end));
	log_warning("%s: request %llu: %s: %s", name, (unsigned long long)request->row.id,
		    name_error(what), text);
	ledger_event(broker->ledger, &event);
}

/* A request that cost its worker its life; if it has not ended yet, it does with that. */
static void end_fatal(struct broker *broker, struct request *request, uint32_t status)
{
	struct vm *vm = request->vm;
	bool removed = vm->removed;
	uint64_t now_ns = util_now_ns();

	request->row.exec_ns = now_ns - request->item.started_ns;
	tell_fatal(broker, request, status);
	broker_advance(broker, request, LIFE_RETURN, status);
	if (removed)
		return; /* it may be gone by now */
	if (vm_fault(vm, now_ns, broker->conf->fault_limit,
		     broker->conf->fault_window_s * UTIL_NS_PER_S) &&
	    !vm->sched.paused)
		pause_offender(broker, vm);
}

static void on_died(void *arg, struct request *request)
{
	end_fatal(arg, request, VGPU_ERR_GPU_FAULT);
}

static void on_unstarted(void *arg, struct request *request)
{
	struct broker *broker = arg;

	request->row.executor = VGPU_EXECUTOR_NONE;
	broker_advance(broker, request, LIFE_UNSTART, VGPU_ERR_OK);
}

static void on_seats_changed(void *arg)
{
	struct broker *broker = arg;
	struct vm *vm;

	TAILQ_FOREACH(vm, &broker->vms, link)
		broker_refresh_vm(broker, vm);
	broker_dispatch(broker);
	broker->handler->settled(broker->arg);
}

static const struct executors_handler executors_callbacks = {
	.done = on_done,
	.began = on_began,
	.died = on_died,
	.unstarted = on_unstarted,
	.changed = on_seats_changed,
};

static void expire(struct broker *broker, struct request *request, enum sched_expiry how)
{
	switch (how) {
	case SCHED_EXPIRED_WAITING:
		broker_advance(broker, request, LIFE_EXPIRE, VGPU_ERR_TIMEOUT);
		break;
	case SCHED_EXPIRED_PAUSED:
		broker_advance(broker, request, LIFE_EXPIRE, VGPU_ERR_PAUSED);
		break;
	case SCHED_EXPIRED_RUNNING:
		request->row.exec_ns = util_now_ns() - request->item.started_ns;
		broker_advance(broker, request, LIFE_EXPIRE, VGPU_ERR_TIMEOUT);
		break;
	case SCHED_EXPIRED_HUNG:
		seat_kill(request->seat, request);
		end_fatal(broker, request, VGPU_ERR_GPU_HUNG);
		break;
	}
}

static int on_expiry(sd_event_source *source, uint64_t usec, void *arg)
{
	struct broker *broker = arg;
	uint64_t now_ns = util_now_ns();
	struct sched_item *item;
	enum sched_expiry how;

	(void)source;
	(void)usec;
	while ((item = sched_expire(&broker->sched, now_ns, &how)) != NULL)
		expire(broker, request_of(item), how);
	broker->expiry_ns = SCHED_NEVER;
	broker_expect_expiry(broker, sched_next_expiry_ns(&broker->sched));
	broker_dispatch(broker);
	return 0;
}

void broker_cancel(struct broker *broker, struct request *request)
{
	broker_advance(broker, request, LIFE_TURN_OUT, VGPU_ERR_CANCELLED);
}

/* Whoever waits for this may do anything next, so it is told from the loop itself. */
static int on_last_ended(sd_event_source *source, void *arg)
{
	struct broker *broker = arg;

	(void)source;
	if (broker->draining && broker->live == 0)
		broker->handler->drained(broker->arg);
	return 0;
}

/* --- start and end --- */

/* One queue for each executor: pools on the same GPU share it. Return: the pool's. */
static unsigned gpu_of(const struct broker *broker, unsigned pool)
{
	unsigned gpus = 0;

	for (unsigned i = 0; i < pool; i++) {
		if (!broker->conf->pool[i].exists)
			continue;
		if (strcmp(broker->conf->pool[i].executor, broker->conf->pool[pool].executor) == 0)
			return broker->sched.pool[i].gpu;
		if (broker->sched.pool[i].gpu >= gpus)
			gpus = broker->sched.pool[i].gpu + 1;
	}
	return gpus;
}

void broker_conf_changed(struct broker *broker)
{
	const struct conf *conf = broker->conf;

	broker->sched.vm_queue_max = conf->vm_queue_max;
	broker->sched.aging_ns = conf->aging_ms * UTIL_NS_PER_MS;
	executors_set_start_deadline(broker->executors, conf->start_deadline_ms * UTIL_NS_PER_MS);
	for (unsigned i = 0; i < SCHED_POOL_MAX; i++) {
		struct sched_pool *pool = &broker->sched.pool[i];

		pool->window = conf->pool[i].window;
		pool->deadline_ns = conf->pool[i].deadline_ms * UTIL_NS_PER_MS;
		pool->exec_deadline_ns = conf->pool[i].exec_deadline_ms * UTIL_NS_PER_MS;
	}
	broker_expect_expiry(broker, sched_next_expiry_ns(&broker->sched));
	broker_dispatch(broker);
}

static int open_pool(struct broker *broker, unsigned i)
{
	const struct conf_pool *conf = &broker->conf->pool[i];

	broker->sched.pool[i].exists = true;
	broker->sched.pool[i].gpu = gpu_of(broker, i);
	if (broker->sched.pool[i].gpu >= SCHED_GPU_MAX)
		return -E2BIG;
	if (broker->sched.pool[i].gpu >= broker->gpus)
		broker->gpus = broker->sched.pool[i].gpu + 1;
	if (broker->conf->isolation_vm)
		return executors_warm(broker->executors, conf->executor);
	broker->pool_seat[i] = seat_new(broker->executors, conf->executor);
	return broker->pool_seat[i] != NULL ? 0 : -ENOMEM;
}

int broker_init(struct broker *broker, const struct conf *conf, sd_event *event,
		struct ledger *ledger, const struct broker_handler *handler, void *arg)
{
	int err;

	*broker = (struct broker){
		.conf = conf,
		.event = event,
		.ledger = ledger,
		.next_id = ledger->next_id,
		.expiry_ns = SCHED_NEVER,
		.handler = handler,
		.arg = arg,
	};
	TAILQ_INIT(&broker->vms);
	TAILQ_INIT(&broker->unused);
	sched_init(&broker->sched, conf->vm_queue_max, conf->aging_ms * UTIL_NS_PER_MS);
	/* To the microsecond: what a token comes too late is lost when the bucket is small. */
	err = sd_event_add_time(event, &broker->expiry, CLOCK_MONOTONIC, UINT64_MAX, 1, on_expiry,
				broker);
	if (err >= 0)
		err = sd_event_source_set_enabled(broker->expiry, SD_EVENT_OFF);
	if (err >= 0)
		err = sd_event_add_defer(event, &broker->last_ended, on_last_ended, broker);
	if (err >= 0)
		err = sd_event_source_set_enabled(broker->last_ended, SD_EVENT_OFF);
	if (err >= 0)
		err = executors_new(&broker->executors, event,
				    conf->start_deadline_ms * UTIL_NS_PER_MS, &executors_callbacks,
				    broker);
	for (unsigned i = 0; err >= 0 && i < SCHED_POOL_MAX; i++)
		if (conf->pool[i].exists)
			err = open_pool(broker, i);
	if (err >= 0)
		broker_conf_changed(broker);
	return err < 0 ? err : 0;
}

/* Ends what the workers had, as their process has gone. A removed VM goes with its last one. */
static void end_all_started(struct broker *broker)
{
	struct sched_item *item;

	while ((item = TAILQ_FIRST(&broker->sched.started)) != NULL)
		broker_advance(broker, request_of(item), LIFE_RETURN, VGPU_ERR_BACKEND_LOST);
}

bool broker_look(struct broker *broker)
{
	return busy_poll_look(&broker->poll, util_now_ns(),
			      broker->conf->busy_poll_us * UTIL_NS_PER_US);
}

void broker_close(struct broker *broker)
{
	struct request *request;
	struct vm *vm;

	broker->draining = false;
	if (broker->executors != NULL)
		executors_free(broker->executors);
	end_all_started(broker);
	while ((vm = TAILQ_FIRST(&broker->vms)) != NULL) {
		broker_end_queued(broker, vm, VGPU_ERR_BACKEND_LOST);
		port_close(vm->port);
		TAILQ_REMOVE(&broker->vms, vm, link);
		vm_free(vm);
	}
	while ((request = TAILQ_FIRST(&broker->unused)) != NULL) {
		TAILQ_REMOVE(&broker->unused, request, vm_link);
		free(request);
	}
	sd_event_source_disable_unref(broker->last_ended);
	sd_event_source_disable_unref(broker->leaving);
	sd_event_source_disable_unref(broker->expiry);
	ledger_close(broker->ledger);
}
