/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_machine.c - resident blocks: divergence, progress, barriers, calls, faults and their words
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "machine.h"

#define HEAD ".version 7.8\n.target sm_80\n.address_size 64\n"
#define REGS \
	"{ .reg .pred %p<8>; .reg .b16 %h<8>; .reg .b32 %r<32>; .reg .b64 %d<16>; .reg .f32 %f<8>;\n"
/* %d1: the address in the first parameter; %d2: it plus 4 times the thread; %r1: the thread */
#define BEGIN \
	REGS "ld.param.u64 %d1, [a]; mov.u32 %r1, %tid.x; mul.wide.u32 %d2, %r1, 4; add.s64 %d2, %d1, %d2;\n"
#define KERNEL(name) ".visible .entry " name "(.param .u64 a)\n" BEGIN
#define END "ret; }\n"

static struct machine m;
static uint64_t memory;
static uint32_t *words;

static void start(const char *text)
{
	int err = machine_load(&m, text, strlen(text));

	if (err)
		fail_msg("line %u: %s", m.error.line, m.error.text);
	memory = machine_alloc(&m, 4096);
	words = machine_host(&m, memory);
}

/* Run kernel k of a text on one block. */
static bool run(const char *text, uint32_t blocks, uint32_t threads)
{
	start(text);
	return machine_run(&m, "k", blocks, threads, &memory, sizeof(memory));
}

static void expect_fault(const char *text, uint32_t threads, enum sg_fault_code code,
			 const char *words_of_it)
{
	assert_false(run(text, 1, threads));
	if (m.fault.code != code || !strstr(m.fault.text, words_of_it))
		fail_msg("fault %d: %s", m.fault.code, m.fault.text);
	machine_free(&m);
}

static void faults_of_memory(void **state)
{
	char want[256];

	(void)state;
	assert_false(
		run(HEAD KERNEL("k") "add.s64 %d2, %d2, 4000;\nld.global.u32 %r2, [%d2];\n" END, 1,
		    64));
	assert_int_equal(m.fault.code, SG_FAULT_ILLEGAL_ADDRESS);
	snprintf(
		want, sizeof(want),
		"illegal address: kernel k, block (0,0,0), thread (24,0,0), line 8, ld.global.u32: read of 4 bytes "
		"of global memory at 0x%llx: 0 bytes after the end of the allocation of 4096 bytes at 0x%llx",
		(unsigned long long)memory + 4096, (unsigned long long)memory);
	assert_string_equal(m.fault.text, want);
	assert_int_equal(m.fault.thread[0], 24);
	assert_int_equal(m.fault.addr, memory + 4096);
	machine_free(&m);

	expect_fault(HEAD KERNEL("k") "ld.global.u32 %r2, [%d2+2];\n" END, 32,
		     SG_FAULT_MISALIGNED_ADDRESS, "thread (0,0,0)");
	expect_fault(HEAD KERNEL("k") "ld.global.v4.u32 {%r2,%r3,%r4,%r5}, [%d2];\n" END, 32,
		     SG_FAULT_MISALIGNED_ADDRESS, "thread (1,0,0)");
	expect_fault(HEAD KERNEL("k") "mov.u64 %d3, 16; st.u32 [%d3], %r1;\n" END, 32,
		     SG_FAULT_ILLEGAL_ADDRESS,
		     "write of 4 bytes of generic memory at 0x10: null page");
	expect_fault(
		HEAD KERNEL(
			"k") ".shared .align 4 .b8 s[64]; mov.u32 %r3, s; shl.b32 %r4, %r1, 2;\n"
			     "add.s32 %r3, %r3, %r4; st.shared.u32 [%r3], %r1;\n" END,
		32, SG_FAULT_ILLEGAL_ADDRESS,
		"shared memory at offset 0x40, the block has 64 bytes");
	expect_fault(HEAD KERNEL("k") "ld.shared.u32 %r3, [%d1];\n" END, 1,
		     SG_FAULT_ILLEGAL_ADDRESS, "allocation");
	expect_fault(HEAD KERNEL("k") "ld.const.u32 %r3, [%d1];\n" END, 1, SG_FAULT_ILLEGAL_ADDRESS,
		     "of constant memory");
	expect_fault(HEAD KERNEL("k") "atom.global.add.u32 %r3, [%d1+1], 1;\n" END, 1,
		     SG_FAULT_MISALIGNED_ADDRESS, "atom");
	/* Lanes 0 to 23 could add; none does when another may not. */
	assert_false(run(HEAD KERNEL("k") "red.global.add.u32 [%d2+4000], 1;\n" END, 1, 32));
	assert_int_equal(m.fault.code, SG_FAULT_ILLEGAL_ADDRESS);
	assert_int_equal(m.fault.thread[0], 24);
	assert_int_equal(words[1000], 0);
	machine_free(&m);
	expect_fault(HEAD KERNEL("k") "cvt.u64.u32 %d4, %r1; add.s64 %d3, %d1, %d4;\n"
				      "ld.global.s8 %r3, [%d3+4070];\n" END,
		     32, SG_FAULT_ILLEGAL_ADDRESS, "thread (26,0,0)");
	expect_fault(
		HEAD KERNEL("k") ".local .align 4 .b8 l[16]; mov.u64 %d3, l; add.s64 %d3, %d3, %d2;"
				 "st.local.u32 [%d3], %r1;\n" END,
		1, SG_FAULT_ILLEGAL_ADDRESS, "local");
}

