/* SPDX-License-Identifier: GPL-2.0-or-later */
/* door.h - what carries a program to its worker: one set of functions for socket and device */

#ifndef VGPU_GUEST_LIBVGPU_DOOR_H
#define VGPU_GUEST_LIBVGPU_DOOR_H

#include <stdint.h>

#include "common/wire/vgpu_ends.h"
#include "guest/libvgpu/slot.h"

struct door;

/*
 * All functions are required. Any thread may call them, but hold() and start() one at a time. Those that
 * return an enum vgpu_end return NONE when they did what they say.
 */
struct door_kind {
	/* Has a channel and its first piece, which reads as zeros, at byte offset *at of the window. */
	enum vgpu_end (*hold)(struct door *door, uint64_t *at);

	/*
	 * Opens that channel, whose control page is filled in, and waits for the worker. After a failure
	 * hold() comes again, and may answer another piece.
	 */
	enum vgpu_end (*start)(struct door *door, uint64_t at);

	/* Wakes the worker. */
	void (*kick)(struct door *door);

	/* Sleeps until the worker or the host have something to say, wait_ms at most. */
	void (*sleep)(struct door *door, int wait_ms);

	/* Asks, without waiting, whether the channel is still there. Return: why it is lost. */
	enum vgpu_end (*look)(struct door *door);

	/* Takes so many pieces that lie in a row and read as zeros. Return: NONE, WINDOW_FULL, .... */
	enum vgpu_end (*take)(struct door *door, uint64_t num, uint64_t *first);
	void (*give)(struct door *door, uint64_t first, uint64_t num);

	/* In a child of fork(): closes descriptors, and no more. close() comes later. */
	void (*forked)(struct door *door);
	void (*close)(struct door *door);
};

struct door {
	const struct door_kind *kind;
	uint8_t *window; /* NULL in a child of fork(): it is not mapped there */
	uint64_t window_bytes;
	struct slot slot; /* where the device sits; zeros: there is none */
};

#endif
