/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - what a program's connection is made from */

#ifndef VGPU_GUEST_LIBVGPU_OPTIONS_H
#define VGPU_GUEST_LIBVGPU_OPTIONS_H

#include <stdint.h>

struct vgpu_options {
	const char *socket; /* path of the VM's socket of vgpud; NULL: by the device */
	const char *device; /* path of /dev/vgpuN, without a socket */
	const char *name;   /* of the program, shown to the administrator */
	/* With a socket: a power of two, VGPU_WINDOW_LEAST to VGPU_WINDOW_MOST. */
	uint64_t window_bytes;
	uint32_t spin_us; /* how long a wait polls before it sleeps */
};

/* Bytes of a sentence that says why there is no connection, with the NUL at the end. */
#define VGPU_WHY 400

#endif
