/* SPDX-License-Identifier: GPL-2.0-or-later */
/* submissions.c - the rows and minutes of what programs submitted */

/*
 * What a worker has counted comes as totals since the program's beginning, never as differences.
 * The program's row has the totals that were recorded, so the difference is found here, in the
 * transaction that records it. What comes twice, after a crash between commit and answer, adds
 * nothing, and what was lost on its way is in the next totals. Rows are told apart by their
 * submissions' numbers: one whose first submission has a row already is left out.
 *
 * The worker belongs to the tenant. A total that is lower than before counts as unchanged, and totals that
 * no program can reach are not taken, so sums over many programs stay within bounds.
 */

#include "vgpud/ledger/submissions.h"

#include <errno.h>

#include "common/util.h"

/* What table program has of a program's submissions. */
struct recorded {
	int64_t vm_id, priority, begun_ns;
	char pool;
	uint64_t sum_ns, max_ns, to;
	struct hist latency;
};

/* What is new, and then what its minute has. */
struct minute {
	int64_t count, open, sum_ns, max_ns;
	struct hist latency;
};

static int64_t as_signed(uint64_t number)
{
	return number < INT64_MAX ? (int64_t)number : INT64_MAX;
}

static int64_t add(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static int read_hist(sqlite3_stmt *statement, int column, struct hist *hist)
{
	const void *blob = sqlite3_column_blob(statement, column);

	if (!blob)
		return 0;
	return hist_decode(hist, blob, (size_t)sqlite3_column_bytes(statement, column)) == 0
		       ? 0
		       : -EUCLEAN;
}

static void bind_hist(sqlite3_stmt *statement, int at, const struct hist *hist, uint8_t *bytes)
{
	sqlite3_bind_blob(statement, at, bytes, (int)hist_encode(hist, bytes), SQLITE_STATIC);
}

/* --- the program's row --- */

/* Return: 0; -ENOENT: it has none; or another -errno. */
static int load_recorded(struct ledger_db *db, uint64_t program_id, struct recorded *recorded)
{
	sqlite3_stmt *row = db->statement[LEDGER_DB_SUBMISSION_OF];
	int rc, err = 0;

	*recorded = (struct recorded){ .pool = 0 };
	sqlite3_bind_int64(row, 1, (int64_t)program_id);
	rc = sqlite3_step(row);
	if (rc == SQLITE_ROW) {
		const unsigned char *pool = sqlite3_column_text(row, 1);

		recorded->vm_id = sqlite3_column_int64(row, 0);
		if (pool)
			recorded->pool = (char)pool[0];
		recorded->priority = sqlite3_column_int64(row, 2);
		recorded->begun_ns = sqlite3_column_int64(row, 3);
		recorded->sum_ns = (uint64_t)sqlite3_column_int64(row, 4);
		recorded->max_ns = (uint64_t)sqlite3_column_int64(row, 5);
		recorded->to = (uint64_t)sqlite3_column_int64(row, 6);
		err = read_hist(row, 7, &recorded->latency);
	} else {
		err = rc == SQLITE_DONE ? -ENOENT : ledger_db_errno(db->conn, rc);
	}
	sqlite3_reset(row);
	return err;
}

static int store_recorded(struct ledger_db *db, uint64_t program_id,
			  const struct recorded *recorded)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_SUBMISSION_TO];
	uint8_t bytes[HIST_ENCODED_MAX];

	sqlite3_bind_int64(statement, 1, (int64_t)program_id);
	sqlite3_bind_int64(statement, 2, as_signed(recorded->sum_ns));
	sqlite3_bind_int64(statement, 3, as_signed(recorded->max_ns));
	sqlite3_bind_int64(statement, 4, as_signed(recorded->to));
	bind_hist(statement, 5, &recorded->latency, bytes);
	return ledger_db_run(db, LEDGER_DB_SUBMISSION_TO);
}

/* --- spans of ids --- */

int ledger_submissions_end(struct ledger_db *db, struct ledger_submission_span *span)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_SUBMISSION_SPAN_PUT];
	const struct ledger_submission_span of = *span;

	*span = (struct ledger_submission_span){ 0 };
	if (of.vms == 0)
		return 0;
	sqlite3_bind_int64(statement, 1, of.span);
	sqlite3_bind_int64(statement, 2, of.begun_from_ns);
	sqlite3_bind_int64(statement, 3, of.begun_to_ns);
	sqlite3_bind_int64(statement, 4, (int64_t)of.vms);
	sqlite3_bind_int64(statement, 5, (int64_t)of.programs);
	return ledger_db_run(db, LEDGER_DB_SUBMISSION_SPAN_PUT);
}

