/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dev_refuse.h - turns a connection away so that the other end learns why */

#ifndef VGPUD_LINK_DEV_REFUSE_H
#define VGPUD_LINK_DEV_REFUSE_H

#include <stdint.h>
#include <systemd/sd-event.h>

/*
 * Sends the frame, says that nothing more comes, and closes fd when the peer hangs up, or a second
 * later. A plain close would lose the frame if the peer has sent what we have not read.
 * fd: becomes ours; a stream socket with room for the frame.
 */
void dev_refuse(sd_event *event, int fd, const uint8_t *frame, uint32_t len_bytes);

#endif
