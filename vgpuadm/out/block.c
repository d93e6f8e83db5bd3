/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block.c - a command's rows for people, other than as a table: blocks, sentences, live
 * lines */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgpuadm/out/output_private.h"

#define BETWEEN_COLUMNS 2

/* ---- blocks: a line a field ---- */

static int heading_width(const struct field *fields)
{
	size_t most = 0;

	for (; fields->key; fields++) {
		char *heading = fields->heading ? field_heading(fields) : NULL;

		if (heading && strlen(heading) > most)
			most = strlen(heading);
		free(heading);
	}
	return (int)most;
}

static void block_row(struct output *output, const json_t *row)
{
	int width = heading_width(output->shape->fields);

	if (output->count > 0)
		putchar('\n');
	for (const struct field *field = output->shape->fields; field->key; field++) {
		char *heading = field->heading ? field_heading(field) : NULL;

		if (!heading)
			continue;
		if (output->style->headings)
			printf("%-*s", width + BETWEEN_COLUMNS, heading);
		free(heading);
		output_put(output, field, json_object_get(row, field->key));
		putchar('\n');
	}
}

/* ---- sentences ---- */

static void say_row(struct output *output, const json_t *row)
{
	output->shape->say(output->style, row);
}

/* ---- live lines: columns of a width that is known beforehand ---- */

static bool is_left(const struct field *field)
{
	return field->kind == FIELD_TEXT || field->kind == FIELD_BOOL || field->kind == FIELD_TIME;
}

/* Adds a field's width. Return: whether it still fits; a line that wraps breaks in a number. */
static bool fits(const struct output *output, const struct field *field, unsigned *used)
{
	if (field->heading)
		*used += field->width + BETWEEN_COLUMNS;
	return output->style->width == 0 || *used <= output->style->width + BETWEEN_COLUMNS;
}

static void live_head(const struct output *output)
{
	unsigned used = 0;

	for (const struct field *field = output->shape->fields;
	     field->key && fits(output, field, &used); field++) {
		char *heading = field->heading ? field_heading(field) : NULL;

		if (!heading)
			continue;
		printf(is_left(field) ? "%-*s%*s" : "%*s%*s", (int)field->width, heading,
		       field[1].key ? BETWEEN_COLUMNS : 0, "");
		free(heading);
	}
	putchar('\n');
}

static void live_row(struct output *output, const json_t *row)
{
	unsigned used = 0;

	if (output->count == 0 && output->style->headings)
		live_head(output);
	for (const struct field *field = output->shape->fields;
	     field->key && fits(output, field, &used); field++) {
		const json_t *value = json_object_get(row, field->key);
		char *text = field->heading ? field_text(field->kind, value) : NULL;
		int pad = text ? (int)field->width - (int)strlen(text) : 0;

		if (text) {
			printf("%*s", !is_left(field) && pad > 0 ? pad : 0, "");
			output_put(output, field, value);
			printf("%*s", (is_left(field) && pad > 0 ? pad : 0) + BETWEEN_COLUMNS, "");
		}
		free(text);
	}
	putchar('\n');
}

static void nothing(struct output *output, const json_t *extras, const struct fail *fail)
{
	(void)output;
	(void)extras;
	(void)fail;
}

const struct output_writer output_block = { .row = block_row, .end = nothing };
const struct output_writer output_say = { .row = say_row, .end = nothing };
const struct output_writer output_live = { .row = live_row, .end = nothing };
