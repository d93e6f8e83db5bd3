/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_argument.c - a kernel's arguments and its grid as they stand on a command line */

#include "common/kernel_argument.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"

#define MEMORY_BYTES_MOST (1ull << 40)

static const char *const VALUE_TYPES[] = {
	"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64",
};
static const char *const MEMORY_TYPES[] = { "in", "out", "inout", "zero" };

#define ARRAY_NUM(array) (sizeof(array) / sizeof((array)[0]))

/* Return: -EINVAL, with the sentence in `why`. */
static int __attribute__((format(printf, 2, 3))) refuse(char *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, KERNEL_ARGUMENT_WHY_LEN, format, args);
	va_end(args);
	return -EINVAL;
}

/* Return: what follows "type:", NULL: the text does not begin so. */
static const char *after_type(const char *text, const char *type)
{
	size_t length = strlen(type);

	return strncmp(text, type, length) == 0 && text[length] == ':' ? text + length + 1 : NULL;
}

bool kernel_argument_is_one(const char *text)
{
	for (size_t i = 0; i < ARRAY_NUM(VALUE_TYPES); i++) {
		if (after_type(text, VALUE_TYPES[i]))
			return true;
	}
	for (size_t i = 0; i < ARRAY_NUM(MEMORY_TYPES); i++) {
		if (after_type(text, MEMORY_TYPES[i]))
			return true;
	}
	return false;
}

int kernel_argument_parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *bytes)
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

static int parse_float(struct kernel_argument *argument, const char *number, unsigned bits,
		       char *why)
{
	char *end;
	double value;

	errno = 0;
	value = strtod(number, &end);
	if (end == number || *end != '\0')
		return refuse(why, "%s: not a number (as f32:2.5, f64:1e-9, f32:inf, f32:nan)",
			      argument->text);
	if (errno == ERANGE && fabs(value) > 1)
		return refuse(why, "%s: too large for a %u-bit number", argument->text, bits);
	argument->value_bytes = bits / 8;
	if (bits == 32)
		argument->value.f32 = strtof(number, NULL); /* rounded once */
	else
		argument->value.f64 = value;
	return 0;
}

/* Decimal, or hexadecimal behind 0x. */
static int parse_integer(struct kernel_argument *argument, const char *number, bool is_signed,
			 unsigned bits, char *why)
{
	const bool negative = number[0] == '-';
	const uint64_t most = (is_signed ? UINT64_MAX >> 1 : UINT64_MAX) >> (64 - bits);
	const char *digits = number + (negative ? 1 : 0);
	unsigned long long value;
	char *end;

	if (*digits < '0' || *digits > '9')
		return refuse(why, "%s: not a whole number (as %s:42 or %s:0x2a)", argument->text,
			      is_signed ? "i32" : "u32", is_signed ? "i32" : "u32");
	errno = 0;
	value = strtoull(digits, &end, strncmp(digits, "0x", 2) == 0 ? 16 : 10);
	if (*end != '\0')
		return refuse(why, "%s: not a whole number", argument->text);
	if (errno == ERANGE || value > (negative ? most + 1 : most) || (negative && !is_signed))
		return refuse(why, "%s: does not fit %s %u bits", argument->text,
			      is_signed ? "a signed number of" : "a number without sign of", bits);
	argument->value_bytes = bits / 8;
	argument->value.u = negative ? 0 - (uint64_t)value : value;
	return 0;
}

/* --- files ------------------------------------------------------------------------------- */

/* out:FILE:BYTES; the name may have colons, the size has none. */
static int parse_out(struct kernel_argument *argument, const char *rest, char *why)
{
	const char *colon = strrchr(rest, ':');

	if (!colon || colon == rest)
		return refuse(why, "%s: needs a file and a size (out:FILE:BYTES)", argument->text);
	if (kernel_argument_parse_size(colon + 1, 1, MEMORY_BYTES_MOST, &argument->memory_bytes) <
	    0)
		return refuse(why, "%s: %s is not a size from 1 to 1024G (as 4096 or 64M)",
			      argument->text, colon + 1);
	argument->file = strndup(rest, (size_t)(colon - rest));
	return 0;
}

/* zero:BYTES */
static int parse_zero(struct kernel_argument *argument, const char *rest, char *why)
{
	if (kernel_argument_parse_size(rest, 1, MEMORY_BYTES_MOST, &argument->memory_bytes) < 0)
		return refuse(why, "%s: %s is not a size from 1 to 1024G (as 4096 or 64M)",
			      argument->text, rest);
	return 0;
}

static int parse_memory(struct kernel_argument *argument, enum kernel_argument_kind kind,
			const char *rest, char *why)
{
	int err = 0;

	argument->kind = kind;
	argument->value_bytes = sizeof(argument->address);
	if (kind == KERNEL_ARGUMENT_ZERO)
		return parse_zero(argument, rest, why);
	if (*rest == '\0')
		return refuse(why, "%s: needs a file's name", argument->text);
	if (kind == KERNEL_ARGUMENT_OUT)
		err = parse_out(argument, rest, why);
	else
		argument->file = strdup(rest);
	if (err == 0 && !argument->file) {
		(void)refuse(why, "no memory");
		return -ENOMEM;
	}
	return err;
}

int kernel_argument_parse(struct kernel_argument *argument, const char *text,
			  char why[static KERNEL_ARGUMENT_WHY_LEN])
{
	static const enum kernel_argument_kind kinds[] = { KERNEL_ARGUMENT_IN, KERNEL_ARGUMENT_OUT,
							   KERNEL_ARGUMENT_INOUT,
							   KERNEL_ARGUMENT_ZERO };

	*argument = (struct kernel_argument){ .text = text };
	for (size_t i = 0; i < ARRAY_NUM(VALUE_TYPES); i++) {
		const char *type = VALUE_TYPES[i], *rest = after_type(text, type);
		const unsigned bits = (unsigned)strtoul(type + 1, NULL, 10);

		if (!rest)
			continue;
		if (type[0] == 'f')
			return parse_float(argument, rest, bits, why);
		return parse_integer(argument, rest, type[0] == 'i', bits, why);
	}
	for (size_t i = 0; i < ARRAY_NUM(MEMORY_TYPES); i++) {
		const char *rest = after_type(text, MEMORY_TYPES[i]);

		if (rest)
			return parse_memory(argument, kinds[i], rest, why);
	}
	return refuse(why, "%s: not an argument (as i32:5, f32:2.5, in:FILE, out:FILE:BYTES)",
		      text);
}

int kernel_argument_parse_dim(const char *text, uint32_t sizes[static 3])
{
	char copy[64], *rest = copy, *part;
	uint64_t number;
	int count = 0;

	sizes[0] = sizes[1] = sizes[2] = 1;
	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	(void)snprintf(copy, sizeof(copy), "%s", text);
	while ((part = strsep(&rest, ",")) != NULL && count < 3 &&
	       util_parse_u64(part, 1, UINT32_MAX, &number) == 0)
		sizes[count++] = (uint32_t)number;
	return !part && count > 0 ? 0 : -EINVAL;
}
