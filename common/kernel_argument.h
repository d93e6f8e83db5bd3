/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_argument.h - a kernel's arguments and its grid as they stand on a command line */

#ifndef VGPU_COMMON_KERNEL_ARGUMENT_H
#define VGPU_COMMON_KERNEL_ARGUMENT_H

#include <stdbool.h>
#include <stdint.h>

enum kernel_argument_kind {
	KERNEL_ARGUMENT_VALUE, /* i32:5 */
	KERNEL_ARGUMENT_IN,    /* in:FILE, memory that holds the file's bytes */
	KERNEL_ARGUMENT_OUT,   /* out:FILE:BYTES, zeroed memory that is written to the file */
	KERNEL_ARGUMENT_INOUT, /* inout:FILE */
	KERNEL_ARGUMENT_ZERO,  /* zero:BYTES, zeroed memory */
};

#define KERNEL_ARGUMENT_LIST "i8 u8 i16 u16 i32 u32 i64 u64 f32 f64"
#define KERNEL_ARGUMENT_WHY_LEN 256 /* bytes of a refusal, with its NUL */

/* text points into the command line; file is the owner's to free. */
struct kernel_argument {
	const char *text; /* as it was given, for messages */
	enum kernel_argument_kind kind;
	union {
		int64_t i;
		uint64_t u;
		double f64;
		float f32;
	} value; /* VALUE: its first value_bytes are the parameter, on a little-endian host */
	uint32_t value_bytes;
	char *file;	       /* IN, OUT, INOUT; allocated */
	uint64_t memory_bytes; /* OUT, ZERO: from the text; IN, INOUT: once the file is read */
	uint64_t address;      /* of the memory, once allocated */
};

/* Return: whether a word of the command line is an argument and no file's name: it begins with a type. */
bool kernel_argument_is_one(const char *text);

/*
 * Reads one argument.
 * why: gets what is wrong, in a sentence that begins with the text.
 * Return: 0, -EINVAL, -ENOMEM.
 */
int kernel_argument_parse(struct kernel_argument *argument, const char *text,
			  char why[static KERNEL_ARGUMENT_WHY_LEN]);

/*
 * A size: a decimal number, and K, M, G (times 1,024 each) or nothing.
 * Return: 0, -EINVAL, -ERANGE.
 */
int kernel_argument_parse_size(const char *text, uint64_t least, uint64_t most, uint64_t *bytes);

/*
 * X[,Y[,Z]], each from 1 to UINT32_MAX; what is left out is 1.
 * Return: 0, -EINVAL.
 */
int kernel_argument_parse_dim(const char *text, uint32_t sizes[static 3]);

#endif