/* A row was inserted. Rows of one transaction are mostly of one span, which is written once. */
static int add_to_span(struct ledger_db *db, struct ledger_submission_span *span, uint64_t vm_id,
		       uint64_t program_id, int64_t begun_ns)
{
	int64_t number = sqlite3_last_insert_rowid(db->conn) >> LEDGER_SUBMISSION_SPAN_BITS;
	int err = span->vms != 0 && span->span != number ? ledger_submissions_end(db, span) : 0;

	if (span->vms == 0)
		*span = (struct ledger_submission_span){ .span = number,
							 .begun_from_ns = begun_ns,
							 .begun_to_ns = begun_ns };
	if (begun_ns < span->begun_from_ns)
		span->begun_from_ns = begun_ns;
	if (begun_ns > span->begun_to_ns)
		span->begun_to_ns = begun_ns;
	span->vms |= ledger_submission_bit(vm_id);
	span->programs |= ledger_submission_bit(program_id);
	return err;
}

/* --- rows --- */

static int64_t clamp_ns(int64_t ns, int64_t least_ns, int64_t most_ns)
{
	return ns > most_ns ? most_ns : ns < least_ns ? least_ns : ns;
}

static int insert_row(struct ledger_db *db, const struct ledger_submissions *taken,
		      const struct recorded *recorded, const struct ledger_submission *one,
		      struct ledger_submission_span *span)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_SUBMISSION];
	int64_t begun_ns = clamp_ns(one->begun_ns, recorded->begun_ns, taken->at_ns);
	uint64_t most_ns = one->most_ns < one->took_ns ? one->most_ns : one->took_ns;
	int err;

	sqlite3_bind_int64(statement, 1, (int64_t)taken->program_id);
	sqlite3_bind_int64(statement, 2, recorded->vm_id);
	sqlite3_bind_int64(statement, 3, as_signed(one->first));
	sqlite3_bind_int64(statement, 4, as_signed(one->count));
	sqlite3_bind_int64(statement, 5, begun_ns);
	for (int i = 6; i <= 8 && one->open; i++)
		sqlite3_bind_null(statement, i);
	if (!one->open) {
		sqlite3_bind_int64(statement, 6, clamp_ns(one->ended_ns, begun_ns, taken->at_ns));
		sqlite3_bind_int64(statement, 7, as_signed(one->took_ns));
		sqlite3_bind_int64(statement, 8, as_signed(most_ns));
	}
	sqlite3_bind_int64(statement, 9, as_signed(one->commands));
	err = ledger_db_run(db, LEDGER_DB_SUBMISSION);
	return err ? err
		   : add_to_span(db, span, (uint64_t)recorded->vm_id, taken->program_id, begun_ns);
}

/* What of the rows is new: how many submissions they are that have ended, and the longest. */
struct new_rows {
	uint64_t count, most_ns;
};

static int insert_rows(struct ledger_db *db, const struct ledger_submissions *taken,
		       struct recorded *recorded, struct minute *minute, struct new_rows *new,
		       struct ledger_submission_span *span)
{
	int err = 0;

	for (unsigned i = 0; i < taken->row_num && err == 0; i++) {
		const struct ledger_submission *one = &taken->rows[i];

		if (one->first <= recorded->to || one->count == 0)
			continue;
		err = insert_row(db, taken, recorded, one, span);
		recorded->to = one->first + one->count - 1;
		minute->open += one->open;
		new->count += one->open ? 0 : one->count;
		if (!one->open && one->most_ns > new->most_ns)
			new->most_ns = one->most_ns;
	}
	return err;
}

/* --- minutes --- */

/*
 * The longest of the submissions that are new. It is known exactly from their rows, if each has one, or
 * from the total if that has grown; else from the histogram, at most a thirtieth too high.
 */
static int64_t longest(const struct ledger_submissions *taken, const struct recorded *recorded,
		       const struct minute *minute, const struct new_rows *new)
{
	uint64_t most_ns = 0;

	if (taken->max_ns > recorded->max_ns)
		return as_signed(taken->max_ns);
	if (new->count == (uint64_t)minute->count)
		return as_signed(new->most_ns < taken->max_ns ? new->most_ns : taken->max_ns);
	for (uint32_t i = 0; i < HIST_BUCKET_NUM; i++)
		if (minute->latency.count[i] > 0)
			most_ns = hist_low(i) + hist_width(i) - 1;
	return as_signed(most_ns < taken->max_ns ? most_ns : taken->max_ns);
}

