/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine_driver.h - which requests NVIDIA's driver gets from its library, by the driver's branch */

#ifndef VGPU_PROC_CONFINE_DRIVER_H
#define VGPU_PROC_CONFINE_DRIVER_H

#include <stddef.h>
#include <stdint.h>

/* A branch is the first number of a driver's version: 580 of 580.159.04. */
struct confine_driver {
	unsigned branch;
	const uint32_t *requests; /* of ioctl() */
	size_t num;
};

/* Return: what was recorded of that branch; NULL: nothing was. */
const struct confine_driver *confine_driver(unsigned branch);

#endif
