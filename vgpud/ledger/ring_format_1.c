/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring_format_1.c - reads the ring's first format: 64 bytes a record, requests alone */

#include "vgpud/ledger/ring_private.h"

struct record_1 {
	uint32_t sequence;
	uint32_t crc;
	uint64_t id;
	uint64_t received_ns;
	uint32_t vm_id;
	uint32_t guest_request_id;
	uint32_t opcode;
	uint16_t request_bytes;
	uint16_t response_bytes;
	uint8_t kind;
	uint8_t status;
	uint8_t pool;
	uint8_t priority;
	uint8_t executor;
	uint8_t transport;   /* low two bits; above them limited_ns in parts of wait_ns */
	uint16_t wait_ns[3]; /* 48 bits each, low part first: 78 hours */
	uint16_t exec_ns[3];
	uint16_t total_ns[3];
};

_Static_assert(sizeof(struct record_1) == 64, "a record of the first format has 64 bytes");

static uint64_t get_48(const uint16_t *at)
{
	return at[0] | (uint64_t)at[1] << 16 | (uint64_t)at[2] << 32;
}

/* Six bits for limited_ns: how many 63rds of wait_ns, so it is within 1.6 % of that. */
#define LIMITED_PARTS 63u

static uint64_t get_limited_ns(const struct record_1 *record)
{
	uint64_t parts = record->transport >> 2;

	return (get_48(record->wait_ns) * parts + LIMITED_PARTS - 1) / LIMITED_PARTS;
}

static bool is_known(const void *record)
{
	uint8_t kind = ((const struct record_1 *)record)->kind;

	return kind == RING_REQUEST_ACCEPTED || kind == RING_REQUEST_FINISHED;
}

static void read_record(const void *at, struct ring_entry *entry)
{
	const struct record_1 *record = at;

	*entry = (struct ring_entry){
		.kind = (enum ring_kind)record->kind,
		.request = {
			.id = record->id,
			.received_ns = record->received_ns,
			.wait_ns = get_48(record->wait_ns),
			.limited_ns = get_limited_ns(record),
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
		},
	};
}

const struct ring_format ring_format_1 = {
	.version = 1,
	.record_bytes = sizeof(struct record_1),
	.is_known = is_known,
	.read = read_record,
};
