/* SPDX-License-Identifier: GPL-2.0-or-later */
/* regs.h - the sixteen registers: names, values and their meaning */

#ifndef PROBE_REGS_H
#define PROBE_REGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/vgpu_regs.h"
#include "guest/libvgpu/bar.h"

#define REGS_TEXT_LEN 128

/* Where a register stands in the arrays below. */
#define REGS_INDEX(name) (VGPU_REG_##name / 4)

struct regs_info {
	uint32_t offset;
	const char *name;
	const char *access;
};

extern const struct regs_info regs_info[VGPU_REG_NUM];

struct regs {
	uint32_t value[VGPU_REG_NUM];
};

/*
 * Reads all of them, in the order of their offsets. The one side effect is the documented one:
 * reading TIMESTAMP_LO latches TIMESTAMP_HI.
 */
void regs_read(struct bar *bar, struct regs *regs);

/*
 * Writes the meaning of one register's value, which may depend on others. text: REGS_TEXT_LEN
 * bytes.
 */
void regs_decode(const struct regs *regs, size_t index, char *text);

/* Parts of the registers, taken out. */
uint64_t regs_timestamp_ns(const struct regs *regs);
bool regs_link_up(const struct regs *regs);

#endif
