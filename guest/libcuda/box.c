/* SPDX-License-Identifier: GPL-2.0-or-later */
/* box.c - a box of rows that is copied */

#include "guest/libcuda/box.h"

CUresult box_submit(const struct box *box, uint32_t kind, struct stream *stream)
{
	struct vgpu_cmd_copy_box args = { .to = box->to.address,
					  .to_pitch_bytes = box->to.pitch_bytes,
					  .to_height = box->to.height,
					  .from = box->from.address,
					  .from_pitch_bytes = box->from.pitch_bytes,
					  .from_height = box->from.height,
					  .width_bytes = box->width_bytes,
					  .rows = box->rows,
					  .planes = box->planes,
					  .kind = kind,
					  .stream = stream->object.index };
	struct vgpu_order order = { CORE_ORDER(COPY_BOX, args) };

	return stream_submit(stream, &order);
}
