/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_replay.c - random lives of a ring, cut off, torn and replayed, against a model of the rows
 */

/*
 * A ledger goes through many lives. In each, requests of several VMs are accepted and end in any
 * order, lap after lap of the ring, while its records are taken into the database now and then.
 * Then vgpud dies at some point, sometimes with the host: what was not written back of the file is
 * as it was before, or torn, or rubbish. The next start replays, and is itself killed before any of
 * its SQL statements, or after, now and then.
 *
 * The model knows each record's bytes and to which position the database has taken them. It asks
 * the torn file which records are there in whole, and from this alone says what the rows must be:
 *
 *   its end was taken or is there       the row that it had, once
 *   only its beginning was, or is       BACKEND_LOST, once
 *   neither                             no row
 *
 * So a request that was answered is lost only if the tear took the record of its end. Starting once
 * more changes nothing of that.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"
#include "tests/unit/ledger/kill_statement.h"
#include "tests/unit/ledger/ledger_check.h"
#include "tests/unit/scratch.h"
#include "vgpud/ledger/start.h"

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* REPLAY_LEDGERS=N for more or fewer. Each life takes a start or two, some of them in a process of
 * their own, for which a sanitizer takes its time. */
#ifdef __SANITIZE_ADDRESS__
#define LEDGERS 8u
#else
#define LEDGERS 30u
#endif
#define LIVES 20u /* of each */
#define VMS 4u
#define RECORDS_MOST 64u
#define POSITIONS_MOST (6 * RECORDS_MOST) /* of one life */
#define HEADER_BYTES 4096u
#define HEADER_USED_BYTES 36u /* what its checksum covers, and that */
#define TAIL_AT 64u	      /* the tail, twice */
#define SESSIONS_AT 128u
#define SESSIONS_END 208u
#define FILE_MOST (HEADER_BYTES + RECORDS_MOST * RING_RECORD_BYTES)
#define PAGE_BYTES 4096u

enum tear {
	TEAR_NONE,	  /* kill -9: the file is as it was */
	TEAR_OLD_FILE,	  /* nothing was written back for a while */
	TEAR_OLD_SPAN,	  /* from some byte to another */
	TEAR_OLD_TAIL,	  /* from some byte to the end */
	TEAR_OLD_RECORDS, /* the header alone was written back */
	TEAR_OLD_HEADER,  /* all but the header was */
	TEAR_ZEROS,
	TEAR_RUBBISH,
	TEAR_BYTE, /* one, anywhere, the header among it */
	TEAR_CUT,  /* the file ends */
	TEAR_NUM
};

/* A record as it was put into the ring. */
struct written {
	uint8_t image[RING_RECORD_BYTES];
	enum ring_kind kind;
	struct ledger_request request;
};

struct file {
	uint8_t bytes[FILE_MOST];
	size_t len_bytes;
};

struct lives {
	struct ledger_config config;
	struct ledger_health health;
	struct ledger_book book;
	struct ledger_start start;
	struct ledger_vms vms;
	uint64_t next_id;
	struct written written[POSITIONS_MOST]; /* of this life, from position `base` on */
	struct ledger_request open[RECORDS_MOST];
	unsigned open_num;
	uint64_t base, head, taken, first_id;
	int64_t wall_offset_ns;
	bool sessions_whole;
	int64_t rows_before; /* of earlier lives */
	bool start_killed;
	struct file before; /* as it was at some time in this life */
	struct file torn;
	enum tear tear;
	unsigned records;
	uint32_t seed0, seed;
	unsigned life;
	bool trace;
};

/* How often the lives reached each case. */
static struct {
	unsigned lives, laps, torn[TEAR_NUM], killed_starts, again, forgot;
	unsigned answered, lost, taken_by_tears, not_sure;
} reached;

static char directory[64], db_path[96], ring_path[96], why[512];

