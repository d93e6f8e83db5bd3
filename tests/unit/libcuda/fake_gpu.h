/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_gpu.h - a worker whose GPU is an array: what libcuda's commands do, done at once */

#ifndef VGPU_TESTS_UNIT_LIBCUDA_FAKE_GPU_H
#define VGPU_TESTS_UNIT_LIBCUDA_FAKE_GPU_H

#include "tests/unit/libvgpu/double.h"

#define FAKE_BASE 0x567900000000ull
#define FAKE_BYTES (64u << 20)

struct fake_gpu {
	pthread_mutex_t lock; /* held while a command runs */
	uint8_t *memory;      /* at FAKE_BASE, as the program sees it */
	uint64_t next;	      /* offset of the next allocation */
	uint64_t frees;	      /* MEMORY_FREE */
	uint64_t bad_address; /* what the next allocations answer, bad_num times */
	int bad_num;
	int maps_refused;     /* that many of the next HOST_MAP */
	uint32_t image_magic; /* of the last image, its first 4 bytes; what its compiler is told */
	struct vgpu_load_option options[4];
	uint32_t option_num;
	struct vgpu_cmd_launch launch; /* the last one */
	uint8_t parameters[64];
	uint32_t parameter_bytes;
	int32_t launch_result; /* of launches that ask for a reply */
	char refused[64];      /* the last REFUSED: its name, and all times so far */
	uint32_t refused_times;
};

/* Return: a copy of what commands have done so far. */
struct fake_gpu fake_gpu_see(struct fake_gpu *gpu);

/*
 * Orders the test's writes and the worker's reads, as no sanitizer can see that the ring does: before and
 * after the test says what the next commands shall do.
 */
void fake_gpu_settle(struct fake_gpu *gpu);

/* Starts a host with that GPU, and sets VGPU_SOCKET. */
void fake_gpu_start(struct double_host *host, struct fake_gpu *gpu);
void fake_gpu_stop(struct double_host *host, struct fake_gpu *gpu);

#endif
