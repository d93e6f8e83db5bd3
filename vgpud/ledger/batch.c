/* SPDX-License-Identifier: GPL-2.0-or-later */
/* batch.c - records of the ring become rows, minutes and a position, in one
 * transaction */

/*
 * A batch keeps nothing from one transaction to the next, so a failed one can be repeated. A
 * request with both records in the batch becomes a row. One that is only accepted goes to table
 * pending, so that its room in the ring can be released; its end, in a later batch, takes it out
 * again. A program has its row from its beginning on, so its end finds it there. The rows are
 * sorted by the key of table minute, so that each old histogram is read, added to and written back
 * once.
 */

#include "vgpud/ledger/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hist.h"
#include "common/wire/vgpu_proto.h"
#include "vgpud/ledger/opcode.h"
#include "vgpud/ledger/programs.h"

#define NS_PER_MINUTE INT64_C(60000000000)
#define TABLE_NUM (2 * LEDGER_BATCH_RECORDS) /* a power of two */
#define NO_ENTRY UINT16_MAX

_Static_assert((TABLE_NUM & (TABLE_NUM - 1)) == 0, "the table's length is a power of two");
_Static_assert(LEDGER_BATCH_RECORDS < NO_ENTRY, "an entry's index fits");

/* A row of table minute, by its key. */
struct minute_key {
	int64_t minute;
	uint32_t vm_id;
	int32_t opcode; /* as ledger_opcode() says */
	char pool;
	uint8_t priority;
};

struct minute_row {
	struct minute_key key;
	uint32_t entry;
};

struct minute_sum {
	int64_t count, errors;
	int64_t wait_sum_ns, wait_max_ns;
	int64_t exec_sum_ns, exec_max_ns;
	int64_t total_sum_ns, total_max_ns;
	struct hist wait, exec, total;
};

struct ledger_batch_work {
	uint16_t accepted[TABLE_NUM]; /* hash table of entries, by id */
	struct minute_row rows[LEDGER_BATCH_RECORDS];
	uint32_t row_num;
	struct minute_sum sum;
	uint8_t encoded[3][HIST_ENCODED_MAX];
};

int ledger_batch_init(struct ledger_batch *batch)
{
	*batch = (struct ledger_batch){ 0 };
	batch->entries = calloc(LEDGER_BATCH_RECORDS, sizeof(*batch->entries));
	batch->work = calloc(1, sizeof(*batch->work));
	if (batch->entries && batch->work)
		return 0;
	ledger_batch_free(batch);
	return -ENOMEM;
}

void ledger_batch_free(struct ledger_batch *batch)
{
	free(batch->entries);
	free(batch->work);
	*batch = (struct ledger_batch){ 0 };
}

void ledger_batch_read(struct ledger_batch *batch, const struct ring *ring)
{
	uint64_t head = ring_head(ring);

	batch->entry_num = 0;
	while (batch->position < head && batch->entry_num < LEDGER_BATCH_RECORDS) {
		if (ring_get(ring, batch->position++, &batch->entries[batch->entry_num]) == 0)
			batch->entry_num++;
		else
			batch->damaged++;
	}
}

/* --- accepted requests whose end is not in the batch --- */

/* Return: the place of an id in the table, or of the gap where it would stand. */
static uint16_t *find_accepted(struct ledger_batch *batch, uint64_t id)
{
	uint32_t at = (uint32_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (TABLE_NUM - 1);

	while (batch->work->accepted[at] != NO_ENTRY &&
	       batch->entries[batch->work->accepted[at]].request.id != id)
		at = (at + 1) & (TABLE_NUM - 1);
	return &batch->work->accepted[at];
}

static void bind_request(sqlite3_stmt *statement, const struct ledger_request *request,
			 int64_t wall_offset_ns)
{
	sqlite3_bind_int64(statement, 1, (int64_t)request->id);
	sqlite3_bind_int64(statement, 2, (int64_t)request->received_ns + wall_offset_ns);
	sqlite3_bind_int64(statement, 3, request->vm_id);
	sqlite3_bind_int64(statement, 4, request->guest_request_id);
	sqlite3_bind_int64(statement, 5, request->opcode);
	sqlite3_bind_text(statement, 6, (const char *)&request->pool, 1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 7, request->priority);
	sqlite3_bind_int(statement, 8, request->transport);
	sqlite3_bind_int(statement, 9, request->request_bytes);
}

/* Writes the requests whose end is not in the batch into table pending. */
static int write_pending(struct ledger_batch *batch, struct ledger_db *db)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_PENDING];
	int err = 0;

	for (uint32_t i = 0; i < batch->entry_num && err == 0; i++) {
		const struct ring_entry *entry = &batch->entries[i];

		if (entry->kind != RING_REQUEST_ACCEPTED ||
		    *find_accepted(batch, entry->request.id) != i)
			continue;
		bind_request(statement, &entry->request, batch->wall_offset_ns);
		err = ledger_db_run(db, LEDGER_DB_PENDING);
	}
	return err;
}

