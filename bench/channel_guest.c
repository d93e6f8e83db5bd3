/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel_guest.c - a program's end of a channel, as short as it can be */

#include "bench/channel_guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/lease_page.h"
#include "common/quota_page.h"
#include "common/report_page.h"
#include "common/worker_wire.h"
#include "proc/confine.h"
#include "proc/inherit.h"
#include "proc/role.h"
#include "proc/spawn_wire.h"

#define SPINS_PER_LOOK 100000u /* at whether the worker lives, or asks for something */

/* In the child: becomes the worker, as vgpud's main() has it. */
static void __attribute__((noreturn)) become_worker(int socket, const char *spec, bool confined)
{
	if (socket != SPAWN_FD_FIRST)
		dup2(socket, SPAWN_FD_FIRST);
	setenv(INHERIT_FD_NAMES, WORKER_SOCKET, 1);
	confine_set_mode(confined ? CONFINE_YES : CONFINE_NO);
	_exit(role_program(spec));
}

static bool greet(struct channel_guest *guest)
{
	struct worker_hello hello;

	if (recv(guest->socket, &hello, sizeof(hello), 0) != sizeof(hello)) {
		fputs("bench-channel: the worker does not start\n", stderr);
		return false;
	}
	if (hello.error == 0)
		return true;
	fprintf(stderr, "bench-channel: %s\n", hello.why);
	return false;
}

static int make_window(struct channel_guest *guest)
{
	int fd = memfd_create("window", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, CHANNEL_GUEST_WINDOW) < 0)
		return -1;
	guest->window = mmap((void *)VGPU_WINDOW_BAND_FIRST, CHANNEL_GUEST_WINDOW,
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	if (guest->window == MAP_FAILED)
		return -1;
	guest->control = (void *)(guest->window + VGPU_PIECE);
	guest->replies = (void *)(guest->window + VGPU_PIECE + VGPU_CHANNEL_REPLIES);
	guest->control->layout = VGPU_WINDOW_LAYOUT;
	guest->control->window_address = (uintptr_t)guest->window;
	guest->control->pid = (uint32_t)getpid();
	memcpy(guest->control->name, "bench-channel", sizeof("bench-channel"));
	return fd;
}

/* Return: a descriptor of memory that begins with these bytes. It ends the bench where there is none. */
static int make_page(const void *bytes, size_t len, off_t size)
{
	int fd = memfd_create("page", MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, size) == 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len)
		return fd;
	fputs("bench-channel: no memory for the worker's pages\n", stderr);
	exit(1);
}

static bool bind_worker(struct channel_guest *guest, int window, uint32_t poll_us)
{
	struct program_order order = {
		.what = PROGRAM_BIND,
		.window_bytes = CHANNEL_GUEST_WINDOW,
		.control_at = VGPU_PIECE,
		.flags = VGPU_WINDOW_OF_PROGRAM,
		.poll_us = poll_us,
	};
	const struct quota_page quota = {
		.magic = QUOTA_MAGIC,
		.version = QUOTA_VERSION,
		.quota_bytes = QUOTA_NONE,
		.quota_check = ~QUOTA_NONE,
		.slots = { { .program_id = 1 } },
	};
	/* The only program of its GPU: it keeps the lease. */
	const struct lease_page lease = {
		.grant = 1, .idle_us = 50, .in_flight_us = 1000, .yield_us = 10000
	};
	const struct lease_claims claims = { 0 };
	const int fds[PROGRAM_FD_NUM] = {
		[PROGRAM_FD_WINDOW] = window,
		[PROGRAM_FD_KICK] = guest->kick,
		[PROGRAM_FD_CALL] = guest->call,
		[PROGRAM_FD_REPORT] = make_page("", 0, REPORT_BYTES),
		[PROGRAM_FD_MEMORY] = make_page(&quota, sizeof(quota), QUOTA_BYTES),
		[PROGRAM_FD_LEASE] = make_page(&lease, sizeof(lease), LEASE_PAGE_BYTES),
		[PROGRAM_FD_CLAIMS] = make_page(&claims, sizeof(claims), LEASE_PAGE_BYTES),
	};
	union {
		char bytes[CMSG_SPACE(sizeof(fds))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec part = { &order, sizeof(order) };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct program_state state;
	bool answered;

	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.align), fds, sizeof(fds));
	answered = sendmsg(guest->socket, &message, MSG_NOSIGNAL) == sizeof(order) &&
		   recv(guest->socket, &state, sizeof(state), 0) == sizeof(state);
	for (int i = PROGRAM_FD_REPORT; i < PROGRAM_FD_NUM; i++)
		close(fds[i]);
	if (!answered) {
		fputs("bench-channel: the worker does not answer\n", stderr);
		return false;
	}
	if (state.what == PROGRAM_BOUND)
		return true;
	fprintf(stderr, "bench-channel: %s\n", state.why);
	return false;
}

