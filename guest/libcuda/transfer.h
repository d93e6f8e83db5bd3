/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transfer.h - moves a row of bytes, or a box of rows, between any two kinds of memory */

#ifndef VGPU_GUEST_LIBCUDA_TRANSFER_H
#define VGPU_GUEST_LIBCUDA_TRANSFER_H

#include "guest/libcuda/stream.h"

/* sync: the call returns when the program may use both ends, as CUDA's synchronous copies do. */
CUresult transfer(uint64_t to, uint64_t from, uint64_t bytes, struct stream *stream, bool sync);

/* One end of a box: rows of a plane lie pitch_bytes apart, planes height rows apart. */
struct transfer_end {
	uint64_t address, pitch_bytes, height;
};
struct transfer_box {
	struct transfer_end to, from;
	uint64_t width_bytes, rows, planes;
};
CUresult transfer_box(const struct transfer_box *box, struct stream *stream, bool sync);

#endif
