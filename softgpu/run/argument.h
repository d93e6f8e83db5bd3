/* SPDX-License-Identifier: GPL-2.0-or-later */
/* argument.h - a kernel's arguments as they stand on the command line */

#ifndef SOFTGPU_RUN_ARGUMENT_H
#define SOFTGPU_RUN_ARGUMENT_H

#include <stdbool.h>
#include <stdint.h>

enum argument_kind {
	ARGUMENT_VALUE, /* i32:5 */
	ARGUMENT_IN,	/* in:FILE, memory that holds the file's bytes */
	ARGUMENT_OUT,	/* out:FILE:BYTES, zeroed memory that is written to the file */
	ARGUMENT_INOUT, /* inout:FILE */
};

/* Belongs to whoever has it on the stack; file and text point into argv. */
struct argument {
	const char *text; /* as it was given, for messages */
	enum argument_kind kind;
	union {
		int64_t i;
		uint64_t u;
		double f64;
		float f32;
	} value; /* VALUE: its first value_bytes are the parameter, on a little-endian host */
	uint32_t value_bytes;
	char *file;	     /* IN, OUT, INOUT; allocated */
	uint64_t file_bytes; /* OUT: from the text; the others: once it is read */
	uint64_t address;    /* of the memory, once allocated */
};

/* Whether a word of the command line is an argument and no file's name: it begins with a type. */
bool argument_is_one(const char *text);

/* Reads one; ends the process with status USAGE when it is wrong. */
void argument_parse(struct argument *argument, const char *text);

/*
 * A size: a decimal number, and K, M, G (times 1,024 each) or nothing.
 * Return: 0, -EINVAL, -ERANGE.
 */
int argument_parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *bytes);

#endif
