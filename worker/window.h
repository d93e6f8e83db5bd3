/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window.h - the memory that a program shares with its worker, mapped */

#ifndef VGPU_WORKER_WINDOW_H
#define VGPU_WORKER_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/vgpu_channel.h"
#include "common/wire/vgpu_ends.h"
#include "common/worker_wire.h"

struct window {
	uint8_t *base;
	uint64_t bytes;
	uint64_t control_at; /* position of the channel's first piece */
	uint32_t channel;
	bool of_program; /* the program made it for itself: see VGPU_WINDOW_OWNERS */
};

/*
 * Maps the window where the program says that it has it, and checks what it says.
 * fd: of the window; it stays the caller's. why: a sentence on failure, why_size bytes.
 * Return: VGPU_END_NONE, WINDOW_BAD, BAD_COMMAND, LAYOUT, NO_ADDRESSES.
 */
enum vgpu_end window_map(struct window *window, int fd, const struct program_order *order,
			 char *why, size_t why_size);

void window_unmap(struct window *window);

/*
 * Asks the page of owners. A piece that a running program gave back stays its own there until its worker
 * is gone (vgpu.ko), so what was found holds as long as the worker does.
 * Return: whether all bytes at a position of the window lie in pieces of the program. 0 do always.
 */
bool window_is_own(const struct window *window, uint64_t at, uint64_t bytes);

/*
 * Writes the pages that tell a program what window and GPU it has.
 * page: all but its sequence. Return: 0 or -errno: the window cannot be mapped.
 */
int window_describe(int fd, const struct program_order *order, const struct vgpu_device_page *page);

#endif
