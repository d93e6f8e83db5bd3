/* SPDX-License-Identifier: GPL-2.0-or-later */
/* double.c - plays vgpud and a program's worker, in the test's own process */

#include "tests/unit/libvgpu/double.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/sock.h"
#include "common/wire/vgpu_frame.h"

/* --- the worker --- */

static void wake_program(struct double_host *host)
{
	const uint64_t one = 1;
	uint32_t events = host->control->events;

	vgpu_ring_publish(&host->control->events, events + 1);
	vgpu_ring_fence();
	if (vgpu_ring_passed(vgpu_ring_load(&host->control->events_park), events, events + 1))
		assert(write(host->call_fd, &one, sizeof(one)) == sizeof(one));
}

void double_reply(struct double_host *host, uint32_t slot, uint32_t sequence,
		  const struct vgpu_reply *reply)
{
	volatile struct vgpu_reply *to =
		(volatile struct vgpu_reply *)((uint8_t *)host->control + VGPU_CHANNEL_REPLIES) +
		slot;

	assert(slot < VGPU_REPLIES);
	to->result = reply->result;
	for (int i = 0; i < 7; i++)
		to->value[i] = reply->value[i];
	vgpu_ring_publish(&to->done, sequence);
	wake_program(host);
}

static void copy_out(const struct double_host *host, uint32_t unit, uint8_t *to, uint32_t bytes)
{
	const uint8_t *ring = (const uint8_t *)host->control + VGPU_CHANNEL_RING;
	uint32_t at = unit % VGPU_RING_UNITS * VGPU_RING_UNIT;

	for (uint32_t i = 0; i < bytes; i++)
		to[i] = ring[(at + i) % VGPU_RING_LEN];
}

static uint32_t run_one(struct double_host *host, uint32_t head)
{
	static uint8_t bytes[VGPU_COMMAND_MOST];
	struct vgpu_command command;
	struct vgpu_reply reply = { 0 };

	copy_out(host, head, (uint8_t *)&command, sizeof(command));
	assert(command.bytes >= sizeof(command) && command.bytes <= VGPU_COMMAND_MOST);
	assert(command.op < VGPU_CMD_MOST && command.thread != 0);
	copy_out(host, head, bytes, command.bytes);
	host->counts[command.op]++;
	if (host->run(host, &command, bytes + sizeof(command), &reply) &&
	    command.reply != VGPU_NO_REPLY)
		double_reply(host, command.reply, command.sequence, &reply);
	return head + (command.bytes + VGPU_RING_UNIT - 1) / VGPU_RING_UNIT;
}

static bool sleep_for_kick(struct double_host *host, uint32_t head)
{
	struct pollfd p[2] = { { .fd = host->kick_fd, .events = POLLIN },
			       { .fd = host->stop_fd, .events = POLLIN } };
	uint64_t count;

	vgpu_ring_store(&host->control->park, head);
	vgpu_ring_fence();
	if (vgpu_ring_consume(&host->control->tail) != head)
		return true;
	assert(poll(p, 2, -1) > 0);
	if (p[0].revents != 0)
		(void)!read(host->kick_fd, &count, sizeof(count));
	return p[1].revents == 0;
}

static void *worker(void *argument)
{
	struct double_host *host = argument;
	uint32_t head = 0;

	while (__atomic_load_n(&host->stop, __ATOMIC_RELAXED) == 0) {
		if (vgpu_ring_consume(&host->control->tail) == head) {
			if (!sleep_for_kick(host, head))
				break;
			continue;
		}
		head = run_one(host, head);
		vgpu_ring_publish(&host->control->head, head);
		if (vgpu_ring_load(&host->control->wants_room) != 0)
			wake_program(host);
		if (host->lazy && !sleep_for_kick(host, head))
			break;
	}
	return NULL;
}

/* --- vgpud --- */

static void send_status(struct double_host *host, uint8_t type, uint32_t a, uint32_t b, uint32_t c)
{
	uint8_t frame[VGPU_FRAME_HEADER_LEN + 16] = { 0 };
	struct vgpu_frame_header h = { .type = type, .length = 16 };

	vgpu_frame_put_header(frame, &h);
	vgpu_put_le32(frame + 24, a);
	vgpu_put_le32(frame + 28, b);
	vgpu_put_le32(frame + 32, c);
	(void)!send(host->peer_fd, frame, sizeof(frame), MSG_NOSIGNAL);
}

void double_lose(struct double_host *host, enum vgpu_end end)
{
	send_status(host, VGPU_FRAME_CHANNEL_STATUS, 0, VGPU_CHANNEL_LOST, end);
}

