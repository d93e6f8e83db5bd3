/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lanes_base.c - arithmetic over lanes for any x86-64 */

#define LANES_BIND sg_lanes_bind_base
#include "softgpu/machine/lanes_all.h"
