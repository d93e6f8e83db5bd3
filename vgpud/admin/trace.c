/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.c - the command that tells all that a program does, while it does it */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/units.h"
#include "common/util.h"
#include "common/wire/cmds_check.h"
#include "vgpud/admin/handlers.h"
#include "vgpud/programs/tracing.h"

#define FOR_MS 5000u
#define ROWS_MOST 1000000u
#define TICK_NS (20 * UTIL_NS_PER_MS)
#define TAKEN_MOST 64u /* events at once */
/* Some milliseconds' work: a worker may tell of events as quickly as they are taken. */
#define EVENTS_A_TICK 1024u
#define TICK_SOON_NS (5 * UTIL_NS_PER_MS) /* while events come */
/* A client that does not read gets what was told up to the trace's end, for so long. */
#define PATIENCE_NS (10 * UTIL_NS_PER_S)

/* A trace under way. What is said of its program is as it was at the beginning. */
struct admin_trace {
	struct admin_call *call;
	struct tracing *tracing;
	sd_event_source *timer;
	uint64_t id;
	char vm_name[VM_NAME_SIZE];
	char name[PROGRAMS_NAME_SIZE];
	uint32_t pid;
	unsigned rows;
	struct arbiter_note lease; /* what it has of its GPU since when; at_ns 0: nothing yet */
	bool broken;		   /* its worker said what cannot be */
};

/* --- rows --- */

static const char *kind_of(const struct trace_event *event, const struct cmds_entry *entry)
{
	if (event->kind == TRACE_SUBMISSION)
		return "submission";
	if (entry->work == CMDS_COPY)
		return "copy";
	switch (event->op) {
	case VGPU_CMD_LAUNCH:
		return "launch";
	case VGPU_CMD_CONTEXT_SYNCHRONIZE:
	case VGPU_CMD_STREAM_SYNCHRONIZE:
	case VGPU_CMD_EVENT_SYNCHRONIZE:
		return "wait";
	default:
		return "call";
	}
}

/* Return: the number if the event has one of that meaning, else null. */
static json_t *number_if(bool has, uint64_t number)
{
	return has ? json_integer((json_int_t)(number & INT64_MAX)) : json_null();
}

/* The event's claims, cut to the time of the trace. Return: NULL: it makes no sense. */
static json_t *row_of(const struct admin_trace *trace, const struct trace_event *event)
{
	bool submission = event->kind == TRACE_SUBMISSION;
	const struct cmds_entry *entry = cmds_find(event->op);
	uint64_t from_ns = tracing_begun_ns(trace->tracing), now_ns = util_now_ns();
	uint64_t begun_ns = event->begun_ns, ended_ns = event->ended_ns;
	const char *kind;

	if (event->kind < TRACE_COMMAND || event->kind > TRACE_SUBMISSION ||
	    (!submission && entry == NULL) || ended_ns < begun_ns || begun_ns > now_ns ||
	    ended_ns < from_ns)
		return NULL;
	if (begun_ns < from_ns)
		begun_ns = from_ns;
	if (ended_ns > now_ns)
		ended_ns = now_ns;
	kind = kind_of(event, entry);
	return json_pack(
		"{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "kind", kind, "what",
		submission ? "submission" : entry->name, "at_ns", (json_int_t)(begun_ns - from_ns),
		"took_ns", (json_int_t)(ended_ns - begun_ns), "thread",
		number_if(!submission, event->thread), "stream",
		number_if(!submission, event->stream), "function",
		number_if(event->op == VGPU_CMD_LAUNCH, event->number), "name",
		admin_string(event->op == VGPU_CMD_LAUNCH
				     ? tracing_name(trace->tracing, event->name)
				     : NULL),
		"bytes", number_if(!submission && entry->work == CMDS_COPY, event->number),
		"commands", number_if(submission, event->number), "failed", event->failed != 0);
}

