/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_run.c - requests run: they are given to seats, and come back, or are late */

#include <stdio.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "common/wire/proto_check.h"
#include "vgpud/request/broker_private.h"

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

			request->job.wire.busy_poll_us = broker->conf->busy_poll_us;
			begins = seat_submit(seat, &request->job);
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
static void on_began(void *arg, struct seat_job *job)
{
	struct broker *broker = arg;
	struct request *request = request_of_job(job);
	struct sched_item *item = &request->item;

	sched_begin(item, util_now_ns());
	if (request->life != LIFE_LATE)
		request->row.wait_ns = item->started_ns - request->row.received_ns;
	broker_expect_expiry(broker,
			     item->started_ns + broker->sched.pool[item->pool].exec_deadline_ns);
}

static void on_done(void *arg, struct seat_job *job, const struct worker_done *done)
{
	struct broker *broker = arg;
	struct request *request = request_of_job(job);
	struct proto_response response;

	/* The worker may have run wild: what it says goes to a guest only if it is well-formed. */
	if (proto_check_response(done->msg, done->len_bytes, request->with_crc, &response) == 0) {
		request->row.exec_ns = done->exec_ns;
		broker_returned(broker, request, response.status, done->msg, done->len_bytes);
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

static void on_died(void *arg, struct seat_job *job)
{
	end_fatal(arg, request_of_job(job), VGPU_ERR_GPU_FAULT);
}

static void on_unstarted(void *arg, struct seat_job *job)
{
	struct broker *broker = arg;
	struct request *request = request_of_job(job);

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

const struct seat_handler broker_seat_handler = {
	.done = on_done,
	.began = on_began,
	.died = on_died,
	.unstarted = on_unstarted,
};

const struct executors_handler broker_executors_handler = {
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
		seat_kill(request->job.seat, &request->job);
		end_fatal(broker, request, VGPU_ERR_GPU_HUNG);
		break;
	}
}

int broker_on_expiry(sd_event_source *source, uint64_t usec, void *arg)
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
