/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inputs.h - arguments for an instruction: all where they are few, edges and random ones elsewhere
 */

#ifndef PTX_INPUTS_H
#define PTX_INPUTS_H

#include <stdint.h>

#include "tests/ptx/form.h"

enum { INPUTS_MAX = 65536 };

/*
 * Fills values[k][i] for every source k of the form: one source of 16 bits takes all its 65,536
 * values, pairs of sources all pairs of edges, and the rest is random with edges among it.
 * Return: how many there are, a multiple of 256.
 */
unsigned inputs_fill(const struct form *form, uint64_t *const values[FORM_SOURCES_MAX]);

#endif
