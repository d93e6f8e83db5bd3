/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sync.h - calls that wait for the GPU */

#ifndef VGPU_GUEST_LIBCUDA_SYNC_H
#define VGPU_GUEST_LIBCUDA_SYNC_H

#include "guest/libcuda/core.h"

/*
 * As core_call(), for commands that wait for the GPU: writes out what kernels printed, and returns
 * the first error of what was submitted without a reply.
 */
CUresult sync_call(const struct vgpu_order *order, struct vgpu_reply *reply);

/* What is to be done after a wait of one's own: as sync_call(). result: of the wait. */
CUresult sync_done(CUresult result);

#endif