/* nvcc puts sym - 4 * thread into a register of 32 bits, which may be below 0, and adds the rest. */
static void narrow_addresses_wrap(void **state)
{
	static const char text[] = HEAD ".shared .align 4 .b8 s[128];\n" KERNEL(
		"k") ".local .align 4 .b8 l[128]; shl.b32 %r2, %r1, 2;\n"
		     "mov.u32 %r3, s; sub.s32 %r4, %r3, %r2; st.shared.u32 [%r4+124], %r1;\n"
		     "mov.u32 %r5, l; sub.s32 %r5, %r5, %r2; st.local.u32 [%r5+124], %r1;\n"
		     "ld.local.u32 %r6, [%r5+124]; bar.sync 0; add.s32 %r4, %r3, %r2;\n"
		     "ld.shared.u32 %r7, [%r4]; add.s32 %r7, %r7, %r6; st.global.u32 [%d2], %r7;\n" END;

	(void)state;
	assert_true(run(text, 1, 32));
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(words[i], 31);
	machine_free(&m);
}

static void other_faults(void **state)
{
	(void)state;
	expect_fault(HEAD KERNEL("k") "setp.eq.u32 %p1, %r1, 5;\n@%p1 trap;\n" END, 32,
		     SG_FAULT_LAUNCH_FAILED, "thread (5,0,0), line 8, trap");
	expect_fault(HEAD ".func f() { call f; ret; }\n" KERNEL("k") "call f;\n" END, 1,
		     SG_FAULT_STACK, "calls nest deeper");
	expect_fault(HEAD KERNEL("k") "p: .callprototype _ ();\ncall %d1, p;\n" END, 1,
		     SG_FAULT_INVALID_PC, "not a function");
}

/* Element n of an array of a width, as a register of 64 bits has it. */
static uint64_t element(const void *array, unsigned n, unsigned bytes, bool is_signed)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)array + n * bytes, bytes);
	return is_signed ? (uint64_t)((int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes))
			 : value;
}

/* A value narrower than its register is extended: all lanes of a warp at once, and some of them. */
static void loads_widen(void **state)
{
	static const struct {
		const char *type, *to;
		unsigned bytes, to_bytes;
		bool is_signed;
	} cases[] = {
		{ "u8", "h", 1, 2, false },  { "s8", "h", 1, 2, true },
		{ "u8", "r", 1, 4, false },  { "s8", "r", 1, 4, true },
		{ "u8", "d", 1, 8, false },  { "s8", "d", 1, 8, true },
		{ "u16", "r", 2, 4, false }, { "s16", "r", 2, 4, true },
		{ "u16", "d", 2, 8, false }, { "s16", "d", 2, 8, true },
		{ "u32", "d", 4, 8, false }, { "s32", "d", 4, 8, true },
	};

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		char body[1024], text[2048];

		snprintf(body, sizeof(body),
			 "mul.wide.u32 %%d3, %%r1, %u; add.s64 %%d3, %%d1, %%d3;\n"
			 "mul.wide.u32 %%d4, %%r1, %u; add.s64 %%d4, %%d1, %%d4;\n"
			 "ld.global.%s %%%s5, [%%d3+256]; st.global.b%u [%%d4+1024], %%%s5;\n",
			 cases[n].bytes, cases[n].to_bytes, cases[n].type, cases[n].to,
			 cases[n].to_bytes * 8, cases[n].to);
		snprintf(text, sizeof(text), "%s%s%s", HEAD KERNEL("k"), body, END);
		start(text);
		for (unsigned i = 0; i < 256; i++)
			words[64 + i] = i * 2654435761u;
		/* The last warp has 8 lanes. */
		assert_true(machine_run(&m, "k", 1, 72, &memory, sizeof(memory)));
		for (unsigned t = 0; t < 72; t++)
			assert_int_equal(
				element(words + 256, t, cases[n].to_bytes, cases[n].is_signed),
				element(words + 64, t, cases[n].bytes, cases[n].is_signed));
		machine_free(&m);
	}
}

