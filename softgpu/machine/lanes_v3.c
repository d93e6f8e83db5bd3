/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lanes_v3.c - arithmetic over lanes for processors with AVX2 and FMA; see bind.c for the choice */

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#elif defined(__x86_64__)
#pragma GCC target("avx2,fma")
#endif
#define LANES_BIND sg_lanes_bind_v3
#include "softgpu/machine/lanes_all.h"
#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif
