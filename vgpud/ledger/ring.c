/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.c - the file that keeps each request until the database has it */

/*
 * Theory of operation
 *
 * The file is mapped shared, so a store into it is in the kernel's page cache at once: kill -9 of
 * the process loses nothing of it, and no system call is made for a record. Its blocks are
 * allocated beforehand; a sparse file would kill the daemon with SIGBUS on a full disk.
 *
 * The file is a header page, then records of 128 bytes, each of a kind (ring_private.h). The record
 * at position p lies in slot p % records, and carries a sequence made of p. The sequence is stored
 * last, so a record is there as a whole or not at all. The checksum, which covers the position too,
 * detects damage of the file. The head is not stored: at the start it is where the sequences end. A
 * sequence of this lap beyond the head means that records before it were lost. A whole record of a
 * later lap means that the header is older than the records. In both cases the ring is damaged: its
 * whole records are still read, and then a new ring takes its place.
 *
 * The tail moves only after the database has committed the records before it, together with their
 * position. After a crash the database's position counts, so no record is taken twice; the tail in
 * the file only tells the producer its room. It is stored twice, so that damage is noticed.
 *
 * An accepted request reserves the slot for its end. used + reserved never exceeds the ring, so
 * ring_finish() always has room, however long the database cannot be written.
 *
 * A power failure loses what the kernel had not yet written back (30 s by default). Nothing is
 * synced here against that, since it would cost each request a disk's latency.
 *
 * Host byte order: the file never leaves its machine. A ring in the format of an older vgpud is
 * read in place, and replaced by a new one once the database has all of it. If vgpud is killed
 * between the two, the database knows the position, and the next start takes no record twice.
 */

#include "vgpud/ledger/ring.h"

#include <errno.h>
#include <string.h>

#include "common/crc32c.h"
#include "vgpud/ledger/ring_private.h"

static bool is_program(uint32_t kind)
{
	return kind == RING_PROGRAM_BEGUN || kind == RING_PROGRAM_ENDED;
}

static bool is_known(const void *record)
{
	uint32_t kind = ((const struct ring_record *)record)->kind;

	return kind == RING_REQUEST_ACCEPTED || kind == RING_REQUEST_FINISHED || is_program(kind);
}

static void read_record(const void *at, struct ring_entry *entry)
{
	const struct ring_record *record = at;
	const struct ring_request *request = &record->body.request;

	if (is_program(record->kind)) {
		entry->kind = (enum ring_kind)record->kind;
		ring_program_read(record, &entry->program);
		return;
	}
	*entry = (struct ring_entry){
		.kind = (enum ring_kind)record->kind,
		.request = {
			.id = request->id,
			.received_ns = request->received_ns,
			.wait_ns = request->wait_ns,
			.limited_ns = request->limited_ns,
			.exec_ns = request->exec_ns,
			.total_ns = request->total_ns,
			.vm_id = request->vm_id,
			.guest_request_id = request->guest_request_id,
			.opcode = request->opcode,
			.status = request->status,
			.request_bytes = request->request_bytes,
			.response_bytes = request->response_bytes,
			.pool = request->pool,
			.priority = request->priority,
			.executor = request->executor,
			.transport = request->transport,
		},
	};
}

const struct ring_format ring_format_2 = {
	.version = 2,
	.record_bytes = RING_RECORD_BYTES,
	.is_known = is_known,
	.read = read_record,
};

/* The beginning of a record in every format. */
struct record_head {
	_Atomic uint32_t sequence;
	uint32_t crc;
};

_Static_assert(offsetof(struct ring_record, sequence) == offsetof(struct record_head, sequence) &&
		       offsetof(struct ring_record, crc) == offsetof(struct record_head, crc),
	       "a record begins with its head");

static uint32_t record_crc(const struct ring *ring, const void *record, uint64_t position)
{
	uint32_t crc = crc32c(0, &position, sizeof(position));

	return crc32c(crc, (const char *)record + sizeof(struct record_head),
		      ring->format->record_bytes - sizeof(struct record_head));
}

