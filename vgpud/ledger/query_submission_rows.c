/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query_submission_rows.c - rows of programs' submissions, one by one */

/*
 * The table has no index but the id, since it takes hundreds of rows a second. Ids are given in the
 * order in which rows are recorded, which is not that of their times: after a crash, old ones come
 * behind newer ones. Table submission_span says for each few thousand ids from when to when their
 * rows began, and of whom they are. So only those are read that may have what is asked for, from
 * the newest on, until there are as many as were asked for.
 */

#include <errno.h>
#include <stdbool.h>

#include "vgpud/ledger/query_private.h"
#include "vgpud/ledger/submissions.h"

#define SPAN_IDS (INT64_C(1) << LEDGER_SUBMISSION_SPAN_BITS)

#define COLUMNS                                                                              \
	"SELECT s.id, s.program_id, s.vm_id, s.first, s.count, s.begun_ns, s.ended_ns, "     \
	"s.took_ns, s.most_ns, s.commands, v.name, g.name FROM submission AS s "             \
	"LEFT JOIN vm AS v ON v.id = s.vm_id LEFT JOIN program AS g ON g.id = s.program_id " \
	"WHERE "

struct listing {
	struct ledger_query *query;
	sqlite3_stmt *statement;
	sqlite3_stmt *spans;
	uint64_t program_id, left;
	ledger_query_submission_fn *each;
	void *arg;
	bool found_first; /* of the program's rows: none was recorded before */
};

static int give(struct listing *listing, sqlite3_stmt *row)
{
	const struct ledger_query_submission found = {
		.id = (uint64_t)sqlite3_column_int64(row, 0),
		.program_id = (uint64_t)sqlite3_column_int64(row, 1),
		.vm_id = (uint32_t)sqlite3_column_int64(row, 2),
		.submission = {
			.first = (uint64_t)sqlite3_column_int64(row, 3),
			.count = (uint64_t)sqlite3_column_int64(row, 4),
			.begun_ns = sqlite3_column_int64(row, 5),
			.ended_ns = sqlite3_column_int64(row, 6),
			.took_ns = (uint64_t)sqlite3_column_int64(row, 7),
			.most_ns = (uint64_t)sqlite3_column_int64(row, 8),
			.commands = (uint64_t)sqlite3_column_int64(row, 9),
			.open = sqlite3_column_type(row, 6) == SQLITE_NULL,
		},
		.vm_name = (const char *)sqlite3_column_text(row, 10),
		.program_name = (const char *)sqlite3_column_text(row, 11),
	};

	if (listing->program_id != 0 && found.submission.first == 1)
		listing->found_first = true;
	return listing->each(listing->arg, &found);
}

static int list_piece(struct listing *listing, int64_t first_id, int64_t last_id)
{
	int rc = SQLITE_DONE, err = 0;

	ledger_query_next_piece(listing->query);
	sqlite3_bind_int64(listing->statement, 1, first_id);
	sqlite3_bind_int64(listing->statement, 2, last_id);
	while (err == 0 && listing->left > 0 &&
	       (rc = sqlite3_step(listing->statement)) == SQLITE_ROW) {
		listing->left--;
		err = give(listing, listing->statement);
	}
	if (err == 0 && rc != SQLITE_DONE && rc != SQLITE_ROW)
		err = ledger_query_fail(listing->query, rc);
	sqlite3_reset(listing->statement);
	return err;
}

/* Looks for the ids that there are of first to last. Return: 0, -ENODATA: there are none, or -errno. */
static int bound(struct ledger_query *query, uint64_t after_id, uint64_t last_id, int64_t *first,
		 int64_t *last)
{
	int err = ledger_query_number(query, "SELECT max(id) FROM submission WHERE id <= ?1",
				      last_id > INT64_MAX ? INT64_MAX : (int64_t)last_id, 0, last);

	if (err == 0)
		err = ledger_query_number(query, "SELECT min(id) FROM submission WHERE id > ?1",
					  after_id > INT64_MAX ? INT64_MAX : (int64_t)after_id, 0,
					  first);
	return err;
}

/*
 * Looks for the newest span up to *span that may have some. Return: 0, -ENODATA: there is none, or
 * -errno.
 */
