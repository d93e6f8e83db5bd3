/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape_programs.h - which fields the rows about programs have */

#ifndef VGPUADM_VIEW_SHAPE_PROGRAMS_H
#define VGPUADM_VIEW_SHAPE_PROGRAMS_H

#include "vgpuadm/out/field.h"

/* Each ends with a field without a key. */
extern const struct field shape_programs_now[];	 /* of those that run */
extern const struct field shape_programs_past[]; /* of those of a window, which may have ended */
extern const struct field shape_programs_one[];	 /* of one of these */
extern const struct field shape_programs_submissions[];
extern const struct field shape_programs_usage[];
extern const struct field shape_programs_kill[];
extern const struct field shape_programs_trace[];

#endif
