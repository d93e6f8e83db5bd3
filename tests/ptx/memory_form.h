/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_form.h - one form of ld, st, atom or red, and a kernel in which each thread runs it once
 */

#ifndef PTX_MEMORY_FORM_H
#define PTX_MEMORY_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum memory_kind { MEMORY_LD, MEMORY_ST, MEMORY_ATOM, MEMORY_RED };

/* Every thread owns this much of each buffer: the largest vector is 32 bytes, twice for safety. */
enum { MEMORY_SLOT = 64, MEMORY_THREADS = 64 };

struct memory_form {
	char name[128];
	enum memory_kind kind;
	char space[24]; /* "global", "" for generic ... */
	char type[12];
	unsigned type_bits;
	unsigned elements;	/* of the vector; 1 if it is none */
	unsigned register_bits; /* of each register; at least 16, at least the type's */
	char operation[8];	/* of atom and red: "add", "cas" ... */
	unsigned ptx, sm;
};

/* Calls visit for every form of ld, ldu, st, atom and red of the table. Return: how many. */
size_t memory_form_each(void (*visit)(const struct memory_form *form, void *arg), void *arg);

/*
 * Appends a kernel "k" and number with parameters (data, operands, out): thread i owns the slot of
 * MEMORY_SLOT bytes at i in each. ld: data's elements, each in a register, go to out as 8 bytes.
 * st: operands' elements, 8 bytes each, go to the space, whose bytes then go to out. atom, red: act
 * on a copy of data's slot in the space with operands; old values go to out as 8 bytes each, and
 * the slot goes back to data.
 * Return: bytes appended, 0 when text is too small.
 */
size_t memory_form_print(const struct memory_form *form, unsigned number, char *text,
			 size_t text_bytes);

#endif
