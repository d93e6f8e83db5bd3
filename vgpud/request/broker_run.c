/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker_run.c - gives requests to seats, takes them back, and ends those past their deadline */

#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/util.h"
#include "common/wire/proto_check.h"
#include "vgpud/request/broker_private.h"

void broker_set_gate(struct broker *broker, const struct broker_gate *gate, void *arg)
{
	broker->gate = gate;
	broker->gate_arg = arg;
}

void broker_turn(struct broker *broker, struct vm *vm)
{
	vm->sched.waits_turn = false;
	broker_dispatch(broker);
}

/* Return: whether the request may begin now, as far as programs of its GPU are concerned. */
static bool has_turn(struct broker *broker, struct request *request)
{
	return broker->gate == NULL ||
	       broker->gate->ask(broker->gate_arg, request->vm, &request->turn);
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

			if (!has_turn(broker, request)) {
				sched_requeue(&broker->sched, item);
				request->vm->sched.waits_turn = true;
				continue;
			}
			request->job.wire.busy_poll_us = broker->conf->busy_poll_us;
			begins = seat_submit(seat, &request->job);
			if (begins < 0) {
				/* Other VMs may have workers of their own: go on with them. */
				broker_end_turn(broker, request);
				sched_requeue(&broker->sched, item);
				request->vm->sched.stalled = true;
				continue;
			}
			broker_advance(broker, request, LIFE_START, VGPU_ERR_OK);
			if (begins == 0)
				sched_behind(item);
			/* The row tells how it ran: settings may have changed since it came. */
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

/* The worker had the request behind others; from now on its time on the GPU counts. */
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

/*
 * A request may have overwritten the worker's memory, so an answer must be well-formed before it
 * goes to a guest. It must also be a success: the broker has judged the request, so a worker
 * succeeds or dies.
 */
static bool on_fits(void *arg, const struct seat_job *job, const struct worker_done *done)
{
	const struct request *request = request_of_job((struct seat_job *)job);
	struct proto_response response;

	(void)arg;
	return proto_check_response(done->msg, done->len_bytes, request->with_crc, &response) ==
		       0 &&
	       response.status == VGPU_ERR_OK;
}

/*
 * The response tells the guest the execution time. It is cut to the time that our own clock
 * measured.
 * msg: VGPU_MSG_MAX bytes, for an answer that has to be made anew. Return: the answer's length.
 */
static uint32_t bound_exec_time(const struct request *request, const struct worker_done *done,
				uint8_t *msg, uint64_t now_ns)
{
	uint64_t most_us = (now_ns - request->item.started_ns) / UTIL_NS_PER_US + 1;
	struct proto_response response;

	memcpy(msg, done->msg, done->len_bytes);
	if (proto_check_response(done->msg, done->len_bytes, request->with_crc, &response) != 0 ||
	    response.exec_time_us <= most_us)
		return done->len_bytes;
	response.exec_time_us = (uint32_t)most_us;
	response.with_crc = request->with_crc;
	return proto_make_response(msg, &response);
}

static void on_done(void *arg, struct seat_job *job, const struct worker_done *done)
{
	struct broker *broker = arg;
	struct request *request = request_of_job(job);
	uint64_t now_ns = util_now_ns();
	uint8_t msg[VGPU_MSG_MAX];
	uint32_t len_bytes = bound_exec_time(request, done, msg, now_ns);

	request->row.exec_ns = done->exec_ns; /* sched_finish() bounds it */
	broker_returned(broker, request, VGPU_ERR_OK, msg, len_bytes);
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

static void note_fault(struct broker *broker, struct vm *vm, uint64_t now_ns)
{
	if (vm_fault(vm, now_ns, broker->conf->fault_limit,
		     broker->conf->fault_window_s * UTIL_NS_PER_S) &&
	    !vm->sched.paused)
		pause_offender(broker, vm);
}

/*
 * The event says what the request did to its worker, and the ledger's row how the request ended. If
 * it had ended before, for another reason, the event says both.
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

/* A request killed its worker, or made us kill it; if it has not ended yet, it ends with status. */
static void end_fatal(struct broker *broker, struct request *request, uint32_t status)
{
	struct vm *vm = request->vm;
	bool removed = vm->removed;
	uint64_t now_ns = util_now_ns();

	request->row.exec_ns = now_ns - request->item.started_ns;
	tell_fatal(broker, request, status);
	broker_advance(broker, request, LIFE_RETURN, status);
	if (removed)
		return; /* the request may be freed by now */
	note_fault(broker, vm, now_ns);
}

static void on_failed(void *arg, struct seat_job *job)
{
	struct request *request = request_of_job(job);

	request->row.exec_ns = UINT64_MAX; /* as long as it was there: sched_finish() knows */
	broker_advance(arg, request, LIFE_RETURN, VGPU_ERR_INTERNAL);
}

/* Return: the VM whose own worker this was, NULL: several share it. */
static struct vm *owner_of(const struct broker *broker, const struct seat *seat)
{
	struct vm *vm;

	if (broker->conf->isolation_vm)
		TAILQ_FOREACH(vm, &broker->vms, link)
			if (vm->exec.seat == seat)
				return vm;
	return NULL;
}

/* Where VMs share the worker, it cannot be told whose request did it: then no VM is blamed. */
static void on_misbehaved(void *arg, struct seat *seat, const char *why)
{
	struct broker *broker = arg;
	struct vm *vm = owner_of(broker, seat);
	const struct ledger_event event = {
		.kind = "worker-misbehaved",
		.subject = vm != NULL ? vm->name : seat_executor(seat),
		.text = why,
		.uid = -1,
		.pid = -1,
	};

	log_warning("%s%s%s; it was killed and is replaced", vm != NULL ? vm->name : "",
		    vm != NULL ? ": " : "", why);
	ledger_event(broker->ledger, &event);
	if (vm != NULL)
		note_fault(broker, vm, util_now_ns());
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
	.fits = on_fits,
	.done = on_done,
	.began = on_began,
	.died = on_died,
	.unstarted = on_unstarted,
	.failed = on_failed,
	.misbehaved = on_misbehaved,
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
	/* What came while the loop itself was held up is in time. */
	if (sched_is_overdue(&broker->sched, now_ns)) {
		seat_set_listen(broker->seats);
		now_ns = util_now_ns();
	}
	while ((item = sched_expire(&broker->sched, now_ns, &how)) != NULL)
		expire(broker, request_of(item), how);
	broker->expiry_ns = SCHED_NEVER;
	broker_expect_expiry(broker, sched_next_expiry_ns(&broker->sched));
	broker_dispatch(broker);
	return 0;
}
