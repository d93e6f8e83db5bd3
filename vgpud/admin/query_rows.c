/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_rows.c - the commands that list requests and events */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/names.h"
#include "common/util.h"
#include "common/wire/vgpu_proto.h"
#include "vgpud/admin/query_private.h"
#include "vgpud/ledger/opcode.h"

#define NO_OPCODE UINT32_MAX /* of a message too short to have one */

/* --- requests --- */

static json_t *request_row(const struct ledger_query_request *r)
{
	const struct ledger_request *row = &r->request;
	char pool[2] = { (char)row->pool, '\0' }, number[16], opcode[16];
	bool known = ledger_opcode(row->opcode) != LEDGER_OPCODE_UNKNOWN;

	snprintf(number, sizeof(number), "#%u", row->vm_id);
	snprintf(opcode, sizeof(opcode), "0x%04x", row->opcode);
	return json_pack(
		"{s:I, s:I, s:s, s:I, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:i, s:I, s:o}",
		"id", (json_int_t)row->id, "received_unix_ns", (json_int_t)row->received_ns, "vm",
		r->vm_name != NULL ? r->vm_name : number, "vm_id", (json_int_t)row->vm_id, "pool",
		pool, "priority", name_priority(row->priority), "opcode",
		row->opcode != NO_OPCODE ? json_string(known ? name_opcode(row->opcode) : opcode)
					 : json_null(),
		"status", name_error(row->status), "executor", name_executor(row->executor),
		"transport", ledger_transport_name(row->transport), "wait_ns",
		query_number(r->times_known, row->wait_ns), "exec_ns",
		query_number(r->times_known && row->executor != VGPU_EXECUTOR_NONE, row->exec_ns),
		"total_ns", query_number(r->times_known, row->total_ns), "request_bytes",
		(int)row->request_bytes, "response_bytes", (int)row->response_bytes,
		"guest_request_id", (json_int_t)row->guest_request_id, "limited_ns",
		query_number(r->times_known, row->limited_ns));
}

static int keep_request_id(void *arg, const struct ledger_query_request *request)
{
	struct query_ids *list = arg;

	return request->request.id > list->last_id ? 0 : query_keep_id(list, request->request.id);
}

static int collect_request(void *arg, const struct ledger_query_request *request)
{
	return json_array_append_new(arg, request_row(request));
}

static int show_request(void *arg, const struct ledger_query_request *request)
{
	return query_row(arg, request_row(request));
}

/* For query_show_ids(). Requests that ended after the ids were read are shown too. */
static int show_requests(struct query *q, uint64_t after_id, uint64_t last_id)
{
	json_t *rows = json_array();
	int err = query_check(q, ledger_query_requests_after(q->ledger, &q->filter, after_id,
							     last_id, QUERY_ROWS_AT_ONCE,
							     collect_request, rows));

	query_show_rows(q, rows);
	return err;
}

/*
 * Shows the next rows: reads them first and writes them then, so that a slow client holds no
 * snapshot.
 * last_id: of the rows shown, updated. Return: 0 or -errno after failing.
 */
static int show_next(struct query *q, uint64_t *last_id, uint64_t settled)
{
	json_t *rows = json_array();
	size_t count;
	int err = query_check(q, ledger_query_requests_after(q->ledger, &q->filter, *last_id,
							     settled, QUERY_ROWS_AT_ONCE,
							     collect_request, rows));

	count = json_array_size(rows);
	*last_id = count < QUERY_ROWS_AT_ONCE ? settled
					      : (uint64_t)json_integer_value(json_object_get(
							json_array_get(rows, count - 1), "id"));
	query_show_rows(q, rows);
	return err;
}

/* Shows new requests until the client goes. */
static void follow_requests(struct query *q, uint64_t last_id)
{
	uint64_t settled = last_id;

	while (query_flush(q) == 0 &&
	       query_client_stays(q, last_id < settled ? 0 : QUERY_FOLLOW_MS)) {
		if (query_check(q, ledger_query_settled(q->ledger, &settled)) != 0)
			return;
		if (last_id < settled && show_next(q, &last_id, settled) != 0)
			return;
	}
}

