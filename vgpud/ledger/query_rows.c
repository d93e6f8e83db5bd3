/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_rows.c - rows of the ledger one by one: requests, events, sessions, VMs */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/wire/vgpu_proto.h"
#include "vgpud/ledger/opcode.h"
#include "vgpud/ledger/query_private.h"

static const char *text(sqlite3_stmt *statement, int column)
{
	return (const char *)sqlite3_column_text(statement, column);
}

/* Ends a statement after its last row. Return: err, or the error of sqlite's last answer, or 0. */
static int finish(struct ledger_query *query, sqlite3_stmt *statement, int rc, int err)
{
	if (err == 0 && rc != SQLITE_DONE && rc != SQLITE_ROW)
		err = ledger_query_fail(query, rc);
	sqlite3_reset(statement);
	return err;
}

/* --- requests --- */

#define REQUEST_COLUMNS                                                                            \
	"SELECT r.id, received_ns, wait_ns, exec_ns, total_ns, vm_id, guest_request_id, opcode, "  \
	"status, request_bytes, response_bytes, r.pool, r.priority, executor, transport, v.name, " \
	"limited_ns "                                                                              \
	"FROM request AS r LEFT JOIN vm AS v ON v.id = vm_id "

static int give_request(sqlite3_stmt *row, ledger_query_request_fn *each, void *arg)
{
	const char *pool = text(row, 11);
	const struct ledger_query_request request = {
		.request = {
			.id = (uint64_t)sqlite3_column_int64(row, 0),
			.received_ns = (uint64_t)sqlite3_column_int64(row, 1),
			.wait_ns = (uint64_t)sqlite3_column_int64(row, 2),
			.exec_ns = (uint64_t)sqlite3_column_int64(row, 3),
			.total_ns = (uint64_t)sqlite3_column_int64(row, 4),
			.vm_id = (uint32_t)sqlite3_column_int64(row, 5),
			.guest_request_id = (uint32_t)sqlite3_column_int64(row, 6),
			.opcode = (uint32_t)sqlite3_column_int64(row, 7),
			.status = (uint32_t)sqlite3_column_int64(row, 8),
			.request_bytes = (uint16_t)sqlite3_column_int(row, 9),
			.response_bytes = (uint16_t)sqlite3_column_int(row, 10),
			.pool = pool ? (uint8_t)pool[0] : 0,
			.priority = (uint8_t)sqlite3_column_int(row, 12),
			.executor = (uint8_t)sqlite3_column_int(row, 13),
			.transport = (uint8_t)sqlite3_column_int(row, 14),
			.limited_ns = (uint64_t)sqlite3_column_int64(row, 16),
		},
		.times_known = sqlite3_column_type(row, 2) != SQLITE_NULL,
		.vm_name = text(row, 15),
	};

	return each(arg, &request);
}

struct listing {
	struct ledger_query *query;
	sqlite3_stmt *statement;
	sqlite3_stmt *may_have; /* NULL: any piece may */
	uint64_t left;
	ledger_query_request_fn *each;
	void *arg;
};

#define PIECE_IDS 50000u /* looked through at once */

/*
 * Table minute says in which minutes there are requests of a VM, of an opcode, with errors. Ids of
 * one session grow with time, so where none of a piece's minutes has such a one, no request of the
 * piece is looked at. Minutes expire by themselves: what lies before the first or behind the last
 * of them may have anything.
 */
static sqlite3_stmt *prepare_may_have(struct ledger_query *query,
				      const struct ledger_query_filter *filter, int *err)
{
	char sql[1200] = "SELECT coalesce(a.minute <= (SELECT min(minute) FROM minute) OR "
			 "b.minute > (SELECT max(minute) FROM minute) OR EXISTS (SELECT 1 FROM "
			 "session WHERE first_request_id > ?1 AND first_request_id <= ?2) OR "
			 "EXISTS (SELECT 1 FROM minute WHERE minute BETWEEN a.minute AND b.minute";
	struct ledger_query_filter of = *filter;
	size_t used;

	*err = 0;
	if (of.vm_id == LEDGER_QUERY_ANY && of.pool == LEDGER_QUERY_ANY &&
	    of.priority == LEDGER_QUERY_ANY && of.opcode == LEDGER_QUERY_ANY &&
	    of.status == LEDGER_QUERY_ANY)
		return NULL;
	if (of.opcode != LEDGER_QUERY_ANY)
		of.opcode = ledger_opcode((uint32_t)of.opcode);
	of.status = LEDGER_QUERY_ANY;
	ledger_query_conditions(sql, sizeof(sql), &of);
	used = strlen(sql);
	snprintf(sql + used, sizeof(sql) - used,
		 "%s), 1) FROM (SELECT received_ns / 60000000000 AS minute FROM request "
		 "WHERE id >= ?1 ORDER BY id LIMIT 1) AS a, (SELECT received_ns / 60000000000 AS "
		 "minute FROM request WHERE id <= ?2 ORDER BY id DESC LIMIT 1) AS b",
		 filter->status == LEDGER_QUERY_ANY ? ""
		 : filter->status == VGPU_ERR_OK    ? " AND count > errors"
						    : " AND errors > 0");
	return ledger_query_prepare(query, sql, err);
}

