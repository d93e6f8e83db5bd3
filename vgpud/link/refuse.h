/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse.h - turns a connection away so that the other end learns why */

#ifndef VGPUD_LINK_REFUSE_H
#define VGPUD_LINK_REFUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

/*
 * Sends the frame, says that nothing more comes, and closes fd when the peer hangs up, or some
 * seconds later. After a plain close a peer that has yet to say hello would find a broken connection
 * instead of the reason; where many linger already (refuse_has_room()), fd is closed at once.
 * fd: becomes ours; a stream socket with room for the frame.
 */
void refuse_connection(sd_event *event, int fd, const uint8_t *frame, uint32_t len_bytes);

/* Return: whether a connection that is refused now can linger. */
bool refuse_has_room(void);

/* Closes those that are still open, at the end of the loop. */
void refuse_end_all(void);

#endif
