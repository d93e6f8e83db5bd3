/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attached.c - descriptors that come with the bytes of a frame */

#include "vgpud/link/attached.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "vgpud/link/foreign.h"

ssize_t attached_receive(int socket, void *bytes, size_t size_bytes, struct attached *with)
{
	union {
		struct cmsghdr first; /* for its alignment */
		char bytes[CMSG_SPACE(VGPU_FRAME_FDS_MAX * sizeof(int))];
	} control;
	struct iovec part = { bytes, size_bytes };
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	ssize_t len = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = len >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	with->num = 0;
	if (len < 0)
		return -errno;
	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
		with->num = (unsigned)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(with->fds, CMSG_DATA(header), with->num * sizeof(int));
	}
	if ((msg.msg_flags & MSG_CTRUNC) == 0)
		return len;
	attached_close(with);
	return -E2BIG;
}

bool attached_move(struct attached *to, struct attached *from)
{
	if (from->num > VGPU_FRAME_FDS_MAX - to->num) {
		attached_close(from);
		return false;
	}
	for (unsigned i = 0; i < from->num; i++)
		to->fds[to->num++] = from->fds[i];
	from->num = 0;
	return true;
}

void attached_close(struct attached *attached)
{
	for (unsigned i = 0; i < attached->num; i++)
		foreign_close(attached->fds[i]);
	attached->num = 0;
}
