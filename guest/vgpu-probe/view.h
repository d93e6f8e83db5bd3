/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.h - shows the registers as a table or as JSON */

#ifndef PROBE_VIEW_H
#define PROBE_VIEW_H

#include "guest/vgpu-probe/regs.h"

#define VIEW_SCHEMA 1 /* of the JSON: grows when a key changes its meaning or goes */

/* A terminal's size. */
struct view_screen {
	unsigned columns, rows;
};

/*
 * before: registers whose values differ from these are marked; or NULL.
 * screen: a terminal on which the table is drawn anew each time: lines fit its width and their
 * number its height, their rest is cleared, marks are bold. NULL: plain lines.
 * Return: lines that were written.
 */
unsigned view_table(const char *device, const struct regs *regs, const struct regs *before,
		    const struct view_screen *screen);

/* The registers and what they mean, one object on one line. */
void view_json(const char *device, const struct regs *regs);

/* ,"status":...,"pool":... : what most programs want to know, as members of an object. */
void view_json_summary(const struct regs *regs);

#endif
