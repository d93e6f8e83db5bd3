/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - the socket to vgpud, from the program's side: frames and descriptors */

#include "guest/libvgpu/link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/sock.h"
#include "common/util.h"
#include "guest/libvgpu/descriptor.h"

/* The host may have to start a process that loads the driver: seconds, not more. */
#define ANSWER_MS 60000
#define HELLO_MS 10000 /* for this it only has to be alive */
#define NEVER INT64_MAX

static int64_t now_ms(void)
{
	return (int64_t)util_now_ns() / UTIL_NS_PER_MS;
}

/*
 * Return: whether the socket is ready for `events` before the deadline. What came while this process was
 * stopped is in time.
 */
static bool wait_ready(const struct link *link, short events, int64_t deadline_ms)
{
	struct pollfd p = { .fd = link->fd, .events = events };

	for (;;) {
		int64_t left_ms = deadline_ms - now_ms();
		int n;

		if (left_ms < 0)
			left_ms = 0;
		n = poll(&p, 1, deadline_ms == NEVER ? -1 : (int)left_ms);
		if (n > 0)
			return true;
		if ((n == 0 && left_ms == 0) || (n < 0 && errno != EINTR))
			return false;
	}
}

/* --- sending --- */

/* Sends one frame by a call of its own, with its descriptors. A payload has at most 16 bytes here. */
static enum vgpu_end send_frame(struct link *link, uint8_t type, const void *payload,
				uint32_t length, const int *fds, size_t fd_num)
{
	uint8_t frame[VGPU_FRAME_HEADER_LEN + 16];
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(VGPU_FRAME_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct vgpu_frame_header h = { .vm_id = link->vm_id, .type = type, .length = length };
	struct iovec part = { .iov_base = frame, .iov_len = VGPU_FRAME_HEADER_LEN + length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int64_t deadline_ms = now_ms() + ANSWER_MS;

	vgpu_frame_put_header(frame, &h);
	memcpy(frame + VGPU_FRAME_HEADER_LEN, payload, length);
	if (fd_num > 0) {
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(fd_num * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(fd_num * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, fd_num * sizeof(int));
	}
	for (;;) {
		ssize_t n = sendmsg(link->fd, &message, MSG_NOSIGNAL);

		if (n == (ssize_t)part.iov_len)
			return VGPU_END_NONE;
		/* Some forty bytes go into an empty socket at once or not at all. */
		if (n >= 0 || (errno != EAGAIN && errno != EINTR) ||
		    !wait_ready(link, POLLOUT, deadline_ms))
			return VGPU_END_HOST_LOST;
	}
}

/* --- receiving --- */

static enum vgpu_end take_hello(const uint8_t *payload)
{
	uint32_t most = vgpu_get_le32(payload + 4);
	uint32_t status = vgpu_get_le32(payload + 8);

	if (status != VGPU_ERR_OK) /* an end, or an error of requests, which says nothing here */
		return status < VGPU_END_PROGRAMS_OFF ? VGPU_END_HOST_LOST : (enum vgpu_end)status;
	return most < VGPU_LINK_VERSION_PROGRAMS ? VGPU_END_LINK_OLD : VGPU_END_NONE;
}

/* Takes one frame. Return: NONE, or the end of the connection. */
static enum vgpu_end take_frame(struct link *link, uint8_t *type)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = vgpu_frame_take(&link->parser, &h);

	*type = h.type;
	switch (h.type) {
	case VGPU_FRAME_HELLO:
		return take_hello(payload);
	case VGPU_FRAME_CONFIG:
		link->vm_id = vgpu_get_le32(payload);
		return VGPU_END_NONE;
	case VGPU_FRAME_WINDOW_STATUS:
		link->window_told = true;
		link->window_error = vgpu_get_le32(payload + 4);
		if (vgpu_get_le32(payload) != 1 && link->window_error == VGPU_END_NONE)
			link->window_error = VGPU_END_NO_DEVICE;
		return VGPU_END_NONE;
	case VGPU_FRAME_CHANNEL_STATUS:
		if (vgpu_get_le32(payload) != 0)
			return VGPU_END_NONE;
		link->channel_state = vgpu_get_le32(payload + 4);
		link->channel_error = vgpu_get_le32(payload + 8);
		return VGPU_END_NONE;
	default: /* what a later vgpud may have to say */
		return VGPU_END_NONE;
	}
}

/* Reads what is there, up to one whole frame. Return: NONE with *type 0 (nothing whole) or its type. */
static enum vgpu_end read_frame(struct link *link, uint8_t *type)
{
	*type = 0;
	for (;;) {
		uint8_t bytes[VGPU_FRAME_MAX];
		uint32_t used, room = vgpu_frame_room(&link->parser);
		ssize_t n = recv(link->fd, bytes, room, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return VGPU_END_NONE;
		if (n <= 0)
			return VGPU_END_HOST_LOST;
		switch (vgpu_frame_feed(&link->parser, bytes, (uint32_t)n, &used)) {
		case VGPU_FRAME_MORE:
			continue;
		case VGPU_FRAME_READY:
			return take_frame(link, type);
		default:
			return VGPU_END_HOST_LOST;
		}
	}
}

/* Waits for one whole frame. */
static enum vgpu_end wait_frame(struct link *link, int64_t deadline_ms, uint8_t *type)
{
	for (;;) {
		enum vgpu_end end = read_frame(link, type);

		if (end != VGPU_END_NONE || *type != 0)
			return end;
		if (!wait_ready(link, POLLIN, deadline_ms))
			return VGPU_END_NO_ANSWER;
	}
}

/* --- the life of a connection --- */

enum vgpu_end link_open(struct link *link, const char *path)
{
	uint8_t hello[VGPU_HELLO_LEN] = { 0 };
	int64_t deadline_ms = now_ms() + HELLO_MS;
	enum vgpu_end end;
	uint8_t type = 0;
	int fd;

	*link = (struct link){ .fd = -1 };
	do {
		fd = sock_connect(path);
		/* EAGAIN: vgpud's queue of new connections is full for a moment. */
		if (fd == -EAGAIN)
			poll(NULL, 0, 10);
	} while (fd == -EAGAIN && now_ms() < deadline_ms);
	if (fd < 0) {
		errno = -fd;
		return VGPU_END_NO_VGPU;
	}
	link->fd = descriptor_keep(fd);
	if (link->fd < 0)
		return VGPU_END_NO_MEMORY;
	vgpu_put_le32(hello, VGPU_LINK_VERSION);
	vgpu_put_le32(hello + 4, VGPU_LINK_VERSION_PROGRAMS);
	end = send_frame(link, VGPU_FRAME_HELLO, hello, sizeof(hello), NULL, 0);
	while (end == VGPU_END_NONE && type != VGPU_FRAME_CONFIG)
		end = wait_frame(link, deadline_ms, &type);
	if (end != VGPU_END_NONE)
		link_close(link);
	return end;
}

void link_close(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

enum vgpu_end link_show_window(struct link *link, int window_fd, uint64_t bytes)
{
	uint8_t payload[VGPU_WINDOW_LEN] = { 0 };
	int64_t deadline_ms = now_ms() + ANSWER_MS;
	enum vgpu_end end;

	vgpu_put_le64(payload, bytes);
	vgpu_put_le32(payload + 12, VGPU_WINDOW_OF_PROGRAM);
	end = send_frame(link, VGPU_FRAME_WINDOW, payload, sizeof(payload), &window_fd, 1);
	while (end == VGPU_END_NONE && !link->window_told) {
		uint8_t type;

		end = wait_frame(link, deadline_ms, &type);
	}
	return end == VGPU_END_NONE ? (enum vgpu_end)link->window_error : end;
}

/* What a state of the channel means to a program that has opened it. */
static enum vgpu_end channel_end(const struct link *link)
{
	switch (link->channel_state) {
	case VGPU_CHANNEL_OPENING:
	case VGPU_CHANNEL_OPEN:
		return VGPU_END_NONE;
	default:
		return link->channel_error != VGPU_END_NONE ? (enum vgpu_end)link->channel_error
							    : VGPU_END_WORKER_LOST;
	}
}

enum vgpu_end link_open_channel(struct link *link, uint32_t control_page, int kick_fd, int call_fd)
{
	uint8_t payload[VGPU_CHANNEL_OPEN_LEN] = { 0 };
	int fds[2] = { kick_fd, call_fd };
	int64_t deadline_ms = now_ms() + ANSWER_MS;
	enum vgpu_end end;

	vgpu_put_le32(payload + 4, control_page);
	link->channel_state = VGPU_CHANNEL_OPENING;
	end = send_frame(link, VGPU_FRAME_CHANNEL_OPEN, payload, sizeof(payload), fds, 2);
	while (end == VGPU_END_NONE && link->channel_state == VGPU_CHANNEL_OPENING) {
		uint8_t type;

		end = wait_frame(link, deadline_ms, &type);
		/* Told that it is opening, the program waits: for as long as its VM is paused, say. */
		if (type == VGPU_FRAME_CHANNEL_STATUS)
			deadline_ms = NEVER;
	}
	return end == VGPU_END_NONE ? channel_end(link) : end;
}

enum vgpu_end link_read(struct link *link)
{
	uint8_t type;

	do {
		enum vgpu_end end = read_frame(link, &type);

		if (end != VGPU_END_NONE) /* what vgpud said before it closed counts more */
			return channel_end(link) != VGPU_END_NONE ? channel_end(link) : end;
	} while (type != 0);
	return channel_end(link);
}