/* The state of its lease that lasted until then. Nothing of its resting. */
static void send_lease(struct admin_trace *trace, uint64_t until_ns)
{
	const struct arbiter_note *lease = &trace->lease;
	uint64_t from_ns = tracing_begun_ns(trace->tracing), at_ns = lease->at_ns;
	const char *by = NULL;
	const struct vm *vm;

	/* The loop may have been late, and the arbiter has noted on. */
	if (until_ns > tracing_until_ns(trace->tracing))
		until_ns = tracing_until_ns(trace->tracing);
	if (at_ns == 0 || lease->state == NULL || until_ns < at_ns || until_ns < from_ns)
		return;
	if (at_ns < from_ns)
		at_ns = from_ns;
	TAILQ_FOREACH(vm, &trace->call->daemon->broker.vms, link)
		if (lease->taken && vm->id == lease->by_vm_id)
			by = vm->name;
	trace->rows++;
	admin_row(trace->call,
		  json_pack("{s:s, s:s, s:I, s:I, s:o}", "kind", "lease", "what", lease->state,
			    "at_ns", (json_int_t)(at_ns - from_ns), "took_ns",
			    (json_int_t)(until_ns - at_ns), "by", admin_string(by)));
}

/* vgpud's own: no claims. Return: whether there is more. */
static bool send_leases(struct admin_trace *trace)
{
	struct admin_call *call = trace->call;
	struct arbiter_note next;

	while (trace->rows < ROWS_MOST) {
		if (!call->ops->has_room(call->client))
			return true;
		if (!tracing_lease(trace->tracing, &next))
			return false;
		send_lease(trace, next.at_ns);
		trace->lease = next;
	}
	return false;
}

/* Sends some of what there is, as far as the client has room. Return: whether something was left or came. */
static bool send_rows(struct admin_trace *trace)
{
	struct admin_call *call = trace->call;
	struct trace_event events[TAKEN_MOST];
	unsigned taken = 0;
	int num;

	while (trace->rows < ROWS_MOST && taken < EVENTS_A_TICK) {
		if (!call->ops->has_room(call->client))
			return true;
		num = tracing_take(trace->tracing, events, TAKEN_MOST);
		trace->broken = num < 0;
		if (num <= 0)
			return taken > 0;
		taken += (unsigned)num;
		for (int i = 0; i < num; i++) {
			json_t *row = row_of(trace, &events[i]);

			if (row == NULL)
				continue;
			trace->rows++;
			admin_row(call, row);
		}
	}
	return trace->rows < ROWS_MOST;
}

/* --- its end --- */

static struct channel *program_of(const struct admin_trace *trace)
{
	return programs_find(trace->call->daemon->programs, trace->id);
}

static void forget(struct admin_trace *trace)
{
	struct admin_call *call = trace->call;

	tracing_end(trace->tracing, program_of(trace));
	sd_event_source_disable_unref(trace->timer);
	free(trace);
	call->data = NULL;
	call->gone = NULL;
}

static void trace_gone(struct admin_call *call)
{
	forget(call->data);
	admin_end(call, NULL);
}

