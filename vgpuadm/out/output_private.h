/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output_private.h - what the writers of output.c share */

#ifndef VGPUADM_OUT_OUTPUT_PRIVATE_H
#define VGPUADM_OUT_OUTPUT_PRIVATE_H

#include "vgpuadm/out/output.h"

struct output {
	const struct output_style *style;
	const struct output_shape *shape;
	const struct output_writer *writer;
	bool live;
	json_t *kept; /* rows that wait for the end, NULL: each is written when it comes */
	size_t count; /* rows written */
};

/* All functions are required. */
struct output_writer {
	void (*row)(struct output *output, const json_t *row);
	void (*end)(struct output *output, const json_t *extras, const struct fail *fail);
	bool keeps; /* it wants the rows together at the end, in output->kept */
};

extern const struct output_writer output_json, output_csv, output_table, output_block, output_say,
	output_live;

/* Writes a value for people, in its colour. */
void output_put(const struct output *output, const struct field *field, const json_t *value);

#endif
