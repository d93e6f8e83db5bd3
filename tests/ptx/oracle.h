/* SPDX-License-Identifier: GPL-2.0-or-later */
/* oracle.h - what an instruction has to compute, from the processor's own arithmetic and the manual
 */

#ifndef PTX_ORACLE_H
#define PTX_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/ptx/form.h"

enum oracle_kind {
	ORACLE_BITS, /* exactly these bits; a NaN of a float type: any NaN of that type */
	ORACLE_NEAR, /* within an error of the exact value */
	ORACLE_FREE, /* the manual leaves it open */
};

struct oracle_value {
	enum oracle_kind kind;
	uint64_t bits;
	/* ORACLE_NEAR: exact values of the components, low first, and the error allowed. */
	double exact[2];
	double relative, absolute;
};

/* Computes a form's results from its sources (registers' bits, in the form's order). */
typedef void oracle_fn(const struct form *form, const uint64_t *in, struct oracle_value *out);

/* Return: the oracle for a form, NULL when there is none. */
oracle_fn *oracle_find(const struct form *form);

/* Return: whether got is right for a result of this type; wanted comes from the oracle. */
bool oracle_agrees(const char *type, const struct oracle_value *wanted, uint64_t got);

/* Return: the bits with every NaN of a float type replaced by one and the same. */
uint64_t oracle_plain_nan(const char *type, uint64_t bits);

/* The files' own tables: mnemonic to function, ended by a NULL mnemonic. */
struct oracle_entry {
	const char *mnemonic;
	oracle_fn *compute;
};
extern const struct oracle_entry oracle_integers[];
extern const struct oracle_entry oracle_bits[];
extern const struct oracle_entry oracle_floats[];
extern const struct oracle_entry oracle_approximations[];
extern const struct oracle_entry oracle_comparisons[];
extern const struct oracle_entry oracle_conversions[];
extern const struct oracle_entry oracle_videos[];

/*
 * Some mnemonics serve whole numbers and floats (add, min, abs ...): the whole-number side asks
 * here first. Return: whether the form's first type is a float.
 */
bool oracle_is_float(const char *type);

#endif