void query_requests(struct query *q)
{
	struct query_ids list = { .last_id = UINT64_MAX };
	uint64_t settled = 0;

	if (query_filter(q) != 0 || query_check(q, ledger_query_settled(q->ledger, &settled)) != 0)
		return;
	/* A request that ended before an older one is shown only when the older one has ended. */
	if (query_follows(q))
		list.last_id = settled;
	if (query_check(q, ledger_query_requests(q->ledger, &q->filter, query_limit(q),
						 keep_request_id, &list)) == 0 &&
	    query_show_ids(q, &list, show_requests) == 0) {
		if (query_follows(q))
			follow_requests(q, settled);
		else
			query_end(q, json_pack("{s:b}", "limited", list.num == query_limit(q)));
	}
	free(list.id);
}

void query_request(struct query *q)
{
	uint64_t id = 0;
	int err;

	util_parse_u64(query_arg(q, "id"), 1, UINT64_MAX, &id);
	err = ledger_query_request(q->ledger, id, show_request, q);
	if (err == -ENOENT)
		query_fail(
			q, "not-found",
			"%s: no such request (it may be under way: vgpuadm queue; or so old that its "
			"row was removed)",
			query_arg(q, "id"));
	else if (query_check(q, err) == 0)
		query_end(q, NULL);
}

/* --- events --- */

static json_t *number_or_null(int64_t number)
{
	return number >= 0 ? json_integer(number) : json_null();
}

static json_t *event_row(const struct ledger_query_event *e)
{
	const struct ledger_event *event = &e->event;

	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)e->id,
			 "time_unix_ns", (json_int_t)e->time_ns, "kind", query_text(event->kind),
			 "subject", query_text(event->subject), "old", query_text(event->old_value),
			 "new", query_text(event->new_value), "text", query_text(event->text),
			 "uid", number_or_null(event->uid), "pid",
			 number_or_null(event->uid >= 0 ? event->pid : -1));
}

static int keep_event_id(void *arg, const struct ledger_query_event *e)
{
	return query_keep_id(arg, e->id);
}

/* Newest first, as they come. */
static int collect_event(void *arg, const struct ledger_query_event *e)
{
	return json_array_insert_new(arg, 0, event_row(e));
}

/* For query_show_ids(). */
static int show_events_of(struct query *q, uint64_t after_id, uint64_t last_id)
{
	json_t *rows = json_array();
	int err = query_check(q,
			      ledger_query_events(q->ledger, q->filter.since_ns, q->filter.until_ns,
						  NULL, query_arg(q, "subject"), after_id, last_id,
						  QUERY_ROWS_AT_ONCE, collect_event, rows));

	query_show_rows(q, rows);
	return err;
}

/* Shows events after *last_id, and updates it. Return: 0 or -errno after having failed. */
static int show_events(struct query *q, uint64_t *last_id, uint64_t most)
{
	struct query_ids list = { 0 };
	int err = query_check(q,
			      ledger_query_events(q->ledger, q->filter.since_ns, q->filter.until_ns,
						  NULL, query_arg(q, "subject"), *last_id,
						  UINT64_MAX, most, keep_event_id, &list));

	if (list.num > 0)
		*last_id = list.id[0];
	if (err == 0)
		err = query_show_ids(q, &list, show_events_of);
	q->cut_off = list.num == most;
	free(list.id);
	return err;
}

void query_events(struct query *q)
{
	uint64_t last_id = 0;

	if (query_window(q) != 0 || show_events(q, &last_id, query_limit(q)) != 0)
		return;
	if (!query_follows(q)) {
		query_end(q, json_pack("{s:b}", "limited", q->cut_off));
		return;
	}
	while (query_flush(q) == 0 && query_client_stays(q, QUERY_FOLLOW_MS))
		if (show_events(q, &last_id, QUERY_LIMIT_MOST) != 0)
			return;
}
