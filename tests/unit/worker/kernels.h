/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernels.h - PTX that the tests of a program's worker load */

#ifndef TESTS_UNIT_WORKER_KERNELS_H
#define TESTS_UNIT_WORKER_KERNELS_H

#include <stdint.h>

#define KERNELS_HEAD ".version 7.0\n.target sm_75\n.address_size 64\n"

/* fill(u64 to, u32 value): to[thread] = value + thread */
static const char __attribute__((unused)) kernels_fill[] = KERNELS_HEAD
	".visible .entry fill(.param .u64 to, .param .u32 value)\n{\n"
	".reg .b32 %r<6>; .reg .b64 %rd<4>;\n"
	"ld.param.u64 %rd1, [to]; ld.param.u32 %r1, [value];\n"
	"mov.u32 %r2, %tid.x; mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x;\n"
	"mad.lo.u32 %r2, %r3, %r4, %r2; add.u32 %r1, %r1, %r2;\n"
	"mul.wide.u32 %rd2, %r2, 4; add.u64 %rd1, %rd1, %rd2;\n"
	"st.global.u32 [%rd1], %r1; ret;\n}\n";

/* spin(u64 flag): until the word there is not 0 */
static const char __attribute__((unused)) kernels_spin[] = KERNELS_HEAD
	".visible .entry spin(.param .u64 flag)\n{\n"
	".reg .b32 %r<2>; .reg .b64 %rd<2>; .reg .pred %p<2>;\n"
	"ld.param.u64 %rd1, [flag];\n"
	"again: ld.volatile.global.u32 %r1, [%rd1]; setp.eq.u32 %p1, %r1, 0;\n"
	"@%p1 bra again; ret;\n}\n";

/* bad(): writes where there is nothing */
static const char __attribute__((unused)) kernels_bad[] = KERNELS_HEAD
	".visible .entry bad()\n{\n"
	".reg .b64 %rd<2>; .reg .b32 %r<2>;\n"
	"mov.u64 %rd1, 16; mov.u32 %r1, 1;\n"
	"st.global.u32 [%rd1], %r1; ret;\n}\n";

/* say(): prints one line */
static const char __attribute__((unused)) kernels_say[] = KERNELS_HEAD
	".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 v);\n"
	".global .align 1 .b8 line[4] = {104, 105, 10, 0};\n"
	".visible .entry say()\n{\n"
	".reg .b32 %r<2>; .reg .b64 %rd<4>;\n"
	"mov.u64 %rd1, line; cvta.global.u64 %rd2, %rd1; mov.u64 %rd3, 0;\n"
	"{ .param .b64 a; st.param.b64 [a], %rd2; .param .b64 b; st.param.b64 [b], %rd3;\n"
	".param .b32 c; call.uni (c), vprintf, (a, b); ld.param.b32 %r1, [c]; }\n"
	"ret;\n}\n";

struct kernels_fill_parameters {
	uint64_t to;
	uint32_t value;
};

#endif
