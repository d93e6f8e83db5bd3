/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model.c - what is known of the device under the storm, and so what each access must answer */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/device/storm/storm.h"

/*
 * Theory of operation: what another party decides (STATUS, the response) is held to its range and
 * to what the peer can have said; all else is foretold to the bit. Only a doorbell makes the device
 * BUSY, and a STATUS that says otherwise ends that: in between, a write to the request buffer may
 * have been ignored.
 */
static enum mood mood;

/* The known state of the device. */
static struct {
	uint32_t request_len, irq_ctrl, request_id, scratch;
	uint8_t request[VGPU_BUF_LEN];
	bool known[VGPU_BUF_LEN]; /* else a write may have met a BUSY device */
	bool may_be_busy;
	uint32_t newest_tag; /* of the answers that were seen */
	uint32_t len_before, status_before, len_after;
	uint8_t response[VGPU_BUF_LEN];
	uint32_t generation;
	struct {
		uint32_t base;
		bool known;	  /* else a write may have met an open channel */
		bool may_be_open; /* until STATUS says that it is closed */
	} channel[VGPU_CHANNELS];
} device;

static bool has_window;

void model_has_window(void)
{
	has_window = true;
}

void access_fill(uint64_t value, uint8_t *bytes, uint32_t len)
{
	struct chance from = { value };

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)chance_next(&from);
}

