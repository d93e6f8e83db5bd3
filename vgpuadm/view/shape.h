/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape.h - which fields the commands' rows have */

#ifndef VGPUADM_VIEW_SHAPE_H
#define VGPUADM_VIEW_SHAPE_H

#include "common/cmd/admin.h"
#include "common/cmd/pattern.h"
#include "vgpuadm/out/output.h"

/* Return: the form of a command's answer, which depends on its arguments. */
struct output_shape view_shape(enum admin_cmd_id id, const struct pattern_args *args);

/* Return: the form of the answer of `show` for a VM, and for what is not a request that has ended. */
struct output_shape view_shape_vm(void);
struct output_shape view_shape_queued(void);
struct output_shape view_shape_program(void);
struct output_shape view_shape_submission(void);

#endif