/* Return: 1: a piece may have what is looked for; 0: it has not; or -errno. */
static int may_have(struct listing *listing, uint64_t first_id, uint64_t last_id)
{
	int rc, may = 1;

	if (!listing->may_have)
		return may;
	sqlite3_bind_int64(listing->may_have, 1, (int64_t)first_id);
	sqlite3_bind_int64(listing->may_have, 2, (int64_t)last_id);
	rc = sqlite3_step(listing->may_have);
	if (rc == SQLITE_ROW)
		may = sqlite3_column_int(listing->may_have, 0);
	else
		may = rc == SQLITE_DONE ? 0 : ledger_query_fail(listing->query, rc);
	sqlite3_reset(listing->may_have);
	return may;
}

static int list_piece(struct listing *listing, uint64_t first_id, uint64_t last_id)
{
	int rc = SQLITE_DONE, err;

	ledger_query_next_piece(listing->query);
	err = may_have(listing, first_id, last_id);
	if (err <= 0)
		return err;
	err = 0;
	sqlite3_bind_int64(listing->statement, 1, (int64_t)first_id);
	sqlite3_bind_int64(listing->statement, 2, (int64_t)last_id);
	while (err == 0 && listing->left > 0 &&
	       (rc = sqlite3_step(listing->statement)) == SQLITE_ROW) {
		listing->left--;
		err = give_request(listing->statement, listing->each, listing->arg);
	}
	return finish(listing->query, listing->statement, rc, err);
}

/* From the newest on. */
static int list_range(void *arg, uint64_t first_id, uint64_t last_id)
{
	struct listing *listing = arg;
	int err = 0;

	while (err == 0 && listing->left > 0) {
		uint64_t first = last_id - first_id < PIECE_IDS ? first_id
								: last_id - PIECE_IDS + 1;

		err = list_piece(listing, first, last_id);
		if (first == first_id)
			break;
		last_id = first - 1;
	}
	return err;
}

/*
 * Prepares a statement for the requests of a span of ids that match the filter. A window may be of several spans, where the clock
 * was set back: what lies between them is of another time.
 */
static sqlite3_stmt *prepare_listing(struct ledger_query *query,
				     const struct ledger_query_filter *filter, const char *order,
				     int *err)
{
	char sql[1200] = "SELECT * FROM (" REQUEST_COLUMNS ") WHERE id BETWEEN ?1 AND ?2";
	size_t used;

	ledger_query_row_conditions(sql, sizeof(sql), filter);
	used = strlen(sql);
	snprintf(sql + used, sizeof(sql) - used,
		 " AND received_ns >= %" PRId64 " AND received_ns < %" PRId64 " ORDER BY id %s",
		 filter->since_ns, filter->until_ns, order);
	return ledger_query_prepare(query, sql, err);
}

int ledger_query_requests(struct ledger_query *query, const struct ledger_query_filter *filter,
			  uint64_t limit, ledger_query_request_fn *each, void *arg)
{
	struct listing listing = { .query = query, .left = limit, .each = each, .arg = arg };
	int err;

	listing.statement = prepare_listing(query, filter, "DESC", &err);
	if (err == 0)
		listing.may_have = prepare_may_have(query, filter, &err);
	if (err == 0)
		err = ledger_query_ranges(query, filter->since_ns, filter->until_ns, list_range,
					  &listing);
	sqlite3_finalize(listing.statement);
	sqlite3_finalize(listing.may_have);
	return err;
}

int ledger_query_requests_after(struct ledger_query *query,
				const struct ledger_query_filter *filter, uint64_t after_id,
				uint64_t last_id, uint64_t limit, ledger_query_request_fn *each,
				void *arg)
{
	struct listing listing = { .query = query, .left = limit, .each = each, .arg = arg };
	int err;

	listing.statement = prepare_listing(query, filter, "ASC", &err);
	if (err == 0)
		listing.may_have = prepare_may_have(query, filter, &err);
	for (uint64_t first_id = after_id + 1; err == 0 && listing.left > 0 && first_id <= last_id;
	     first_id += PIECE_IDS)
		err = list_piece(&listing, first_id,
				 last_id - first_id < PIECE_IDS ? last_id
								: first_id + PIECE_IDS - 1);
	sqlite3_finalize(listing.statement);
	sqlite3_finalize(listing.may_have);
	return err;
}

