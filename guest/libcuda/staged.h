/* SPDX-License-Identifier: GPL-2.0-or-later */
/* staged.h - copies between the program's own memory and memory that the GPU reaches */

#ifndef VGPU_GUEST_LIBCUDA_STAGED_H
#define VGPU_GUEST_LIBCUDA_STAGED_H

#include "guest/libcuda/box.h"

/*
 * From the program's memory: it may be changed again when the call returns, and the bytes arrive in the
 * stream's order. The box is not empty. Return: SUCCESS, or as the driver says.
 */
CUresult staged_in(const struct box *box, struct stream *stream);

/* Into the program's memory: all is there when the call returns. Otherwise as staged_in(). */
CUresult staged_out(const struct box *box, struct stream *stream);

#endif
