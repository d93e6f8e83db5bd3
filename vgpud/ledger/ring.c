/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.c - the file that keeps each request until the database has it */

/*
 * Theory of operation
 *
 * The file is mapped shared, so a store into it is in the kernel's page cache at once: kill -9 of
 * the process loses nothing of it, and no system call is made for a record. Its blocks are
 * allocated beforehand; a sparse file would kill the daemon with SIGBUS on a full disk.
 *
 * A header page, then records of 64 bytes. The record at position p lies in slot p % records, and
 * carries a sequence made of p. The sequence is stored last, so a record is there as a whole or not
 * at all; the checksum, which covers the position too, is against damage of the file. Nobody stores
 * the head: at start it is where the sequences end. A sequence of this lap beyond the head means
 * that records before it were lost, a whole record of a later lap that the header is older than the
 * records; that ring is damaged, what is whole in it is still read, and then a new one takes its
 * place.
 *
 * The tail moves only after the database has committed what it passes, together with its own idea
 * of the position. That one counts after a crash, so no record is taken twice; the file's is for
 * the producer to know its room. It is stored twice, so that a damaged one is noticed.
 *
 * An accepted request reserves the slot for its end. used + reserved never exceeds the ring, so
 * ring_finish() always has room, however long the database cannot be written.
 *
 * A power failure is another matter: what the kernel had not yet written back is lost (30 s by
 * default). Nothing is synced here for that, since it would cost each request a disk's latency.
 *
 * Host byte order: the file never leaves its machine.
 */

#include "vgpud/ledger/ring.h"

#include <errno.h>

#include "common/crc32c.h"
#include "vgpud/ledger/ring_private.h"

static void put_48(uint16_t *at, uint64_t value)
{
	if (value >> 48)
		value = (UINT64_C(1) << 48) - 1;
	at[0] = (uint16_t)value;
	at[1] = (uint16_t)(value >> 16);
	at[2] = (uint16_t)(value >> 32);
}

static uint64_t get_48(const uint16_t *at)
{
	return at[0] | (uint64_t)at[1] << 16 | (uint64_t)at[2] << 32;
}

/*
 * There is room for six bits of limited_ns: how many 63rds of wait_ns, rounded, but something stays
 * something. So it is within 1.6 % of wait_ns, and rings of before it was known read as 0.
 */
#define LIMITED_PARTS 63u

static uint8_t put_limited(const struct ring_record *record, uint64_t limited_ns)
{
	uint64_t wait_ns = get_48(record->wait_ns), parts;

	if (limited_ns == 0 || wait_ns == 0)
		return 0;
	if (limited_ns >= wait_ns)
		return LIMITED_PARTS;
	parts = (limited_ns * LIMITED_PARTS + wait_ns / 2) / wait_ns;
	return (uint8_t)(parts > 0 ? parts : 1);
}

static uint64_t get_limited_ns(const struct ring_record *record)
{
	uint64_t parts = record->transport >> 2;

	return (get_48(record->wait_ns) * parts + LIMITED_PARTS - 1) / LIMITED_PARTS;
}

static uint32_t record_crc(const struct ring_record *record, uint64_t position)
{
	uint32_t crc = crc32c(0, &position, sizeof(position));

	return crc32c(crc, &record->id, RING_RECORD_BYTES - offsetof(struct ring_record, id));
}

static struct ring_record *slot(const struct ring *ring, uint64_t position)
{
	return &ring->records[position % ring->record_num];
}

/* Never 0, which is what a slot holds that was not used or is being written. */
static uint32_t sequence_of(uint64_t position)
{
	return (uint32_t)(position % UINT32_MAX) + 1;
}

bool ring_sequence_matches(const struct ring *ring, uint64_t position)
{
	uint32_t sequence = atomic_load_explicit(&slot(ring, position)->sequence,
						 memory_order_acquire);

	return sequence == sequence_of(position);
}

uint64_t ring_position_in(const struct ring *ring, uint64_t slot, uint64_t near)
{
	uint32_t sequence = atomic_load_explicit(&ring->records[slot].sequence,
						 memory_order_acquire);
	uint64_t ahead = ((uint64_t)sequence + UINT32_MAX - sequence_of(near)) % UINT32_MAX;

	return sequence != 0 && ahead < UINT32_MAX / 2 ? near + ahead : UINT64_MAX;
}

bool ring_whole(const struct ring *ring, uint64_t position)
{
	const struct ring_record *record = slot(ring, position);

	return ring_sequence_matches(ring, position) &&
	       record->crc == record_crc(record, position) &&
	       (record->type == RING_ACCEPTED || record->type == RING_FINISHED);
}

static void push(struct ring *ring, enum ring_type type, const struct ledger_request *request)
{
	uint64_t position = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct ring_record *record = slot(ring, position);

	/* What is half overwritten must not pass for the record of the last lap. */
	atomic_store_explicit(&record->sequence, 0, memory_order_relaxed);
	atomic_signal_fence(memory_order_release);
	record->id = request->id;
	record->received_ns = request->received_ns;
	record->vm_id = request->vm_id;
	record->guest_request_id = request->guest_request_id;
	record->opcode = request->opcode;
	record->request_bytes = request->request_bytes;
	record->response_bytes = request->response_bytes;
	record->type = (uint8_t)type;
	record->status = (uint8_t)request->status;
	record->pool = request->pool;
	record->priority = request->priority;
	record->executor = request->executor;
	put_48(record->wait_ns, request->wait_ns);
	record->transport = (uint8_t)(request->transport | put_limited(record, request->limited_ns)
								   << 2);
	put_48(record->exec_ns, request->exec_ns);
	put_48(record->total_ns, request->total_ns);
	record->crc = record_crc(record, position);
	atomic_store_explicit(&record->sequence, sequence_of(position), memory_order_release);
	/* Ordered against the writer's going to sleep, see ledger.c. */
	atomic_store_explicit(&ring->head, position + 1, memory_order_seq_cst);
}

int ring_accept(struct ring *ring, const struct ledger_request *request)
{
	uint64_t after = atomic_load_explicit(&ring->head, memory_order_relaxed) + ring->reserved;

	if (after + 2 - ring->tail_seen > ring->record_num) {
		ring->tail_seen = ring_tail(ring);
		if (after + 2 - ring->tail_seen > ring->record_num)
			return -ENOSPC;
	}
	ring->reserved++;
	push(ring, RING_ACCEPTED, request);
	return 0;
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
	push(ring, RING_FINISHED, request);
}

int ring_get(const struct ring *ring, uint64_t position, struct ring_entry *entry)
{
	const struct ring_record *record = slot(ring, position);

	if (!ring_whole(ring, position))
		return -EBADMSG;
	*entry = (struct ring_entry){
		.type = record->type,
		.request = {
			.id = record->id,
			.received_ns = record->received_ns,
			.wait_ns = get_48(record->wait_ns),
			.exec_ns = get_48(record->exec_ns),
			.total_ns = get_48(record->total_ns),
			.vm_id = record->vm_id,
			.guest_request_id = record->guest_request_id,
			.opcode = record->opcode,
			.status = record->status,
			.request_bytes = record->request_bytes,
			.response_bytes = record->response_bytes,
			.pool = record->pool,
			.priority = record->priority,
			.executor = record->executor,
			.transport = record->transport & 3,
			.limited_ns = get_limited_ns(record),
		},
	};
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
	(void)ring;
	return false;
}