uint32_t access_piece(uint32_t left)
{
	return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

void model_forget(enum mood next)
{
	uint32_t tag = device.newest_tag, generation = device.generation;

	memset(&device, 0, sizeof(device));
	memset(device.known, true, sizeof(device.known));
	device.newest_tag = tag;
	device.generation = generation;
	/* A reset leaves those that the host still holds closing. */
	for (uint32_t i = 0; i < VGPU_CHANNELS; i++)
		device.channel[i].known = device.channel[i].may_be_open = true;
	mood = next;
}

static bool within(uint32_t offset, uint32_t size, uint32_t buffer)
{
	return offset >= buffer && offset + size <= buffer + VGPU_BUF_LEN;
}

static bool is_register(uint32_t offset, uint32_t size)
{
	return offset < VGPU_REGS_LEN && size == 4 && offset % 4 == 0;
}

static bool is_window_register(uint32_t offset, uint32_t size)
{
	return has_window && offset >= VGPU_WINDOW_REGS && offset < VGPU_RESERVED && size == 4 &&
	       offset % 4 == 0;
}

static uint32_t irq_mask(void)
{
	return has_window ? VGPU_IRQ_MASK_WINDOW : VGPU_IRQ_MASK;
}

static void expect(uint32_t offset, uint64_t found, uint64_t wanted)
{
	if (found != wanted)
		storm_fault("0x%03x reads %#" PRIx64 ", not %#" PRIx64, offset, found, wanted);
	guest_counts.checked++;
}

static void expect_range(uint32_t offset, uint32_t found, uint32_t least, uint32_t most)
{
	if (found < least || found > most)
		storm_fault("register 0x%03x reads %#x", offset, found);
}

static void wrote_register(uint32_t offset, uint32_t value)
{
	switch (offset) {
	case VGPU_REG_DOORBELL:
		device.may_be_busy |= value == VGPU_DOORBELL_SUBMIT;
		break;
	case VGPU_REG_REQUEST_LEN:
		device.request_len = value;
		break;
	case VGPU_REG_INTERRUPT_CTRL:
		device.irq_ctrl = value & irq_mask();
		break;
	case VGPU_REG_REQUEST_ID:
		device.request_id = value;
		break;
	case VGPU_REG_SCRATCH:
		device.scratch = value;
		break;
	default:
		break;
	}
}

static void wrote_window_register(uint32_t offset, uint32_t value)
{
	uint32_t n = (offset - VGPU_CHANNEL_REGS) / 16;

	if (offset < VGPU_CHANNEL_REGS || offset >= VGPU_CHANNEL_REGS_END)
		return;
	if (offset == VGPU_CHANNEL_CTRL(n)) {
		device.channel[n].may_be_open |= value == VGPU_CHANNEL_CTRL_OPEN;
	} else if (offset == VGPU_CHANNEL_BASE(n)) {
		if (!device.channel[n].may_be_open)
			device.channel[n].known = true;
		else if (device.channel[n].base != value)
			device.channel[n].known = false;
		device.channel[n].base = value;
	}
}

static void wrote(uint32_t offset, const uint8_t *bytes, uint32_t size)
{
	if (is_register(offset, size)) {
		wrote_register(offset, vgpu_get_le32(bytes));
	} else if (is_window_register(offset, size)) {
		wrote_window_register(offset, vgpu_get_le32(bytes));
	} else if (within(offset, size, VGPU_REQUEST_BUF)) {
		for (uint32_t i = 0; i < size; i++) {
			uint32_t at = offset - VGPU_REQUEST_BUF + i;

			if (!device.may_be_busy)
				device.known[at] = true;
			else if (device.request[at] != bytes[i])
				device.known[at] = false;
			device.request[at] = bytes[i];
		}
	}
}

/* The bytes that the guest itself wrote, where no message of the device can have changed them. */
static void read_own_register(uint32_t offset, uint32_t found)
{
	switch (offset) {
	case VGPU_REG_REQUEST_LEN:
		expect(offset, found, device.request_len);
		break;
	case VGPU_REG_INTERRUPT_CTRL:
		expect(offset, found, device.irq_ctrl);
		break;
	case VGPU_REG_REQUEST_ID:
		expect(offset, found, device.request_id);
		break;
	case VGPU_REG_SCRATCH:
		expect(offset, found, device.scratch);
		break;
	default:
		break;
	}
}

static void read_register(uint32_t offset, uint32_t found)
{
	switch (offset) {
	case VGPU_REG_DOORBELL:
		expect(offset, found, 0);
		break;
	case VGPU_REG_STATUS:
		expect_range(offset, found, VGPU_STATUS_IDLE, VGPU_STATUS_ERROR);
		if (found != VGPU_STATUS_BUSY)
			device.may_be_busy = false;
		else if (!device.may_be_busy && mood == MOOD_EXACT)
			storm_fault("the device is BUSY without a doorbell");
		break;
	case VGPU_REG_POOL_ID:
		expect_range(offset, found, 'A', 'Z');
		break;
	case VGPU_REG_PRIORITY:
		expect_range(offset, found, 0, VGPU_PRIORITY_NUM - 1);
		break;
	case VGPU_REG_ERROR_CODE:
		expect_range(offset, found, 0, VGPU_ERROR_NUM - 1);
		break;
	case VGPU_REG_RESPONSE_LEN:
		expect_range(offset, found, 0, VGPU_BUF_LEN);
		break;
	case VGPU_REG_PROTOCOL_VER:
		expect(offset, found, VGPU_PROTOCOL_VERSION);
		break;
	case VGPU_REG_CAPABILITIES:
		expect(offset, found & ~VGPU_CAP_LINK_UP,
		       VGPU_CAP_INTERRUPT | VGPU_CAP_CRC32C | VGPU_CAP_LIVE_CONFIG |
			       (has_window ? VGPU_CAP_WINDOW : 0));
		break;
	case VGPU_REG_INTERRUPT_STATUS:
		expect_range(offset, found, 0, irq_mask());
		break;
	default:
		if (mood == MOOD_EXACT)
			read_own_register(offset, found);
		break;
	}
}

static void read_channel_register(uint32_t offset, uint32_t found)
{
	uint32_t n = (offset - VGPU_CHANNEL_REGS) / 16;

	if (offset == VGPU_CHANNEL_CTRL(n)) {
		expect(offset, found, 0);
	} else if (offset == VGPU_CHANNEL_BASE(n)) {
		if (mood == MOOD_EXACT && device.channel[n].known)
			expect(offset, found, device.channel[n].base);
	} else if (offset == VGPU_CHANNEL_STATUS(n)) {
		expect_range(offset, found, VGPU_CHANNEL_CLOSED, VGPU_CHANNEL_CLOSING);
		if (found == VGPU_CHANNEL_CLOSED)
			device.channel[n].may_be_open = false;
		else if (!device.channel[n].may_be_open && mood == MOOD_EXACT)
			storm_fault("channel %u has STATUS %u and was not opened", n, found);
	} else {
		expect_range(offset, found, 0, VGPU_END_MOST);
	}
}

static void read_generation(uint32_t found)
{
	if (found < device.generation)
		storm_fault("generation %u comes after %u", found, device.generation);
	device.generation = found;
}

static void read_window_status(uint32_t offset, uint32_t found)
{
	if (found != VGPU_WINDOW_READY)
		expect(offset, found & ~(VGPU_END_MOST << VGPU_WINDOW_END_SHIFT), 0);
}

static void read_window_register(uint32_t offset, uint32_t found)
{
	if (offset >= VGPU_CHANNEL_REGS && offset < VGPU_CHANNEL_REGS_END) {
		read_channel_register(offset, found);
		return;
	}
	switch (offset) {
	case VGPU_REG_WINDOW_MAGIC:
		expect(offset, found, VGPU_WINDOW_MAGIC);
		break;
	case VGPU_REG_WINDOW_VERSION:
		expect(offset, found, VGPU_WINDOW_LAYOUT);
		break;
	case VGPU_REG_GENERATION:
		read_generation(found);
		break;
	case VGPU_REG_WINDOW_STATUS:
		read_window_status(offset, found);
		break;
	case VGPU_REG_WINDOW_SIZE_LO:
		expect(offset, found, (uint32_t)VGPU_WINDOW_LEAST);
		break;
	case VGPU_REG_CHANNELS:
		expect(offset, found, VGPU_CHANNELS);
		break;
	case VGPU_REG_CHANNEL_EVENTS_LO:
		break; /* the worker's */
	case VGPU_REG_CHANNEL_EVENTS_HI:
		expect_range(offset, found, 0, (1u << (VGPU_CHANNELS - 32)) - 1);
		break;
	default:
		expect(offset, found, 0);
		break;
	}
}

static void read_request(uint32_t offset, const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		uint32_t at = offset - VGPU_REQUEST_BUF + i;

		if (device.known[at])
			expect(offset + i, bytes[i], device.request[at]);
	}
}

