/* SPDX-License-Identifier: GPL-2.0-or-later */
/* figures.h - a program's figures in a row, whether it runs or is in the ledger */

#ifndef VGPUD_ADMIN_FIGURES_H
#define VGPUD_ADMIN_FIGURES_H

#include <jansson.h>
#include <stdint.h>

#include "vgpud/ledger/ledger.h"

/* Return: the number, null for LEDGER_UNKNOWN. */
json_t *figures_number(uint64_t figure);

/* Sets what a program used and what its worker counted, by the keys that vgpuadm-output(7) has. */
void figures_set(json_t *row, const struct ledger_program *program,
		 const struct ledger_latency *latency);

#endif
