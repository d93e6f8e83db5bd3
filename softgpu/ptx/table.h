/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h - the support table: which of the manual's instructions run, are refused, are missing */

#ifndef VGPU_SOFTGPU_PTX_TABLE_H
#define VGPU_SOFTGPU_PTX_TABLE_H

#include <stddef.h>
#include <stdio.h>

enum sg_table_state {
	SG_TABLE_RUNS,
	SG_TABLE_PARTLY, /* some forms are refused */
	SG_TABLE_REFUSED,
	SG_TABLE_MISSING, /* isa.def does not know it: load says "no such instruction" */
	SG_TABLE_STATE_NUM
};

/*
 * Writes the table as Markdown, as docs/softgpu.md has it between its markers.
 * Return: 0, -EIO.
 */
int sg_table_print(FILE *out);

/*
 * Counts the manual's instructions by state.
 * counts: SG_TABLE_STATE_NUM numbers.
 * Return: how many rows of isa.def belong to no instruction of the manual; 0 where both lists are
 * right.
 */
size_t sg_table_count(size_t counts[SG_TABLE_STATE_NUM]);

#endif
