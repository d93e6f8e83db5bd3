/* SPDX-License-Identifier: GPL-2.0-or-later */
/* staging.h - memory of the window through which bytes of the program's own memory pass */

#ifndef VGPU_GUEST_LIBCUDA_STAGING_H
#define VGPU_GUEST_LIBCUDA_STAGING_H

#include <stdbool.h>

#include "guest/libvgpu/vgpu.h"

#define STAGING_SMALL (64u << 10) /* bytes of a small buffer */
#define STAGING_BIG (2u << 20)	  /* bytes of a big one */

/* A buffer in memory that the GPU can reach, for its user alone. */
struct staging {
	uint64_t at; /* in the window */
	uint64_t bytes;
	uint32_t index;
	bool big;
};

/*
 * Take one; they wait while all are in use. So a thread that has one must not take another this way:
 * threads that all do would wait for each other. Return: NONE; WINDOW_FULL, or why the channel is lost.
 */
enum vgpu_end staging_take_small(struct vgpu *vgpu, struct staging *staging);
enum vgpu_end staging_take_big(struct vgpu *vgpu, struct staging *staging);

/*
 * Takes memory for more bytes than one buffer has: small ones or, if they are mapped already, big ones, all
 * at once and in one range. For where the window has no piece left. Return: as above; WINDOW_FULL: all of
 * them together are less.
 */
enum vgpu_end staging_take_run(struct vgpu *vgpu, uint64_t bytes, struct staging *staging);

/* As staging_take_big(), without waiting for other threads. Return: also WINDOW_FULL, all are in use. */
enum vgpu_end staging_try_big(struct vgpu *vgpu, struct staging *staging);

/* Give it back: now, or once a copy out of it has ended whose ticket has not been taken. */
void staging_give(struct vgpu *vgpu, const struct staging *staging);
void staging_give_later(const struct staging *staging, const struct vgpu_ticket *ticket);

#endif
