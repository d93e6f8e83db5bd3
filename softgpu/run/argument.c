/* SPDX-License-Identifier: GPL-2.0-or-later */
/* argument.c - a kernel's arguments as they stand on the command line */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "softgpu/run/argument.h"
#include "softgpu/run/fail.h"

#define OUT_BYTES_MOST (1ull << 40)

static const char *const VALUE_TYPES[] = {
	"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64",
};
static const char *const FILE_TYPES[] = { "in", "out", "inout" };

#define ARRAY_NUM(array) (sizeof(array) / sizeof((array)[0]))

/* Return: what follows "type:", NULL: the text does not begin so. */
static const char *after_type(const char *text, const char *type)
{
	size_t length = strlen(type);

	return strncmp(text, type, length) == 0 && text[length] == ':' ? text + length + 1 : NULL;
}

bool argument_is_one(const char *text)
{
	for (size_t i = 0; i < ARRAY_NUM(VALUE_TYPES); i++) {
		if (after_type(text, VALUE_TYPES[i]))
			return true;
	}
	for (size_t i = 0; i < ARRAY_NUM(FILE_TYPES); i++) {
		if (after_type(text, FILE_TYPES[i]))
			return true;
	}
	return false;
}

int argument_parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *bytes)
{
	static const char units[] = "KMG";
	size_t length = strlen(text);
	const char *unit = length > 0 ? strchr(units, text[length - 1]) : NULL;
	char digits[24];
	uint64_t number;
	int shift = 0, err;

	if (unit && *unit != '\0') {
		shift = 10 * (int)(unit - units + 1);
		length--;
	}
	if (length == 0 || length >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, length);
	digits[length] = '\0';
	err = util_parse_u64(digits, 0, UINT64_MAX >> shift, &number);
	if (err < 0)
		return err;
	number <<= shift;
	if (number < least || number > most)
		return -ERANGE;
	*bytes = number;
	return 0;
}

/* --- values ------------------------------------------------------------------------------ */

static void parse_float(struct argument *argument, const char *number, unsigned bits)
{
	char *end;
	double value;

	errno = 0;
	value = strtod(number, &end);
	if (end == number || *end != '\0')
		fail(EXIT_STATUS_USAGE, "%s: not a number (as f32:2.5, f64:1e-9, f32:inf, f32:nan)",
		     argument->text);
	if (errno == ERANGE && fabs(value) > 1)
		fail(EXIT_STATUS_USAGE, "%s: too large for a %u-bit number", argument->text, bits);
	argument->value_bytes = bits / 8;
	if (bits == 32)
		argument->value.f32 = strtof(number, NULL); /* rounded once */
	else
		argument->value.f64 = value;
}

/* Decimal, or hexadecimal behind 0x. */
static void parse_integer(struct argument *argument, const char *number, bool is_signed,
			  unsigned bits)
{
	const bool negative = number[0] == '-';
	const uint64_t most = (is_signed ? UINT64_MAX >> 1 : UINT64_MAX) >> (64 - bits);
	const char *digits = number + (negative ? 1 : 0);
	unsigned long long value;
	char *end;

	if (*digits < '0' || *digits > '9')
		fail(EXIT_STATUS_USAGE, "%s: not a whole number (as %s:42 or %s:0x2a)",
		     argument->text, is_signed ? "i32" : "u32", is_signed ? "i32" : "u32");
	errno = 0;
	value = strtoull(digits, &end, strncmp(digits, "0x", 2) == 0 ? 16 : 10);
	if (*end != '\0')
		fail(EXIT_STATUS_USAGE, "%s: not a whole number", argument->text);
	if (errno == ERANGE || value > (negative ? most + 1 : most) || (negative && !is_signed))
		fail(EXIT_STATUS_USAGE, "%s: does not fit %s %u bits", argument->text,
		     is_signed ? "a signed number of" : "a number without sign of", bits);
	argument->value_bytes = bits / 8;
	argument->value.u = negative ? 0 - (uint64_t)value : value;
}

/* --- files ------------------------------------------------------------------------------- */

/* out:FILE:BYTES; the name may have colons, the size has none. */
static void parse_out(struct argument *argument, const char *rest)
{
	const char *colon = strrchr(rest, ':');

	if (!colon || colon == rest)
		fail(EXIT_STATUS_USAGE, "%s: needs a file and a size (out:FILE:BYTES)",
		     argument->text);
	if (argument_parse_size(colon + 1, 1, OUT_BYTES_MOST, &argument->file_bytes) < 0)
		fail(EXIT_STATUS_USAGE, "%s: %s is not a size from 1 to 1024G (as 4096 or 64M)",
		     argument->text, colon + 1);
	argument->file = strndup(rest, (size_t)(colon - rest));
}

static void parse_file(struct argument *argument, enum argument_kind kind, const char *rest)
{
	argument->kind = kind;
	if (*rest == '\0')
		fail(EXIT_STATUS_USAGE, "%s: needs a file's name", argument->text);
	if (kind == ARGUMENT_OUT)
		parse_out(argument, rest);
	else
		argument->file = strdup(rest);
	if (!argument->file)
		fail(EXIT_STATUS_DEVICE, "no memory");
	argument->value_bytes = sizeof(argument->address);
}

void argument_parse(struct argument *argument, const char *text)
{
	static const enum argument_kind kinds[] = { ARGUMENT_IN, ARGUMENT_OUT, ARGUMENT_INOUT };

	*argument = (struct argument){ .text = text };
	for (size_t i = 0; i < ARRAY_NUM(VALUE_TYPES); i++) {
		const char *type = VALUE_TYPES[i], *rest = after_type(text, type);
		const unsigned bits = (unsigned)strtoul(type + 1, NULL, 10);

		if (!rest)
			continue;
		if (type[0] == 'f')
			parse_float(argument, rest, bits);
		else
			parse_integer(argument, rest, type[0] == 'i', bits);
		return;
	}
	for (size_t i = 0; i < ARRAY_NUM(FILE_TYPES); i++) {
		const char *rest = after_type(text, FILE_TYPES[i]);

		if (rest) {
			parse_file(argument, kinds[i], rest);
			return;
		}
	}
	fail(EXIT_STATUS_USAGE, "%s: not an argument (as i32:5, f32:2.5, in:FILE, out:FILE:BYTES)",
	     text);
}
