/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_nan.c - what the manual leaves open, as an H200 has it: bits of NaN, subnormals to f16 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "machine.h"

/*
 * An instruction writes %d7, %r7 or %h7, whichever its first operand is; the others are 0. Sources:
 * %d4, %d5, %d6, and the lower bits of the first as %r4 and %h4.
 */
struct row {
	const char *insn;
	uint64_t source[3];
	uint64_t want;
};

static const char frame[] =
	".version 8.6\n.target sm_100\n.address_size 64\n.visible .entry k(.param .u64 a)\n"
	"{ .reg .b16 %%h<8>; .reg .b32 %%r<8>; .reg .b64 %%d<12>;\n"
	"ld.param.u64 %%d1, [a];\n"
	"ld.global.b64 %%d4, [%%d1+8]; ld.global.b64 %%d5, [%%d1+16]; ld.global.b64 %%d6, [%%d1+24];\n"
	"cvt.u32.u64 %%r4, %%d4; cvt.u16.u64 %%h4, %%d4;\n"
	"mov.b64 %%d7, 0; mov.b32 %%r7, 0; mov.b16 %%h7, 0;\n"
	"%s;\n"
	"cvt.u64.u32 %%d8, %%r7; cvt.u64.u16 %%d9, %%h7;\n"
	"or.b64 %%d7, %%d7, %%d8; or.b64 %%d7, %%d7, %%d9; st.global.b64 [%%d1], %%d7;\nret; }\n";

static void check(const struct row *row)
{
	struct machine m;
	uint64_t memory, *words;
	char text[1024];
	int bytes = snprintf(text, sizeof(text), frame, row->insn);

	assert_in_range(bytes, 1, sizeof(text) - 1);
	if (machine_load(&m, text, (size_t)bytes))
		fail_msg("%s: %s", row->insn, m.error.text);
	memory = machine_alloc(&m, 32);
	words = machine_host(&m, memory);
	memcpy(words + 1, row->source, sizeof(row->source));
	assert_true(machine_run(&m, "k", 1, 1, &memory, sizeof(memory)));
	if (words[0] != row->want)
		fail_msg("%s of 0x%llx 0x%llx 0x%llx: 0x%llx, not 0x%llx", row->insn,
			 (unsigned long long)row->source[0], (unsigned long long)row->source[1],
			 (unsigned long long)row->source[2], (unsigned long long)words[0],
			 (unsigned long long)row->want);
	machine_free(&m);
}

#define CHECK(rows)                                                         \
	do {                                                                \
		for (size_t i = 0; i < sizeof(rows) / sizeof(*(rows)); i++) \
			check(&(rows)[i]);                                  \
	} while (0)

#define ONE 0x3ff0000000000000ull
#define INF 0x7ff0000000000000ull
#define NAN_A 0x7ff0000000000001ull /* signalling */
#define NAN_B 0xfff8000000000022ull
#define NAN_C 0x7ff8000000000333ull
#define QUIET (1ull << 51)
#define NONE 0xfff8000000000000ull /* no operand is a NaN */

/* Of several NaN the last counts, made quiet; of a quotient's the first. */
static void doubles(void **state)
{
	static const struct row rows[] = {
		{ "add.f64 %d7, %d4, %d5", { NAN_A, ONE }, NAN_A | QUIET },
		{ "add.f64 %d7, %d4, %d5", { NAN_A, NAN_B }, NAN_B },
		{ "add.f64 %d7, %d4, %d5", { INF, INF | 1ull << 63 }, NONE },
		{ "add.rm.f64 %d7, %d4, %d5", { NAN_B, NAN_A }, NAN_A | QUIET },
		{ "sub.f64 %d7, %d4, %d5", { NAN_A, NAN_C }, NAN_C },
		{ "sub.rz.f64 %d7, %d4, %d5", { ONE, NAN_B }, NAN_B },
		{ "mul.f64 %d7, %d4, %d5", { NAN_B, NAN_A }, NAN_A | QUIET },
		{ "mul.rp.f64 %d7, %d4, %d5", { NAN_B, NAN_C }, NAN_C },
		{ "mul.f64 %d7, %d4, %d5", { INF, 0 }, NONE },
		{ "fma.rn.f64 %d7, %d4, %d5, %d6", { NAN_A, NAN_B, NAN_C }, NAN_C },
		{ "fma.rn.f64 %d7, %d4, %d5, %d6", { NAN_A, NAN_B, ONE }, NAN_B },
		{ "fma.rm.f64 %d7, %d4, %d5, %d6", { NAN_A, NAN_B, ONE }, NAN_B },
		{ "fma.rz.f64 %d7, %d4, %d5, %d6", { INF, 0, NAN_A }, NAN_A | QUIET },
		{ "div.rn.f64 %d7, %d4, %d5", { NAN_A, NAN_B }, NAN_A | QUIET },
		{ "min.f64 %d7, %d4, %d5", { NAN_B, NAN_A }, NAN_A | QUIET },
		{ "max.f64 %d7, %d4, %d5", { NAN_A, NAN_C }, NAN_C },
		{ "max.f64 %d7, %d4, %d5", { NAN_A, ONE }, ONE },
		{ "min.f64 %d7, %d4, %d5", { ONE, NAN_B }, ONE },
		{ "neg.f64 %d7, %d4", { NAN_A }, NAN_A | QUIET },
		{ "abs.f64 %d7, %d4", { NAN_B }, NAN_B },
	};

	(void)state;
	CHECK(rows);
}

