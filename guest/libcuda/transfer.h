/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer.h - moves a row of bytes, or a box of rows, between any two kinds of memory */

#ifndef VGPU_GUEST_LIBCUDA_TRANSFER_H
#define VGPU_GUEST_LIBCUDA_TRANSFER_H

#include "guest/libcuda/box.h"

/* sync: the call returns when the program may use both ends, as CUDA's synchronous copies do. */
CUresult transfer(uint64_t to, uint64_t from, uint64_t bytes, struct stream *stream, bool sync);

CUresult transfer_box(const struct box *box, struct stream *stream, bool sync);

#endif
