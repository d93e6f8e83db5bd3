/* SPDX-License-Identifier: GPL-2.0-or-later */
/* regs.c - the sixteen registers: names, values and their meaning */

#include "guest/vgpu-probe/regs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/names.h"
#include "common/util.h"
#include "common/wire/vgpu_proto.h"

#define INFO_ROW(offset, name, access, text) [(offset) / 4] = { offset, #name, access },
const struct regs_info regs_info[VGPU_REG_NUM] = { VGPU_REG_TABLE(INFO_ROW) };

struct bit_name {
	uint32_t bit;
	const char *set;
	const char *clear; /* shown too when the bit is 0; or NULL */
};

static const struct bit_name capability_bits[] = {
	{ VGPU_CAP_INTERRUPT, "interrupt", NULL },     { VGPU_CAP_CRC32C, "crc32c", NULL },
	{ VGPU_CAP_LIVE_CONFIG, "live-config", NULL }, { VGPU_CAP_WINDOW, "window", NULL },
	{ VGPU_CAP_LINK_UP, "link-up", "link-down" },  { 0 },
};

static const struct bit_name interrupt_bits[] = {
	{ VGPU_IRQ_COMPLETION, "completion", NULL },
	{ VGPU_IRQ_CONFIG, "config", NULL },
	{ VGPU_IRQ_LINK, "link", NULL },
	{ VGPU_IRQ_CHANNEL, "channel", NULL },
	{ 0 },
};

void regs_read(struct bar *bar, struct regs *regs)
{
	for (size_t i = 0; i < VGPU_REG_NUM; i++)
		regs->value[i] = bar_read(bar, regs_info[i].offset);
}

uint64_t regs_timestamp_ns(const struct regs *regs)
{
	return (uint64_t)regs->value[REGS_INDEX(TIMESTAMP_HI)] << 32 |
	       regs->value[REGS_INDEX(TIMESTAMP_LO)];
}

bool regs_link_up(const struct regs *regs)
{
	return regs->value[REGS_INDEX(CAPABILITIES)] & VGPU_CAP_LINK_UP;
}

static void append(char *text, const char *word)
{
	size_t len = strlen(text);

	snprintf(text + len, REGS_TEXT_LEN - len, "%s%s", len ? " " : "", word);
}

static void decode_bits(const struct bit_name *bits, uint32_t value, char *text)
{
	char rest[24];

	text[0] = '\0';
	for (; bits->bit; bits++) {
		if (value & bits->bit)
			append(text, bits->set);
		else if (bits->clear)
			append(text, bits->clear);
		value &= ~bits->bit;
	}
	if (value) {
		snprintf(rest, sizeof(rest), "unknown:0x%" PRIx32, value);
		append(text, rest);
	}
	if (text[0] == '\0')
		append(text, "none");
}

static void decode_timestamp(uint64_t timestamp_ns, char *text)
{
	const time_t seconds = (time_t)(timestamp_ns / UTIL_NS_PER_S);
	char date[32] = "?";
	struct tm tm;

	if (timestamp_ns == 0) {
		snprintf(text, REGS_TEXT_LEN, "never");
		return;
	}
	if (gmtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(text, REGS_TEXT_LEN, "%s.%09u UTC", date,
		 (unsigned int)(timestamp_ns % UTIL_NS_PER_S));
}

static void decode_error(const struct regs *regs, char *text)
{
	const uint32_t error = regs->value[REGS_INDEX(ERROR_CODE)];

	if (regs->value[REGS_INDEX(STATUS)] != VGPU_STATUS_ERROR)
		snprintf(text, REGS_TEXT_LEN, "-");
	else
		snprintf(text, REGS_TEXT_LEN, "%s: %s", name_error(error), name_error_text(error));
}

static void decode_pool(uint32_t pool, char *text)
{
	const bool is_letter = name_to_pool((int)pool) >= 0;

	snprintf(text, REGS_TEXT_LEN, "%c", is_letter ? (char)pool : '?');
}

void regs_decode(const struct regs *regs, size_t index, char *text)
{
	const uint32_t value = regs->value[index];

	switch ((enum vgpu_reg)regs_info[index].offset) {
	case VGPU_REG_STATUS:
		snprintf(text, REGS_TEXT_LEN, "%s", name_status(value));
		return;
	case VGPU_REG_POOL_ID:
		decode_pool(value, text);
		return;
	case VGPU_REG_PRIORITY:
		snprintf(text, REGS_TEXT_LEN, "%s", name_priority(value));
		return;
	case VGPU_REG_ERROR_CODE:
		decode_error(regs, text);
		return;
	case VGPU_REG_REQUEST_LEN:
	case VGPU_REG_RESPONSE_LEN:
		snprintf(text, REGS_TEXT_LEN, "%" PRIu32 " bytes", value);
		return;
	case VGPU_REG_PROTOCOL_VER:
		snprintf(text, REGS_TEXT_LEN, "%" PRIu32 ".%" PRIu32, value >> 16, value & 0xffff);
		return;
	case VGPU_REG_CAPABILITIES:
		decode_bits(capability_bits, value, text);
		return;
	case VGPU_REG_INTERRUPT_CTRL:
	case VGPU_REG_INTERRUPT_STATUS:
		decode_bits(interrupt_bits, value, text);
		return;
	case VGPU_REG_TIMESTAMP_LO:
		decode_timestamp(regs_timestamp_ns(regs), text);
		return;
	case VGPU_REG_VM_ID:
	case VGPU_REG_REQUEST_ID:
	case VGPU_REG_SCRATCH:
		snprintf(text, REGS_TEXT_LEN, "%" PRIu32, value);
		return;
	case VGPU_REG_DOORBELL:
	case VGPU_REG_TIMESTAMP_HI:
		snprintf(text, REGS_TEXT_LEN, "-");
		return;
	}
}
