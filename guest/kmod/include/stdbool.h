/* SPDX-License-Identifier: GPL-2.0-only */
/* stdbool.h - what the headers of common/wire need of it, from the kernel's own types */

#ifndef VGPU_KMOD_STDBOOL_H
#define VGPU_KMOD_STDBOOL_H

#include <linux/types.h>

#endif
