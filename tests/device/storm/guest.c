/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - a guest that accesses the device in every way, and knows what it must read */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/device/storm/storm.h"

/*
 * Theory of operation: commands go out by the hundred, each noted in a ring; answers come in the
 * same order and are judged with what is known of the device at that moment of its life. What
 * another party decides (STATUS, the response) is held to its range and to what the peer can have
 * said; all else is foretold to the bit.
 */
#define UNDER_WAY 512	 /* commands, a power of 2 */
#define BLOCK_MAX 64	 /* bytes of one command */
#define PERIOD 4000	 /* commands between two disturbances, at most */
#define BAR0 0xe0000000u /* within the root port's window */
#define PORT_SLOT 3	 /* the root port, on bus 0; the device is function 0 of bus 1 */
#define PCI_COMMAND 0x04
#define PCI_BAR0 0x10
#define PCI_BUSES 0x18
#define PCI_WINDOW 0x20
#define PCI_CAPABILITIES 0x34
#define PCI_BRIDGE_CONTROL 0x3e
#define PCI_CAP_MSI 5
#define RESET_PORT 0xcf9
#define RESET_TRIES 1000000

enum mood {
	MOOD_EXACT, /* everything is foretold */
	MOOD_SELF,  /* the device's messages go into the device: its registers change by themselves
		     */
	MOOD_WILD,  /* anything in configuration space: only that QEMU lives is told */
};

enum kind {
	KIND_PLAIN,
	KIND_LEN_BEFORE, /* these five read one response: its length and STATUS before and after it
			  */
	KIND_STATUS_BEFORE,
	KIND_RESPONSE,
	KIND_LEN_AFTER,
	KIND_STATUS_AFTER,
};

struct access {
	uint8_t kind;
	bool write;
	uint16_t offset;
	uint16_t len;	/* bytes */
	uint64_t value; /* of a single access; of a block, what its bytes are made from */
};

struct guest_counts guest_counts;

static struct chance chance;
static enum mood mood;
static struct access ring[UNDER_WAY];
static uint64_t put, taken; /* commands, ever */
static uint64_t disturb_at;

/* What is known of the device. */
static struct {
	uint32_t request_len, irq_ctrl, request_id, scratch;
	uint8_t request[VGPU_BUF_LEN];
	bool known[VGPU_BUF_LEN]; /* else a write may have met a BUSY device */
	bool may_be_busy;
	uint32_t newest_tag; /* of the answers that were seen */
	uint32_t len_before, status_before, len_after;
	uint8_t response[VGPU_BUF_LEN];
} device;

/* ---- configuration space ---- */

static void config_write(unsigned bus, unsigned slot, unsigned offset, unsigned size,
			 uint32_t value)
{
	qtest_ask("outl 0xcf8 %#x", 0x80000000u | bus << 16 | slot << 11 | (offset & ~3u));
	qtest_ask("out%c %#x %#x",
		  size == 1   ? 'b'
		  : size == 2 ? 'w'
			      : 'l',
		  0xcfc + (offset & 3), value);
}

static uint32_t config_read(unsigned bus, unsigned slot, unsigned offset, unsigned size)
{
	qtest_ask("outl 0xcf8 %#x", 0x80000000u | bus << 16 | slot << 11 | (offset & ~3u));
	return (uint32_t)qtest_ask("in%c %#x",
				   size == 1   ? 'b'
				   : size == 2 ? 'w'
					       : 'l',
				   0xcfc + (offset & 3));
}

static void enable(void)
{
	config_write(0, PORT_SLOT, PCI_BUSES, 4, 0x00010100);
	config_write(0, PORT_SLOT, PCI_WINDOW, 4, BAR0 | BAR0 >> 16);
	config_write(0, PORT_SLOT, PCI_COMMAND, 2, 6);
	config_write(1, 0, PCI_BAR0, 4, BAR0);
	config_write(1, 0, PCI_COMMAND, 2, 6);
}

/* What a reset leaves. */
static void forget(void)
{
	uint32_t tag = device.newest_tag;

	memset(&device, 0, sizeof(device));
	memset(device.known, true, sizeof(device.known));
	device.newest_tag = tag;
	mood = MOOD_EXACT;
	guest_counts.resets++;
}

static void reset_bus(void)
{
	uint32_t control = config_read(0, PORT_SLOT, PCI_BRIDGE_CONTROL, 2);

	config_write(0, PORT_SLOT, PCI_BRIDGE_CONTROL, 2, control | 0x40);
	config_write(0, PORT_SLOT, PCI_BRIDGE_CONTROL, 2, control & ~0x40u);
	if (config_read(1, 0, PCI_COMMAND, 2) != 0)
		storm_fault("a reset of its bus did not reach the device");
	enable();
	forget();
}