static void *slot(const struct ring *ring, uint64_t position)
{
	return ring->records + position % ring->record_num * ring->format->record_bytes;
}

static uint32_t sequence_in(const struct ring *ring, uint64_t slot_index)
{
	const struct record_head *head = slot(ring, slot_index);

	return atomic_load_explicit(&head->sequence, memory_order_acquire);
}

/* Never 0: that marks a slot that is unused or being written. */
static uint32_t sequence_of(uint64_t position)
{
	return (uint32_t)(position % UINT32_MAX) + 1;
}

bool ring_sequence_matches(const struct ring *ring, uint64_t position)
{
	return sequence_in(ring, position) == sequence_of(position);
}

uint64_t ring_position_in(const struct ring *ring, uint64_t slot, uint64_t near)
{
	uint32_t sequence = sequence_in(ring, slot);
	uint64_t ahead = ((uint64_t)sequence + UINT32_MAX - sequence_of(near)) % UINT32_MAX;

	return sequence != 0 && ahead < UINT32_MAX / 2 ? near + ahead : UINT64_MAX;
}

bool ring_whole(const struct ring *ring, uint64_t position)
{
	const struct record_head *head = slot(ring, position);

	return ring_sequence_matches(ring, position) &&
	       head->crc == record_crc(ring, head, position) && ring->format->is_known(head);
}

/* Return: the record at the head, empty and of that kind: for its body, and then push(). */
static struct ring_record *begin_record(struct ring *ring, enum ring_kind kind)
{
	struct ring_record *record = slot(ring,
					  atomic_load_explicit(&ring->head, memory_order_relaxed));

	/* A half overwritten slot must not pass for the record of the last lap. */
	atomic_store_explicit(&record->sequence, 0, memory_order_relaxed);
	atomic_signal_fence(memory_order_release);
	memset(&record->body, 0, sizeof(record->body));
	record->kind = kind;
	record->reserved = 0;
	return record;
}

/* The record at the head is there from now on. */
static void push(struct ring *ring, struct ring_record *record)
{
	uint64_t position = atomic_load_explicit(&ring->head, memory_order_relaxed);

	record->crc = record_crc(ring, record, position);
	atomic_store_explicit(&record->sequence, sequence_of(position), memory_order_release);
	/* Ordered against the writer's going to sleep, see wake.c. */
	atomic_store_explicit(&ring->head, position + 1, memory_order_seq_cst);
}

static void push_request(struct ring *ring, enum ring_kind kind,
			 const struct ledger_request *request)
{
	struct ring_record *record = begin_record(ring, kind);

	record->body.request = (struct ring_request){
		.id = request->id,
		.received_ns = request->received_ns,
		.wait_ns = request->wait_ns,
		.limited_ns = request->limited_ns,
		.exec_ns = request->exec_ns,
		.total_ns = request->total_ns,
		.vm_id = request->vm_id,
		.guest_request_id = request->guest_request_id,
		.opcode = request->opcode,
		.status = request->status,
		.request_bytes = request->request_bytes,
		.response_bytes = request->response_bytes,
		.pool = request->pool,
		.priority = request->priority,
		.executor = request->executor,
		.transport = request->transport,
	};
	push(ring, record);
}

static void push_program(struct ring *ring, enum ring_kind kind,
			 const struct ledger_program *program)
{
	struct ring_record *record = begin_record(ring, kind);

	ring_program_write(record, program);
	push(ring, record);
}

/* Reserves room for an end, beside that for its beginning. Return: 0 or -ENOSPC. */
static int reserve(struct ring *ring)
{
	uint64_t after = atomic_load_explicit(&ring->head, memory_order_relaxed) + ring->reserved;

	if (after + 2 - ring->tail_seen > ring->record_num) {
		ring->tail_seen = ring_tail(ring);
		if (after + 2 - ring->tail_seen > ring->record_num)
			return -ENOSPC;
	}
	ring->reserved++;
	return 0;
}

