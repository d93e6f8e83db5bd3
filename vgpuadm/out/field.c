/* SPDX-License-Identifier: GPL-2.0-or-later */
/* field.c - the fields of a command's rows: how people read their values */

#include "vgpuadm/out/field.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/units.h"
#include "common/util.h"
#include "vgpuadm/out/text.h"
#include "vgpuadm/times.h"

#define RED "31"
#define GREEN "32"
#define YELLOW "33"
#define DIM "2"

const char *field_string(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static void put_duration(FILE *out, json_int_t ns)
{
	char text[UNITS_TEXT_SIZE];

	units_format_ns(text, sizeof(text), ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns);
	fprintf(out, "%s%s", ns < 0 ? "-" : "", text);
}

/* Local time to the millisecond; JSON has all digits. */
static void put_time(FILE *out, json_int_t unix_ns, bool with_zone)
{
	time_t seconds = (time_t)(unix_ns / (json_int_t)UTIL_NS_PER_S);
	char text[32];
	struct tm local;

	if (unix_ns < 0 || !localtime_r(&seconds, &local) ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) == 0) {
		fputs("?", out);
		return;
	}
	fprintf(out, "%s.%03d", text,
		(int)(unix_ns % (json_int_t)UTIL_NS_PER_S / (json_int_t)UTIL_NS_PER_MS));
	/* The heading has today's zone; a time half a year ago may be in another (summer time). */
	if (local.tm_zone && (with_zone || strcmp(local.tm_zone, times_zone()) != 0))
		fprintf(out, " %s", local.tm_zone);
}

static void put_bytes(FILE *out, json_int_t bytes)
{
	char text[UNITS_TEXT_SIZE];

	units_format_bytes(text, sizeof(text), bytes < 0 ? 0 : (uint64_t)bytes);
	fputs(text, out);
}

/* Return: value * factor, cut to the bounds of json_int_t. */
static json_int_t scaled(const json_t *value, json_int_t factor)
{
	json_int_t whole = json_integer_value(value);

	if (json_is_real(value)) {
		double real = json_real_value(value);

		whole = real > 9e18 ? INT64_MAX : real < -9e18 ? INT64_MIN : (json_int_t)real;
	}
	if (__builtin_mul_overflow(whole, factor, &whole))
		return INT64_MAX;
	return whole;
}

static void put_number(FILE *out, enum field_kind kind, const json_t *value)
{
	json_int_t whole = scaled(value, 1);

	switch (kind) {
	case FIELD_DURATION:
		put_duration(out, whole);
		break;
	case FIELD_MILLISECONDS:
		put_duration(out, scaled(value, (json_int_t)UTIL_NS_PER_MS));
		break;
	case FIELD_TIME:
	case FIELD_MOMENT:
		put_time(out, whole, kind == FIELD_MOMENT);
		break;
	case FIELD_BYTES:
		put_bytes(out, whole);
		break;
	case FIELD_MIB:
		put_bytes(out, scaled(value, 1024 * 1024));
		break;
	case FIELD_SHARE:
		fprintf(out, "%.1f %%", json_number_value(value) * 100);
		break;
	case FIELD_PERCENT:
		fprintf(out, "%" JSON_INTEGER_FORMAT " %%", whole);
		break;
	case FIELD_RATE:
		fprintf(out, "%.*f", json_number_value(value) < 100 ? 2 : 0,
			json_number_value(value));
		break;
	default:
		if (json_is_integer(value))
			fprintf(out, "%" JSON_INTEGER_FORMAT, whole);
		else
			fprintf(out, "%g", json_real_value(value));
	}
}

void field_put(FILE *out, enum field_kind kind, const json_t *value)
{
	char *text;

	switch (json_typeof(value ? value : json_null())) {
	case JSON_NULL:
		fputs("-", out);
		break;
	case JSON_TRUE:
		fputs("yes", out);
		break;
	case JSON_FALSE:
		fputs("no", out);
		break;
	case JSON_STRING:
		text_put(out, json_string_value(value));
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		put_number(out, kind, value);
		break;
	default:
		text = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
		text_put(out, text ? text : "?"); /* jansson lets DEL pass */
		free(text);
	}
}

char *field_heading(const struct field *field)
{
	char *text = NULL;

	if (field->kind != FIELD_TIME)
		return strdup(field->heading);
	return asprintf(&text, "%s (%s)", field->heading, times_zone()) < 0 ? NULL : text;
}

char *field_text(enum field_kind kind, const json_t *value)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	field_put(out, kind, value);
	return fclose(out) == 0 ? text : NULL;
}

static const char *state_colour(const char *state)
{
	if (strcmp(state, "ready") == 0 || strcmp(state, "ok") == 0)
		return GREEN;
	if (strcmp(state, "starting") == 0 || strcmp(state, "warning") == 0 ||
	    strcmp(state, "off") == 0)
		return YELLOW;
	return RED;
}

const char *field_colour(const struct field *field, const json_t *value)
{
	const char *text = json_string_value(value);

	switch (field->tone) {
	case TONE_TRUE_WARNS:
		return json_is_true(value) ? YELLOW : NULL;
	case TONE_FALSE_DIM:
		return json_is_false(value) ? DIM : NULL;
	case TONE_SOME_WARNS:
		return json_is_string(value) || json_number_value(value) != 0 ? YELLOW : NULL;
	case TONE_STATUS:
		return text && strcmp(text, "OK") != 0 ? RED : NULL;
	case TONE_STATE:
		return text ? state_colour(text) : NULL;
	default:
		return NULL;
	}
}
