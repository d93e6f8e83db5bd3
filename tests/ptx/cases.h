/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases.h - the cases of ptx-suite, in tables by theme */

#ifndef PTX_CASES_H
#define PTX_CASES_H

#include <stdbool.h>

#include "tests/ptx/trial.h"

struct ptx_case {
	const char *name;
	void (*run)(struct trial *trial);
	/* For cases that share a function: trial_argument(). */
	const char *argument;
	/* The kernel faults: a real GPU's context is lost, so the case has a process of its own. */
	bool faults;
	/* Only softgpu promises this result; a real GPU skips the case. */
	bool softgpu_only;
};

/* Each table ends with a case without a name. */
extern const struct ptx_case *const ptx_case_tables[];

/* A table made at run time: one case for each mnemonic of softgpu's table of instructions. */
const struct ptx_case *cases_forms(void);

#endif
