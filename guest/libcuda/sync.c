/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sync.c - calls that wait for the GPU */

#include "guest/libcuda/sync.h"

#include "guest/libcuda/text.h"

CUresult sync_done(CUresult result)
{
	CUresult kept = core_take_error();

	text_drain(core_vgpu());
	return result != CUDA_SUCCESS ? result : kept;
}

CUresult sync_call(const struct vgpu_order *order, struct vgpu_reply *reply)
{
	return sync_done(core_call(order, reply));
}