static void take_window(struct double_host *host, const uint8_t *payload, int fd)
{
	struct vgpu_window_head head = { .magic = VGPU_WINDOW_MAGIC,
					 .layout = VGPU_WINDOW_LAYOUT + host->bad_layout,
					 .piece_len = VGPU_PIECE };

	host->window_bytes = head.size_bytes = vgpu_get_le64(payload);
	host->window = mmap(NULL, host->window_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert(host->window != MAP_FAILED);
	close(fd);
	memcpy(host->window, &head, sizeof(head));
	memcpy(host->window + VGPU_WINDOW_DEVICE, &host->device, sizeof(host->device));
	send_status(host, VGPU_FRAME_WINDOW_STATUS, host->window_end == VGPU_END_NONE,
		    host->window_end, 0);
}

static void start_worker(struct double_host *host, uint64_t control_at, int kick_fd, int call_fd)
{
	host->control_at = control_at;
	host->control = (void *)(host->window + control_at);
	host->program_window = host->control->window_address;
	host->kick_fd = kick_fd;
	host->call_fd = call_fd;
	assert(pthread_create(&host->worker_thread, NULL, worker, host) == 0);
	host->worker_runs = true;
}

void double_work(struct double_host *host, uint64_t control_at, int kick_fd, int call_fd)
{
	host->peer_fd = host->listen_fd = -1;
	host->stop_fd = eventfd(0, EFD_CLOEXEC);
	start_worker(host, control_at, kick_fd, call_fd);
}

static void take_channel(struct double_host *host, const uint8_t *payload, const int *fds)
{
	if (host->channel_end != VGPU_END_NONE) {
		close(fds[0]);
		close(fds[1]);
		send_status(host, VGPU_FRAME_CHANNEL_STATUS, 0, VGPU_CHANNEL_CLOSED,
			    host->channel_end);
		return;
	}
	send_status(host, VGPU_FRAME_CHANNEL_STATUS, 0, VGPU_CHANNEL_OPENING, 0);
	start_worker(host, (uint64_t)vgpu_get_le32(payload + 4) * VGPU_PAGE, fds[0], fds[1]);
	send_status(host, VGPU_FRAME_CHANNEL_STATUS, 0, VGPU_CHANNEL_OPEN, 0);
}

static void take_frame(struct double_host *host, const uint8_t *frame, const int *fds)
{
	struct vgpu_frame_header h;
	const uint8_t *payload = frame + VGPU_FRAME_HEADER_LEN;

	vgpu_frame_get_header(frame, &h);
	assert(vgpu_frame_header_ok(&h) && h.length == 16);
	assert(h.vm_id == (h.type == VGPU_FRAME_HELLO ? 0 : 7));
	switch (h.type) {
	case VGPU_FRAME_HELLO:
		send_status(host, VGPU_FRAME_HELLO, 1,
			    host->link_version ? host->link_version : VGPU_LINK_VERSION_PROGRAMS,
			    0);
		send_status(host, VGPU_FRAME_CONFIG, 7, 'A', 1);
		break;
	case VGPU_FRAME_WINDOW:
		take_window(host, payload, fds[0]);
		break;
	case VGPU_FRAME_CHANNEL_OPEN:
		take_channel(host, payload, fds);
		break;
	default:
		assert(!"a frame that no program sends");
	}
}

/* Every frame of a program has 16 bytes and is sent by a call of its own. */
static void *vgpud(void *argument)
{
	struct double_host *host = argument;
	struct pollfd p[2] = { { .fd = host->listen_fd, .events = POLLIN },
			       { .fd = host->stop_fd, .events = POLLIN } };

	while (poll(p, 2, -1) > 0 && p[1].revents == 0) {
		uint8_t frame[VGPU_FRAME_HEADER_LEN + 16];
		uint8_t room[CMSG_SPACE(2 * sizeof(int))] = { 0 };
		int fds[2] = { -1, -1 };
		struct iovec part = { frame, sizeof(frame) };
		struct msghdr message = { .msg_iov = &part,
					  .msg_iovlen = 1,
					  .msg_control = room,
					  .msg_controllen = sizeof(room) };
		ssize_t n;

		if (p[0].fd == host->listen_fd) {
			host->peer_fd = accept4(host->listen_fd, NULL, NULL, SOCK_CLOEXEC);
			assert(host->peer_fd >= 0);
			p[0].fd = host->peer_fd;
			continue;
		}
		n = recvmsg(host->peer_fd, &message, MSG_CMSG_CLOEXEC);
		if (n <= 0)
			break;
		assert(n == sizeof(frame));
		if (CMSG_FIRSTHDR(&message))
			memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)),
			       CMSG_FIRSTHDR(&message)->cmsg_len - CMSG_LEN(0));
		take_frame(host, frame, fds);
	}
	return NULL;
}

void double_start(struct double_host *host)
{
	char directory[] = "/tmp/vgpu-double-XXXXXX";

	assert(mkdtemp(directory));
	snprintf(host->path, sizeof(host->path), "%s/t.sock", directory);
	host->peer_fd = host->kick_fd = host->call_fd = -1;
	host->listen_fd = sock_listen(host->path, 0600);
	assert(host->listen_fd >= 0);
	host->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert(pthread_create(&host->host_thread, NULL, vgpud, host) == 0);
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void double_stop(struct double_host *host)
{
	const uint64_t one = 1;
	char *end;

	__atomic_store_n(&host->stop, 1, __ATOMIC_RELAXED);
	assert(write(host->stop_fd, &one, sizeof(one)) == sizeof(one));
	if (host->path[0] != '\0')
		pthread_join(host->host_thread, NULL);
	if (host->worker_runs)
		pthread_join(host->worker_thread, NULL);
	if (host->window)
		munmap(host->window, host->window_bytes);
	close_if_open(host->peer_fd);
	close_if_open(host->listen_fd);
	close_if_open(host->kick_fd);
	close_if_open(host->call_fd);
	close_if_open(host->stop_fd);
	if (host->path[0] == '\0')
		return;
	unlink(host->path);
	end = strrchr(host->path, '/');
	*end = '\0';
	rmdir(host->path);
}