static void reset_machine(void)
{
	int tries = 0;

	qtest_ask("outb %#x 2", RESET_PORT);
	qtest_ask("outb %#x 6", RESET_PORT);
	while (config_read(0, PORT_SLOT, PCI_BUSES, 4) != 0)
		if (++tries > RESET_TRIES)
			storm_fault("the machine does not reset");
	enable();
	forget();
}

static void aim_messages_at_the_device(void)
{
	unsigned at = config_read(1, 0, PCI_CAPABILITIES, 1);
	uint32_t offset = chance_below(&chance, 3) ? 4 * chance_below(&chance, VGPU_BAR0_LEN / 4)
						   : VGPU_REG_DOORBELL;

	while (at != 0 && config_read(1, 0, at, 1) != PCI_CAP_MSI)
		at = config_read(1, 0, at + 1, 1);
	if (at == 0)
		storm_fault("the device has no MSI capability");
	config_write(1, 0, at + 4, 4, BAR0 + offset);
	config_write(1, 0, at + 8, 4, 0);
	config_write(1, 0, at + 12, 2, chance_below(&chance, 3));
	config_write(1, 0, at + 2, 2, 1);
	qtest_ask("writel %#x 7", BAR0 + VGPU_REG_INTERRUPT_CTRL);
	mood = MOOD_SELF;
}

static void scribble_on_configuration(void)
{
	for (int i = 0; i < 12; i++)
		config_write(1, 0, 4 + chance_below(&chance, 0xfc), 1, chance_below(&chance, 256));
	mood = MOOD_WILD;
}

/* ---- making accesses ---- */

/* The bytes that a block access with this value writes. */
static void fill(uint64_t value, uint8_t *bytes, uint32_t len)
{
	struct chance from = { value };

	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)chance_next(&from);
}

