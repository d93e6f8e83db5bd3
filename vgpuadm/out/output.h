/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.h - writes a command's rows as a table for people, or as JSON or CSV for programs */

#ifndef VGPUADM_OUT_OUTPUT_H
#define VGPUADM_OUT_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>

#include "vgpuadm/fail.h"
#include "vgpuadm/out/field.h"

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

/* How the user wants the answer. */
struct output_style {
	enum output_format format;
	bool headings;
	bool colours;
	bool terminal;	     /* standard output is a terminal */
	unsigned width;	     /* columns that tables may take; 0: as many as they like */
	const char *columns; /* keys, separated by commas; NULL: the standard columns */
};

/* The form of an answer that is neither JSON nor CSV. */
enum output_layout {
	LAYOUT_TABLE,
	LAYOUT_BLOCK, /* a line a field, its heading before it */
	LAYOUT_SAY,   /* as say() has it */
};

/* The form of a command's answer. */
struct output_shape {
	const char *command;
	const struct field *fields;
	enum output_layout layout;
	/* A text; rows are sorted by it, vm10 after vm2; NULL: as they come. */
	const char *sort_key;
	/* Printed when there is no row, but not in JSON and CSV; NULL: nothing. */
	const char *empty;
	/* These write to standard output; NULL writes nothing. */
	void (*say)(const struct output_style *style, const json_t *row); /* for LAYOUT_SAY */
	void (*head)(const json_t *extras);				  /* before the rows */
	void (*foot)(const json_t *extras);				  /* after them */
};

struct output;

/*
 * Finds the fields of style->columns, in that order; any field that JSON has may be named.
 * out: OUTPUT_FIELDS_MOST of them, the last of which ends the list. Return: 0, or fail's status.
 */
#define OUTPUT_FIELDS_MOST 48
int output_choose(const struct output_style *style, const struct output_shape *shape,
		  struct field *out, struct fail *fail);

/*
 * Begins to write to standard output.
 * style, shape: must stay until the end.
 * live: each row is written when it comes, for rows that have no end; JSON is then an object a
 * line. Return: NULL: out of memory.
 */
struct output *output_begin(const struct output_style *style, const struct output_shape *shape,
			    bool live);

/* A client_row_fn: context is the struct output. */
void output_row(void *context, json_t *row);

/*
 * Ends the answer and frees it.
 * extras: the daemon's "end" object, about all rows; may be NULL.
 * fail: the error that came in place of the end; status 0: none. Rows written before stay valid.
 */
void output_end(struct output *output, const json_t *extras, const struct fail *fail);

/* Writes text line by line: unchanged to a file, escaped to a terminal. */
void output_text(const struct output_style *style, const char *text);

#endif
