/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attached.c - descriptors that come with the bytes of a frame */

#include "vgpud/link/attached.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vgpud/link/foreign.h"

/*
 * What the kernel gives with one message. Those that found no room in ours would be closed by the kernel,
 * within recvmsg(), and closing a descriptor may take for ever (foreign.h).
 */
#define KERNEL_MOST 253u /* SCM_MAX_FD */

ssize_t attached_receive(int socket, void *bytes, size_t size_bytes, struct attached *with)
{
	union {
		struct cmsghdr first; /* for its alignment */
		char bytes[CMSG_SPACE(KERNEL_MOST * sizeof(int))];
	} control;
	struct iovec part = { bytes, size_bytes };
	struct msghdr msg = { .msg_iov = &part,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	ssize_t len = recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = len >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	unsigned num = 0;
	int fd;

	with->num = 0;
	if (len < 0)
		return -errno;
	if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		num = (unsigned)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	for (unsigned i = 0; i < num; i++) {
		memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd), sizeof(fd));
		if (i < VGPU_FRAME_FDS_MAX)
			with->fds[with->num++] = fd;
		else
			foreign_close(fd);
	}
	if (num <= VGPU_FRAME_FDS_MAX && (msg.msg_flags & MSG_CTRUNC) == 0)
		return len;
	attached_close(with);
	return -E2BIG;
}

void attached_hang_up(int socket)
{
	struct attached unread;
	char bytes[4096];
	ssize_t len;

	shutdown(socket, SHUT_RDWR); /* nothing more comes */
	while ((len = attached_receive(socket, bytes, sizeof(bytes), &unread)) > 0 || len == -E2BIG)
		attached_close(&unread);
	close(socket);
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
