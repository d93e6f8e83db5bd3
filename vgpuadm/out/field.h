/* SPDX-License-Identifier: GPL-2.0-or-later */
/* field.h - the fields of a command's rows: what tables, CSV and JSON are made from */

#ifndef VGPUADM_OUT_FIELD_H
#define VGPUADM_OUT_FIELD_H

#include <jansson.h>
#include <stdio.h>

/* The kind of a value decides how tables show it. Programs get values as they came. */
enum field_kind {
	FIELD_TEXT,
	FIELD_BOOL,
	FIELD_COUNT,
	FIELD_RATE,	/* per second */
	FIELD_DURATION, /* nanoseconds */
	FIELD_TIME,	/* nanoseconds since the Unix epoch; its heading names the zone */
	FIELD_MOMENT,	/* the same in a sentence, with its zone */
	FIELD_BYTES,
	FIELD_SHARE,   /* 0 to 1 */
	FIELD_PERCENT, /* 0 to 100, whole */
	FIELD_MIB,
	FIELD_MILLISECONDS,
};

/* How a value is highlighted, if colours are on. */
enum field_tone {
	TONE_NONE,
	TONE_TRUE_WARNS, /* yellow when true */
	TONE_FALSE_DIM,	 /* dim when false */
	TONE_SOME_WARNS, /* yellow unless zero or null */
	TONE_STATUS,	 /* red unless null or OK */
	TONE_STATE,	 /* green for ready and ok, yellow for starting and warning, else red */
};

struct field {
	const char *key;     /* in a row, and in the head of CSV; NULL ends a list */
	const char *heading; /* in a table; NULL: only JSON has the field */
	/* Tables put fields of one heading and several stacks below each other. */
	const char *stack;
	enum field_kind kind;
	enum field_tone tone;
	unsigned width; /* of its column where rows are printed as they come */
};

/* A row's text. Return: "" where it is none; never NULL. */
const char *field_string(const json_t *row, const char *key);

/* Writes a value for people: with units, null as "-", text made harmless. */
void field_put(FILE *out, enum field_kind kind, const json_t *value);

/* The same as a string, the caller's to free; NULL: out of memory. */
char *field_text(enum field_kind kind, const json_t *value);

/* The field's heading, with the zone if it is of times; the caller's to free; NULL: no memory. */
char *field_heading(const struct field *field);

/* "33": the parameter of an ANSI colour for a value, NULL: none. */
const char *field_colour(const struct field *field, const json_t *value);

#endif
