/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checks.h - the daemon's checks of itself: what their files share */

#ifndef VGPUD_ADMIN_CHECKS_H
#define VGPUD_ADMIN_CHECKS_H

#include "vgpud/admin/call.h"

enum check_result { CHECK_OK, CHECK_WARNING, CHECK_ERROR };

/* Answers one finding. remedy: NULL when all is well. */
void checks_row(struct admin_call *call, const char *check, enum check_result result,
		const char *text, const char *remedy);

/* What stands in the way of guests' programs: admin/programs.c. */
void checks_programs(struct admin_call *call);

/* GPUs that have less memory than the VMs' quotas add up to: checks_memory.c. */
void checks_memory(struct admin_call *call);

/* What NVML says, where a pool has a GPU: checks_nvml.c. */
void checks_nvml(struct admin_call *call);

#endif
