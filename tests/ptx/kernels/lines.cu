// SPDX-License-Identifier: GPL-2.0-or-later
// lines.cu - compiled with line numbers for profilers
// flags: -lineinfo

#define __builtin_popcountll __popcll
#define __builtin_clzll __clzll
#define __builtin_ctzll(x) (__ffsll((long long)(x)) - 1)
#include "integers_model.h"

extern "C" __global__ void operators_lines(const model_u64 *a, const model_u64 *b, model_u64 *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	integers_of(a[i], b[i], out + INTEGERS_OUT * i);
}