/* --- rows --- */

static void bind_time(sqlite3_stmt *statement, int at, uint64_t ns, bool lost)
{
	if (lost)
		sqlite3_bind_null(statement, at);
	else
		sqlite3_bind_int64(statement, at, (int64_t)ns);
}

/* Inserts the end of a request, and remembers it for its minute. */
static int write_row(struct ledger_batch *batch, struct ledger_db *db, uint32_t index, bool lost,
		     struct ledger_batch_result *result)
{
	const struct ledger_request *request = &batch->entries[index].request;
	sqlite3_stmt *statement = db->statement[LEDGER_DB_REQUEST];
	int64_t received_ns = (int64_t)request->received_ns + batch->wall_offset_ns;
	int err;

	bind_request(statement, request, batch->wall_offset_ns);
	bind_time(statement, 10, request->wait_ns, lost);
	bind_time(statement, 11, request->exec_ns, lost);
	bind_time(statement, 12, request->total_ns, lost);
	sqlite3_bind_int64(statement, 13, request->status);
	sqlite3_bind_int(statement, 14, request->executor);
	sqlite3_bind_int(statement, 15, request->response_bytes);
	sqlite3_bind_int64(statement, 16, (int64_t)request->limited_ns);
	err = ledger_db_run(db, LEDGER_DB_REQUEST);
	if (err)
		return err;
	if (sqlite3_changes(db->conn) == 0) {
		result->duplicates++;
		return 0;
	}
	result->rows++;
	batch->work->rows[batch->work->row_num++] = (struct minute_row){
		.key = {
			.minute = received_ns / NS_PER_MINUTE,
			.vm_id = request->vm_id,
			.opcode = ledger_opcode(request->opcode),
			.pool = (char)request->pool,
			.priority = request->priority,
		},
		.entry = index,
	};
	return 0;
}

static int end_pending(struct ledger_db *db, uint64_t id)
{
	sqlite3_bind_int64(db->statement[LEDGER_DB_PENDING_END], 1, (int64_t)id);
	return ledger_db_run(db, LEDGER_DB_PENDING_END);
}

static int write_program(const struct ledger_batch *batch, struct ledger_db *db,
			 const struct ring_entry *entry, struct ledger_batch_result *result)
{
	bool ended = entry->kind == RING_PROGRAM_ENDED;
	bool again = false;
	int err = ended ? ledger_programs_end(db, &entry->program, batch->wall_offset_ns, &again)
			: ledger_programs_begin(db, &entry->program, batch->wall_offset_ns);

	result->duplicates += again;
	result->rows += ended && !again;
	return err;
}

static int write_rows(struct ledger_batch *batch, struct ledger_db *db,
		      struct ledger_batch_result *result)
{
	int err = 0;

	for (uint32_t i = 0; i < batch->entry_num && err == 0; i++) {
		const struct ring_entry *entry = &batch->entries[i];
		uint16_t *accepted;

		if (entry->kind == RING_PROGRAM_BEGUN || entry->kind == RING_PROGRAM_ENDED) {
			err = write_program(batch, db, entry, result);
			continue;
		}
		accepted = find_accepted(batch, entry->request.id);
		if (entry->kind == RING_REQUEST_ACCEPTED) {
			*accepted = (uint16_t)i;
			continue;
		}
		/* The end takes the place: an emptied one would cut the search for other ids. */
		if (*accepted == NO_ENTRY)
			err = end_pending(db, entry->request.id);
		else
			*accepted = (uint16_t)i;
		if (err == 0)
			err = write_row(batch, db, i, false, result);
	}
	return err;
}

/* --- minutes --- */

static int compare_keys(const struct minute_key *a, const struct minute_key *b)
{
	if (a->minute != b->minute)
		return a->minute < b->minute ? -1 : 1;
	if (a->vm_id != b->vm_id)
		return a->vm_id < b->vm_id ? -1 : 1;
	if (a->opcode != b->opcode)
		return a->opcode < b->opcode ? -1 : 1;
	if (a->pool != b->pool)
		return a->pool < b->pool ? -1 : 1;
	return (int)a->priority - (int)b->priority;
}