/* Threads of one warp take a lock in turn: lanes wait for lanes. */
static void lanes_wait_for_lanes(void **state)
{
	(void)state;
	assert_true(run(
		HEAD KERNEL(
			"k") "again: atom.global.cas.b32 %r3, [%d1], 0, 1; setp.ne.u32 %p1, %r3, 0;\n"
			     "@%p1 bra again;\n"
			     "ld.volatile.global.u32 %r4, [%d1+4]; add.u32 %r4, %r4, 1;\n"
			     "st.volatile.global.u32 [%d1+4], %r4; membar.gl;\n"
			     "atom.global.exch.b32 %r3, [%d1], 0;\n" END,
		3, 64));
	assert_int_equal(words[1], 3 * 64);
	machine_free(&m);
	/* A flag set behind the loop that waits for it: lanes 1 to 31 wait for lane 0. */
	assert_true(run(
		HEAD KERNEL(
			"k") "setp.eq.u32 %p1, %r1, 0; @%p1 bra set;\n"
			     "wait: ld.volatile.global.u32 %r3, [%d1]; setp.eq.u32 %p2, %r3, 0;\n"
			     "@%p2 bra wait; bra done;\n"
			     "set: st.volatile.global.u32 [%d1], 1;\ndone:\n" END,
		1, 32));
	machine_free(&m);
}

/* Blocks wait for each other, as many as are resident. */
static void blocks_wait_for_blocks(void **state)
{
	(void)state;
	assert_true(run(
		HEAD KERNEL(
			"k") "atom.global.add.u32 %r3, [%d1], 1;\n"
			     "wait: ld.acquire.gpu.global.u32 %r4, [%d1]; setp.lt.u32 %p1, %r4, 128;\n"
			     "@%p1 bra wait;\n" END,
		4, 32));
	assert_int_equal(words[0], 128);
	machine_free(&m);
}

/* As gcc writes for sm_30: a vector is moved as a whole, also within itself. */
static void vectors_are_moved(void **state)
{
	static const uint32_t want[] = { 2, 1, 0, 7, 9, 5, 9, 8 };

	(void)state;
	assert_true(run(".version 3.1\n.target sm_30\n.address_size 64\n" KERNEL("k") //
			".reg .v2 .u32 %v, %w; .reg .v4 .b16 %q; .reg .pred %no;\n"
			"mov.v2.u32 %v, { 1, 2 }; mov.v2.u32 %v, { %v.y, %v.x };\n"
			"st.v2.u32 [%d1], %v; setp.ne.u32 %no, %r1, %r1;\n"
			"mov.v2.u32 %w, { 0, 7 }; @%no mov.v2.u32 %w, %v; st.v2.u32 [%d1+8], %w;\n"
			"mov.u32 %r2, 9; mov.v2.b32 { %r3, _ }, { %r2, 6 };\n"
			"st.u32 [%d1+16], %r3; mov.v4.b16 %q, { 9, 0, 8, 0 };\n"
			"st.v4.b16 [%d1+24], %q; st.u32 [%d1+20], 5;\n" END,
			1, 1));
	assert_memory_equal(words, want, sizeof(want));
	machine_free(&m);
}

