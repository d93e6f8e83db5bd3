/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases.c - all tables of cases */

#include <stddef.h>

#include "tests/ptx/case_tables.h"

const struct ptx_case *const ptx_case_tables[] = {
	cases_atomics, cases_control, cases_crypto,   cases_elementary,
	cases_faults,  cases_foreign, cases_graphs,   cases_halves,
	cases_hand,    cases_refused, cases_integers, cases_mathematics,
	cases_matrix,  cases_memory,  cases_numeric,  cases_samples,
	cases_sorting, cases_structs, cases_text,     cases_triton,
	cases_warps,   NULL,
};
