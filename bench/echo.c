/* SPDX-License-Identifier: GPL-2.0-or-later */
/* echo.c - a vgpud without scheduler, ledger and worker: answers at once, so that the rest can be
 * timed */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/sock.h"
#include "common/wire/proto_check.h"
#include "common/wire/vgpu_frame.h"

#define VM_ID 1

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "bench-echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_frame(int fd, uint8_t type, const struct vgpu_frame_header *asked,
		       const uint8_t *payload, uint32_t len)
{
	struct vgpu_frame_header h = {
		.vm_id = VM_ID,
		.request_id = asked->request_id,
		.length = len,
		.pool_id = 'A',
		.type = type,
		.sequence = type == VGPU_FRAME_RESPONSE ? asked->sequence : 0,
	};
	uint8_t frame[VGPU_FRAME_MAX];

	vgpu_frame_put_header(frame, &h);
	memcpy(frame + VGPU_FRAME_HEADER_LEN, payload, len);
	if (send(fd, frame, VGPU_FRAME_HEADER_LEN + len, MSG_NOSIGNAL) < 0)
		die("send");
}

/* Greets as vgpud does, and answers every request with its first two parameters' sum. */
static void take_frame(int fd, struct vgpu_frame_parser *parser)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = vgpu_frame_take(parser, &h);
	uint8_t msg[VGPU_MSG_MAX] = { 0 };

	if (h.type == VGPU_FRAME_HELLO) {
		vgpu_put_le32(msg, VGPU_LINK_VERSION);
		vgpu_put_le32(msg + 4, VGPU_LINK_VERSION);
		send_frame(fd, VGPU_FRAME_HELLO, &h, msg, VGPU_HELLO_LEN);
		memset(msg, 0, VGPU_HELLO_LEN);
		vgpu_put_le32(msg, VM_ID);
		vgpu_put_le32(msg + 4, 'A');
		send_frame(fd, VGPU_FRAME_CONFIG, &h, msg, VGPU_CONFIG_LEN);
	} else if (h.type == VGPU_FRAME_REQUEST) {
		const uint8_t *params = payload + VGPU_MSG_HEADER_LEN;
		struct proto_response response = { .status = VGPU_ERR_OK };

		if (h.length >= VGPU_MSG_HEADER_LEN + 8) {
			response.result_count = 1;
			response.results[0] = vgpu_get_le32(params) + vgpu_get_le32(params + 4);
		}
		send_frame(fd, VGPU_FRAME_RESPONSE, &h, msg, proto_make_response(msg, &response));
	}
}

static void serve(int fd, bool spins)
{
	struct vgpu_frame_parser parser = { .have = 0 };
	uint8_t bytes[16384];
	uint32_t used;

	for (;;) {
		ssize_t len = recv(fd, bytes, sizeof(bytes), spins ? MSG_DONTWAIT : 0);

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (len <= 0)
			return;
		for (ssize_t at = 0; at < len; at += used) {
			enum vgpu_frame_result result =
				vgpu_frame_feed(&parser, bytes + at, (uint32_t)(len - at), &used);

			if (result == VGPU_FRAME_BAD)
				die("a frame is malformed");
			if (result == VGPU_FRAME_READY)
				take_frame(fd, &parser);
		}
	}
}

int main(int argc, char **argv)
{
	bool spins = argc == 3 && strcmp(argv[1], "--spin") == 0;
	int listen_fd;

	if (argc != 2 + spins) {
		fputs("usage: bench-echo [--spin] SOCKET\n", stderr);
		return 2;
	}
	listen_fd = sock_listen(argv[1 + spins], 0600);
	if (listen_fd < 0) {
		errno = -listen_fd;
		die(argv[1 + spins]);
	}
	for (;;) {
		int fd = accept(listen_fd, NULL, NULL);

		if (fd >= 0) {
			serve(fd, spins);
			close(fd);
		}
	}
}
