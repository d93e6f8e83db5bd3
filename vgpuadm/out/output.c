/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - writes a command's rows: which writer gets them, and in which order */

#include "vgpuadm/out/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vgpuadm/out/output_private.h"
#include "vgpuadm/out/text.h"

static const struct output_writer *choose(const struct output_style *style,
					  const struct output_shape *shape, bool live)
{
	if (style->format == OUTPUT_JSON)
		return &output_json;
	if (style->format == OUTPUT_CSV)
		return &output_csv;
	if (shape->layout == LAYOUT_SAY)
		return &output_say;
	if (shape->layout == LAYOUT_BLOCK)
		return &output_block;
	return live ? &output_live : &output_table;
}

/* Return: NULL: the shape has no such field. */
static const struct field *find_field(const struct output_shape *shape, const char *key, size_t len)
{
	for (const struct field *field = shape->fields; field->key; field++)
		if (strlen(field->key) == len && memcmp(field->key, key, len) == 0)
			return field;
	return NULL;
}

static int fail_column(const struct output_shape *shape, const char *key, size_t len,
		       struct fail *fail)
{
	char known[400] = "";

	for (const struct field *field = shape->fields; field->key; field++) {
		size_t at = strlen(known);

		snprintf(known + at, sizeof(known) - at, "%s%s", at ? "," : "", field->key);
	}
	return fail_set(fail, ADMIN_ERROR_USAGE, "-o %.*s: %s has no such column; it has %s",
			(int)len, key, shape->command, known);
}

int output_choose(const struct output_style *style, const struct output_shape *shape,
		  struct field *out, struct fail *fail)
{
	const char *key = style->columns;
	size_t count = 0, len;

	for (; *key && count + 1 < OUTPUT_FIELDS_MOST; key += len + (key[len] == ',')) {
		const struct field *field;

		len = strcspn(key, ",");
		field = find_field(shape, key, len);
		if (!field)
			return fail_column(shape, key, len, fail);
		out[count] = *field;
		if (!field->heading)
			out[count].heading = field->key;
		count++;
	}
	out[count] = (struct field){ 0 };
	return 0;
}

struct output *output_begin(const struct output_style *style, const struct output_shape *shape,
			    bool live)
{
	struct output *output = calloc(1, sizeof(*output));

	if (!output)
		return NULL;
	output->style = style;
	output->shape = shape;
	output->live = live;
	output->writer = choose(style, shape, live);
	if (!live && (output->writer->keeps || shape->sort_key))
		output->kept = json_array();
	return output;
}

static void write_row(struct output *output, const json_t *row)
{
	output->writer->row(output, row);
	output->count++;
	if (output->live)
		fflush(stdout);
}

void output_row(void *context, json_t *row)
{
	struct output *output = context;

	if (output->kept)
		json_array_append(output->kept, row);
	else
		write_row(output, row);
}

static int compare(const void *a, const void *b, void *key)
{
	const char *left = json_string_value(json_object_get(*(json_t *const *)a, key));
	const char *right = json_string_value(json_object_get(*(json_t *const *)b, key));

	return strverscmp(left ? left : "", right ? right : "");
}

static void sort_kept(struct output *output)
{
	size_t count = json_array_size(output->kept);
	json_t **rows = calloc(count + 1, sizeof(*rows)), *sorted = json_array();

	if (!rows || !sorted) { /* unsorted is better than nothing */
		free(rows);
		json_decref(sorted);
		return;
	}
	for (size_t i = 0; i < count; i++)
		rows[i] = json_array_get(output->kept, i);
	qsort_r(rows, count, sizeof(*rows), compare, (char *)output->shape->sort_key);
	for (size_t i = 0; i < count; i++)
		json_array_append(sorted, rows[i]);
	free(rows);
	json_decref(output->kept);
	output->kept = sorted;
}

void output_end(struct output *output, const json_t *extras, const struct fail *fail)
{
	const struct output_shape *shape = output->shape;
	bool for_people = output->style->format == OUTPUT_TABLE && fail->status == 0;
	size_t i;
	json_t *row;

	if (output->kept && shape->sort_key)
		sort_kept(output);
	if (for_people && shape->head)
		shape->head(extras);
	json_array_foreach(output->kept, i, row) {
		write_row(output, row);
	}
	output->writer->end(output, extras, fail);
	if (for_people && shape->foot)
		shape->foot(extras);
	if (for_people && output->count == 0 && shape->empty && !output->live) {
		fflush(stdout);
		fprintf(stderr, "%s\n", shape->empty);
	}
	json_decref(output->kept);
	free(output);
}

void output_put(const struct output *output, const struct field *field, const json_t *value)
{
	const char *colour = output->style->colours ? field_colour(field, value) : NULL;

	if (colour)
		printf("\033[%sm", colour);
	field_put(stdout, field->kind, value);
	if (colour)
		fputs("\033[0m", stdout);
}

void output_text(const struct output_style *style, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = strndup(text, len);

		if (line && style->terminal)
			text_put(stdout, line);
		else if (line)
			fputs(line, stdout);
		putchar('\n');
		free(line);
		text += len + (text[len] == '\n');
	}
}
