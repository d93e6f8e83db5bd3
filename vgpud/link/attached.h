/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attached.h - descriptors that come with the bytes of a frame */

#ifndef VGPUD_LINK_ATTACHED_H
#define VGPUD_LINK_ATTACHED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/wire/vgpu_proto.h"

/*
 * A stream has no frames for the kernel: recvmsg() gives the descriptors of one sendmsg(), with the
 * first of its bytes that we take, and then returns at the end of these bytes at the latest. Bytes
 * that were sent before may come with them; bytes that were sent after do not. So the descriptors of
 * a recvmsg() belong to the frame in which its last byte lies, whole or not.
 */
struct attached {
	int fds[VGPU_FRAME_FDS_MAX];
	unsigned num;
};

/*
 * Takes bytes from a socket without waiting for them, and the descriptors that come with them.
 * Return: bytes, 0 at the end of the stream, or -errno; -E2BIG: more descriptors came than any frame
 * has, or than we may have open.
 */
ssize_t attached_receive(int socket, void *bytes, size_t size_bytes, struct attached *with);

/* Moves all of from, which is empty afterwards. Return: false: too many, and those of from are closed. */
bool attached_move(struct attached *to, struct attached *from);

/*
 * Closes a connection. The kernel would close descriptors that lie unread in it within our close(): they
 * are taken out before.
 */
void attached_hang_up(int socket);

/* Closes all of them. */
void attached_close(struct attached *attached);

#endif
