/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.h - shows the registers as a table or as JSON */

#ifndef PROBE_VIEW_H
#define PROBE_VIEW_H

#include "guest/vgpu-probe/regs.h"

#define VIEW_SCHEMA 1 /* of the JSON: grows when a key changes its meaning or goes */

/* Lines of the table. */
#define VIEW_TABLE_LINES (VGPU_REG_NUM + 2)

/*
 * before: with it, registers whose values differ are marked; or NULL.
 * redraw: for a terminal: clears each line's rest, and shows marks in bold.
 */
void view_table(const char *device, const struct regs *regs, const struct regs *before,
		bool redraw);

/* The registers and what they mean, one object on one line. */
void view_json(const char *device, const struct regs *regs);

/* ,"status":...,"pool":... : what most programs want to know, as members of an object. */
void view_json_summary(const struct regs *regs);

#endif
