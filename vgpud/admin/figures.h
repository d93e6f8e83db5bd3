/* SPDX-License-Identifier: GPL-2.0-or-later */
/* figures.h - a program's figures in a row, whether it runs or is in the ledger */

#ifndef VGPUD_ADMIN_FIGURES_H
#define VGPUD_ADMIN_FIGURES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpud/ledger/ledger.h"

/* Return: the number, null for LEDGER_UNKNOWN. */
json_t *figures_number(uint64_t figure);

/* Sets what a program used and what its worker counted, by the keys that vgpuadm-output(7) has. */
void figures_set(json_t *row, const struct ledger_program *program,
		 const struct ledger_latency *latency);

/*
 * "vm2 83 %, cap 17 %": who had the GPU, or what else it was, while programs of a VM waited. All
 * zero at the beginning.
 */
struct figures_waits {
	char text[256];
	size_t used;
	bool full; /* no half names: the rest is left out */
};

/* what: a VM's name or a word; NULL: a VM that was removed. ns of whole_ns, which is not 0. */
void figures_add_wait(struct figures_waits *waits, const char *what, uint64_t ns,
		      uint64_t whole_ns);

/* Return: the text; null: it has nothing. */
json_t *figures_waits(const struct figures_waits *waits);

#endif
