/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases.h - the cases of ptx-suite, in tables by theme */

#ifndef PTX_CASES_H
#define PTX_CASES_H

#include <stdbool.h>

#include "tests/ptx/trial.h"

struct ptx_case {
	const char *name;
	void (*run)(struct trial *trial);
	/* The kernel faults: a real GPU's context is lost, so the case has a process of its own. */
	bool faults;
	/* Only softgpu promises this result; a real GPU skips the case. */
	bool softgpu_only;
};

/* Each table ends with a case without a name. */
extern const struct ptx_case *const ptx_case_tables[];

#endif
