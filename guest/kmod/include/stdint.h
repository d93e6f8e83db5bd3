/* SPDX-License-Identifier: GPL-2.0-only */
/* stdint.h - what the headers of common/wire need of it, from the kernel's own types */

#ifndef VGPU_KMOD_STDINT_H
#define VGPU_KMOD_STDINT_H

#include <linux/limits.h>
#include <linux/types.h>

#define UINT32_MAX U32_MAX

#endif
