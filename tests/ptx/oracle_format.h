/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle_format.h - binary floating-point formats, and rounding into them in every direction */

#ifndef PTX_ORACLE_FORMAT_H
#define PTX_ORACLE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/ptx/form.h"

enum oracle_mode { ORACLE_RN, ORACLE_RZ, ORACLE_RM, ORACLE_RP, ORACLE_RNA };

struct oracle_format {
	const char *type;
	int exponent_bits, fraction_bits;
	int storage_bits;
	int low_bits;	  /* below the fraction, always 0: tf32 in a word of 32 bits */
	bool no_infinity; /* e4m3: all ones is NaN, the rest of that exponent are numbers */
};

/* Return: the format of a scalar type, or of a packed type's component; NULL if it is no float. */
const struct oracle_format *oracle_format(const char *type);

bool oracle_is_nan(const struct oracle_format *format, uint64_t bits);
uint64_t oracle_nan(const struct oracle_format *format);
bool oracle_is_subnormal(const struct oracle_format *format, uint64_t bits);

/* Return: the value of bits, exactly. */
double oracle_value(const struct oracle_format *format, uint64_t bits);

/*
 * Rounds a value whose last bit says "and something more" where it is not exact (see
 * oracle_odd_*), which rounds right into every format that is two bits shorter than a double.
 */
uint64_t oracle_round(const struct oracle_format *format, double odd, enum oracle_mode mode);

/* The same for whole numbers of up to 64 bits and a sign. */
uint64_t oracle_round_whole(const struct oracle_format *format, __int128 value,
			    enum oracle_mode mode);

/* Truncated results with the last bit set when anything was cut off. */
double oracle_odd_add(double a, double b);
double oracle_odd_multiply(double a, double b);
double oracle_odd_fma(double a, double b, double c);
double oracle_odd_divide(double a, double b);
double oracle_odd_sqrt(double a);

/* Return: the rounding that the form asks for, to nearest even where it asks for none. */
enum oracle_mode oracle_mode_of(const struct form *form);

/* Sets the processor's direction of rounding for doubles. */
void oracle_processor_rounds(enum oracle_mode mode);

/* Subnormal numbers become zeros of their sign. */
uint64_t oracle_flush(const struct oracle_format *format, uint64_t bits);

/* Return: whether a value, rounded as if exponents had no least one, is below the normal numbers.
 */
bool oracle_is_tiny(const struct oracle_format *format, double odd, enum oracle_mode mode);

/* Clamps to [0, 1]; NaN becomes 0, and so does -0. */
uint64_t oracle_saturate(const struct oracle_format *format, uint64_t bits);

#endif
