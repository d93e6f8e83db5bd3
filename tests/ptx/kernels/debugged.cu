// SPDX-License-Identifier: GPL-2.0-or-later
// debugged.cu - compiled for a debugger: no optimisation, every variable in memory, debug sections
// flags: -G

#include "control_model.h"

extern "C" __global__ void zoo_debugged(const unsigned *in, unsigned *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	out[i] = zoo((i * 7) % ZOO_ANIMALS, in[i]);
}