bool channel_guest_open(struct channel_guest *guest, const char *spec, bool confined,
			uint32_t poll_us)
{
	int pair[2], window;

	memset(guest, 0, sizeof(*guest));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return false;
	fflush(NULL);
	guest->worker = fork();
	if (guest->worker == 0)
		become_worker(pair[1], spec, confined);
	close(pair[1]);
	guest->socket = pair[0];
	guest->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	guest->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	window = make_window(guest);
	if (guest->worker < 0 || window < 0) {
		perror("bench-channel");
		return false;
	}
	return greet(guest) && bind_worker(guest, window, poll_us);
}

void channel_guest_close(struct channel_guest *guest)
{
	kill(guest->worker, SIGKILL);
	waitpid(guest->worker, NULL, 0);
}

/* Copies to a unit of the ring on, around its end. */
static void copy_in(struct channel_guest *guest, uint32_t at, const void *bytes, uint32_t len)
{
	uint8_t *ring = guest->window + VGPU_PIECE + VGPU_CHANNEL_RING;
	uint32_t first = VGPU_RING_LEN - at < len ? VGPU_RING_LEN - at : len;

	memcpy(ring + at, bytes, first);
	memcpy(ring, (const uint8_t *)bytes + first, len - first);
}

void channel_guest_put(struct channel_guest *guest, uint16_t op, uint32_t slot, const void *args,
		       uint32_t args_bytes, const void *tail, uint32_t tail_bytes)
{
	struct vgpu_command head = {
		.op = op,
		.bytes = (uint32_t)sizeof(head) + args_bytes + tail_bytes,
		.reply = slot,
		.sequence = slot == VGPU_NO_REPLY ? 0 : ++guest->sequence,
	};
	uint32_t at = guest->tail % VGPU_RING_UNITS * VGPU_RING_UNIT, old = guest->tail;
	uint32_t units = (head.bytes + VGPU_RING_UNIT - 1) / VGPU_RING_UNIT;
	const uint64_t one = 1;

	while (VGPU_RING_UNITS - (old - vgpu_ring_load(&guest->control->head)) < units)
		__builtin_ia32_pause();
	copy_in(guest, at, &head, sizeof(head));
	at = (at + (uint32_t)sizeof(head)) % VGPU_RING_LEN;
	copy_in(guest, at, args, args_bytes);
	if (tail_bytes > 0)
		copy_in(guest, (at + args_bytes) % VGPU_RING_LEN, tail, tail_bytes);
	guest->tail += units;
	vgpu_ring_publish(&guest->control->tail, guest->tail);
	vgpu_ring_fence();
	if (vgpu_ring_passed(vgpu_ring_load(&guest->control->park), old, guest->tail))
		(void)!write(guest->kick, &one, sizeof(one));
}

/* One of softgpu asks for memory: it gets what it wants. */
static void answer_worker(const struct channel_guest *guest)
{
	struct program_state state;

	while (recv(guest->socket, &state, sizeof(state), MSG_DONTWAIT) == sizeof(state)) {
		const struct program_order grant = {
			.what = PROGRAM_GRANT,
			.memory_question = state.memory_question,
			.memory_bytes = state.memory_bytes,
			.memory_left_bytes = UINT32_MAX,
		};

		if (state.what == PROGRAM_MEMORY && state.memory_question != 0)
			(void)!send(guest->socket, &grant, sizeof(grant), MSG_NOSIGNAL);
	}
}

int32_t channel_guest_wait(struct channel_guest *guest)
{
	for (uint32_t spins = 1;; spins++) {
		if (vgpu_ring_consume(&guest->replies[0].done) == guest->sequence)
			return guest->replies[0].result;
		__builtin_ia32_pause();
		if (spins % SPINS_PER_LOOK != 0)
			continue;
		answer_worker(guest);
		if (waitpid(guest->worker, NULL, WNOHANG) != 0) {
			fputs("bench-channel: the worker has died\n", stderr);
			exit(1);
		}
	}
}
