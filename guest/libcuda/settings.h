/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings.h - what the environment says */

#ifndef VGPU_GUEST_LIBCUDA_SETTINGS_H
#define VGPU_GUEST_LIBCUDA_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

struct settings {
	const char *socket; /* VGPU_SOCKET; NULL: not set */
	const char *device; /* VGPU_DEVICE; /dev/vgpu0 unless set */
	/* VGPU_WINDOW_SIZE; 1 GiB unless set; 0: no window can be so large. */
	uint64_t window_bytes;
	const char *visible; /* CUDA_VISIBLE_DEVICES; NULL: not set */
	bool blocking;	     /* CUDA_LAUNCH_BLOCKING */
};

void settings_read(struct settings *settings);

/*
 * Return: whether CUDA_VISIBLE_DEVICES lets the program see the one GPU: it is not set, or its first
 * entry is 0, or "GPU-" and the beginning of its UUID. CUDA_DEVICE_ORDER changes nothing about one.
 */
bool settings_show_device(const struct settings *settings, const uint8_t uuid[16]);

#endif