int ledger_query_settled(struct ledger_query *query, uint64_t *id)
{
	int64_t number = 0;
	int err = ledger_query_number(query,
				      "SELECT coalesce((SELECT min(id) - 1 FROM pending), "
				      "last_request_id) FROM ledger",
				      0, 0, &number);

	*id = (uint64_t)number;
	return err;
}

int ledger_query_request(struct ledger_query *query, uint64_t id, ledger_query_request_fn *each,
			 void *arg)
{
	int rc, err;
	sqlite3_stmt *statement = ledger_query_prepare(query, REQUEST_COLUMNS "WHERE r.id = ?1",
						       &err);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, (int64_t)id);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		err = give_request(statement, each, arg);
	else if (rc == SQLITE_DONE)
		err = -ENOENT;
	err = finish(query, statement, rc, err);
	sqlite3_finalize(statement);
	return err;
}

/* --- events --- */

static int give_event(sqlite3_stmt *row,
		      int (*each)(void *arg, const struct ledger_query_event *event), void *arg)
{
	const bool own = sqlite3_column_type(row, 7) == SQLITE_NULL;
	const struct ledger_query_event event = {
		.id = (uint64_t)sqlite3_column_int64(row, 0),
		.time_ns = sqlite3_column_int64(row, 1),
		.event = {
			.kind = text(row, 2),
			.subject = text(row, 3),
			.old_value = text(row, 4),
			.new_value = text(row, 5),
			.text = text(row, 6),
			.uid = own ? -1 : sqlite3_column_int64(row, 7),
			.pid = own ? -1 : sqlite3_column_int64(row, 8),
		},
	};

	return each(arg, &event);
}

int ledger_query_events(struct ledger_query *query, int64_t since_ns, int64_t until_ns,
			const char *kind, const char *subject, uint64_t after_id, uint64_t last_id,
			uint64_t limit,
			int (*each)(void *arg, const struct ledger_query_event *event), void *arg)
{
	int rc = SQLITE_DONE, err;
	sqlite3_stmt *statement = ledger_query_prepare(
		query,
		"SELECT id, time_ns, kind, subject, old_value, new_value, text, uid, pid "
		"FROM event_span AS s CROSS JOIN event AS e ON id BETWEEN span << 12 AND "
		"(span << 12) + 4095 WHERE span BETWEEN ?1 >> 12 AND ?7 >> 12 AND "
		"time_to_ns >= ?2 AND time_from_ns < ?3 AND id > ?1 AND id <= ?7 AND "
		"time_ns >= ?2 AND time_ns < ?3 "
		"AND (?4 IS NULL OR kind = ?4) AND (?5 IS NULL OR subject = ?5) "
		"ORDER BY span DESC, id DESC LIMIT ?6",
		&err);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, (int64_t)after_id);
	sqlite3_bind_int64(statement, 2, since_ns);
	sqlite3_bind_int64(statement, 3, until_ns);
	sqlite3_bind_text(statement, 4, kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, subject, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 7, last_id > INT64_MAX ? INT64_MAX : (int64_t)last_id);
	sqlite3_bind_int64(statement, 6, limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
	while (err == 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW)
		err = give_event(statement, each, arg);
	err = finish(query, statement, rc, err);
	sqlite3_finalize(statement);
	return err;
}

/* --- sessions and VMs --- */

int ledger_query_sessions(struct ledger_query *query,
			  int (*each)(void *arg, const struct ledger_query_session *session),
			  void *arg)
{
	int rc = SQLITE_DONE, err;
	sqlite3_stmt *row =
		ledger_query_prepare(query,
				     "SELECT id, started_ns, ended_ns, boot_id, version, "
				     "host FROM session ORDER BY id DESC",
				     &err);

	while (err == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		const struct ledger_query_session session = {
			.id = (uint64_t)sqlite3_column_int64(row, 0),
			.started_ns = sqlite3_column_int64(row, 1),
			.ended_ns = sqlite3_column_int64(row, 2),
			.boot_id = text(row, 3),
			.version = text(row, 4),
			.host = text(row, 5),
		};

		err = each(arg, &session);
	}
	err = finish(query, row, rc, err);
	sqlite3_finalize(row);
	return err;
}

int ledger_query_vms(struct ledger_query *query,
		     int (*each)(void *arg, const struct ledger_query_vm *vm), void *arg)
{
	int rc = SQLITE_DONE, err;
	sqlite3_stmt *row = ledger_query_prepare(
		query, "SELECT id, name, removed_ns IS NOT NULL FROM vm ORDER BY id", &err);

	while (err == 0 && (rc = sqlite3_step(row)) == SQLITE_ROW) {
		const struct ledger_query_vm vm = {
			.id = (uint32_t)sqlite3_column_int64(row, 0),
			.name = text(row, 1),
			.removed = sqlite3_column_int(row, 2) != 0,
		};

		err = each(arg, &vm);
	}
	err = finish(query, row, rc, err);
	sqlite3_finalize(row);
	return err;
}
