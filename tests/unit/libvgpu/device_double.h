/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device_double.h - plays vgpu.ko and what is behind it: the test is linked with --wrap of its system calls */

#ifndef VGPU_TESTS_UNIT_LIBVGPU_DEVICE_DOUBLE_H
#define VGPU_TESTS_UNIT_LIBVGPU_DEVICE_DOUBLE_H

#include "tests/unit/libvgpu/double.h"

#define DEVICE_FILES 64

/* It sits at 10000:21:1e.5. */
#define DEVICE_DOMAIN 0x10000
#define DEVICE_FUNCTION (0x21 << 8 | 0x1e << 3 | 5)

struct device_double {
	/* What the calls answer; the test sets them. */
	uint32_t window_status, layout;
	uint32_t interrupts;   /* so many OPEN are interrupted by a signal */
	uint32_t silent_infos; /* so many INFO say that vgpud has yet to look at the window */
	int open_errno, hold_errno, start_errno, take_errno;
	enum vgpu_end refusal; /* of the next START */
	bool unplugged;

	char path[64]; /* what stands for /dev/vgpuN */
	uint64_t window_bytes;
	struct double_host host;
	uint32_t piece;		  /* that the next OPEN answers */
	uint32_t status, error;	  /* of the channel that was started last */
	bool files[DEVICE_FILES]; /* descriptors that are open files of the device */
	bool holds[DEVICE_FILES]; /* and have a channel */
	uint32_t opens, kicks, states, given_first, given_count;
};

extern struct device_double device;

void device_start(void);
void device_stop(void);

/* Has the channel lost, with an interrupt. */
void device_lose(uint32_t status, enum vgpu_end error);

#endif
