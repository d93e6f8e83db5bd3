/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring_private.h - how the ring lies in its file; for the ring*.c files alone */

#ifndef VGPUD_LEDGER_RING_PRIVATE_H
#define VGPUD_LEDGER_RING_PRIVATE_H

#include <stdatomic.h>

#include "vgpud/ledger/ring.h"

#define RING_HEADER_BYTES 4096u

/* One of struct ring_record's bodies: what the ledger knows of one request of version 1. */
struct ring_request {
	uint64_t id;
	uint64_t received_ns;
	uint64_t wait_ns;
	uint64_t limited_ns;
	uint64_t exec_ns;
	uint64_t total_ns;
	uint32_t vm_id;
	uint32_t guest_request_id;
	uint32_t opcode;
	uint32_t status;
	uint16_t request_bytes;
	uint16_t response_bytes;
	uint8_t pool;
	uint8_t priority;
	uint8_t executor;
	uint8_t transport;
};

#define RING_BODY_BYTES 112u

/* What both bodies about a program begin with. */
struct ring_program {
	uint64_t id;
	uint64_t begun_ns;
	uint32_t vm_id;
	uint32_t uid;
	uint8_t pool;
	uint8_t priority;
	uint8_t executor;
	uint8_t device;
	uint32_t pid;
};

struct ring_program_begun {
	struct ring_program program;
	char name[LEDGER_PROGRAM_NAME_SIZE];
};

struct ring_program_ended {
	struct ring_program program;
	uint64_t ended_ns;
	uint64_t billed_ns;
	uint64_t memory_peak_bytes;
	uint64_t memory_byte_s;
	uint64_t submissions;
	uint64_t commands;
	uint64_t launches;
	uint64_t copies;
	uint64_t copy_bytes;
	uint32_t why;
	uint32_t refused; /* UINT32_MAX: not known */
};

/* kind says which body it is; what a body does not use is 0. */
struct ring_record {
	_Atomic uint32_t sequence; /* of its position; 0: no record */
	uint32_t crc;		   /* of the position, then of all that follows */
	uint32_t kind;		   /* enum ring_kind */
	uint32_t reserved;
	union {
		struct ring_request request;
		struct ring_program_begun begun;
		struct ring_program_ended ended;
		uint8_t bytes[RING_BODY_BYTES];
	} body;
};

_Static_assert(sizeof(struct ring_record) == RING_RECORD_BYTES, "a record has 128 bytes");
_Static_assert(offsetof(struct ring_record, body) == 16, "bodies are aligned");
_Static_assert(sizeof(struct ring_request) <= RING_BODY_BYTES, "a request fits the body");
_Static_assert(sizeof(struct ring_request) == 72, "a request has no holes");
_Static_assert(sizeof(struct ring_program) == 32, "what programs have in common has no holes");
_Static_assert(sizeof(struct ring_program_ended) == RING_BODY_BYTES, "an end fills the body");

/*
 * How records lie in a ring. In each format a record begins with its sequence and its checksum, as
 * above, so that finding records is the same for all. Only the newest format is written.
 */
struct ring_format {
	uint32_t version;
	uint32_t record_bytes;
	bool (*is_known)(const void *record); /* whether this vgpud can read its kind */
	void (*read)(const void *record, struct ring_entry *entry);
};

/* ring_program.c: a record's body about a program, and what it says. kind: one of the two. */
void ring_program_write(struct ring_record *record, const struct ledger_program *program);
void ring_program_read(const struct ring_record *record, struct ledger_program *program);

extern const struct ring_format ring_format_1; /* ring_format_1.c: 64 bytes, requests alone */
extern const struct ring_format ring_format_2; /* ring.c */

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
	const struct ring_format *format;
	char *records;
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
 * Return: the position that the sequence in a slot stands for, if it is at or beyond near, else
 * UINT64_MAX. A damaged slot may give a position of another slot, and its record need not be whole.
 */
uint64_t ring_position_in(const struct ring *ring, uint64_t slot, uint64_t near);

/* Return: whether it is there and undamaged. */
bool ring_whole(const struct ring *ring, uint64_t position);

#endif
