/* SPDX-License-Identifier: GPL-2.0-or-later */
/* box.h - a box of rows that is copied */

#ifndef VGPU_GUEST_LIBCUDA_BOX_H
#define VGPU_GUEST_LIBCUDA_BOX_H

#include "guest/libcuda/stream.h"

/* One end of a box: rows of a plane lie pitch_bytes apart, planes height rows apart. */
struct box_end {
	uint64_t address, pitch_bytes, height;
};

struct box {
	struct box_end to, from;
	uint64_t width_bytes, rows, planes;
};

/* Submits a box both of whose ends the GPU reaches. kind: VGPU_COPY_*. */
CUresult box_submit(const struct box *box, uint32_t kind, struct stream *stream);

#endif
