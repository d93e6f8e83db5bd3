/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window.h - memory that a program makes to share it with its worker */

#ifndef VGPU_GUEST_LIBVGPU_WINDOW_H
#define VGPU_GUEST_LIBVGPU_WINDOW_H

#include <stdint.h>

#include "common/wire/vgpu_ends.h"

/*
 * Makes shared memory, sealed against a change of its size, and maps it in the band of windows, at a
 * multiple of its size. A child of fork() does not get the mapping.
 * bytes: a power of two in the bounds of windows.
 * Return: NONE; WINDOW_BAD, NO_MEMORY, NO_ADDRESSES. *fd is the caller's.
 */
enum vgpu_end window_make(uint64_t bytes, int *fd, void **address);

#endif
