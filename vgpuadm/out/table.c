/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - a command's rows as a table for people */

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "vgpuadm/out/output_private.h"

/*
 * Most tables have a column for each field. Where fields have stacks (waiting, execution and total
 * time), those of one heading share a column and lie below each other, a line for each stack, and a
 * column before them says which it is.
 */

#define COLUMNS_MOST 32
#define STACK_HEADING "TIME"
#define SEPARATOR "  "

static bool is_right(enum field_kind kind)
{
	return kind != FIELD_TEXT && kind != FIELD_BOOL && kind != FIELD_TIME;
}

/* The columns' headings, in order; a stack's heading is there once. */
struct columns {
	const struct field *of[COLUMNS_MOST]; /* the first field of each */
	size_t count;
	size_t stack_at;	    /* the column that names stacks; count: there are none */
	size_t width[COLUMNS_MOST]; /* of the widest cell */
	size_t left_out;	    /* at the end, for want of width */
};

static size_t column_of(const struct columns *columns, const struct field *field)
{
	for (size_t i = 0; i < columns->count; i++)
		if (columns->of[i] == field ||
		    (field->stack && columns->of[i] && columns->of[i]->stack &&
		     strcmp(columns->of[i]->heading, field->heading) == 0))
			return i;
	return columns->count;
}

static void add_column(struct columns *columns, const struct field *field)
{
	if (columns->count < COLUMNS_MOST)
		columns->of[columns->count++] = field;
}

static void find_columns(struct columns *columns, const struct field *fields)
{
	*columns = (struct columns){ .stack_at = COLUMNS_MOST };
	for (const struct field *field = fields; field->key; field++) {
		if (!field->heading || column_of(columns, field) < columns->count)
			continue;
		if (field->stack && columns->stack_at == COLUMNS_MOST) {
			columns->stack_at = columns->count;
			add_column(columns, NULL);
		}
		add_column(columns, field);
	}
}

/* Columns of a terminal that a harmless text takes. */
static size_t text_width(const char *text)
{
	wchar_t wide[256];
	size_t len = mbstowcs(wide, text, sizeof(wide) / sizeof(wide[0]));
	int width = len < sizeof(wide) / sizeof(wide[0]) ? wcswidth(wide, len) : -1;

	return width < 0 ? strlen(text) : (size_t)width;
}

static void widen(struct columns *columns, size_t at, char *text)
{
	size_t width = text ? text_width(text) : 0;

	if (at < COLUMNS_MOST && width > columns->width[at])
		columns->width[at] = width;
	free(text);
}

static void measure(const struct output *output, struct columns *columns)
{
	const json_t *row;
	size_t i;

	for (i = 0; i < columns->count && output->style->headings; i++)
		widen(columns, i,
		      columns->of[i] ? field_heading(columns->of[i]) : strdup(STACK_HEADING));
	json_array_foreach(output->kept, i, row) {
		for (const struct field *field = output->shape->fields; field->key; field++) {
			if (!field->heading)
				continue;
			widen(columns, column_of(columns, field),
			      field_text(field->kind, json_object_get(row, field->key)));
			if (field->stack)
				widen(columns, columns->stack_at, strdup(field->stack));
		}
	}
}

/* Leaves out columns at the end until the others fit: a wrapped line would break a number. */
static void fit(const struct output *output, struct columns *columns)
{
	size_t total = 0;

	if (output->style->width == 0)
		return;
	measure(output, columns);
	for (size_t i = 0; i < columns->count; i++)
		total += columns->width[i] + (i > 0 ? strlen(SEPARATOR) : 0);
	while (total > output->style->width && columns->count > 1) {
		columns->count--;
		columns->left_out++;
		total -= columns->width[columns->count] + strlen(SEPARATOR);
	}
}

static void make_columns(struct libscols_table *table, const struct columns *columns)
{
	for (size_t i = 0; i < columns->count; i++) {
		const struct field *field = columns->of[i];

		char *heading = field ? field_heading(field) : strdup(STACK_HEADING);

		scols_table_new_column(table, heading ? heading : "", 0,
				       field && is_right(field->kind) ? SCOLS_FL_RIGHT : 0);
		free(heading);
	}
}

static void set_cell(const struct output *output, struct libscols_line *line,
		     const struct columns *columns, const struct field *field, const json_t *row)
{
	const json_t *value = json_object_get(row, field->key);
	const char *colour = output->style->colours ? field_colour(field, value) : NULL;
	size_t column = column_of(columns, field);
	char escape[16];

	if (column >= columns->count)
		return; /* left out */

	scols_line_refer_data(line, column, field_text(field->kind, value));
	if (colour) {
		snprintf(escape, sizeof(escape), "\033[%sm", colour);
		scols_cell_set_color(scols_line_get_cell(line, column), escape);
	}
}

/* Return: whether the row has nothing for this stack, which is then left out. */
static bool is_empty(const struct output *output, const char *stack, const json_t *row)
{
	for (const struct field *field = output->shape->fields; field->key; field++) {
		const json_t *value = json_object_get(row, field->key);

		if (field->stack && strcmp(field->stack, stack) == 0 && value &&
		    !json_is_null(value))
			return false;
	}
	return true;
}

/* The row's lines: one, or one for each stack; the first of them is there in any case. */
static void add_lines(const struct output *output, struct libscols_table *table,
		      const struct columns *columns, const json_t *row)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	const char *stack = NULL;

	for (const struct field *field = output->shape->fields; line && field->key; field++) {
		if (!field->heading)
			continue;
		if (field->stack && stack && strcmp(stack, field->stack) != 0 &&
		    is_empty(output, field->stack, row))
			continue;
		if (field->stack && (!stack || strcmp(stack, field->stack) != 0)) {
			if (stack)
				line = scols_table_new_line(table, NULL);
			stack = field->stack;
			if (!line)
				return;
			if (columns->stack_at < columns->count)
				scols_line_set_data(line, columns->stack_at, stack);
		}
		set_cell(output, line, columns, field, row);
	}
}

static void write_row(struct output *output, const json_t *row)
{
	(void)output;
	(void)row;
}

static void write_end(struct output *output, const json_t *extras, const struct fail *fail)
{
	struct libscols_table *table = scols_new_table();
	struct columns columns;
	json_t *row;
	size_t i;

	(void)extras;
	if (!table || fail->status != 0) {
		scols_unref_table(table);
		return;
	}
	find_columns(&columns, output->shape->fields);
	fit(output, &columns);
	make_columns(table, &columns);
	scols_table_enable_noencoding(table, 1); /* field_text() has made it harmless */
	scols_table_enable_noheadings(table, !output->style->headings);
	scols_table_enable_colors(table, output->style->colours);
	scols_table_set_column_separator(table, SEPARATOR);
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER); /* it fits already */
	json_array_foreach(output->kept, i, row) {
		add_lines(output, table, &columns, row);
	}
	if (json_array_size(output->kept) > 0)
		scols_print_table(table);
	if (columns.left_out > 0 && json_array_size(output->kept) > 0) {
		fflush(stdout);
		fprintf(stderr, "%zu column%s not fit in %u (-o KEYS chooses, --json has all)\n",
			columns.left_out, columns.left_out == 1 ? " does" : "s do",
			output->style->width);
	}
	scols_unref_table(table);
}

const struct output_writer output_table = { .row = write_row, .end = write_end, .keeps = true };