/* How the memory core takes an access apart: the largest power of 2, at most 8, at any address. */
static uint32_t piece(uint32_t left)
{
	return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

static void put_access(struct access a)
{
	static const char width[] = { [1] = 'b', [2] = 'w', [4] = 'l', [8] = 'q' };
	uint32_t address = BAR0 + a.offset;
	bool single = a.len <= 8 && (a.len & (a.len - 1)) == 0;

	ring[put++ % UNDER_WAY] = a;
	for (uint32_t left = a.len; left > 0; left -= piece(left))
		guest_counts.accesses++;
	if (single && a.write) {
		qtest_put("write%c %#x %#" PRIx64, width[a.len], address, a.value);
	} else if (single) {
		qtest_put("read%c %#x", width[a.len], address);
	} else if (a.write) {
		uint8_t bytes[BLOCK_MAX];
		char text[2 * BLOCK_MAX + 1];

		fill(a.value, bytes, a.len);
		for (uint32_t i = 0; i < a.len; i++) {
			text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
			text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
		}
		text[2 * a.len] = '\0';
		qtest_put("write %#x %#x 0x%s", address, a.len, text);
	} else {
		qtest_put("read %#x %#x", address, a.len);
	}
}

static void put_register(bool write, uint32_t reg, uint32_t value)
{
	put_access((struct access){
		.write = write, .offset = (uint16_t)reg, .len = 4, .value = value });
}

static void put_response_check(void)
{
	static const struct access all[] = {
		{ KIND_LEN_BEFORE, false, VGPU_REG_RESPONSE_LEN, 4, 0 },
		{ KIND_STATUS_BEFORE, false, VGPU_REG_STATUS, 4, 0 },
		{ KIND_RESPONSE, false, VGPU_RESPONSE_BUF, VGPU_BUF_LEN, 0 },
		{ KIND_LEN_AFTER, false, VGPU_REG_RESPONSE_LEN, 4, 0 },
		{ KIND_STATUS_AFTER, false, VGPU_REG_STATUS, 4, 0 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		put_access(all[i]);
}

static uint32_t some_value(void)
{
	static const uint32_t edges[] = {
		0, 1, 2, 7, 40, 1023, 1024, 1025, 0x80000000u, 0xffffffffu
	};

	if (chance_below(&chance, 2))
		return edges[chance_below(&chance, sizeof(edges) / sizeof(edges[0]))];
	return (uint32_t)chance_next(&chance);
}

/* Somewhere in the page, more often around an edge. */
static uint32_t some_offset(uint32_t len)
{
	static const uint32_t edges[] = { 0, VGPU_REGS_LEN, VGPU_RESPONSE_BUF, VGPU_RESERVED,
					  VGPU_BAR0_LEN };
	uint32_t at = chance_below(&chance, VGPU_BAR0_LEN);

	if (chance_below(&chance, 4) == 0)
		at = edges[chance_below(&chance, 5)] + chance_below(&chance, 16) - 8;
	return at > VGPU_BAR0_LEN - len ? chance_below(&chance, VGPU_BAR0_LEN - len + 1) : at;
}

static void put_anywhere(uint32_t len)
{
	uint64_t value = chance_below(&chance, 2) ? chance_next(&chance) : some_value();

	if (len < 8)
		value &= (1ull << 8 * len) - 1;
	put_access((struct access){ .write = chance_below(&chance, 2),
				    .offset = (uint16_t)some_offset(len),
				    .len = (uint16_t)len,
				    .value = value });
}

static void put_something(void)
{
	uint32_t dice = chance_below(&chance, 100);

	if (dice < 40) {
		put_anywhere(1u << chance_below(&chance, 4));
	} else if (dice < 70) {
		put_anywhere(1 + chance_below(&chance, BLOCK_MAX));
	} else if (dice < 90) {
		put_register(chance_below(&chance, 2), 4 * chance_below(&chance, VGPU_REG_NUM),
			     some_value());
	} else if (dice < 95) {
		put_register(false, VGPU_REG_STATUS, 0);
	} else if (dice < 97) {
		put_register(true, VGPU_REG_REQUEST_LEN, 1 + chance_below(&chance, VGPU_BUF_LEN));
		put_register(true, VGPU_REG_DOORBELL, VGPU_DOORBELL_SUBMIT);
	} else if (dice < 99) {
		put_register(true, VGPU_REG_DOORBELL, chance_below(&chance, 2));
	} else {
		put_response_check();
	}
}

void guest_put_accesses(void)
{
	while (put < disturb_at && put - taken < UNDER_WAY - 8)
		put_something();
}

/* ---- judging answers ---- */

static bool within(uint32_t offset, uint32_t size, uint32_t buffer)
{
	return offset >= buffer && offset + size <= buffer + VGPU_BUF_LEN;
}

static bool is_register(uint32_t offset, uint32_t size)
{
	return offset < VGPU_REGS_LEN && size == 4 && offset % 4 == 0;
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
		device.irq_ctrl = value & VGPU_IRQ_MASK;
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

static void wrote(uint32_t offset, const uint8_t *bytes, uint32_t size)
{
	if (is_register(offset, size)) {
		wrote_register(offset, vgpu_get_le32(bytes));
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

/* What the guest itself wrote, where no message of the device can have changed it. */
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
			storm_fault("the device is BUSY, and nobody rang");
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
		       VGPU_CAP_INTERRUPT | VGPU_CAP_CRC32C | VGPU_CAP_LIVE_CONFIG);
		break;
	case VGPU_REG_INTERRUPT_STATUS:
		expect_range(offset, found, 0, VGPU_IRQ_MASK);
		break;
	default:
		if (mood == MOOD_EXACT)
			read_own_register(offset, found);
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
	} else if (within(offset, size, VGPU_REQUEST_BUF)) {
		if (mood == MOOD_EXACT)
			read_request(offset, bytes, size);
	} else if (!within(offset, size, VGPU_RESPONSE_BUF)) {
		for (uint32_t i = 0; i < size; i++)
			expect(offset + i, bytes[i], 0);
	}
}

/* Nothing past its length, and the whole of one answer, which is none that the device had to drop.
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
	if (a->len <= 8 && (a->len & (a->len - 1)) == 0) {
		uint64_t value = a->write ? a->value : strtoull(line, NULL, 16);

		for (uint32_t i = 0; i < a->len; i++)
			bytes[i] = (uint8_t)(value >> 8 * i);
	} else if (a->write) {
		fill(a->value, bytes, a->len);
	} else if (strlen(line) != 2 + 2 * (size_t)a->len) {
		storm_fault("a read of %u bytes answers %s", a->len, line);
	} else {
		for (uint32_t i = 0; i < a->len; i++)
			bytes[i] = (uint8_t)(nibble(line[2 + 2 * i]) << 4 |
					     nibble(line[3 + 2 * i]));
	}
}

static void judge(const struct access *a, const char *line)
{
	uint8_t bytes[VGPU_BUF_LEN];
	uint32_t size;

	if (mood == MOOD_WILD)
		return;
	get_bytes(a, line, bytes);
	for (uint32_t at = 0; at < a->len; at += size) {
		size = piece(a->len - at);
		if (a->write)
			wrote(a->offset + at, bytes + at, size);
		else
			read_piece(a->offset + at, bytes + at, size);
	}
	judge_group(a, bytes);
}

bool guest_take_answers(void)
{
	const char *line;

	while (taken < put && (line = qtest_line()) != NULL)
		judge(&ring[taken++ % UNDER_WAY], line);
	return taken == put;
}

/* ---- between accesses ---- */

void guest_maybe_disturb(void)
{
	if (put < disturb_at || taken < put)
		return;
	disturb_at = put + 1 + chance_below(&chance, PERIOD);
	if (chance_below(&chance, 10) == 0)
		reset_machine();
	else
		reset_bus();
	switch (chance_below(&chance, 10)) {
	case 0:
	case 1:
		aim_messages_at_the_device();
		break;
	case 2:
		scribble_on_configuration();
		break;
	default:
		break;
	}
}

void guest_open(uint64_t seed)
{
	chance.state = seed ^ 0x67756573740000u;
	enable();
	reset_bus();
	disturb_at = PERIOD;
}
