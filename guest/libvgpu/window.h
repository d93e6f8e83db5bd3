/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window.h - memory that a program makes to share it with its worker */

#ifndef VGPU_GUEST_LIBVGPU_WINDOW_H
#define VGPU_GUEST_LIBVGPU_WINDOW_H

#include <stdint.h>

#include "common/wire/vgpu_ends.h"

/*
 * Maps memory, or keeps addresses for it, in the band of windows, at a multiple of its size, which
 * is a power of two. A child of fork() does not get the mapping. protection, flags, fd: as for
 * mmap(2).
 * Return: the address, NULL: no range of the band is free.
 */
void *window_map(uint64_t bytes, int protection, int flags, int fd);

/*
 * Makes shared memory, sealed against a change of its size, and maps it by window_map().
 * bytes: a power of two in the bounds of windows.
 * Return: NONE; WINDOW_BAD, NO_MEMORY, NO_ADDRESSES. *fd is the caller's.
 */
enum vgpu_end window_make(uint64_t bytes, int *fd, void **address);

#endif
