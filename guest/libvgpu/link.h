/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h - the socket to vgpud, from the program's side: frames and descriptors */

#ifndef VGPU_GUEST_LIBVGPU_LINK_H
#define VGPU_GUEST_LIBVGPU_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_ends.h"
#include "common/wire/vgpu_frame.h"

/* One thread at a time may use it: its owner has a lock. */
struct link {
	int fd; /* -1: closed */
	struct vgpu_frame_parser parser;
	uint32_t vm_id;		/* as CONFIG says; every later frame bears it */
	uint32_t channel_state; /* enum vgpu_channel_state: what vgpud said last */
	uint32_t channel_error; /* enum vgpu_end, with it */
	bool window_told;	/* WINDOW_STATUS came */
	uint32_t window_error;	/* enum vgpu_end: why the window is not ready; NONE: it is */
};

/* Connects and says hello. Return: NONE; NO_VGPU with errno, LINK_OLD, NO_ANSWER, HOST_LOST. */
enum vgpu_end link_open(struct link *link, const char *path);

void link_close(struct link *link);

/* Shows vgpud the window and waits for its answer. Return: NONE, or why it is not taken. */
enum vgpu_end link_show_window(struct link *link, int window_fd, uint64_t bytes);

/* Opens channel 0 and waits until it is open. Return: NONE, or why it is not. */
enum vgpu_end link_open_channel(struct link *link, uint32_t control_page, int kick_fd, int call_fd);

/*
 * Reads what has come, without waiting. Once the channel is open:
 * Return: NONE; why the channel was lost, or HOST_LOST.
 */
enum vgpu_end link_read(struct link *link);

#endif
