/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job.c - commands about waiting and running requests */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/names.h"
#include "common/units.h"
#include "common/util.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/aside.h"
#include "vgpud/daemon.h"

#define DRAIN_TIMEOUT_MS 60000

/* --- queue --- */

/* For qsort, which takes no argument of its own. */
static const struct sched *sorted_by;
static uint64_t sorted_at_ns;

/* Running before waiting requests; GPU by GPU; in the order in which they will start. */
static int by_turn(const void *a, const void *b)
{
	const struct request *left = *(const struct request *const *)a;
	const struct request *right = *(const struct request *const *)b;
	bool left_runs = left->item.state == SCHED_STARTED,
	     right_runs = right->item.state == SCHED_STARTED;
	unsigned left_gpu = sorted_by->pool[left->vm->sched.pool].gpu;
	unsigned right_gpu = sorted_by->pool[right->vm->sched.pool].gpu;

	if (left_runs != right_runs)
		return left_runs ? -1 : 1;
	if (left_gpu != right_gpu)
		return left_gpu < right_gpu ? -1 : 1;
	if (left_runs)
		return left->item.started_ns < right->item.started_ns ? -1 : 1;
	return sched_before(sorted_by, &left->item, &right->item, sorted_at_ns) ? -1 : 1;
}

/* What keeps a request from starting but those before it in its queue. */
struct hold {
	const char *what;	  /* NULL: nothing */
	struct arbiter_turn turn; /* for "turn" */
	const char *turn_vm;	  /* that has the GPU then; NULL: none */
};

static struct hold held(const struct daemon *daemon, const struct request *request, uint64_t now_ns)
{
	struct vm *vm = request->vm;
	struct hold hold = { 0 };
	const struct vm *other;

	if (request->item.state == SCHED_STARTED)
		return hold;
	if (vm->sched.paused)
		hold.what = "paused";
	else if (vm->sched.stalled)
		hold.what = "no executor";
	else if (limit_ready_ns(&vm->sched.limit, now_ns) > now_ns)
		hold.what = "limit";
	else if (programs_turn_waits(daemon->programs, vm, &hold.turn))
		hold.what = "turn";
	TAILQ_FOREACH(other, &daemon->broker.vms, link)
		if (hold.turn.taken && other->id == hold.turn.by_vm_id)
			hold.turn_vm = other->name;
	return hold;
}

/* "programs", "requests": which of its VM's has the GPU. */
static json_t *turn_of(const struct hold *hold)
{
	if (hold->turn_vm == NULL)
		return json_null();
	return json_string(hold->turn.by_program ? "programs" : "requests");
}

static json_t *queue_row(const struct daemon *daemon, const struct request *request,
			 unsigned position, uint64_t now_ns)
{
	const struct broker *broker = &daemon->broker;
	struct hold hold = held(daemon, request, now_ns);
	bool runs = request->item.state == SCHED_STARTED;
	const struct sched_pool *pool = &broker->sched.pool[request->vm->sched.pool];
	uint64_t started_ns = runs ? request->item.started_ns : now_ns;
	uint64_t end_ns = request->row.received_ns + pool->deadline_ns;

	return json_pack(
		"{s:i, s:I, s:s, s:I, s:o, s:s, s:s, s:s, s:s, s:I, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:I}",
		"position", (int)position, "id", (json_int_t)request->row.id, "vm",
		request->vm->name, "vm_id", (json_int_t)request->vm->id, "pool",
		admin_pool_name(request->vm->sched.pool), "priority",
		name_priority(request->vm->sched.priority), "opcode",
		name_opcode(request->row.opcode), "transport",
		ledger_transport_name(request->origin->transport), "state",
		runs ? "running" : "waiting", "waited_ns",
		(json_int_t)(started_ns - request->row.received_ns), "running_ns",
		runs ? json_integer((json_int_t)(now_ns - started_ns)) : json_null(),
		"deadline_in_ns", (json_int_t)(end_ns - now_ns), "guest_request_id",
		(json_int_t)request->row.guest_request_id, "held", admin_string(hold.what),
		"turn_why", admin_string(hold.turn.why), "turn_vm", admin_string(hold.turn_vm),
		"turn_of", turn_of(&hold), "limited_ns",
		(json_int_t)sched_limited_ns(&request->item, now_ns));
}

void admin_queue(struct admin_call *call)
{
	const struct broker *broker = &call->daemon->broker;
	const struct vm *only = NULL, *vm;
	const struct request **requests, *request;
	size_t n = 0;

	if (admin_arg(call, "vm") != NULL && (only = admin_vm_arg(call)) == NULL)
		return;
	requests = calloc(broker->live + 1, sizeof(const struct request *));
	if (requests == NULL) {
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
		return;
	}
	TAILQ_FOREACH(vm, &broker->vms, link)
		TAILQ_FOREACH(request, &vm->requests, vm_link)
			requests[n++] = request;
	sorted_by = &broker->sched;
	sorted_at_ns = util_now_ns();
	qsort(requests, n, sizeof(const struct request *), by_turn);
	for (size_t i = 0; i < n; i++)
		if (only == NULL || requests[i]->vm == only)
			admin_row(call, queue_row(call->daemon, requests[i], (unsigned)i + 1,
						  sorted_at_ns));
	free(requests);
	admin_end(call, NULL);
}

