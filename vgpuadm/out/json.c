/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - a command's rows as JSON: one object, or one a line where rows have no end */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/util.h"
#include "vgpuadm/out/output_private.h"

/* Escaped to ASCII it is harmless on a terminal too; 15 digits are what a double holds for sure. */
#define JSON_FORM (JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15))

static void put_json(const json_t *value)
{
	char *text = json_dumps(value ? value : json_null(), JSON_FORM | JSON_ENCODE_ANY);

	/* jansson leaves DEL as it is, which is a control character all the same. */
	for (const char *c = text ? text : "null"; *c; c++) {
		if (*c == 0x7f)
			fputs("\\u007f", stdout);
		else
			putchar(*c);
	}
	free(text);
}

/*
 * Finds "received" in "received_unix_ns". Return: its length; 0: the key names no moment, or has
 * other characters than our own keys: it comes from outside, and the caller does not escape it.
 */
static size_t moment_of(const char *key)
{
	static const char suffix[] = "_unix_ns";
	size_t len = strlen(key), name_len;

	if (len < sizeof(suffix))
		return 0;
	name_len = len - (sizeof(suffix) - 1);
	if (strcmp(&key[name_len], suffix) != 0 ||
	    strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_") != len)
		return 0;
	return name_len;
}

/*
 * ,"received_iso":"2026-11-21T07:10:00.123456789Z" beside received_unix_ns, for those that read it.
 */
static void put_moment(const char *key, const json_t *value)
{
	json_int_t ns = json_integer_value(value);
	time_t s = (time_t)(ns / (json_int_t)UTIL_NS_PER_S);
	size_t len = moment_of(key);
	char text[32];
	struct tm tm;

	if (len == 0)
		return;
	printf(",\"%.*s_iso\":", (int)len, key);
	if (!json_is_integer(value) || ns < 0 || !gmtime_r(&s, &tm) ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		fputs("null", stdout);
	else
		printf("\"%s.%09dZ\"", text, (int)(ns % (json_int_t)UTIL_NS_PER_S));
}

/* "," before each member of an object but the first. */
static void put_member(const char *key, const json_t *value, bool *first)
{
	json_t *name = json_string(key);

	if (!*first)
		putchar(',');
	*first = false;
	put_json(name);
	putchar(':');
	put_json(value);
	put_moment(key, value);
	json_decref(name);
}

static bool is_field(const struct field *fields, const char *key)
{
	for (; fields->key; fields++)
		if (strcmp(fields->key, key) == 0)
			return true;
	return false;
}

/* All fields, null where the daemon sent none; then the fields that only a newer daemon has. */
static void put_row(const struct output *output, const json_t *row)
{
	const struct field *fields = output->shape->fields;
	bool first = true;
	const char *key;
	json_t *value;

	putchar('{');
	for (const struct field *field = fields; field->key; field++)
		put_member(field->key, json_object_get(row, field->key), &first);
	json_object_foreach((json_t *)row, key, value) {
		if (!is_field(fields, key))
			put_member(key, value, &first);
	}
	putchar('}');
}

static void put_head(const struct output *output)
{
	printf("{\"schema\":%d,\"command\":\"%s\",\"rows\":[", ADMIN_SCHEMA_VERSION,
	       output->shape->command);
}

static void write_row(struct output *output, const json_t *row)
{
	if (!output->live) {
		if (output->count == 0)
			put_head(output);
		fputs(output->count == 0 ? "\n" : ",\n", stdout);
	}
	put_row(output, row);
	if (output->live)
		putchar('\n');
}

static void write_end(struct output *output, const json_t *extras, const struct fail *fail)
{
	bool first = false;
	const char *key;
	json_t *value;

	if (output->live || (fail->status != 0 && output->count == 0))
		return;
	if (output->count == 0)
		put_head(output);
	putchar(']');
	json_object_foreach((json_t *)extras, key, value) {
		if (strcmp(key, "rows") != 0)
			put_member(key, value, &first);
	}
	if (fail->status != 0) {
		json_t *error = json_pack("{s:s, s:s}", "code", fail_code(fail->status), "text",
					  fail->text);

		put_member("error", error, &first);
		json_decref(error);
	}
	puts("}");
}

const struct output_writer output_json = { .row = write_row, .end = write_end };