static void finish(struct admin_trace *trace, bool ended)
{
	struct admin_call *call = trace->call;
	uint64_t begun_ns = tracing_begun_ns(trace->tracing), until_ns = util_now_ns();
	json_t *extra;

	if (trace->broken) {
		forget(trace);
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: its worker tells what cannot be; the trace ends here",
			   admin_arg(call, "id"));
		return;
	}
	if (until_ns > tracing_until_ns(trace->tracing))
		until_ns = tracing_until_ns(trace->tracing);
	if (trace->rows < ROWS_MOST)
		send_lease(trace, until_ns);
	extra = json_pack("{s:I, s:s, s:o, s:I, s:o, s:I, s:I, s:I, s:b, s:b}", "program",
			  (json_int_t)trace->id, "vm", trace->vm_name, "name",
			  admin_string(trace->name[0] != '\0' ? trace->name : NULL), "pid",
			  (json_int_t)trace->pid, "begun_unix_ns",
			  admin_wall(call->daemon, begun_ns), "took_ns",
			  (json_int_t)(until_ns - begun_ns), "events", (json_int_t)trace->rows,
			  "lost", (json_int_t)(tracing_lost(trace->tracing) & INT64_MAX), "ended",
			  ended, "limited", trace->rows >= ROWS_MOST);
	forget(trace);
	admin_end(call, extra);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct admin_trace *trace = arg;
	const struct channel *channel = program_of(trace);
	bool ended = channel == NULL || channel->state != VGPU_CHANNEL_OPEN;
	uint64_t now_ns = util_now_ns(), until_ns = tracing_until_ns(trace->tracing);
	bool more = send_leases(trace);

	more |= send_rows(trace);

	(void)usec;
	if (trace->broken || trace->rows >= ROWS_MOST || (!more && (ended || now_ns >= until_ns)) ||
	    now_ns >= until_ns + PATIENCE_NS) {
		finish(trace, ended);
		return 0;
	}
	sd_event_source_set_time_relative(source, (more ? TICK_SOON_NS : TICK_NS) / UTIL_NS_PER_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* --- its beginning --- */

/* Return: for how long, in ms. */
static uint64_t for_ms(const struct admin_call *call)
{
	const char *text = admin_arg(call, "for");
	uint64_t ms = FOR_MS;

	if (text != NULL)
		units_parse_seconds(text, &ms); /* its form was checked */
	return ms;
}

static void fail_to_begin(struct admin_call *call, int err)
{
	const char *id = admin_arg(call, "id");

	if (err == -ENODATA)
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: it does not run: no worker has it yet, or it is ending (vgpuadm "
			   "programs shows its state)",
			   id);
	else if (err == -EBUSY)
		admin_fail(call, ADMIN_ERROR_REFUSED, "%s: it is being traced already", id);
	else if (err == -EUSERS)
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: %u programs are being traced, which is the most; try again later",
			   id, TRACING_MOST);
	else
		admin_fail(call, ADMIN_ERROR_REFUSED,
			   "%s: no room for what it tells: %s (vgpuadm doctor looks at the disk)",
			   id, strerror(-err));
}

/* Notes who looks on, in the log and the audit trail. */
static void note(struct admin_call *call, const struct channel *channel, uint64_t ms)
{
	char text[192];

	snprintf(text, sizeof(text), "program %" PRIu64 " \"%s\" (pid %u) for %g s", channel->id,
		 channel->name, channel->pid, (double)ms / 1000);
	admin_event(call, "trace", channel->vm_name, NULL, NULL, text);
	log_info("%s: %s is traced (uid %u)", channel->vm_name, text, call->peer.uid);
}

static void begin(struct admin_call *call, struct channel *channel, uint64_t ms)
{
	struct admin_trace *trace = calloc(1, sizeof(*trace));
	int err = trace != NULL ? tracing_begin(&trace->tracing, channel, ms * UTIL_NS_PER_MS)
				: -ENOMEM;

	if (err == 0 &&
	    sd_event_add_time_relative(call->daemon->event, &trace->timer, CLOCK_MONOTONIC,
				       TICK_NS / UTIL_NS_PER_US, 1, on_tick, trace) < 0) {
		tracing_end(trace->tracing, channel);
		err = -ENOMEM;
	}
	if (err != 0) {
		free(trace);
		fail_to_begin(call, err);
		return;
	}
	trace->call = call;
	trace->id = channel->id;
	trace->pid = channel->pid;
	memcpy(trace->vm_name, channel->vm_name, sizeof(trace->vm_name));
	memcpy(trace->name, channel->name, sizeof(trace->name));
	call->data = trace;
	call->gone = trace_gone;
	note(call, channel, ms);
}

void admin_trace(struct admin_call *call)
{
	struct channel *channel;
	uint64_t id = 0;

	util_parse_u64(admin_arg(call, "id"), 1, UINT64_MAX, &id);
	channel = programs_find(call->daemon->programs, id);
	if (channel == NULL)
		admin_fail(call, ADMIN_ERROR_NOT_FOUND,
			   "%s: no such program (vgpuadm programs shows them)",
			   admin_arg(call, "id"));
	else
		begin(call, channel, for_ms(call));
}