static int next_span(struct listing *listing, int64_t *span)
{
	int rc, err = 0;

	sqlite3_bind_int64(listing->spans, 1, *span);
	rc = sqlite3_step(listing->spans);
	if (rc == SQLITE_ROW)
		*span = sqlite3_column_int64(listing->spans, 0);
	else
		err = rc == SQLITE_DONE ? -ENODATA : ledger_query_fail(listing->query, rc);
	sqlite3_reset(listing->spans);
	return err;
}

/*
 * What is common to both statements: 3, 4: the window; 5: the VM; 6: the program. 5 and 6 as bits
 * for the spans.
 */
static void bind_filter(sqlite3_stmt *statement, const struct ledger_query_filter *filter,
			uint64_t program_id, bool bits)
{
	uint64_t vm_id = (uint64_t)filter->vm_id;

	sqlite3_bind_int64(statement, 3, filter->since_ns);
	sqlite3_bind_int64(statement, 4, filter->until_ns);
	if (filter->vm_id != LEDGER_QUERY_ANY)
		sqlite3_bind_int64(statement, 5,
				   (int64_t)(bits ? ledger_submission_bit(vm_id) : vm_id));
	if (program_id != 0)
		sqlite3_bind_int64(
			statement, 6,
			(int64_t)(bits ? ledger_submission_bit(program_id) : program_id));
}

static int prepare(struct listing *listing, const struct ledger_query_filter *filter)
{
	int err;

	listing->statement = ledger_query_prepare(
		listing->query,
		COLUMNS "s.id BETWEEN ?1 AND ?2 AND s.begun_ns >= ?3 AND s.begun_ns < ?4 AND "
			"(?5 IS NULL OR s.vm_id = ?5) AND (?6 IS NULL OR s.program_id = ?6) "
			"ORDER BY s.id DESC",
		&err);
	if (err == 0)
		listing->spans = ledger_query_prepare(
			listing->query,
			"SELECT span FROM submission_span WHERE span <= ?1 AND begun_to_ns >= ?3 "
			"AND begun_from_ns < ?4 AND (?5 IS NULL OR (vms & ?5) <> 0) AND "
			"(?6 IS NULL OR (programs & ?6) <> 0) ORDER BY span DESC LIMIT 1",
			&err);
	if (err)
		return err;
	bind_filter(listing->statement, filter, listing->program_id, false);
	bind_filter(listing->spans, filter, listing->program_id, true);
	return 0;
}

int ledger_query_submission_rows(struct ledger_query *query,
				 const struct ledger_query_filter *filter, uint64_t program_id,
				 uint64_t after_id, uint64_t last_id, uint64_t limit,
				 ledger_query_submission_fn *each, void *arg)
{
	struct listing listing = {
		.query = query, .program_id = program_id, .left = limit, .each = each, .arg = arg
	};
	int64_t first = 0, last = -1, span;
	int err = bound(query, after_id, last_id, &first, &last);

	if (err)
		return err == -ENODATA ? 0 : err;
	err = prepare(&listing, filter);
	span = last >> LEDGER_SUBMISSION_SPAN_BITS;
	for (; err == 0 && listing.left > 0 && !listing.found_first; span--) {
		err = next_span(&listing, &span);
		if (err || span < first >> LEDGER_SUBMISSION_SPAN_BITS)
			break;
		err = list_piece(&listing, span * SPAN_IDS > first ? span * SPAN_IDS : first,
				 span * SPAN_IDS + SPAN_IDS - 1 < last
					 ? span * SPAN_IDS + SPAN_IDS - 1
					 : last);
	}
	sqlite3_finalize(listing.statement);
	sqlite3_finalize(listing.spans);
	return err == -ENODATA ? 0 : err;
}

int ledger_query_submission(struct ledger_query *query, uint64_t id,
			    ledger_query_submission_fn *each, void *arg)
{
	struct listing listing = { .query = query, .left = 1, .each = each, .arg = arg };
	int err;

	listing.statement = ledger_query_prepare(query, COLUMNS "s.id BETWEEN ?1 AND ?2", &err);
	if (err == 0 && id <= INT64_MAX)
		err = list_piece(&listing, (int64_t)id, (int64_t)id);
	sqlite3_finalize(listing.statement);
	return err == 0 && listing.left > 0 ? -ENOENT : err;
}
