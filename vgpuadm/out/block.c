/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block.c - a command's rows for people, other than as a table: blocks, sentences, live
 * lines */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgpuadm/out/output_private.h"

#define BETWEEN_COLUMNS 2

/* ---- blocks: a line a field ---- */

static int heading_width(const struct field *fields)
{
	size_t most = 0;

	for (; fields->key; fields++)
		if (fields->heading && strlen(fields->heading) > most)
			most = strlen(fields->heading);
	return (int)most;
}

static void block_row(struct output *output, const json_t *row)
{
	int width = heading_width(output->shape->fields);

	if (output->count > 0)
		putchar('\n');
	for (const struct field *field = output->shape->fields; field->key; field++) {
		if (!field->heading)
			continue;
		if (output->style->headings)
			printf("%-*s", width + BETWEEN_COLUMNS, field->heading);
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

static void live_head(const struct output *output)
{
	for (const struct field *field = output->shape->fields; field->key; field++) {
		if (!field->heading)
			continue;
		printf(is_left(field) ? "%-*s%*s" : "%*s%*s", (int)field->width, field->heading,
		       field[1].key ? BETWEEN_COLUMNS : 0, "");
	}
	putchar('\n');
}

static void live_row(struct output *output, const json_t *row)
{
	if (output->count == 0 && output->style->headings)
		live_head(output);
	for (const struct field *field = output->shape->fields; field->key; field++) {
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