static void read_piece(uint32_t offset, const uint8_t *bytes, uint32_t size)
{
	if (is_register(offset, size)) {
		read_register(offset, vgpu_get_le32(bytes));
	} else if (is_window_register(offset, size)) {
		read_window_register(offset, vgpu_get_le32(bytes));
	} else if (within(offset, size, VGPU_REQUEST_BUF)) {
		if (mood == MOOD_EXACT)
			read_request(offset, bytes, size);
	} else if (!within(offset, size, VGPU_RESPONSE_BUF)) {
		for (uint32_t i = 0; i < size; i++)
			expect(offset + i, bytes[i], 0);
	}
}

/*
 * Nothing past its length, and the whole of one answer, which is none that the device had to drop.
 */
static void judge_response(uint32_t status_after)
{
	const uint8_t *r = device.response;
	uint32_t most = device.len_before > device.len_after ? device.len_before : device.len_after;
	uint32_t tag = vgpu_get_le32(r + 20);

	for (uint32_t i = most; i < VGPU_BUF_LEN; i++)
		if (r[i] != 0)
			storm_fault("byte %u of the response is %#x, past its %u bytes", i, r[i],
				    most);
	if (device.len_before != device.len_after || device.status_before != status_after)
		return; /* it came between the reads */
	guest_counts.responses++;
	if (status_after == VGPU_STATUS_BUSY && most > 0)
		storm_fault("BUSY, with a response of %u bytes", most);
	if (most == 0)
		return;
	if (tag & STORM_POISON)
		storm_fault("an answer is shown that had to be dropped: tag %#x", tag);
	if (tag < device.newest_tag)
		storm_fault("the answer to request %u is shown after that to %u", tag,
			    device.newest_tag);
	device.newest_tag = tag;
	if (most != VGPU_MSG_HEADER_LEN + vgpu_get_le32(r + 16))
		storm_fault("RESPONSE_LEN is %u, the response has %u bytes of data", most,
			    vgpu_get_le32(r + 16));
	for (uint32_t i = 0; i < (most - VGPU_MSG_HEADER_LEN) / 4; i++)
		expect(VGPU_RESPONSE_BUF + VGPU_MSG_HEADER_LEN + 4 * i,
		       vgpu_get_le32(r + VGPU_MSG_HEADER_LEN + 4 * i), storm_word(tag, i));
}

static void judge_group(const struct access *a, const uint8_t *bytes)
{
	switch (a->kind) {
	case KIND_LEN_BEFORE:
		device.len_before = vgpu_get_le32(bytes);
		break;
	case KIND_STATUS_BEFORE:
		device.status_before = vgpu_get_le32(bytes);
		break;
	case KIND_RESPONSE:
		memcpy(device.response, bytes, VGPU_BUF_LEN);
		break;
	case KIND_LEN_AFTER:
		device.len_after = vgpu_get_le32(bytes);
		break;
	case KIND_STATUS_AFTER:
		if (mood == MOOD_EXACT)
			judge_response(vgpu_get_le32(bytes));
		break;
	default:
		break;
	}
}

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void get_bytes(const struct access *a, const char *line, uint8_t *bytes)
{
	if (access_is_single(a)) {
		uint64_t value = a->write ? a->value : strtoull(line, NULL, 16);

		for (uint32_t i = 0; i < a->len; i++)
			bytes[i] = (uint8_t)(value >> 8 * i);
	} else if (a->write) {
		access_fill(a->value, bytes, a->len);
	} else if (strlen(line) != 2 + 2 * (size_t)a->len) {
		storm_fault("a read of %u bytes answers %s", a->len, line);
	} else {
		for (uint32_t i = 0; i < a->len; i++)
			bytes[i] = (uint8_t)(nibble(line[2 + 2 * i]) << 4 |
					     nibble(line[3 + 2 * i]));
	}
}

void model_judge(const struct access *a, const char *line)
{
	uint8_t bytes[VGPU_BUF_LEN] = { 0 };
	uint32_t size;

	if (mood == MOOD_WILD)
		return;
	get_bytes(a, line, bytes);
	for (uint32_t at = 0; at < a->len; at += size) {
		size = access_piece(a->len - at);
		if (a->write)
			wrote(a->offset + at, bytes + at, size);
		else
			read_piece(a->offset + at, bytes + at, size);
	}
	judge_group(a, bytes);
}