/* Bytes and halves of registers, where some lanes take no part. */
static void parts_of_registers(void **state)
{
	(void)state;
	assert_true(run(
		HEAD KERNEL(
			"k") "mul.lo.u32 %r2, %r1, 0x01018181; shl.b32 %r7, %r1, 5; cvt.u64.u32 %d4, %r7;\n"
			     "add.s64 %d4, %d1, %d4; and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 0;\n"
			     "mov.u64 %d5, -1; mov.b32 %r4, -1; mov.b32 %r5, -1; mov.b16 %h1, -1; mov.b16 %h2, -1;\n"
			     "@%p1 mov.b64 %d5, { %r2, %r1 }; @%p1 mov.b64 { %r4, _ }, %d5;\n"
			     "@%p1 mov.b32 { %h1, %h2 }, %r2; mov.b32 %r6, { %h2, %h1 };\n"
			     "@%p1 cvt.u32.u8 %r5, %r2; cvt.s32.s8 %r8, %r2; cvt.s64.s8 %d6, %h1;\n"
			     "st.u64 [%d4], %d5; st.u64 [%d4+8], %d6; st.v4.u32 [%d4+16], { %r4, %r5, %r6, %r8 };\n" END,
		1, 96));
	for (uint32_t n = 0; n < 96; n++) {
		const uint32_t *out = words + 8 * n;
		uint32_t a = n * 0x01018181u;
		bool even = n % 2 == 0;
		uint32_t want[] = { even ? a : ~0u,
				    even ? n : ~0u,
				    even ? (uint32_t)(int8_t)a : ~0u,
				    even && (int8_t)a >= 0 ? 0 : ~0u,
				    even ? a : ~0u,
				    even ? a & 0xff : ~0u,
				    even ? a << 16 | a >> 16 : ~0u,
				    (uint32_t)(int8_t)a };

		assert_memory_equal(out, want, sizeof(want));
	}
	machine_free(&m);
}

/* As gcc writes them, and ptxas takes them. */
static void special_registers_are_converted(void **state)
{
	(void)state;
	assert_true(run(
		HEAD KERNEL(
			"k") "mul.lo.u32 %r7, %r1, 16; cvt.u64.u32 %d4, %r7; add.s64 %d4, %d1, %d4;\n"
			     "cvt.u64.u32 %d3, %tid.x; st.u64 [%d4], %d3; cvt.u32.u16 %r3, %ntid.x;\n"
			     "mov.v2.u32 { %r4, %r5 }, { %laneid, %ntid.x }; add.u32 %r4, %r4, %r5;\n"
			     "st.v2.u32 [%d4+8], { %r3, %r4 };\n" END,
		1, 64));
	for (uint32_t n = 0; n < 64; n++) {
		assert_int_equal(words[4 * n], n);
		assert_int_equal(words[4 * n + 1], 0);
		assert_int_equal(words[4 * n + 2], 64);
		assert_int_equal(words[4 * n + 3], 64 + n % 32);
	}
	machine_free(&m);
}

static void lanes_meet_again(void **state)
{
	uint64_t before;

	(void)state;
	/* After an if with two arms, the rest of the code runs once for all lanes. */
	start(HEAD KERNEL(
		"k") "setp.lt.u32 %p1, %r1, 7; @%p1 bra one; mov.u32 %r3, 1; bra both;\n"
		     "one: mov.u32 %r3, 2;\nboth: activemask.b32 %r4; st.global.u32 [%d2], %r4;\n" END);
	assert_true(machine_run(&m, "k", 1, 32, &memory, 8));
	for (int n = 0; n < 32; n++)
		assert_int_equal(words[n], 0xffffffff);
	before = m.warp_insns;
	assert_true(before < 16);
	machine_free(&m);
	/* Loops with unlike counts: lanes that are done wait for the others. */
	assert_true(run(
		HEAD KERNEL(
			"k") "mov.u32 %r3, 0;\nloop: add.u32 %r3, %r3, 1; setp.le.u32 %p1, %r3, %r1;\n"
			     "@%p1 bra loop; activemask.b32 %r4; st.global.u32 [%d2], %r4;\n" END,
		1, 32));
	assert_int_equal(words[0], 0xffffffff);
	machine_free(&m);
}

