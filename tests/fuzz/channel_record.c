/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel_record.c - what an input of fuzz_channel is made of: the values that a record chooses */

#include "tests/fuzz/channel_record.h"

#include <string.h>

#include "tests/fuzz/channel_guest.h"

#define PICK(table, which) (table)[(which) % (sizeof(table) / sizeof((table)[0]))]

uint64_t channel_record_any(const struct channel_record *record, uint32_t index)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < 8; i++)
		value = value << 8 | record->any[(index + i * 3) % sizeof(record->any)];
	return index % 3 == 0 ? value >> (value % 64) : value;
}

static uint64_t handle(uint8_t which)
{
	static const uint64_t values[] = { 1, 2, 0, 3, 65535, 65536, UINT32_MAX };

	return PICK(values, which);
}

static uint64_t new_handle(uint8_t which)
{
	static const uint64_t values[] = { 2, 3, 4, 1, 0, 65535, 65536, UINT32_MAX };

	return PICK(values, which);
}

static uint64_t position(uint8_t kind, uint8_t which)
{
	static const uint64_t values[] = {
		CHANNEL_AT(CHANNEL_PIECE_BULK),
		CHANNEL_AT(CHANNEL_PIECE_CONTROL),
		CHANNEL_AT(CHANNEL_PIECE_MORE),
		CHANNEL_AT(CHANNEL_PIECE_CHANGES),
		CHANNEL_AT(CHANNEL_PIECE_CHANGES) - 8,
		CHANNEL_AT(CHANNEL_PIECE_OTHER),
		CHANNEL_AT(CHANNEL_PIECE_OTHER) - 8,
		CHANNEL_AT(CHANNEL_PIECE_NOBODY),
		CHANNEL_AT(CHANNEL_PIECE_LAST),
		CHANNEL_AT(CHANNEL_PIECE_CONTROL) + VGPU_CHANNEL_RING,
		CHANNEL_AT(CHANNEL_PIECE_CONTROL) + VGPU_CHANNEL_REPLIES,
		CHANNEL_AT(CHANNEL_PIECE_CONTROL) - 8,
		CHANNEL_PRINTING_AT,
		CHANNEL_NONSENSE_AT,
		CHANNEL_TEXT_AT,
		0,
		VGPU_WINDOW_OWNERS,
		GUEST_WINDOW_BYTES - 8,
		GUEST_WINDOW_BYTES,
		UINT64_MAX - 7,
		1ull << 40,
	};

	return kind == CMDS_READ_AT && which == 0 ? CHANNEL_TEXT_AT : PICK(values, which);
}

static uint64_t length(uint8_t kind, uint8_t which)
{
	/* Few are large: a copy of a whole piece takes as long as a hundred commands. */
	static const uint64_t values[] = {
		4096,
		8,
		0,
		1,
		7,
		9,
		64,
		128,
		512,
		1000,
		256,
		2048,
		16,
		65536,
		VGPU_PIECE + 1,
		8,
		4096,
		40,
		41,
		100,
		16,
		24,
		GUEST_WINDOW_BYTES,
		3 * VGPU_PIECE + 8,
		64,
		80,
		4097,
		96,
		48,
		UINT32_MAX,
		UINT64_MAX,
		2 * VGPU_PIECE,
		1ull << 30,
	};

	if (which == 0 && kind == CMDS_READ_LEN)
		return strlen(channel_ptx);
	return which == 0 && kind == CMDS_PIECES_LEN ? VGPU_PIECE : PICK(values, which);
}