#define CHECK(l, ok)                                                                      \
	do {                                                                              \
		if (!(ok))                                                                \
			fail_msg("%s\n  seed %u, life %u, tear %d "                       \
				 "(run again with REPLAY_SEED=%u to see the lives)",      \
				 #ok, (l)->seed0, (l)->life, (int)(l)->tear, (l)->seed0); \
	} while (0)

static uint32_t draw(struct lives *l, uint32_t below)
{
	l->seed ^= l->seed << 13;
	l->seed ^= l->seed >> 17;
	l->seed ^= l->seed << 5;
	return l->seed % below;
}

/* --- a life --- */

static struct ledger_request request_of(struct lives *l, uint64_t id)
{
	return (struct ledger_request){
		.id = id,
		.received_ns = id * 1000,
		.vm_id = draw(l, VMS),
		.guest_request_id = draw(l, 1000),
		.opcode = draw(l, 5),
		.request_bytes = (uint16_t)draw(l, VGPU_MSG_MAX),
		.pool = (uint8_t)('A' + draw(l, 2)),
		.priority = (uint8_t)draw(l, VGPU_PRIORITY_NUM),
		.transport = (uint8_t)draw(l, LEDGER_TRANSPORT_NUM),
	};
}

/* Never BACKEND_LOST, which is the mark of those that were not ended. */
static void end_of(struct lives *l, struct ledger_request *request)
{
	static const uint32_t status[] = { VGPU_ERR_OK, VGPU_ERR_OK, VGPU_ERR_TIMEOUT,
					   VGPU_ERR_CANCELLED, VGPU_ERR_GPU_FAULT };

	request->status = status[draw(l, LEN(status))];
	request->pool = (uint8_t)('A' + draw(l, 2)); /* it was moved meanwhile */
	request->executor = (uint8_t)draw(l, VGPU_EXECUTOR_CPU + 1);
	request->wait_ns = draw(l, 1000000);
	request->exec_ns = request->executor == VGPU_EXECUTOR_NONE ? 0 : draw(l, 1000000);
	request->total_ns = request->wait_ns + request->exec_ns;
	request->limited_ns = draw(l, 2) ? 0 : draw(l, (uint32_t)request->wait_ns + 1);
	request->response_bytes = (uint16_t)draw(l, VGPU_MSG_MAX);
}

static void read_file(struct lives *l, struct file *file)
{
	int fd = open(ring_path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, file->bytes, sizeof(file->bytes));

	CHECK(l, n > 0);
	file->len_bytes = (size_t)n;
	close(fd);
}

static const uint8_t *slot(const struct lives *l, const struct file *file, uint64_t position)
{
	return file->bytes + HEADER_BYTES + position % l->records * RING_RECORD_BYTES;
}

/* The newest record, as it lies in the file. */
static void note_written(struct lives *l, enum ring_kind kind, const struct ledger_request *request)
{
	struct written *written = &l->written[l->head - l->base];
	off_t at = (off_t)(HEADER_BYTES + l->head % l->records * RING_RECORD_BYTES);
	int fd = open(ring_path, O_RDONLY);

	CHECK(l, pread(fd, written->image, RING_RECORD_BYTES, at) == RING_RECORD_BYTES);
	close(fd);
	written->kind = kind;
	written->request = *request;
	l->head++;
	CHECK(l, ring_head(l->book.ring) == l->head);
}

static void do_accept(struct lives *l)
{
	struct ledger_request request = request_of(l, l->next_id);

	if (ring_accept(l->book.ring, &request) != 0)
		return;
	l->next_id++;
	note_written(l, RING_REQUEST_ACCEPTED, &request);
	l->open[l->open_num++] = request;
}

static void do_finish(struct lives *l)
{
	unsigned i;

	if (l->open_num == 0)
		return;
	i = draw(l, l->open_num);
	end_of(l, &l->open[i]);
	ring_finish(l->book.ring, &l->open[i]);
	note_written(l, RING_REQUEST_FINISHED, &l->open[i]);
	l->open[i] = l->open[--l->open_num];
}

/* As the writer does. */
static void do_take(struct lives *l, bool release)
{
	struct ledger_batch_result result;
	uint64_t damaged = l->book.batch.damaged;

	ledger_batch_read(&l->book.batch, l->book.ring);
	CHECK(l,
	      ledger_batch_write(&l->book.batch, &l->book.db, ring_id(l->book.ring), &result) == 0);
	CHECK(l, result.duplicates == 0 && l->book.batch.damaged == damaged);
	l->taken = l->book.batch.position;
	CHECK(l, l->taken == l->head);
	if (release)
		ring_release(l->book.ring, l->taken);
}

/* forget: with the host, the database's last commits die, though the ring was told of them. */
static void live(struct lives *l)
{
	unsigned steps = draw(l, 3 * l->records), remember = draw(l, steps + 1);
	bool forget = draw(l, 8) == 0;
	unsigned forget_from = forget ? draw(l, steps + 1) : steps;

	for (unsigned i = 0; i < steps && l->head - l->base + 2 < POSITIONS_MOST; i++) {
		uint32_t roll = draw(l, 16);

		if (i == remember)
			read_file(l, &l->before);
		if (roll < 8)
			do_accept(l);
		else if (roll < 14)
			do_finish(l);
		else if (i < forget_from)
			do_take(l, true);
		else
			ring_release(l->book.ring, l->head);
	}
	/* It dies with the batch committed, and the ring not yet told. */
	if (!forget && draw(l, 8) == 0)
		do_take(l, false);
	reached.forgot += forget;
	reached.laps += (unsigned)((l->head - l->base) / l->records);
}

static void life_begins(struct lives *l)
{
	l->base = l->head = l->taken = ring_head(l->book.ring);
	l->records = (unsigned)ring_records(l->book.ring);
	l->first_id = l->next_id;
	l->wall_offset_ns = l->book.wall_offset_ns;
	l->open_num = 0;
	read_file(l, &l->before);
}

/* As kill -9 leaves it: what the kernel has, stays. */
static void drop(struct lives *l)
{
	ledger_book_close(&l->book);
	ledger_start_free(&l->start);
	ledger_vms_free(&l->vms);
	ledger_health_close(&l->health);
}

/* --- the tear --- */

static void take_old(struct lives *l, size_t from, size_t to)
{
	memcpy(l->torn.bytes + from, l->before.bytes + from, to - from);
}

static void tear_span(struct lives *l, enum tear tear, size_t from, size_t to)
{
	for (size_t at = from; at < to; at++) {
		if (tear == TEAR_ZEROS)
			l->torn.bytes[at] = 0;
		else if (tear == TEAR_RUBBISH)
			l->torn.bytes[at] = (uint8_t)draw(l, 256);
	}
	if (tear == TEAR_OLD_SPAN)
		take_old(l, from, to);
}

static void tear(struct lives *l)
{
	struct file *torn = &l->torn;
	size_t records = torn->len_bytes - HEADER_BYTES;
	size_t from = HEADER_BYTES + draw(l, (uint32_t)records), at;
	size_t to = from + 1 + draw(l, (uint32_t)(torn->len_bytes - from));

	switch (l->tear) {
	case TEAR_NONE:
	case TEAR_NUM:
		break;
	case TEAR_OLD_FILE:
		take_old(l, 0, torn->len_bytes);
		break;
	case TEAR_OLD_RECORDS:
		take_old(l, HEADER_BYTES, torn->len_bytes);
		break;
	case TEAR_OLD_HEADER:
		take_old(l, 0, HEADER_BYTES);
		break;
	case TEAR_OLD_TAIL:
		take_old(l, from, torn->len_bytes);
		break;
	case TEAR_OLD_SPAN:
	case TEAR_ZEROS:
	case TEAR_RUBBISH:
		tear_span(l, l->tear, from, to);
		break;
	case TEAR_BYTE:
		at = draw(l, 2) ? draw(l, SESSIONS_END) : from;
		torn->bytes[at] ^= (uint8_t)(1 + draw(l, 255));
		break;
	case TEAR_CUT:
		torn->len_bytes = draw(l, (uint32_t)torn->len_bytes);
		break;
	}
}

static void tear_file(struct lives *l)
{
	struct file whole;
	int fd;

	l->tear = draw(l, 3) ? (enum tear)draw(l, TEAR_NUM) : TEAR_NONE;
	reached.torn[l->tear]++;
	read_file(l, &l->torn);
	whole = l->torn;
	tear(l);
	l->sessions_whole = memcmp(l->torn.bytes + SESSIONS_AT, whole.bytes + SESSIONS_AT,
				   SESSIONS_END - SESSIONS_AT) == 0;
	if (memcmp(l->torn.bytes, whole.bytes, HEADER_USED_BYTES) != 0)
		l->torn.len_bytes = 0; /* it is no ring any more */
	fd = open(ring_path, O_WRONLY | O_TRUNC);
	CHECK(l, write(fd, l->torn.bytes, l->torn.len_bytes) == (ssize_t)l->torn.len_bytes);
	close(fd);
}

/* --- the model --- */

/* again: 0 or 1, which of the two. */
static uint64_t tail_of(const struct lives *l, unsigned again)
{
	uint64_t tail;

	memcpy(&tail, l->torn.bytes + TAIL_AT + again * sizeof(tail), sizeof(tail));
	return tail;
}

/* Whether the file is believed to be a ring at all. */
static bool is_ring(const struct lives *l)
{
	uint64_t tail = tail_of(l, 0), again = tail_of(l, 1);

	return l->torn.len_bytes == HEADER_BYTES + l->records * RING_RECORD_BYTES &&
	       tail >= again && tail - again <= l->records;
}

/* bytes: how many of the record's must be there. */
static bool is_there(const struct lives *l, uint64_t position, size_t bytes)
{
	return is_ring(l) && memcmp(l->written[position - l->base].image,
				    slot(l, &l->torn, position), bytes) == 0;
}

/* The fate of a request's records. A record of an older lap that has come back may be read or
 * not. */
struct fate {
	const struct ledger_request *began, *ended;
	bool began_surely, ended_surely;
};

/* Return: the oldest position that is within a lap of the newest, or of the tail. */
static uint64_t oldest_of_lap(const struct lives *l)
{
	uint64_t newest = l->head;

	while (newest > l->base && !is_there(l, newest - 1, sizeof(uint32_t)))
		newest--;
	if (is_ring(l) && tail_of(l, 0) > newest)
		newest = tail_of(l, 0);
	return newest > l->records ? newest - l->records : 0;
}

static void tell_fates(struct lives *l, struct fate *fate)
{
	uint64_t oldest = oldest_of_lap(l);

	for (uint64_t at = l->base; at < l->head; at++) {
		const struct written *written = &l->written[at - l->base];
		struct fate *f = &fate[written->request.id - l->first_id];
		bool there = at < l->taken || is_there(l, at, RING_RECORD_BYTES);
		bool surely = there && (at < l->taken || at >= oldest);

		if (there && written->kind == RING_REQUEST_ACCEPTED)
			f->began = &written->request;
		if (there && written->kind == RING_REQUEST_FINISHED)
			f->ended = &written->request;
		f->began_surely |= surely && written->kind == RING_REQUEST_ACCEPTED;
		f->ended_surely |= surely && written->kind == RING_REQUEST_FINISHED;
		reached.taken_by_tears += !there && written->kind == RING_REQUEST_FINISHED;
		reached.not_sure += there && !surely;
	}
}

/* --- the rows --- */

static int64_t number(struct lives *l, const char *sql, uint64_t arg)
{
	sqlite3_stmt *statement;
	int64_t value;

	CHECK(l, sqlite3_prepare_v2(l->book.db.conn, sql, -1, &statement, NULL) == SQLITE_OK);
	if (sqlite3_bind_parameter_count(statement))
		sqlite3_bind_int64(statement, 1, (int64_t)arg);
	CHECK(l, sqlite3_step(statement) == SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

/* Whether what was known when it was accepted stands in the row. */
static bool same_beginning(struct lives *l, sqlite3_stmt *row, const struct ledger_request *want)
{
	const unsigned char *pool = sqlite3_column_text(row, 5);
	bool at_its_time = sqlite3_column_int64(row, 1) ==
			   (int64_t)want->received_ns + l->wall_offset_ns;

	return (at_its_time || !l->sessions_whole) && sqlite3_column_int64(row, 2) == want->vm_id &&
	       sqlite3_column_int64(row, 3) == want->guest_request_id &&
	       sqlite3_column_int64(row, 4) == want->opcode && pool && pool[0] == want->pool &&
	       sqlite3_column_int(row, 6) == want->priority &&
	       sqlite3_column_int(row, 7) == want->transport &&
	       sqlite3_column_int(row, 8) == want->request_bytes;
}

static bool same_end(sqlite3_stmt *row, const struct ledger_request *want)
{
	return sqlite3_column_int64(row, 9) == (int64_t)want->wait_ns &&
	       sqlite3_column_int64(row, 10) == (int64_t)want->exec_ns &&
	       sqlite3_column_int64(row, 11) == (int64_t)want->total_ns &&
	       sqlite3_column_int64(row, 12) == want->status &&
	       sqlite3_column_int(row, 13) == want->executor &&
	       sqlite3_column_int(row, 14) == want->response_bytes &&
	       sqlite3_column_int64(row, 15) == (int64_t)want->limited_ns;
}

static bool is_lost(sqlite3_stmt *row)
{
	return sqlite3_column_int(row, 12) == VGPU_ERR_BACKEND_LOST &&
	       sqlite3_column_type(row, 9) == SQLITE_NULL &&
	       sqlite3_column_type(row, 10) == SQLITE_NULL &&
	       sqlite3_column_type(row, 11) == SQLITE_NULL &&
	       sqlite3_column_int(row, 13) == VGPU_EXECUTOR_NONE;
}

static void check_row(struct lives *l, sqlite3_stmt *row, const struct fate *fate)
{
	if (is_lost(row)) {
		CHECK(l, !fate->ended_surely);
		CHECK(l, fate->began && same_beginning(l, row, fate->began));
		reached.lost++;
	} else {
		CHECK(l, fate->ended && same_beginning(l, row, fate->ended) &&
				 same_end(row, fate->ended));
		reached.answered++;
	}
}

/* Each row of the life that is over, against its request's fate, and that none is missing. */
static void check_rows(struct lives *l, const struct fate *fate, uint64_t end_id)
{
	sqlite3_stmt *row;
	uint64_t next = l->first_id;

	CHECK(l,
	      sqlite3_prepare_v2(l->book.db.conn,
				 "SELECT id, received_ns, vm_id, guest_request_id, opcode, pool, "
				 "priority, transport, request_bytes, wait_ns, exec_ns, total_ns, "
				 "status, executor, response_bytes, limited_ns FROM request "
				 "WHERE id >= ?1 ORDER BY id",
				 -1, &row, NULL) == SQLITE_OK);
	sqlite3_bind_int64(row, 1, (int64_t)l->first_id);
	while (sqlite3_step(row) == SQLITE_ROW) {
		uint64_t id = (uint64_t)sqlite3_column_int64(row, 0);

		CHECK(l, id < end_id);
		for (; next < id; next++)
			CHECK(l, !fate[next - l->first_id].began_surely &&
					 !fate[next - l->first_id].ended_surely);
		check_row(l, row, &fate[id - l->first_id]);
		CHECK(l, l->next_id > id);
		next++;
	}
	sqlite3_finalize(row);
	for (; next < end_id; next++)
		CHECK(l, !fate[next - l->first_id].began_surely &&
				 !fate[next - l->first_id].ended_surely);
	CHECK(l, number(l, "SELECT count(*) FROM request WHERE id < ?1", l->first_id) ==
			 l->rows_before);
	CHECK(l, number(l, "SELECT count(*) FROM pending", 0) == 0);
	CHECK(l, l->start_killed ||
			 number(l, "SELECT count(*) FROM request WHERE id >= ?1 AND status = 7",
				l->first_id) == (int64_t)l->health.lost);
	CHECK(l, l->health.duplicates == 0);
}

/* --- starts --- */

static bool start(struct lives *l)
{
	l->config = (struct ledger_config){ .db_path = db_path,
					    .ring_path = ring_path,
					    .ring_records = l->records,
					    .version = "test",
					    .host = "test" };
	ledger_health_open(&l->health);
	if (ledger_book_open(&l->book, &l->config, &l->health, -1) != 0 ||
	    ledger_start(&l->start, &l->book, &l->vms, why, sizeof(why)) != 0)
		return false;
	l->next_id = l->start.next_id;
	return true;
}

/* A start that may come to nothing. */
static void start_and_kill(struct lives *l)
{
	unsigned statements = draw(l, 300);
	pid_t pid = fork();
	int status;

	CHECK(l, pid >= 0);
	if (pid == 0) {
		kill_statement_after(statements);
		if (!start(l))
			_exit(1);
		raise(SIGKILL);
	}
	CHECK(l, waitpid(pid, &status, 0) == pid);
	CHECK(l, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	reached.killed_starts++;
}

static void start_surely(struct lives *l)
{
	if (!start(l))
		fail_msg("seed %u, life %u: %s", l->seed0, l->life, why);
}

/* --- a ledger's lives --- */

static void remove_set_aside(void)
{
	char name[128];

	for (unsigned i = 1; snprintf(name, sizeof(name), "%s.corrupt-%u", ring_path, i) > 0; i++)
		if (unlink(name) != 0)
			return;
}

static void next_life(struct lives *l)
{
	struct fate fate[POSITIONS_MOST] = { { 0 } };
	uint64_t end_id;

	l->rows_before = number(l, "SELECT count(*) FROM request", 0);
	life_begins(l);
	live(l);
	end_id = l->next_id;
	drop(l);
	tear_file(l);
	tell_fates(l, fate);
	if (l->trace)
		printf("# life %u: ids %llu to %llu, positions %llu to %llu, taken to %llu, tear %d\n",
		       l->life, (unsigned long long)l->first_id, (unsigned long long)end_id - 1,
		       (unsigned long long)l->base, (unsigned long long)l->head,
		       (unsigned long long)l->taken, (int)l->tear);
	if (draw(l, 8) == 0) /* the new one is made another size */
		l->records = RING_RECORDS_LEAST + draw(l, 3) * 24;
	l->start_killed = draw(l, 4) == 0;
	for (uint32_t kills = l->start_killed ? 1 + draw(l, 3) : 0; kills > 0; kills--)
		start_and_kill(l);
	start_surely(l);
	check_rows(l, fate, end_id);
	if (draw(l, 4) == 0) {
		drop(l);
		start_surely(l);
		CHECK(l, l->health.lost == 0 && l->health.rows == 0);
		l->start_killed = true; /* as then, an earlier start counted the lost */
		check_rows(l, fate, end_id);
		reached.again++;
	}
	remove_set_aside();
	reached.lives++;
}

static void live_many_lives(struct lives *l, uint32_t seed0, bool trace)
{
	l->seed0 = seed0;
	l->seed = seed0 * 2654435761u | 1;
	l->trace = trace;
	for (int i = 0; i < 8; i++)
		draw(l, 2);
	l->records = RING_RECORDS_LEAST + draw(l, 3) * 24;
	start_surely(l);
	for (l->life = 0; l->life < LIVES; l->life++)
		next_life(l);
	CHECK(l, number(l, LEDGER_DISAGREEMENTS, 0) == 0);
	drop(l);
}

static int set_up(void **state)
{
	/* Nothing here asks whether it was synced. */
	bool memory = access("/dev/shm", W_OK) == 0;

	(void)state;
	snprintf(directory, sizeof(directory), "%s/vgpu-replay.XXXXXX",
		 memory ? "/dev/shm" : "/tmp");
	if (!mkdtemp(directory))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/vgpud.db", directory);
	snprintf(ring_path, sizeof(ring_path), "%s/ring", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return scratch_remove(directory);
}

static void remove_ledger(void)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", ".lock" };
	char name[128];

	for (size_t i = 0; i < LEN(suffixes); i++) {
		snprintf(name, sizeof(name), "%s%s", db_path, suffixes[i]);
		unlink(name);
	}
	unlink(ring_path);
}

static void test_random_lives_as_the_model(void **state)
{
	static struct lives l;
	const char *seed = getenv("REPLAY_SEED"), *many = getenv("REPLAY_LEDGERS");
	unsigned first = seed ? (unsigned)strtoul(seed, NULL, 10) : 1;
	unsigned num = seed ? 1 : many ? (unsigned)strtoul(many, NULL, 10) : LEDGERS;

	(void)state;
	for (uint32_t seed0 = first; seed0 < first + num; seed0++) {
		live_many_lives(&l, seed0, seed != NULL);
		remove_ledger();
	}
	printf("# %u lives, %u laps, %u starts killed, %u once more; rows: %u as answered, %u lost; "
	       "ends torn away: %u, of an older lap: %u\n",
	       reached.lives, reached.laps, reached.killed_starts, reached.again, reached.answered,
	       reached.lost, reached.taken_by_tears, reached.not_sure);
	if (num < LEDGERS)
		return;
	/* The lives came everywhere. */
	for (size_t i = 0; i < LEN(reached.torn); i++)
		assert_true(reached.torn[i] > LEDGERS / 3);
	assert_true(reached.laps > 2 * LEDGERS && reached.forgot > LEDGERS);
	assert_true(reached.killed_starts > LEDGERS && reached.again > LEDGERS);
	assert_true(reached.answered > 20 * LEDGERS && reached.lost > 20 * LEDGERS);
	assert_true(reached.taken_by_tears > LEDGERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_lives_as_the_model, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