/* Finds what is new in the totals, and makes them those that are recorded. */
static void add_totals(const struct ledger_submissions *taken, struct recorded *recorded,
		       struct minute *minute, const struct new_rows *new)
{
	for (uint32_t i = 0; i < HIST_BUCKET_NUM; i++) {
		uint64_t now = taken->latency->count[i], before = recorded->latency.count[i];

		if (now <= before)
			continue;
		minute->latency.count[i] = now - before;
		minute->count = add(minute->count, as_signed(now - before));
		recorded->latency.count[i] = now;
	}
	if (minute->count > 0)
		minute->max_ns = longest(taken, recorded, minute, new);
	if (taken->sum_ns > recorded->sum_ns) {
		minute->sum_ns = as_signed(taken->sum_ns - recorded->sum_ns);
		recorded->sum_ns = taken->sum_ns;
	}
	if (taken->max_ns > recorded->max_ns)
		recorded->max_ns = taken->max_ns;
}

static void bind_key(sqlite3_stmt *statement, int64_t minute, const struct recorded *recorded)
{
	sqlite3_bind_int64(statement, 1, minute);
	sqlite3_bind_int64(statement, 2, recorded->vm_id);
	sqlite3_bind_text(statement, 3, &recorded->pool, 1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, recorded->priority);
}

/* Adds the row of that minute, if there is one. Return: 0 or -errno. */
static int add_minute(struct ledger_db *db, int64_t at, const struct recorded *recorded,
		      struct minute *minute)
{
	sqlite3_stmt *row = db->statement[LEDGER_DB_SUBMISSION_MINUTE_GET];
	int rc, err = 0;

	bind_key(row, at, recorded);
	rc = sqlite3_step(row);
	if (rc == SQLITE_ROW) {
		int64_t max_ns = sqlite3_column_int64(row, 3);

		minute->count = add(minute->count, sqlite3_column_int64(row, 0));
		minute->open += sqlite3_column_int64(row, 1);
		minute->sum_ns = add(minute->sum_ns, sqlite3_column_int64(row, 2));
		if (max_ns > minute->max_ns)
			minute->max_ns = max_ns;
		err = read_hist(row, 4, &minute->latency);
	} else if (rc != SQLITE_DONE) {
		err = ledger_db_errno(db->conn, rc);
	}
	sqlite3_reset(row);
	return err;
}

static int put_minute(struct ledger_db *db, int64_t at, const struct recorded *recorded,
		      const struct minute *minute)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_SUBMISSION_MINUTE_PUT];
	uint8_t bytes[HIST_ENCODED_MAX];

	bind_key(statement, at, recorded);
	sqlite3_bind_int64(statement, 5, minute->count);
	sqlite3_bind_int64(statement, 6, minute->open);
	sqlite3_bind_int64(statement, 7, minute->sum_ns);
	sqlite3_bind_int64(statement, 8, minute->max_ns);
	bind_hist(statement, 9, &minute->latency, bytes);
	return ledger_db_run(db, LEDGER_DB_SUBMISSION_MINUTE_PUT);
}

int ledger_submissions_write(struct ledger_db *db, const struct ledger_submissions *given,
			     struct ledger_submission_span *span)
{
	struct ledger_submissions taken = *given;
	struct recorded recorded;
	struct minute minute = { 0 };
	struct new_rows new = { 0 };
	int64_t at;
	int err = load_recorded(db, taken.program_id, &recorded);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (taken.at_ns < recorded.begun_ns)
		taken.at_ns = recorded.begun_ns;
	if (!ledger_submissions_possible(&taken, (uint64_t)(taken.at_ns - recorded.begun_ns)))
		return 0;
	at = taken.at_ns / UTIL_NS_PER_MINUTE;
	err = insert_rows(db, &taken, &recorded, &minute, &new, span);
	add_totals(&taken, &recorded, &minute, &new);
	if (err == 0 && (minute.count > 0 || minute.open > 0)) {
		err = add_minute(db, at, &recorded, &minute);
		if (err == 0)
			err = put_minute(db, at, &recorded, &minute);
	}
	return err ? err : store_recorded(db, taken.program_id, &recorded);
}
