/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vgpu-out.h - frames on their way to vgpud: the link's own half of it
 */

#ifndef VGPU_OUT_H
#define VGPU_OUT_H

#include "vgpu-link.h"

/*
 * Queues one frame, for which there is room, and sends what the peer takes at
 * once. After it, the link may be closed.
 */
void vgpu_out_send(VGPULink *l, uint8_t type, uint32_t vm_id,
                   uint32_t request_id, uint64_t sequence,
                   const uint8_t *payload, uint32_t len);

/* Drops what was not sent. */
void vgpu_out_reset(VGPULink *l);

#endif
