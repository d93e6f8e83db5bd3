/* SPDX-License-Identifier: GPL-2.0-or-later */
/* door_socket.h - the way to a worker by a socket of vgpud, with a window of the program's own */

#ifndef VGPU_GUEST_LIBVGPU_DOOR_SOCKET_H
#define VGPU_GUEST_LIBVGPU_DOOR_SOCKET_H

#include "guest/libvgpu/door.h"
#include "guest/libvgpu/options.h"

/*
 * Makes a window, connects to options->socket and shows vgpud the window.
 * why: VGPU_WHY bytes; a sentence that says more than the end's own words, or left as it is.
 * Return: NONE, with *out; what vgpu_open() says.
 */
enum vgpu_end door_socket_open(const struct vgpu_options *options, struct door **out, char *why);

#endif