static int compare_rows(const void *a, const void *b)
{
	return compare_keys(&((const struct minute_row *)a)->key,
			    &((const struct minute_row *)b)->key);
}

static void bind_key(sqlite3_stmt *statement, const struct minute_key *key)
{
	sqlite3_bind_int64(statement, 1, key->minute);
	sqlite3_bind_int64(statement, 2, key->vm_id);
	sqlite3_bind_text(statement, 3, &key->pool, 1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 4, key->priority);
	sqlite3_bind_int(statement, 5, key->opcode);
}

static int decode_column(sqlite3_stmt *statement, int column, struct hist *hist)
{
	const void *blob = sqlite3_column_blob(statement, column);

	/* For a blob of no bytes sqlite gives NULL, which is no error. */
	if (!blob)
		return 0;
	return hist_decode(hist, blob, (size_t)sqlite3_column_bytes(statement, column));
}

/* Loads the row of a minute, or zeros if there is none yet. */
static int load_sum(struct ledger_db *db, const struct minute_key *key, struct minute_sum *sum)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_MINUTE_GET];
	int64_t *numbers[] = { &sum->count,	   &sum->errors,      &sum->wait_sum_ns,
			       &sum->wait_max_ns,  &sum->exec_sum_ns, &sum->exec_max_ns,
			       &sum->total_sum_ns, &sum->total_max_ns };
	int rc, err = 0;

	memset(sum, 0, sizeof(*sum));
	bind_key(statement, key);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW) {
		for (int i = 0; i < 8; i++)
			*numbers[i] = sqlite3_column_int64(statement, i);
		if (decode_column(statement, 8, &sum->wait) ||
		    decode_column(statement, 9, &sum->exec) ||
		    decode_column(statement, 10, &sum->total))
			err = -EUCLEAN;
	} else if (rc != SQLITE_DONE) {
		err = ledger_db_errno(db->conn, rc);
	}
	sqlite3_reset(statement);
	return err;
}

/* sqlite's integers are signed: a larger value is cut to their greatest. */
static void add_time(uint64_t ns, int64_t *sum_ns, int64_t *max_ns, struct hist *hist)
{
	int64_t signed_ns = ns > INT64_MAX ? INT64_MAX : (int64_t)ns;

	*sum_ns = signed_ns > INT64_MAX - *sum_ns ? INT64_MAX : *sum_ns + signed_ns;
	if (signed_ns > *max_ns)
		*max_ns = signed_ns;
	hist_add(hist, ns);
}

static void add_request(struct minute_sum *sum, const struct ledger_request *request, bool lost)
{
	sum->count++;
	sum->errors += request->status != VGPU_ERR_OK;
	if (lost)
		return;
	add_time(request->wait_ns, &sum->wait_sum_ns, &sum->wait_max_ns, &sum->wait);
	add_time(request->total_ns, &sum->total_sum_ns, &sum->total_max_ns, &sum->total);
	if (request->executor != VGPU_EXECUTOR_NONE)
		add_time(request->exec_ns, &sum->exec_sum_ns, &sum->exec_max_ns, &sum->exec);
}

static int put_sum(struct ledger_batch *batch, struct ledger_db *db, const struct minute_key *key)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_MINUTE_PUT];
	const struct minute_sum *sum = &batch->work->sum;
	const int64_t numbers[] = { sum->count,	       sum->errors,	 sum->wait_sum_ns,
				    sum->wait_max_ns,  sum->exec_sum_ns, sum->exec_max_ns,
				    sum->total_sum_ns, sum->total_max_ns };
	const struct hist *hists[] = { &sum->wait, &sum->exec, &sum->total };

	bind_key(statement, key);
	for (int i = 0; i < 8; i++)
		sqlite3_bind_int64(statement, 6 + i, numbers[i]);
	for (int i = 0; i < 3; i++) {
		size_t bytes = hist_encode(hists[i], batch->work->encoded[i]);

		sqlite3_bind_blob(statement, 14 + i, batch->work->encoded[i], (int)bytes,
				  SQLITE_STATIC);
	}
	return ledger_db_run(db, LEDGER_DB_MINUTE_PUT);
}

