/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_program.c - a program through its ring, run by the worker's code on softgpu */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/worker/guest.h"

#define HEAD ".version 7.0\n.target sm_75\n.address_size 64\n"

/* fill(u64 to, u32 value): to[thread] = value + thread */
static const char fill_text[] = HEAD
	".visible .entry fill(.param .u64 to, .param .u32 value)\n{\n"
	".reg .b32 %r<6>; .reg .b64 %rd<4>;\n"
	"ld.param.u64 %rd1, [to]; ld.param.u32 %r1, [value];\n"
	"mov.u32 %r2, %tid.x; mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x;\n"
	"mad.lo.u32 %r2, %r3, %r4, %r2; add.u32 %r1, %r1, %r2;\n"
	"mul.wide.u32 %rd2, %r2, 4; add.u64 %rd1, %rd1, %rd2;\n"
	"st.global.u32 [%rd1], %r1; ret;\n}\n";

/* spin(u64 flag): until the word there is not 0 */
static const char spin_text[] = HEAD
	".visible .entry spin(.param .u64 flag)\n{\n"
	".reg .b32 %r<2>; .reg .b64 %rd<2>; .reg .pred %p<2>;\n"
	"ld.param.u64 %rd1, [flag];\n"
	"again: ld.volatile.global.u32 %r1, [%rd1]; setp.eq.u32 %p1, %r1, 0;\n"
	"@%p1 bra again; ret;\n}\n";

/* bad(): writes where there is nothing */
static const char bad_text[] = HEAD ".visible .entry bad()\n{\n"
				    ".reg .b64 %rd<2>; .reg .b32 %r<2>;\n"
				    "mov.u64 %rd1, 16; mov.u32 %r1, 1;\n"
				    "st.global.u32 [%rd1], %r1; ret;\n}\n";

/* say(): prints one line */
static const char say_text[] = HEAD
	".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 v);\n"
	".global .align 1 .b8 line[4] = {104, 105, 10, 0};\n"
	".visible .entry say()\n{\n"
	".reg .b32 %r<2>; .reg .b64 %rd<4>;\n"
	"mov.u64 %rd1, line; cvta.global.u64 %rd2, %rd1; mov.u64 %rd3, 0;\n"
	"{ .param .b64 a; st.param.b64 [a], %rd2; .param .b64 b; st.param.b64 [b], %rd3;\n"
	".param .b32 c; call.uni (c), vprintf, (a, b); ld.param.b32 %r1, [c]; }\n"
	"ret;\n}\n";

struct fill_parameters {
	uint64_t to;
	uint32_t value;
};

static void setup_with(struct guest *guest, const char *spec)
{
	guest_open(guest, spec, HELPERS_MOST);
	guest_run(guest, 50);
}

static uint64_t allocate(struct guest *guest, uint64_t bytes)
{
	struct vgpu_reply reply;

	assert_int_equal(ASK(guest, 0, &reply, MEMORY_ALLOC, memory_alloc, .bytes = bytes),
			 CUDA_SUCCESS);
	return reply.value[0];
}

/* fill into device memory, which comes back into the window. */
static void test_launch_and_copy(void **state)
{
	const uint32_t blocks = 4, threads = 64;
	struct fill_parameters parameters;
	struct guest guest;
	const uint32_t *got;

	(void)state;
	setup_with(&guest, "cpu memory=64M processors=2");
	parameters.to = allocate(&guest, 4 * blocks * threads);
	parameters.value = 1000;
	assert_int_equal(guest_load(&guest, 1, 7, fill_text), CUDA_SUCCESS);
	assert_int_equal(guest_function(&guest, 1, 7, 9, "fill"), CUDA_SUCCESS);
	guest_launch(&guest, VGPU_NO_REPLY, 9, VGPU_STREAM_LEGACY, blocks, threads, &parameters,
		     12);
	assert_int_equal(ASK(&guest, 0, NULL, STREAM_SYNCHRONIZE, stream_synchronize, .stream = 0),
			 CUDA_SUCCESS);
	assert_int_equal(
		ASK(&guest, 0, NULL, HOST_MAP, host_map, .at = GUEST_BULK_AT, .bytes = VGPU_PIECE),
		CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, COPY_WAIT, copy_wait,
			     .to = guest.address + GUEST_BULK_AT, .from = parameters.to,
			     .bytes = 4 * blocks * threads, .kind = VGPU_COPY_TO_WINDOW),
			 CUDA_SUCCESS);
	got = (const uint32_t *)(guest.view + GUEST_BULK_AT);
	for (uint32_t i = 0; i < blocks * threads; i++)
		assert_int_equal(got[i], 1000 + i);
	assert_int_equal(ASK(&guest, 0, NULL, MEMORY_FREE, memory_free, .address = parameters.to),
			 CUDA_SUCCESS);
	assert_int_equal(ASK(&guest, 0, NULL, MEMORY_FREE, memory_free, .address = parameters.to),
			 CUDA_ERROR_INVALID_VALUE);
	guest_close(&guest);
	assert_int_equal(guest.end, VGPU_END_BAD_COMMAND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_launch_and_copy),
	};

	(void)spin_text;
	(void)bad_text;
	(void)say_text;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