void admin_cancel(struct admin_call *call)
{
	struct broker *broker = &call->daemon->broker;
	struct request *request;
	uint64_t id = 0;
	char text[32];

	util_parse_u64(admin_arg(call, "id"), 1, UINT64_MAX, &id);
	request = broker_find(broker, id);
	if (request == NULL) {
		admin_fail(call, ADMIN_ERROR_NOT_FOUND,
			   "%s: no such request waits (vgpuadm queue shows them)",
			   admin_arg(call, "id"));
		return;
	}
	if (request->item.state == SCHED_STARTED) {
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: it runs already; it ends by itself, at its deadline at the latest",
			   admin_arg(call, "id"));
		return;
	}
	snprintf(text, sizeof(text), "request %llu", (unsigned long long)id);
	admin_event(call, "cancel", request->vm->name, NULL, NULL, text);
	admin_row(call, json_pack("{s:I, s:s, s:s}", "id", (json_int_t)id, "vm", request->vm->name,
				  "was", "waiting"));
	broker_cancel(broker, request);
	admin_end(call, NULL);
}

/* --- drain --- */

/* A call that waits for the end of all requests. */
struct admin_drain {
	TAILQ_ENTRY(admin_drain) link; /* in the daemon's list */
	struct admin_call *call;
	sd_event_source *timer;
	uint64_t started_ns;
	unsigned live; /* when it began */
};

static void drain_row(struct admin_call *call, bool draining, unsigned ended, uint64_t waited_ns)
{
	admin_row(call, json_pack("{s:b, s:b, s:i, s:I}", "draining", draining, "until_restart",
				  draining && !call->daemon->draining.kept, "ended", (int)ended,
				  "waited_ns", (json_int_t)waited_ns));
	admin_end(call, NULL);
}

/* Return: how long it waited. */
static uint64_t forget_drain(struct admin_call *call)
{
	struct daemon *daemon = call->daemon;
	struct admin_drain *drain = call->data;
	uint64_t waited_ns = util_now_ns() - drain->started_ns;

	TAILQ_REMOVE(&daemon->drains, drain, link);
	if (TAILQ_EMPTY(&daemon->drains))
		daemon->drained = NULL;
	sd_event_source_disable_unref(drain->timer);
	free(drain);
	call->gone = NULL;
	return waited_ns;
}

static void on_drained(struct daemon *daemon)
{
	struct admin_drain *drain;

	while ((drain = TAILQ_FIRST(&daemon->drains)) != NULL) {
		struct admin_call *call = drain->call;
		unsigned ended = drain->live;

		drain_row(call, true, ended, forget_drain(call));
	}
}

/* Until when requests are refused. */
static const char *drain_until(const struct daemon *daemon)
{
	return daemon->draining.kept ? "vgpuadm drain --off" : "vgpud ends, or vgpuadm drain --off";
}

static int on_drain_timeout(sd_event_source *source, uint64_t usec, void *arg)
{
	struct admin_call *call = arg;

	(void)source;
	(void)usec;
	forget_drain(call);
	if (programs_num(call->daemon->programs) > 0)
		admin_fail(call, ADMIN_ERROR_TIMED_OUT,
			   "%u requests and %u programs are still here (vgpuadm queue and vgpuadm "
			   "programs show them); no new ones are taken until %s",
			   call->daemon->broker.live, programs_num(call->daemon->programs),
			   drain_until(call->daemon));
	else
		admin_fail(call, ADMIN_ERROR_TIMED_OUT,
			   "%u requests are still here (vgpuadm queue shows them); no new ones are "
			   "taken until %s",
			   call->daemon->broker.live, drain_until(call->daemon));
	return 0;
}

static void fail_ended(struct admin_call *call)
{
	admin_fail(call, ADMIN_ERROR_REFUSED, "the drain was ended with drain --off");
}

/* Another administrator has ended the drain that these wait for. */
static void end_waits(struct daemon *daemon)
{
	struct admin_drain *drain;

	while ((drain = TAILQ_FIRST(&daemon->drains)) != NULL) {
		struct admin_call *call = drain->call;

		forget_drain(call);
		fail_ended(call);
	}
}

/* Its client has gone; the drain itself goes on. */
static void drain_gone(struct admin_call *call)
{
	forget_drain(call);
	admin_end(call, NULL);
}

struct drain_begin {
	uint64_t timeout_ms;
	uint64_t started_ns;
	unsigned live; /* requests and programs that were here */
};