static int write_minutes(struct ledger_batch *batch, struct ledger_db *db, bool lost)
{
	struct ledger_batch_work *work = batch->work;
	uint32_t i = 0;

	qsort(work->rows, work->row_num, sizeof(work->rows[0]), compare_rows);
	while (i < work->row_num) {
		const struct minute_key *key = &work->rows[i].key;
		int err = load_sum(db, key, &work->sum);

		for (; i < work->row_num && compare_keys(&work->rows[i].key, key) == 0; i++)
			add_request(&work->sum, &batch->entries[work->rows[i].entry].request, lost);
		if (err == 0)
			err = put_sum(batch, db, key);
		if (err)
			return err;
	}
	return 0;
}

/* --- the transaction --- */

static int write_position(struct ledger_batch *batch, struct ledger_db *db, uint64_t ring_id)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_POSITION];
	struct ring_ids last = { 0 };

	for (uint32_t i = 0; i < batch->entry_num; i++)
		ring_ids_note(&last, &batch->entries[i]);
	sqlite3_bind_int64(statement, 1, (int64_t)ring_id);
	sqlite3_bind_int64(statement, 2, (int64_t)batch->position);
	sqlite3_bind_int64(statement, 3, (int64_t)last.request);
	sqlite3_bind_int64(statement, 4, (int64_t)last.program);
	return ledger_db_run(db, LEDGER_DB_POSITION);
}

static void begin_work(struct ledger_batch *batch, struct ledger_batch_result *result)
{
	memset(batch->work->accepted, 0xff, sizeof(batch->work->accepted));
	batch->work->row_num = 0;
	*result = (struct ledger_batch_result){ 0 };
}

int ledger_batch_write(struct ledger_batch *batch, struct ledger_db *db, uint64_t ring_id,
		       struct ledger_batch_result *result)
{
	int err = ledger_db_begin(db);

	begin_work(batch, result);
	if (err == 0)
		err = write_rows(batch, db, result);
	if (err == 0)
		err = write_pending(batch, db);
	if (err == 0)
		err = write_minutes(batch, db, false);
	if (err == 0)
		err = write_position(batch, db, ring_id);
	return ledger_db_end(db, err);
}

/* --- lost requests --- */

/* Fills the batch from table pending, whose times are wall times already. */
static int read_pending(struct ledger_batch *batch, struct ledger_db *db)
{
	sqlite3_stmt *statement = db->statement[LEDGER_DB_PENDING_LIST];
	int rc;

	batch->entry_num = 0;
	sqlite3_bind_int(statement, 1, LEDGER_BATCH_RECORDS);
	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		const unsigned char *pool = sqlite3_column_text(statement, 5);

		batch->entries[batch->entry_num++] = (struct ring_entry){
			.kind = RING_REQUEST_FINISHED,
			.request = {
				.id = (uint64_t)sqlite3_column_int64(statement, 0),
				.received_ns = (uint64_t)sqlite3_column_int64(statement, 1),
				.vm_id = (uint32_t)sqlite3_column_int64(statement, 2),
				.guest_request_id = (uint32_t)sqlite3_column_int64(statement, 3),
				.opcode = (uint32_t)sqlite3_column_int64(statement, 4),
				.pool = pool ? pool[0] : 0,
				.priority = (uint8_t)sqlite3_column_int(statement, 6),
				.transport = (uint8_t)sqlite3_column_int(statement, 7),
				.request_bytes = (uint16_t)sqlite3_column_int(statement, 8),
				.status = VGPU_ERR_BACKEND_LOST,
				.executor = VGPU_EXECUTOR_NONE,
			},
		};
	}
	sqlite3_reset(statement);
	return rc == SQLITE_DONE ? 0 : ledger_db_errno(db->conn, rc);
}

static int lose_some(struct ledger_batch *batch, struct ledger_db *db)
{
	struct ledger_batch_result result;
	int err = ledger_db_begin(db);

	begin_work(batch, &result);
	if (err == 0)
		err = read_pending(batch, db);
	for (uint32_t i = 0; i < batch->entry_num && err == 0; i++) {
		err = end_pending(db, batch->entries[i].request.id);
		if (err == 0)
			err = write_row(batch, db, i, true, &result);
	}
	if (err == 0)
		err = write_minutes(batch, db, true);
	return ledger_db_end(db, err);
}

int ledger_batch_lose(struct ledger_batch *batch, struct ledger_db *db, int64_t *lost)
{
	int64_t offset_ns = batch->wall_offset_ns;
	int err = 0;

	batch->wall_offset_ns = 0;
	do {
		err = lose_some(batch, db);
		if (err == 0)
			*lost += batch->entry_num;
	} while (err == 0 && batch->entry_num > 0);
	batch->wall_offset_ns = offset_ns;
	return err;
}
