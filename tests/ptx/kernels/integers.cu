// SPDX-License-Identifier: GPL-2.0-or-later
// integers.cu - whole numbers: C's operators, CUDA's integer and SIMD-in-a-word intrinsics
// arch: sm_80

#define __builtin_popcountll __popcll
#define __builtin_clzll __clzll
#define __builtin_ctzll(x) (__ffsll((long long)(x)) - 1)
#include "integers_model.h"

extern "C" __global__ void operators(const model_u64 *a, const model_u64 *b, model_u64 *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;

	integers_of(a[i], b[i], out + INTEGERS_OUT * i);
}

extern "C" __global__ void intrinsics(const unsigned *a, const unsigned *b, const unsigned *c,
				      unsigned *out, int n)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	unsigned x = a[i], y = b[i], z = c[i], k = 0;

	out += i;
#define PUT(value) out[n * k++] = (unsigned)(value)
	PUT(__clz(x));
	PUT(__popc(x));
	PUT(__brev(x));
	PUT(__ffs(x));
	PUT(__byte_perm(x, y, z));
	PUT(__funnelshift_l(x, y, z));
	PUT(__funnelshift_r(x, y, z));
	PUT(__funnelshift_lc(x, y, z));
	PUT(__funnelshift_rc(x, y, z));
	PUT(__mulhi(x, y));
	PUT(__umulhi(x, y));
	PUT(__mul24(x, y));
	PUT(__umul24(x, y));
	PUT(__sad(x, y, z));
	PUT(__usad(x, y, z));
	PUT(__hadd((int)x, (int)y));
	PUT(__rhadd((int)x, (int)y));
	PUT(__uhadd(x, y));
	PUT(__urhadd(x, y));
	PUT(__dp4a((int)x, (int)y, (int)z));
	PUT(__dp4a(x, y, z));
	PUT(__dp2a_lo((int)x, (int)y, (int)z));
	PUT(__dp2a_hi(x, y, z));
	PUT(max((int)x, (int)y));
	PUT(min(x, y));
	PUT(abs((int)x));
	PUT(__vadd4(x, y));
	PUT(__vsubus4(x, y));
	PUT(__vabsdiffs2(x, y));
	PUT(__vmaxs4(x, y));
	PUT(__vcmpgtu2(x, y));
	PUT(__vsadu4(x, y));
	PUT(__vavgu4(x, y));
	PUT(__viaddmax_s32((int)x, (int)y, (int)z));
	PUT(__vimin3_u16x2(x, y, z));
}

extern "C" __global__ void carries(const unsigned *a, const unsigned *b, unsigned *out)
{
	int i = blockIdx.x * blockDim.x + threadIdx.x;
	const unsigned *x = a + 4 * i, *y = b + 4 * i;
	unsigned *r = out + 12 * i;

	asm("add.cc.u32 %0, %4, %8;\n\taddc.cc.u32 %1, %5, %9;\n\t"
	    "addc.cc.u32 %2, %6, %10;\n\taddc.u32 %3, %7, %11;"
	    : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
	    : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]), "r"(y[2]), "r"(y[3]));
	asm("sub.cc.u32 %0, %4, %8;\n\tsubc.cc.u32 %1, %5, %9;\n\t"
	    "subc.cc.u32 %2, %6, %10;\n\tsubc.u32 %3, %7, %11;"
	    : "=r"(r[4]), "=r"(r[5]), "=r"(r[6]), "=r"(r[7])
	    : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]), "r"(y[2]), "r"(y[3]));
	asm("mul.lo.u32 %0, %4, %6;\n\tmul.hi.u32 %1, %4, %6;\n\t"
	    "mad.lo.cc.u32 %1, %5, %6, %1;\n\tmadc.hi.u32 %2, %5, %6, 0;\n\t"
	    "mad.lo.cc.u32 %1, %4, %7, %1;\n\tmadc.hi.cc.u32 %2, %4, %7, %2;\n\taddc.u32 %3, 0, 0;\n\t"
	    "mad.lo.cc.u32 %2, %5, %7, %2;\n\tmadc.hi.u32 %3, %5, %7, %3;"
	    : "=&r"(r[8]), "=&r"(r[9]), "=&r"(r[10]), "=&r"(r[11])
	    : "r"(x[0]), "r"(x[1]), "r"(y[0]), "r"(y[1]));
}

// Factorials with as many digits as the array has.
extern "C" __global__ void factorials(unsigned *out, int words)
{
	int n = threadIdx.x;
	unsigned *mine = out + n * words;

	mine[0] = 1;
	for (int k = 2; k <= n; k++) {
		unsigned carry = 0;
		for (int w = 0; w < words; w++) {
			unsigned long long p = (unsigned long long)mine[w] * k + carry;
			mine[w] = (unsigned)p;
			carry = (unsigned)(p >> 32);
		}
	}
}
