/* SPDX-License-Identifier: GPL-2.0-or-later */
/* case_tables.h - the table of each file of cases; each ends with a case without a name */

#ifndef PTX_CASE_TABLES_H
#define PTX_CASE_TABLES_H

#include "tests/ptx/cases.h"

extern const struct ptx_case cases_atomics[];
extern const struct ptx_case cases_control[];
extern const struct ptx_case cases_crypto[];
extern const struct ptx_case cases_elementary[];
extern const struct ptx_case cases_faults[];
extern const struct ptx_case cases_foreign[];
extern const struct ptx_case cases_graphs[];
extern const struct ptx_case cases_halves[];
extern const struct ptx_case cases_hand[];
extern const struct ptx_case cases_integers[];
extern const struct ptx_case cases_mathematics[];
extern const struct ptx_case cases_matrix[];
extern const struct ptx_case cases_memory[];
extern const struct ptx_case cases_numeric[];
extern const struct ptx_case cases_refused[];
extern const struct ptx_case cases_samples[];
extern const struct ptx_case cases_sorting[];
extern const struct ptx_case cases_structs[];
extern const struct ptx_case cases_text[];
extern const struct ptx_case cases_triton[];
extern const struct ptx_case cases_warps[];

#endif