uint64_t channel_record_address(const struct guest *guest, uint8_t which)
{
	const uint64_t control = guest->address + guest->control_at,
		       device = channel_guest_device();
	const uint64_t values[] = {
		device,
		control + VGPU_CHANNEL_FREE,
		control + VGPU_CHANNEL_WORDS,
		device + CHANNEL_DEVICE_BYTES - 64,
		device + CHANNEL_DEVICE_BYTES - 4,
		device + CHANNEL_DEVICE_BYTES,
		device - 1,
		control + VGPU_CHANNEL_REPLIES,
		control + VGPU_CHANNEL_RING,
		control - 4,
		guest->address + CHANNEL_AT(CHANNEL_PIECE_BULK),
		guest->address + CHANNEL_AT(CHANNEL_PIECE_MORE) - 8,
		guest->address + CHANNEL_AT(CHANNEL_PIECE_CHANGES),
		guest->address + CHANNEL_AT(CHANNEL_PIECE_OTHER),
		guest->address + CHANNEL_AT(CHANNEL_PIECE_OTHER) - 8,
		guest->address + CHANNEL_AT(CHANNEL_PIECE_NOBODY),
		guest->address,
		guest->address + GUEST_WINDOW_BYTES - 8,
		(uintptr_t)guest->program,
		(uintptr_t)guest->view + CHANNEL_AT(CHANNEL_PIECE_OTHER),
		0,
		UINT64_MAX - 7,
	};

	return PICK(values, which);
}

/* The right numbers differ by what they are for. */
static uint64_t right_number(const char *name)
{
	static const struct {
		const char *name;
		uint64_t value;
	} values[] = {
		{ "bytes", 8 },		  { "rows", 1 },	 { "planes", 1 },
		{ "width", 4 },		  { "width_bytes", 8 },	 { "element_bytes", 4 },
		{ "to_pitch_bytes", 16 }, { "to_height", 1 },	 { "from_pitch_bytes", 16 },
		{ "from_height", 1 },	  { "pitch_bytes", 16 }, { "grid_x", 1 },
		{ "grid_y", 1 },	  { "grid_z", 1 },	 { "block_x", 1 },
		{ "block_y", 1 },	  { "block_z", 1 },	 { "block_threads", 32 },
		{ "attribute", 8 },	  { "limit", 0 },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (strcmp(values[i].name, name) == 0)
			return values[i].value;
	return 0;
}

static uint64_t number(const struct guest *guest, uint8_t op, const struct cmds_field *field,
		       uint8_t which)
{
	static const uint64_t values[] = {
		0,	    1,		2,	   3,	       4,
		8,	    16,		64,	   256,	       1024,
		4096,	    65536,	1 << 19,   VGPU_PIECE, CHANNEL_DEVICE_BYTES + 1,
		1ull << 40, 5,		6,	   7,	       9,
		UINT32_MAX, UINT64_MAX, INT32_MAX, 1ull << 63,
	};

	/* What is freed: nothing, rather than what the next launch writes to. */
	if (which != 0 && (op == VGPU_CMD_MEMORY_FREE || op == VGPU_CMD_MEMORY_FREE_ASYNC))
		return channel_record_address(guest, which - 1);
	return which == 0 ? right_number(field->name) : PICK(values, which - 1u);
}

uint64_t channel_record_value(const struct channel_record *record, const struct guest *guest,
			      const struct cmds_field *field, uint32_t index)
{
	uint8_t which = record->which[index % CHANNEL_FIELDS_MOST];

	if (which >= CHANNEL_ANY)
		return channel_record_any(record, index);
	switch ((enum cmds_kind)field->kind) {
	case CMDS_ADDRESS:
		return channel_record_address(guest, which);
	case CMDS_STREAM:
	case CMDS_EVENT:
	case CMDS_MODULE:
	case CMDS_FUNCTION:
	case CMDS_POOL:
		return handle(which);
	case CMDS_NEW_STREAM:
	case CMDS_NEW_EVENT:
	case CMDS_NEW_MODULE:
	case CMDS_NEW_FUNCTION:
	case CMDS_NEW_POOL:
		return new_handle(which);
	case CMDS_READ_AT:
	case CMDS_WRITE_AT:
	case CMDS_PIECES_AT:
		return position(field->kind, which);
	case CMDS_READ_LEN:
	case CMDS_WRITE_LEN:
	case CMDS_PIECES_LEN:
		return length(field->kind, which);
	default:
		return number(guest, record->number, field, which);
	}
}
