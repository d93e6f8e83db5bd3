/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_lanes.c - both sets of handlers give the same bits, for every instruction that they have */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "exact.h"
#include "softgpu/machine/arith_float.h"
#include "softgpu/machine/exec_lanes.h"

/* For messages. */
static const char *const ops[SG_OP_NUM] = {
#define OP(name) [SG_OP_##name] = #name,
#include "softgpu/ptx/isa.def"
};

#define SLOT 256u /* one register, as wide as the widest */
#define FRAME (8 * SLOT)

/* Registers of numbers that are small, special, and any, as integers and as floats. */
static void fill(unsigned char *frame)
{
	static const uint32_t special[] = { 0,		0x80000000, 0x7f800000, 0xff800000,
					    0x7fc00001, 1,	    0x807fffff, 0x00800000,
					    0x7f7fffff, 0x3f800000, 0xbf800000, 0x4f000000,
					    0xcf000000, 0x7c00fc00, 0x7e010001, 0x80003c00 };

	for (size_t n = 0; n < FRAME; n += 4) {
		uint32_t value = (uint32_t)exact_random();

		switch (exact_random() % 4) {
		case 0:
			value = special[value % (sizeof(special) / sizeof(special[0]))];
			break;
		case 1:
			value = 0x3f000000 + value % 0x2000000; /* f32 of usual size */
			break;
		case 2:
			value %= 40;
			break;
		default:
			break;
		}
		memcpy(frame + n, &value, 4);
	}
}

static unsigned tried;

static void try_both(const struct sg_code_insn *insn)
{
	_Alignas(64) static unsigned char first[FRAME], base[FRAME], v3[FRAME];
	struct sg_exec_warp one = { .carry = 0x5a0000ff }, other = one;
	sg_exec_handler *a = sg_lanes_bind_base(insn), *b = sg_lanes_bind_v3(insn);
	uint32_t masks[] = { UINT32_MAX, 0x00ff5a01 };

	assert_true((a == NULL) == (b == NULL));
	if (!a || !b)
		return;
	tried++;
	for (int n = 0; n < 8; n++) {
		uint32_t mask = masks[n & 1];

		fill(first);
		memcpy(base, first, FRAME);
		memcpy(v3, first, FRAME);
		a(&one, insn, base, mask);
		b(&other, insn, v3, mask);
		if (memcmp(base, v3, FRAME) != 0 || one.carry != other.carry)
			fail_msg("op %s, type %s %s, flags %llx, round %u, cmp %u: results differ",
				 ops[insn->op], sg_isa_type_word(insn->type),
				 sg_isa_type_word(insn->stype), (unsigned long long)insn->flags,
				 insn->round, insn->cmp);
		/* Sources are untouched, and lanes outside of the mask keep what they had. */
		assert_memory_equal(base + SLOT, first + SLOT,
				    FRAME - SLOT - (insn->dst2 == SG_SLOT_NONE ? 0 : SLOT));
		if (insn->op == SG_OP_ADD && sg_isa_type_bits(insn->type) == 32 &&
		    mask != UINT32_MAX)
			assert_memory_equal(base + 4, first + 4, 4);
	}
}

static void try_flags(struct sg_code_insn *insn)
{
	static const uint64_t flags[] = { 0,
					  SG_BIT(FTZ),
					  SG_BIT(SAT),
					  SG_BIT(FTZ) | SG_BIT(SAT),
					  SG_BIT(HI),
					  SG_BIT(LO),
					  SG_BIT(WIDE),
					  SG_BIT(CC),
					  SG_BIT(HI) | SG_BIT(CC),
					  SG_BIT(APPROX),
					  SG_BIT(APPROX) | SG_BIT(FTZ),
					  SG_BIT(LEFT) | SG_BIT(WRAP),
					  SG_BIT(RIGHT) | SG_BIT(CLAMP),
					  SG_BIT(NAN) };

	for (size_t n = 0; n < sizeof(flags) / sizeof(flags[0]); n++) {
		insn->flags = flags[n];
		try_both(insn);
	}
}

static bool may_have(enum sg_op op, enum sg_type type)
{
	enum sg_kind kind = sg_isa_type_kind(type);

	/* Predicates and tiny types have no place in these frames. */
	if (sg_isa_type_bits(type) < 16 && type != SG_TYPE_PRED)
		return false;
	return op != SG_OP_REFUSED && kind != SG_KIND_NONE;
}

static void every_operation(void **state)
{
	(void)state;
	for (int op = 0; op < SG_OP_NUM; op++) {
		for (int type = 1; type < SG_TYPE_NUM; type++) {
			struct sg_code_insn insn = { .op = (uint8_t)op,
						     .type = (uint8_t)type,
						     .dst = 0,
						     .dst2 = SG_SLOT_NONE,
						     .guard = SG_SLOT_NONE,
						     .imm = 0x5c,
						     .src = { SLOT, 2 * SLOT, 3 * SLOT, 4 * SLOT,
							      SG_SLOT_NONE } };

			/* Memory needs a warp; conversions have a test of their own. */
			if (!may_have(op, type) || op == SG_OP_CVT || op == SG_OP_LD ||
			    op == SG_OP_ST)
				continue;
			try_flags(&insn);
			insn.imm = 0x96;
			insn.round = SG_ROUND_RN;
			try_flags(&insn);
			insn.stype = SG_TYPE_S32;
			try_both(&insn);
			for (int cmp = SG_CMP_EQ; cmp <= SG_CMP_NAN; cmp++) {
				insn.cmp = (uint8_t)cmp;
				insn.bool_op = (uint8_t)(cmp % 2 ? SG_BOOL_XOR : 0);
				insn.dst2 = 7 * SLOT;
				if (op == SG_OP_SETP)
					try_flags(&insn);
			}
		}
	}
	assert_true(tried > 500);
}

static void every_conversion(void **state)
{
	(void)state;
	tried = 0;
	for (int to = 1; to < SG_TYPE_NUM; to++) {
		for (int from = 1; from < SG_TYPE_NUM; from++) {
			unsigned to_bits = sg_isa_type_bits(to), from_bits = sg_isa_type_bits(from);
			struct sg_code_insn insn = { .op = SG_OP_CVT,
						     .type = (uint8_t)to,
						     .stype = (uint8_t)from,
						     .dst2 = SG_SLOT_NONE,
						     .src = { SLOT, 2 * SLOT, SG_SLOT_NONE },
						     .dst_bytes = (uint8_t)(to_bits / 8),
						     .src_bytes = (uint8_t)(from_bits / 8) };

			if (to_bits < 16 || from_bits < 8)
				continue;
			if (from_bits == 8) {
				insn.src_bytes = 4;
				try_both(&insn);
				insn.src_bytes = 2;
			}
			try_both(&insn);
			for (int round = SG_ROUND_RN; round <= SG_ROUND_RPI; round++) {
				insn.round = (uint8_t)round;
				try_both(&insn);
			}
		}
	}
	assert_true(tried > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation),
		cmocka_unit_test(every_conversion),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
		puts("1..0 # skip: this processor has no AVX2");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