/* The smaller formats have one NaN, which neg and abs write, too. */
static void smaller_ones(void **state)
{
	static const struct row rows[] = {
		{ "neg.f32 %r7, %r4", { 0x7f800001 }, 0x7fffffff },
		{ "abs.f32 %r7, %r4", { 0xffc00005 }, 0x7fffffff },
		{ "neg.ftz.f32 %r7, %r4", { 0x7fffffff }, 0x7fffffff },
		{ "neg.f32 %r7, %r4", { 0x00000001 }, 0x80000001 },
		{ "abs.ftz.f32 %r7, %r4", { 0x80000001 }, 0 },
		{ "neg.f16 %h7, %h4", { 0x7c01 }, 0x7fff },
		{ "neg.ftz.f16 %h7, %h4", { 0x7fff }, 0x7fff },
		{ "neg.f16 %h7, %h4", { 0xfc00 }, 0x7c00 },
		{ "abs.f16x2 %r7, %r4", { 0xfe018001 }, 0x7fff0001 },
		{ "neg.bf16x2 %r7, %r4", { 0x7f817f80 }, 0x7fffff80 },
		{ "abs.bf16 %h7, %h4", { 0xffc1 }, 0x7fff },
	};

	(void)state;
	CHECK(rows);
}

/* From and to f64 a NaN keeps what fits; without a change of the number its bits move. */
static void conversions(void **state)
{
	static const struct row rows[] = {
		{ "cvt.f64.f32 %d7, %r4", { 0xff800001 }, 0xfff8000020000000 },
		{ "cvt.ftz.f64.f32 %d7, %r4", { 0xff800001 }, 0x7fffffffe0000000 },
		{ "cvt.f64.f16 %d7, %h4", { 0xfc01 }, 0xfff8040000000000 },
		{ "cvt.f64.bf16 %d7, %h4", { 0x7f81 }, 0x7ff8200000000000 },
		{ "cvt.rn.f32.f64 %r7, %d4", { 0xfff0000020000000 }, 0xffc00001 },
		{ "cvt.rz.f32.f64 %r7, %d4", { NAN_A }, 0x7fc00000 },
		{ "cvt.rn.f16.f64 %h7, %d4", { 0xfff0040000000000 }, 0xfe01 },
		{ "cvt.rp.bf16.f64 %h7, %d4", { NAN_B }, 0xffc0 },
		{ "cvt.rni.f64.f64 %d7, %d4", { NAN_A }, NAN_A | QUIET },
		{ "cvt.f64.f64 %d7, %d4", { NAN_A }, NAN_A },
		{ "cvt.sat.f64.f64 %d7, %d4", { NAN_A }, 0 },
		{ "cvt.f32.f32 %r7, %r4", { 0xff800001 }, 0xff800001 },
		{ "cvt.ftz.f32.f32 %r7, %r4", { 0xff800001 }, 0x7fffffff },
		{ "cvt.f32.bf16 %r7, %h4", { 0xff81 }, 0xff810000 },
		{ "cvt.f32.f16 %r7, %h4", { 0xfc01 }, 0x7fffffff },
		{ "cvt.f16.f16 %h7, %h4", { 0xfc01 }, 0x7fff },
		{ "cvt.rn.f16.f32 %h7, %r4", { 0xff800001 }, 0x7fff },
		{ "cvt.rn.tf32.f32 %r7, %r4", { 0xff800001 }, 0x7fffe000 },
		{ "cvt.rz.relu.tf32.f32 %r7, %r4", { 0xff800001 }, 0x7fffe000 },
		{ "cvt.rna.tf32.f32 %r7, %r4", { 0x7fc00005 }, 0x7fc00000 },
		{ "cvt.rna.tf32.f32 %r7, %r4", { 0xffffffff }, 0xffffe000 },
		{ "cvt.rna.tf32.f32 %r7, %r4", { 0x7f800001 }, 0x7f800000 },
		{ "cvt.rna.satfinite.tf32.f32 %r7, %r4", { 0x7fc00005 }, 0x7fbfe000 },
		{ "cvt.rna.satfinite.tf32.f32 %r7, %r4", { 0x7f800000 }, 0x7f7fe000 },
	};

	(void)state;
	CHECK(rows);
}

static void subnormals_to_f16(void **state)
{
	static const struct row rows[] = {
		{ "cvt.rm.ftz.f16.f32 %h7, %r4", { 0x80000001 }, 0x8001 },
		{ "cvt.rp.ftz.f16.f32 %h7, %r4", { 0x00000001 }, 0x0001 },
		{ "cvt.rp.ftz.sat.f16.f32 %h7, %r4", { 0x007fffff }, 0x0001 },
		{ "cvt.rn.ftz.f16.f32 %h7, %r4", { 0x807fffff }, 0x8000 },
		{ "cvt.ftz.f32.f32 %r7, %r4", { 0x00000001 }, 0 },
		{ "cvt.rpi.ftz.s32.f32 %r7, %r4", { 0x00000001 }, 0 },
	};

	(void)state;
	CHECK(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles),
		cmocka_unit_test(smaller_ones),
		cmocka_unit_test(conversions),
		cmocka_unit_test(subnormals_to_f16),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
