/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs.cu - kernels of bench-programs; make programs-ptx writes programs.ptx from them */

extern "C" __global__ void empty(void)
{
}

/* Takes that long by the GPU's own clock. */
extern "C" __global__ void delay(unsigned long long ns)
{
	unsigned long long begin, now;

	asm volatile("mov.u64 %0, %globaltimer;" : "=l"(begin));
	do
		asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
	while (now - begin < ns);
}

/* So many steps, each of which needs the one before. */
extern "C" __global__ void work(unsigned long long steps, unsigned *out)
{
	unsigned value = threadIdx.x;

	for (unsigned long long i = 0; i < steps; i++)
		value = value * 1664525u + 1013904223u;
	if (out != 0)
		*out = value;
}
