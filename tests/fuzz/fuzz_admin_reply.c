/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_admin_reply.c - whatever rows the daemon sends: JSON stays JSON, and a terminal gets no
 * orders */

#include <jansson.h>
#include <locale.h>
#include <stdbool.h>

#include "tests/fuzz/fuzz.h"
#include "vgpuadm/out/output.h"
#include "vgpuadm/view/shape.h"
#include "vgpuadm/words.h"

/*
 * Input: a byte whose upper two bits choose the format and whose others the command, then its rows.
 */
static const enum output_format formats[] = { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV, OUTPUT_TABLE };

_Static_assert(ADMIN_CMD_NUM <= 64, "six bits choose a command");

/* Turns what the writers print on standard output into a string, which the caller frees. */
struct capture {
	FILE *before;
	char *text;
	size_t len_bytes;
};

static void capture_begin(struct capture *capture)
{
	capture->before = stdout;
	stdout = open_memstream(&capture->text, &capture->len_bytes);
	REQUIRE(stdout != NULL);
}

static void capture_end(struct capture *capture)
{
	REQUIRE(fclose(stdout) == 0);
	stdout = capture->before;
}

static void require_harmless(const struct capture *capture)
{
	const unsigned char *text = (const unsigned char *)capture->text;

	for (size_t i = 0; i < capture->len_bytes; i++)
		REQUIRE(text[i] == '\n' || (text[i] >= 0x20 && text[i] < 0x7f) ||
			(text[i] == '\r' && text[i + 1] == '\n'));
}

/* Each line of the input is a row, if it is an object. Return: an array. */
static json_t *read_rows(const char *text, size_t len_bytes)
{
	json_t *rows = json_array();

	while (len_bytes > 0) {
		const char *newline = memchr(text, '\n', len_bytes);
		size_t len = newline ? (size_t)(newline - text) : len_bytes;
		json_t *row = json_loadb(text, len, 0, NULL);

		if (json_is_object(row))
			json_array_append(rows, row);
		json_decref(row);
		text += newline ? len + 1 : len;
		len_bytes -= newline ? len + 1 : len;
	}
	return rows;
}

static void check_json(const struct capture *capture, const json_t *rows)
{
	json_t *document = json_loadb(capture->text, capture->len_bytes, 0, NULL);

	REQUIRE(document != NULL);
	REQUIRE(json_array_size(json_object_get(document, "rows")) == json_array_size(rows));
	json_decref(document);
}

static void write_rows(const struct output_shape *shape, enum output_format format, json_t *rows)
{
	const struct output_style style = { .format = format, .headings = true, .terminal = true };
	const struct fail fine = { 0 };
	struct capture capture;
	struct output *output;
	json_t *row;
	size_t i;

	capture_begin(&capture);
	output = output_begin(&style, shape, false);
	REQUIRE(output != NULL);
	json_array_foreach(rows, i, row) {
		output_row(output, row);
	}
	output_end(output, json_array_get(rows, 0), &fine);
	capture_end(&capture);
	require_harmless(&capture);
	if (format == OUTPUT_JSON)
		check_json(&capture, rows);
	free(capture.text);
}

/* The same bytes as a line typed into the shell: as many words as there may be, each within it. */
static void split(const char *line)
{
	struct words words;
	struct fail fail;

	if (words_split(line, &words, &fail) != 0)
		return;
	REQUIRE(words.argc <= WORDS_MOST);
	for (int i = 0; i < words.argc; i++)
		REQUIRE(strlen(words.argv[i]) <= strlen(line));
	words_free(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	struct pattern_args args = { 0 };
	struct output_shape shape;
	char *text;
	json_t *rows;

	if (len_bytes == 0)
		return 0;
	shape = view_shape((enum admin_cmd_id)(input[0] % 64 % ADMIN_CMD_NUM), &args);
	shape.empty = NULL; /* it goes to standard error, once for each input */
	text = strndup((const char *)input + 1, len_bytes - 1);
	REQUIRE(text != NULL);
	split(text);
	rows = read_rows((const char *)input + 1, len_bytes - 1);
	write_rows(&shape, formats[input[0] / 64], rows);
	json_decref(rows);
	free(text);
	return 0;
}
