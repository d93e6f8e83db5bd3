/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - a guest that accesses the device in every way, and resets it now and then */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/device/storm/storm.h"

/*
 * Theory of operation: commands go out by the hundred, each noted in a ring; answers come in the
 * same order, and the model judges them. What is done depends on the seed alone.
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

struct guest_counts guest_counts;

static struct chance chance;
static struct access ring[UNDER_WAY];
static uint64_t put, taken; /* commands, ever */
static uint64_t disturb_at;
static bool window;

/* ---- configuration space ---- */

static const char width[] = { [1] = 'b', [2] = 'w', [4] = 'l', [8] = 'q' };

static void config_write(unsigned bus, unsigned slot, unsigned offset, unsigned size,
			 uint32_t value)
{
	qtest_ask("outl 0xcf8 %#x", 0x80000000u | bus << 16 | slot << 11 | (offset & ~3u));
	qtest_ask("out%c %#x %#x", width[size], 0xcfc + (offset & 3), value);
}

static uint32_t config_read(unsigned bus, unsigned slot, unsigned offset, unsigned size)
{
	qtest_ask("outl 0xcf8 %#x", 0x80000000u | bus << 16 | slot << 11 | (offset & ~3u));
	return (uint32_t)qtest_ask("in%c %#x", width[size], 0xcfc + (offset & 3));
}

static void enable(void)
{
	config_write(0, PORT_SLOT, PCI_BUSES, 4, 0x00010100);
	config_write(0, PORT_SLOT, PCI_WINDOW, 4, BAR0 | BAR0 >> 16);
	config_write(0, PORT_SLOT, PCI_COMMAND, 2, 6);
	config_write(1, 0, PCI_BAR0, 4, BAR0);
	config_write(1, 0, PCI_COMMAND, 2, 6);
}

static void reset_bus(void)
{
	uint32_t control = config_read(0, PORT_SLOT, PCI_BRIDGE_CONTROL, 2);

	config_write(0, PORT_SLOT, PCI_BRIDGE_CONTROL, 2, control | 0x40);
	config_write(0, PORT_SLOT, PCI_BRIDGE_CONTROL, 2, control & ~0x40u);
	if (config_read(1, 0, PCI_COMMAND, 2) != 0)
		storm_fault("a reset of its bus did not reach the device");
	enable();
	model_forget(MOOD_EXACT);
	guest_counts.resets++;
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
	model_forget(MOOD_EXACT);
	guest_counts.resets++;
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
	model_forget(MOOD_SELF);
}

static void scribble_on_configuration(void)
{
	for (int i = 0; i < 12; i++)
		config_write(1, 0, 4 + chance_below(&chance, 0xfc), 1, chance_below(&chance, 256));
	model_forget(MOOD_WILD);
}

/* ---- making accesses ---- */

static void put_access(struct access a)
{
	uint32_t address = BAR0 + a.offset;
	bool single = access_is_single(&a);

	ring[put++ % UNDER_WAY] = a;
	for (uint32_t left = a.len; left > 0; left -= access_piece(left))
		guest_counts.accesses++;
	if (single && a.write) {
		qtest_put("write%c %#x %#" PRIx64, width[a.len], address, a.value);
	} else if (single) {
		qtest_put("read%c %#x", width[a.len], address);
	} else if (a.write) {
		uint8_t bytes[BLOCK_MAX];
		char text[2 * BLOCK_MAX + 1];

		access_fill(a.value, bytes, a.len);
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

static uint32_t some_value(void)
{
	static const uint32_t edges[] = {
		0, 1, 2, 7, 40, 1023, 1024, 1025, 0x80000000u, 0xffffffffu
	};

	if (chance_below(&chance, 2))
		return edges[chance_below(&chance, sizeof(edges) / sizeof(edges[0]))];
	return (uint32_t)chance_next(&chance);
}

/* A register of channels: few of them, so that each is opened and closed often. */
static void put_channel_register(void)
{
	uint32_t n = chance_below(&chance, 4) ? chance_below(&chance, 3)
					      : chance_below(&chance, VGPU_CHANNELS);
	uint32_t value = chance_below(&chance, 8) ? chance_below(&chance, 2) : some_value();

	switch (chance_below(&chance, 8)) {
	case 0:
		put_register(chance_below(&chance, 2), VGPU_CHANNEL_BASE(n),
			     chance_below(&chance, 8) ? chance_below(&chance, 4096) : some_value());
		break;
	case 1:
	case 2:
	case 3:
		put_register(true, VGPU_CHANNEL_CTRL(n), value);
		break;
	case 4:
		put_register(false, VGPU_CHANNEL_STATUS(n), 0);
		break;
	case 5:
		put_register(true, VGPU_KICK(n), value);
		break;
	case 6:
		put_register(chance_below(&chance, 2),
			     VGPU_REG_CHANNEL_EVENTS_LO + 4 * chance_below(&chance, 2),
			     some_value());
		break;
	default:
		put_register(false, VGPU_WINDOW_REGS + 4 * chance_below(&chance, 10), 0);
		break;
	}
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

/* Somewhere in the page, more often around an edge. */
static uint32_t some_offset(uint32_t len)
{
	static const uint32_t edges[] = { 0,
					  VGPU_REGS_LEN,
					  VGPU_RESPONSE_BUF,
					  VGPU_WINDOW_REGS,
					  VGPU_RESERVED,
					  VGPU_CHANNEL_REGS,
					  VGPU_BAR0_LEN };
	uint32_t at = chance_below(&chance, VGPU_BAR0_LEN);

	if (chance_below(&chance, 4) == 0)
		at = edges[chance_below(&chance, sizeof(edges) / sizeof(edges[0]))] +
		     chance_below(&chance, 16) - 8;
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

	if (window && chance_below(&chance, 3) == 0) {
		put_channel_register();
	} else if (dice < 40) {
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

/* ---- answers ---- */

bool guest_take_answers(void)
{
	const char *line;

	while (taken < put && (line = qtest_line()) != NULL)
		model_judge(&ring[taken++ % UNDER_WAY], line);
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
	window = qtest_ask("readl %#x", BAR0 + VGPU_REG_CAPABILITIES) & VGPU_CAP_WINDOW;
	if (window)
		model_has_window();
	reset_bus();
	disturb_at = PERIOD;
}