static void wait_drained(struct admin_call *call, const struct drain_begin *begin)
{
	struct admin_drain *drain = calloc(1, sizeof(*drain));

	if (drain == NULL ||
	    sd_event_add_time_relative(call->daemon->event, &drain->timer, CLOCK_MONOTONIC,
				       begin->timeout_ms * 1000, 0, on_drain_timeout, call) < 0) {
		free(drain);
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
		return;
	}
	drain->started_ns = begin->started_ns;
	drain->live = begin->live;
	drain->call = call;
	call->data = drain;
	call->gone = drain_gone;
	TAILQ_INSERT_TAIL(&call->daemon->drains, drain, link);
	call->daemon->drained = on_drained;
}

/* --- a drain that is to be kept --- */

struct keeping {
	struct aside *sync;
	struct drain_begin begin;
};

/* The last request may have ended while the drain was being kept. */
static void await_drain(struct admin_call *call, const struct drain_begin *begin)
{
	if (daemon_live(call->daemon) == 0)
		drain_row(call, true, begin->live,
			  begin->live > 0 ? util_now_ns() - begin->started_ns : 0);
	else
		wait_drained(call, begin);
}

static struct drain_begin forget_keeping(struct admin_call *call)
{
	struct keeping *keeping = call->data;
	struct drain_begin begin = keeping->begin;

	free(keeping);
	call->data = NULL;
	call->gone = NULL;
	return begin;
}

static void on_kept(void *arg, int err)
{
	struct admin_call *call = arg;
	struct drain_begin begin = forget_keeping(call);

	/* drain --off may have come first, and has removed the file. */
	if (!call->daemon->broker.draining)
		fail_ended(call);
	else if (err != 0)
		admin_fail(
			call, ADMIN_ERROR_DEGRADED,
			"no new requests are taken, but a power failure may end that: %s; vgpuadm "
			"doctor says more",
			strerror(-err));
	else
		await_drain(call, &begin);
}

static void keeping_gone(struct admin_call *call)
{
	aside_end(((struct keeping *)call->data)->sync);
	forget_keeping(call);
	admin_end(call, NULL);
}

static void keep_drain(struct admin_call *call, const struct drain_begin *begin)
{
	struct keeping *keeping = calloc(1, sizeof(*keeping));

	if (keeping == NULL) {
		admin_fail(call, ADMIN_ERROR_REFUSED, "out of memory");
		return;
	}
	keeping->begin = *begin;
	call->data = keeping;
	call->gone = keeping_gone;
	if (daemon_drain_sync(&keeping->sync, call->daemon, on_kept, call) != 0)
		on_kept(call, -EBUSY);
}

static void begin_drain(struct admin_call *call, bool keep, uint64_t timeout_ms)
{
	struct daemon *daemon = call->daemon;
	bool was = daemon->broker.draining, was_kept = was && daemon->draining.kept;
	const struct drain_begin begin = {
		.timeout_ms = timeout_ms,
		.started_ns = util_now_ns(),
		.live = daemon_live(daemon),
	};
	int err = daemon_drain_begin(daemon, keep, call->peer.uid);

	if (err != 0) {
		admin_fail(call, ADMIN_ERROR_DEGRADED,
			   "a restart would not know of it, so nothing has changed: %s; vgpuadm "
			   "doctor says more",
			   strerror(-err));
		return;
	}
	if (!was || (keep && !was_kept)) {
		admin_event(call, "drain", NULL, was ? "on" : "off", "on",
			    keep ? NULL : "until vgpud ends");
		log_info("drain: no new requests until %s (uid %u)", drain_until(daemon),
			 call->peer.uid);
	}
	if (keep && !was_kept)
		keep_drain(call, &begin);
	else
		await_drain(call, &begin);
}

static void end_drain(struct admin_call *call)
{
	struct daemon *daemon = call->daemon;
	bool was = daemon->broker.draining;
	int err = daemon_drain_end(daemon);

	if (err != 0) {
		admin_fail(
			call, ADMIN_ERROR_DEGRADED,
			"a restart would drain again, so nothing has changed: %s; vgpuadm doctor "
			"says more",
			strerror(-err));
		return;
	}
	if (was) {
		admin_event(call, "drain", NULL, "on", "off", NULL);
		log_info("drain: over, requests are taken again (uid %u)", call->peer.uid);
	}
	end_waits(daemon);
	drain_row(call, false, 0, 0);
}

void admin_drain(struct admin_call *call)
{
	const char *timeout = admin_arg(call, "timeout");
	uint64_t timeout_ms = DRAIN_TIMEOUT_MS;
	bool passing = admin_flag(call, "until_restart");

	if (timeout != NULL)
		units_parse_seconds(timeout, &timeout_ms); /* its form was checked */
	if (!admin_flag(call, "off"))
		begin_drain(call, !passing, timeout_ms);
	else if (passing)
		admin_fail(call, ADMIN_ERROR_USAGE,
			   "drain: --off and --until-restart exclude each other");
	else
		end_drain(call);
}