static void barriers(void **state)
{
	(void)state;
	/* Threads that exited do not count. */
	assert_true(run(
		HEAD KERNEL(
			"k") "setp.gt.u32 %p1, %r1, 40; @%p1 exit; bar.sync 0; st.global.u32 [%d2], 9;\n" END,
		1, 96));
	assert_int_equal(words[40], 9);
	assert_int_equal(words[41], 0);
	machine_free(&m);
	/* Producers arrive, a consumer warp waits, by a count. */
	assert_true(run(
		HEAD KERNEL(
			"k") "setp.lt.u32 %p1, %r1, 32; @%p1 bra wait;\n"
			     "st.global.u32 [%d2], %r1; bar.arrive 3, 96; bra done;\n"
			     "wait: bar.sync 3, 96; ld.global.u32 %r3, [%d2+128]; st.global.u32 [%d2], %r3;\n"
			     "done:\n" END,
		1, 96));
	assert_int_equal(words[5], 37);
	machine_free(&m);
	assert_true(run(
		HEAD KERNEL(
			"k") "setp.lt.u32 %p1, %r1, 50; barrier.red.popc.u32 %r3, 0, %p1;\n"
			     "barrier.red.and.pred %p2, 0, %p1; barrier.red.or.pred %p3, 0, %p1;\n"
			     "selp.u32 %r4, 1, 0, %p2; selp.u32 %r5, 2, 0, %p3; add.u32 %r3, %r3, %r4;\n"
			     "add.u32 %r3, %r3, %r5; st.global.u32 [%d2], %r3;\n" END,
		1, 80));
	assert_int_equal(words[79], 52);
	machine_free(&m);
}

static void barriers_that_fail(void **state)
{
	(void)state;
	/* Half of the warp waits for a count that never comes. */
	expect_fault(HEAD KERNEL("k") "bar.sync 1, 96;\n" END, 64, SG_FAULT_LAUNCH_FAILED,
		     "deadlock: barrier 1 was reached by 64 threads");
	/* One warp at barrier 1, the other at barrier 2. */
	expect_fault(
		HEAD KERNEL("k") "shr.u32 %r3, %r1, 5; add.u32 %r3, %r3, 1; bar.sync %r3;\n" END,
		64, SG_FAULT_LAUNCH_FAILED, "deadlock");
	/* Two arms of a warp, two instructions. */
	expect_fault(
		HEAD KERNEL("k") "setp.lt.u32 %p1, %r1, 7; @%p1 bra one; bar.sync 0; bra both;\n"
				 "one: bar.sync 0;\nboth:\n" END,
		32, SG_FAULT_LAUNCH_FAILED, "different barrier instructions");
	expect_fault(HEAD KERNEL("k") "bar.sync 16;\n" END, 32, SG_FAULT_ILLEGAL_INSTRUCTION,
		     "0 to 15");
	expect_fault(
		HEAD KERNEL(
			"k") "setp.eq.u32 %p1, %r1, 0;\n@%p1 bra done; bar.warp.sync 0xffffffff;\n"
			     "done: bar.sync 1, 64;\n" END,
		32, SG_FAULT_LAUNCH_FAILED, "deadlock");
	/* The unaligned form may be met in both arms. */
	assert_true(run(
		HEAD KERNEL(
			"k") "setp.lt.u32 %p1, %r1, 7; @%p1 bra one; barrier.sync 0; bra both;\n"
			     "one: barrier.sync 0;\nboth:\n" END,
		1, 32));
	machine_free(&m);
}

static void lanes_exchange(void **state)
{
	(void)state;
	/* A shuffle in two arms of a branch is one exchange of all lanes. */
	assert_true(
		run(HEAD KERNEL("k") "setp.lt.u32 %p1, %r1, 7; @%p1 bra one;\n"
				     "shfl.sync.bfly.b32 %r3, %r1, 16, 31, 0xffffffff; bra both;\n"
				     "one: shfl.sync.bfly.b32 %r3, %r1, 16, 31, 0xffffffff;\n"
				     "both: st.global.u32 [%d2], %r3;\n" END,
		    1, 32));
	for (uint32_t n = 0; n < 32; n++)
		assert_int_equal(words[n], n ^ 16);
	machine_free(&m);
	/* Lanes that have exited are not waited for. */
	assert_true(run(
		HEAD KERNEL("k") "setp.gt.u32 %p1, %r1, 9; @%p1 exit; setp.eq.u32 %p2, %r1, 3;\n"
				 "vote.sync.ballot.b32 %r3, %p2, 0xffffffff;\n"
				 "match.any.sync.b32 %r4, 7, 0x3ff; add.u32 %r3, %r3, %r4;\n"
				 "redux.sync.add.u32 %r5, %r1, 0x3ff; add.u32 %r3, %r3, %r5;\n"
				 "st.global.u32 [%d2], %r3;\n" END,
		1, 32));
	assert_int_equal(words[9], 8 + 0x3ff + 45);
	machine_free(&m);
	/* Two masks at one instruction: each part by itself. */
	assert_true(run(
		HEAD KERNEL(
			"k") "and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 0;\n"
			     "selp.b32 %r4, 0x55555555, 0xaaaaaaaa, %p1;\n"
			     "redux.sync.max.u32 %r5, %r1, %r4; st.global.u32 [%d2], %r5;\n" END,
		1, 32));
	assert_int_equal(words[0], 30);
	assert_int_equal(words[1], 31);
	machine_free(&m);
}

