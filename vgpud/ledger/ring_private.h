/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring_private.h - how the ring lies in its file; for ring.c and ring_file.c alone */

#ifndef VGPUD_LEDGER_RING_PRIVATE_H
#define VGPUD_LEDGER_RING_PRIVATE_H

#include <stdatomic.h>

#include "common/wire/vgpu_proto.h"
#include "vgpud/ledger/ring.h"

#define RING_HEADER_BYTES 4096u

struct ring_record {
	_Atomic uint32_t sequence; /* of its position; 0: no record */
	uint32_t crc;		   /* of the position, then of all that follows */
	uint64_t id;
	uint64_t received_ns;
	uint32_t vm_id;
	uint32_t guest_request_id;
	uint32_t opcode;
	uint16_t request_bytes;
	uint16_t response_bytes;
	uint8_t type; /* enum ring_type */
	uint8_t status;
	uint8_t pool;
	uint8_t priority;
	uint8_t executor;
	uint8_t transport;   /* low two bits; above them limited_ns in parts of wait_ns */
	uint16_t wait_ns[3]; /* 48 bits each, low part first: 78 hours */
	uint16_t exec_ns[3];
	uint16_t total_ns[3];
};

_Static_assert(sizeof(struct ring_record) == RING_RECORD_BYTES, "a record has 64 bytes");
_Static_assert(LEDGER_TRANSPORT_NUM <= 4, "a transport fits two bits");
_Static_assert(VGPU_ERROR_NUM <= UINT8_MAX, "a status fits its byte");

struct ring_session_slot {
	struct ring_session session;
	uint64_t generation; /* the higher one counts; 0: never written */
	uint32_t crc;
	uint32_t reserved;
};

struct ring_header {
	char magic[8];
	uint32_t version;
	uint32_t record_bytes;
	uint64_t record_num;
	uint64_t id;
	uint32_t crc; /* of what stands above */
	uint32_t reserved[7];
	_Atomic uint64_t tail; /* a cache line of its own: the consumer's */
	_Atomic uint64_t tail_again;
	uint64_t reserved2[6];
	struct ring_session_slot session[2]; /* written in turn: one is always whole */
};

_Static_assert(sizeof(struct ring_header) <= RING_HEADER_BYTES, "the header fits its page");

struct ring {
	struct ring_header *header; /* the mapping */
	struct ring_record *records;
	size_t map_bytes;
	uint64_t record_num;
	bool damaged;
	char path[PATH_MAX];
	_Alignas(64) _Atomic uint64_t head; /* from here on the producer's */
	uint64_t tail_seen;		    /* the tail when it was last looked at */
	uint64_t reserved;
};

/* Return: whether a record of this position, not of another lap, was begun in its slot. */
bool ring_sequence_matches(const struct ring *ring, uint64_t position);

/*
 * Which position the sequence in a slot stands for, if it is at or beyond near.
 * Return: that, which need not be a position of this slot, nor its record whole; UINT64_MAX: it is
 * not beyond.
 */
uint64_t ring_position_in(const struct ring *ring, uint64_t slot, uint64_t near);

/* Return: whether it is there and undamaged. */
bool ring_whole(const struct ring *ring, uint64_t position);

#endif
