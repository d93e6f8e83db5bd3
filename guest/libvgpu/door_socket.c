/* SPDX-License-Identifier: GPL-2.0-or-later */
/* door_socket.c - the way to a worker by a socket of vgpud, with a window of the program's own */

#include "guest/libvgpu/door_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/wire/vgpu_channel.h"
#include "guest/libvgpu/cancel.h"
#include "guest/libvgpu/descriptor.h"
#include "guest/libvgpu/link.h"
#include "guest/libvgpu/window.h"

/* Where the program's first piece lies: behind the one that vgpud fills in. */
#define FIRST_PIECE 1u

struct door_socket {
	struct door door;
	int window_fd, kick_fd, call_fd;
	pthread_mutex_t link_lock;
	struct link link;
	pthread_mutex_t pieces_lock;
	uint64_t pieces_used[VGPU_PIECES_MOST / 64];
};

static struct door_socket *of(struct door *door)
{
	return (struct door_socket *)door; /* its first member */
}

/* --- channel --- */

static enum vgpu_end hold(struct door *door, uint64_t *at)
{
	struct door_socket *own = of(door);

	if (own->kick_fd < 0)
		own->kick_fd = descriptor_keep(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	if (own->call_fd < 0)
		own->call_fd = descriptor_keep(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	*at = FIRST_PIECE * VGPU_PIECE;
	return own->kick_fd < 0 || own->call_fd < 0 ? VGPU_END_NO_MEMORY : VGPU_END_NONE;
}

static enum vgpu_end start(struct door *door, uint64_t at)
{
	struct door_socket *own = of(door);
	enum vgpu_end end;

	pthread_mutex_lock(&own->link_lock);
	end = link_open_channel(&own->link, (uint32_t)(at / VGPU_PAGE), own->kick_fd, own->call_fd);
	pthread_mutex_unlock(&own->link_lock);
	return end;
}

static void kick(struct door *door)
{
	const uint64_t one = 1;

	CANCEL_OFF();
	/* EAGAIN: the counter is full of kicks that the worker has not read. */
	(void)!write(of(door)->kick_fd, &one, sizeof(one));
}

static void sleep_on(struct door *door, int wait_ms)
{
	const struct door_socket *own = of(door);
	struct pollfd p[2] = { { .fd = own->call_fd, .events = POLLIN },
			       { .fd = own->link.fd, .events = POLLIN } };
	uint64_t count;

	if (poll(p, 2, wait_ms) > 0 && p[0].revents != 0)
		(void)!read(own->call_fd, &count, sizeof(count));
}

static enum vgpu_end look(struct door *door)
{
	struct door_socket *own = of(door);
	enum vgpu_end end;

	pthread_mutex_lock(&own->link_lock);
	end = link_read(&own->link);
	pthread_mutex_unlock(&own->link_lock);
	return end;
}

/* --- pieces --- */

static bool is_used(const struct door_socket *own, uint64_t piece)
{
	return (own->pieces_used[piece / 64] >> (piece % 64) & 1) != 0;
}

static void mark(struct door_socket *own, uint64_t first, uint64_t num, bool used)
{
	for (uint64_t piece = first; piece < first + num; piece++) {
		uint64_t bit = UINT64_C(1) << (piece % 64);

		if (used)
			own->pieces_used[piece / 64] |= bit;
		else
			own->pieces_used[piece / 64] &= ~bit;
	}
}

/* First fit. Return: whether there is a row of `num` free pieces, with the first in *first. */
static bool find_row(const struct door_socket *own, uint64_t num, uint64_t *first)
{
	uint64_t all = own->door.window_bytes / VGPU_PIECE, row = 0;

	for (uint64_t piece = 0; piece < all; piece++) {
		row = is_used(own, piece) ? 0 : row + 1;
		if (row == num) {
			*first = piece + 1 - num;
			return true;
		}
	}
	return false;
}

static enum vgpu_end take(struct door *door, uint64_t num, uint64_t *first)
{
	struct door_socket *own = of(door);
	bool found;

	pthread_mutex_lock(&own->pieces_lock);
	found = find_row(own, num, first);
	if (found)
		mark(own, *first, num, true);
	pthread_mutex_unlock(&own->pieces_lock);
	return found ? VGPU_END_NONE : VGPU_END_WINDOW_FULL;
}

static void give(struct door *door, uint64_t first, uint64_t num)
{
	struct door_socket *own = of(door);

	/* Takes the memory away and makes it zeros for the next user; fails on hugetlbfs at worst. */
	if (fallocate(own->window_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)(first * VGPU_PIECE), (off_t)(num * VGPU_PIECE)) < 0)
		memset(door->window + first * VGPU_PIECE, 0, num * VGPU_PIECE);
	pthread_mutex_lock(&own->pieces_lock);
	mark(own, first, num, false);
	pthread_mutex_unlock(&own->pieces_lock);
}

/* --- life --- */

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The descriptors of a child would keep the parent's worker alive. */
static void forked(struct door *door)
{
	struct door_socket *own = of(door);

	link_close(&own->link);
	close_if_open(&own->window_fd);
	close_if_open(&own->kick_fd);
	close_if_open(&own->call_fd);
	door->window = NULL;
}

static void close_door(struct door *door)
{
	if (door->window)
		munmap(door->window, door->window_bytes);
	forked(door);
	free(of(door));
}

static const struct door_kind kind = { .hold = hold,
				       .start = start,
				       .kick = kick,
				       .sleep = sleep_on,
				       .look = look,
				       .take = take,
				       .give = give,
				       .forked = forked,
				       .close = close_door };

enum vgpu_end door_socket_open(const struct vgpu_options *options, struct door **out, char *why)
{
	struct door_socket *own = calloc(1, sizeof(*own));
	enum vgpu_end end;
	void *window;

	if (!own)
		return VGPU_END_NO_MEMORY;
	own->window_fd = own->kick_fd = own->call_fd = own->link.fd = -1;
	own->door.kind = &kind;
	pthread_mutex_init(&own->link_lock, NULL);
	pthread_mutex_init(&own->pieces_lock, NULL);
	mark(own, 0, FIRST_PIECE + 1, true); /* vgpud's, and the channel's */
	end = window_make(options->window_bytes, &own->window_fd, &window);
	if (end != VGPU_END_NONE) {
		free(own);
		return end;
	}
	own->door.window = window;
	own->door.window_bytes = options->window_bytes;
	end = link_open(&own->link, options->socket);
	if (end == VGPU_END_NO_VGPU)
		snprintf(why, VGPU_WHY, "no vgpud answers at VGPU_SOCKET=%.100s: %s (%s)",
			 options->socket, strerror(errno),
			 errno == EACCES ? "vgpuadm set-owner VM USER lets that user connect" :
					   "is vgpud running, and is it the socket that vgpuadm "
					   "show VM names?");
	if (end == VGPU_END_NONE)
		end = link_show_window(&own->link, own->window_fd, own->door.window_bytes);
	if (end != VGPU_END_NONE) {
		close_door(&own->door);
		return end;
	}
	*out = &own->door;
	return VGPU_END_NONE;
}