static void calls(void **state)
{
	(void)state;
	/* Recursion to a depth that differs by lane, through a function's address for odd lanes. */
	assert_true(run(
		HEAD
		".func (.reg .u32 o) f(.reg .u32 n)\n{ .reg .pred p; .reg .u32 t;\n"
		"setp.eq.u32 p, n, 0; mov.u32 o, 0; @p ret; sub.u32 t, n, 1; call (t), f, (t);\n"
		"add.u32 o, t, n; ret; }\n"
		".func (.reg .u32 o) g(.reg .u32 n) { add.u32 o, n, 1000; ret; }\n" KERNEL(
			"k") "proto: .callprototype (.reg .u32 _) _ (.reg .u32 _);\n"
			     "and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 1; mov.u64 %d3, f; @%p1 mov.u64 %d3, g;\n"
			     "call (%r4), %d3, (%r1), proto; st.global.u32 [%d2], %r4;\n" END,
		1, 32));
	for (uint32_t n = 0; n < 32; n++)
		assert_int_equal(words[n], n & 1 ? n + 1000 : n * (n + 1) / 2);
	machine_free(&m);
	/* With a list of targets, the first one's head says what is passed. */
	assert_true(run(
		HEAD
		".func (.reg .u32 o) f(.reg .u32 n) { shl.b32 o, n, 1; ret; }\n"
		".func (.reg .u32 o) g(.reg .u32 n) { add.u32 o, n, 1000; ret; }\n" KERNEL(
			"k") "list: .calltargets f, g;\n"
			     "and.b32 %r3, %r1, 1; setp.eq.u32 %p1, %r3, 1; mov.u64 %d3, f; @%p1 mov.u64 %d3, g;\n"
			     "call (%r4), %d3, (%r1), list; st.global.u32 [%d2], %r4;\n" END,
		1, 32));
	for (uint32_t n = 0; n < 32; n++)
		assert_int_equal(words[n], n & 1 ? n + 1000 : n * 2);
	machine_free(&m);
	/* One that is called otherwise than the first is an error of the call. */
	expect_fault(HEAD ".func (.reg .u32 o) f(.reg .u32 n) { mov.u32 o, n; ret; }\n"
			  ".func g(.reg .u32 n) { ret; }\n" KERNEL(
				  "k") "list: .calltargets f, g;\nmov.u64 %d3, g;\n"
				       "call (%r4), %d3, (%r1), list;\n" END,
		     1, SG_FAULT_INVALID_PC, "not a function of its kind");
}

static void races(void **state)
{
	static const char text[] = HEAD ".shared .align 4 .b8 s[512];\n" KERNEL(
		"k") "mov.u32 %r3, s; shl.b32 %r4, %r1, 2; add.u32 %r4, %r4, %r3; xor.b32 %r5, %r4, 128;\n"
		     "st.shared.u32 [%r4], %r1;\n@%p1 bra skip; bar.sync 0;\nskip: ld.shared.u32 %r6, [%r5];\n" END;
	static const char racy[] = HEAD ".shared .align 4 .b8 s[512];\n" KERNEL(
		"k") "mov.u32 %r3, s; shl.b32 %r4, %r1, 2; add.u32 %r4, %r4, %r3; xor.b32 %r5, %r4, 128;\n"
		     "st.shared.u32 [%r4], %r1;\nld.shared.u32 %r6, [%r5];\n" END;

	(void)state;
	start(text);
	m.races = true;
	assert_true(machine_run(&m, "k", 1, 64, &memory, 8));
	assert_string_equal(m.raced, "");
	machine_free(&m);
	start(racy);
	m.races = true;
	assert_true(machine_run(&m, "k", 1, 64, &memory, 8));
	assert_non_null(strstr(m.raced, "race on shared memory at offset 0x"));
	assert_non_null(
		strstr(m.raced, "writes it at line 9, thread 0 of the block read it at line 10"));
	machine_free(&m);
}

