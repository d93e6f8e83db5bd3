/* SPDX-License-Identifier: GPL-2.0-or-later */
/* csv.c - a command's rows as CSV (RFC 4180), with the fields that a table shows */

#include <stdio.h>
#include <string.h>

#include "vgpuadm/out/output_private.h"
#include "vgpuadm/out/text.h"

static void put_quoted(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static void put_text(const struct output *output, const char *text)
{
	if (output->style->terminal)
		text_put(stdout, text);
	else if (strpbrk(text, ",\"\r\n") || text[0] == ' ')
		put_quoted(text);
	else
		fputs(text, stdout);
}

static void put_value(const struct output *output, const json_t *value)
{
	switch (json_typeof(value ? value : json_null())) {
	case JSON_NULL:
		break;
	case JSON_TRUE:
		fputs("true", stdout);
		break;
	case JSON_FALSE:
		fputs("false", stdout);
		break;
	case JSON_STRING:
		put_text(output, json_string_value(value));
		break;
	case JSON_INTEGER:
		printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		printf("%.15g", json_real_value(value));
		break;
	default:
		break;
	}
}

static void put_head(const struct output *output)
{
	const char *separator = "";

	for (const struct field *field = output->shape->fields; field->key; field++) {
		if (!field->heading)
			continue;
		printf("%s%s", separator, field->key);
		separator = ",";
	}
	fputs("\r\n", stdout);
}

static void write_row(struct output *output, const json_t *row)
{
	const char *separator = "";

	if (output->count == 0 && output->style->headings)
		put_head(output);
	for (const struct field *field = output->shape->fields; field->key; field++) {
		if (!field->heading)
			continue;
		fputs(separator, stdout);
		put_value(output, json_object_get(row, field->key));
		separator = ",";
	}
	fputs("\r\n", stdout);
}

static void write_end(struct output *output, const json_t *extras, const struct fail *fail)
{
	(void)extras;
	if (output->count == 0 && output->style->headings && fail->status == 0)
		put_head(output);
}

const struct output_writer output_csv = { .row = write_row, .end = write_end };