int ring_accept(struct ring *ring, const struct ledger_request *request)
{
	int err = reserve(ring);

	if (err == 0)
		push_request(ring, RING_REQUEST_ACCEPTED, request);
	return err;
}

int ring_begin_program(struct ring *ring, const struct ledger_program *program)
{
	int err = reserve(ring);

	if (err == 0)
		push_program(ring, RING_PROGRAM_BEGUN, program);
	return err;
}

void ring_end_program(struct ring *ring, const struct ledger_program *program)
{
	ring->reserved--;
	push_program(ring, RING_PROGRAM_ENDED, program);
}

uint64_t ring_room(struct ring *ring)
{
	uint64_t after = atomic_load_explicit(&ring->head, memory_order_relaxed) + ring->reserved;

	ring->tail_seen = ring_tail(ring);
	return ring->record_num - (after - ring->tail_seen);
}

void ring_finish(struct ring *ring, const struct ledger_request *request)
{
	ring->reserved--;
	push_request(ring, RING_REQUEST_FINISHED, request);
}

int ring_get(const struct ring *ring, uint64_t position, struct ring_entry *entry)
{
	if (!ring_whole(ring, position))
		return -EBADMSG;
	ring->format->read(slot(ring, position), entry);
	return 0;
}

void ring_release(struct ring *ring, uint64_t position)
{
	atomic_store_explicit(&ring->header->tail, position, memory_order_release);
	atomic_store_explicit(&ring->header->tail_again, position, memory_order_release);
}

uint64_t ring_head(const struct ring *ring)
{
	return atomic_load_explicit(&ring->head, memory_order_seq_cst);
}

uint64_t ring_tail(const struct ring *ring)
{
	return atomic_load_explicit(&ring->header->tail, memory_order_acquire);
}

uint64_t ring_oldest(const struct ring *ring)
{
	uint64_t head = ring_head(ring);

	return head > ring->record_num ? head - ring->record_num : 0;
}

void ring_ids_note(struct ring_ids *ids, const struct ring_entry *entry)
{
	uint64_t id = is_program(entry->kind) ? entry->program.id : entry->request.id;
	uint64_t *highest = is_program(entry->kind) ? &ids->program : &ids->request;

	if (id > *highest)
		*highest = id;
}

struct ring_ids ring_ids_from(const struct ring *ring, uint64_t position)
{
	struct ring_ids ids = { 0 };
	struct ring_entry entry;

	for (; position < ring_head(ring); position++)
		if (ring_get(ring, position, &entry) == 0)
			ring_ids_note(&ids, &entry);
	return ids;
}

uint64_t ring_records(const struct ring *ring)
{
	return ring->record_num;
}

uint64_t ring_id(const struct ring *ring)
{
	return ring->header->id;
}

bool ring_damaged(const struct ring *ring)
{
	return ring->damaged;
}

static uint32_t session_crc(const struct ring_session_slot *session)
{
	return crc32c(0, session, offsetof(struct ring_session_slot, crc));
}

/* Return: the slot that counts, or NULL. */
static struct ring_session_slot *session_current(const struct ring *ring)
{
	struct ring_session_slot *best = NULL;

	for (unsigned i = 0; i < 2; i++) {
		struct ring_session_slot *at = &ring->header->session[i];

		if (at->generation && at->crc == session_crc(at) &&
		    (!best || at->generation > best->generation))
			best = at;
	}
	return best;
}

void ring_set_session(struct ring *ring, const struct ring_session *session)
{
	struct ring_session_slot *current = session_current(ring);
	struct ring_session_slot *next =
		&ring->header->session[current == &ring->header->session[0]];
	struct ring_session_slot value = {
		.session = *session,
		.generation = current ? current->generation + 1 : 1,
	};

	value.crc = session_crc(&value);
	*next = value;
}

int ring_get_session(const struct ring *ring, struct ring_session *session)
{
	const struct ring_session_slot *current = session_current(ring);

	if (!current)
		return -ENOENT;
	*session = current->session;
	return 0;
}

bool ring_is_old(const struct ring *ring)
{
	return ring->format != &ring_format_2;
}