static void printing(void **state)
{
	static const char text[] = HEAD
		".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);\n"
		".global .align 1 .b8 format[] = {37,53,100,124,37,45,52,120,124,37,46,50,102,124,37,108,108,117,10,0};\n" KERNEL(
			"k") ".local .align 8 .b8 args[24]; .param .b64 pf; .param .b64 pa; .param .b32 pr;\n"
			     "mov.u64 %d3, args; cvta.local.u64 %d4, %d3; st.local.u32 [%d3], -7; st.local.u32 [%d3+4], 255;\n"
			     "st.local.f64 [%d3+8], 0d4004000000000000; st.local.u64 [%d3+16], 12345678901234;\n"
			     "mov.u64 %d5, format; cvta.global.u64 %d5, %d5; st.param.b64 [pf], %d5; st.param.b64 [pa], %d4;\n"
			     "call.uni (pr), vprintf, (pf, pa); ld.param.b32 %r3, [pr]; st.global.u32 [%d2], %r3;\n" END;

	(void)state;
	assert_true(run(text, 1, 2));
	assert_string_equal(m.printed,
			    "   -7|ff  |2.50|12345678901234\n   -7|ff  |2.50|12345678901234\n");
	assert_int_equal(words[0], 4);
	machine_free(&m);
	start(text);
	m.print_room = 40;
	assert_true(machine_run(&m, "k", 1, 2, &memory, 8));
	assert_int_equal(words[0], 4);
	assert_int_equal(words[1], UINT32_MAX);
	machine_free(&m);
}

static void the_heap(void **state)
{
	static const char text[] = HEAD
		".extern .func (.param .b64 r) malloc (.param .b64 n);\n.extern .func free (.param .b64 p);\n" KERNEL(
			"k") ".param .b64 n; .param .b64 r; mov.u64 %d3, 100; st.param.b64 [n], %d3; call (r), malloc, (n);\n"
			     "ld.param.b64 %d4, [r]; st.u32 [%d4+96], %r1; ld.u32 %r3, [%d4+96]; st.global.u32 [%d2], %r3;\n"
			     "st.param.b64 [n], %d4; call free, (n);\n" END;
	static const char twice[] = HEAD
		".extern .func (.param .b64 r) malloc (.param .b64 n);\n.extern .func free (.param .b64 p);\n" KERNEL(
			"k") ".param .b64 n; .param .b64 r; mov.u64 %d3, 100; st.param.b64 [n], %d3; call (r), malloc, (n);\n"
			     "ld.param.b64 %d4, [r];\nst.param.b64 [n], %d4; call free, (n);\ncall free, (n);\n" END;

	(void)state;
	assert_true(run(text, 1, 32));
	assert_int_equal(words[31], 31);
	assert_int_equal(m.heap.used_bytes, 0);
	machine_free(&m);
	expect_fault(twice, 1, SG_FAULT_ILLEGAL_ADDRESS,
		     "which malloc did not give: inside a freed heap allocation");
}

static void sleeping_and_stopping(void **state)
{
	(void)state;
	/* An endless kernel gives the processor back after each step. */
	start(HEAD KERNEL("k") "again: bra again;\n" END);
	m.steps_left = 10;
	m.budget = 100;
	assert_false(machine_run(&m, "k", 1, 32, &memory, 8));
	assert_int_equal(m.fault.code, SG_FAULT_NONE);
	machine_free(&m);
	assert_true(run(
		HEAD KERNEL(
			"k") "mov.u64 %d3, %globaltimer; nanosleep.u32 50; mov.u64 %d4, %globaltimer;\n"
			     "sub.u64 %d4, %d4, %d3; cvt.u32.u64 %r3, %d4; st.global.u32 [%d2], %r3;\n" END,
		1, 1));
	assert_true(words[0] >= 50);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_of_memory),
		cmocka_unit_test(narrow_addresses_wrap),
		cmocka_unit_test(other_faults),
		cmocka_unit_test(loads_widen),
		cmocka_unit_test(lanes_wait_for_lanes),
		cmocka_unit_test(blocks_wait_for_blocks),
		cmocka_unit_test(parts_of_registers),
		cmocka_unit_test(vectors_are_moved),
		cmocka_unit_test(special_registers_are_converted),
		cmocka_unit_test(lanes_meet_again),
		cmocka_unit_test(barriers),
		cmocka_unit_test(barriers_that_fail),
		cmocka_unit_test(lanes_exchange),
		cmocka_unit_test(calls),
		cmocka_unit_test(races),
		cmocka_unit_test(printing),
		cmocka_unit_test(the_heap),
		cmocka_unit_test(sleeping_and_stopping),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
