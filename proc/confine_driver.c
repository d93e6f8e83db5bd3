/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine_driver.c - which requests NVIDIA's driver gets from its library, by the driver's branch */

#include "proc/confine_driver.h"

/*
 * Recorded while the suite of CUDA programs, the examples, a worker's own calls and a kernel of numba
 * ran on that driver; docs/design.md says how. The first group goes to nvidiactl and nvidia0, the
 * second one to nvidia-uvm, whose requests are plain numbers.
 */
static const uint32_t branch_580[] = {
	0xc00446c9, 0xc00846d6, 0xc0104629, 0xc01046ce, 0xc01046cf, 0xc020462a, 0xc020464f,
	0xc028465e, 0xc030462b, 0xc0384627, 0xc038464e, 0xc23046d7, 0xc90046c8,

	0x00000017, 0x00000018, 0x00000019, 0x0000001a, 0x0000001b, 0x0000001c, 0x0000001f,
	0x00000021, 0x00000022, 0x00000025, 0x00000027, 0x0000002a, 0x0000002b, 0x0000002c,
	0x0000002d, 0x0000002f, 0x00000033, 0x00000041, 0x00000042, 0x00000044, 0x00000048,
	0x00000049, 0x0000004b, 0x30000001,
};

static const struct confine_driver drivers[] = {
	{ 580, branch_580, sizeof(branch_580) / sizeof(branch_580[0]) },
};

const struct confine_driver *confine_driver(unsigned branch)
{
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (drivers[i].branch == branch)
			return &drivers[i];
	return NULL;
}
