/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_module.c - texts linked and lowered: names, addresses, shared memory, frames, flat code */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/softgpu/code_check.h"
#include "tests/unit/softgpu/find.h"

#define HEAD ".version 8.0\n.target sm_80\n.address_size 64\n"
#define GLOBAL_BASE 0x7f0000000000ull
#define CONSTANT_BASE 0x7e0000000000ull

/* Loads up to two texts; the module is checked and placed. */
static struct sg_module *load(const char *a, const char *b)
{
	struct sg_module_text texts[] = { { a, strlen(a) }, { b, b != NULL ? strlen(b) : 0 } };
	struct sg_module *module;
	struct sg_error error;
	char sentence[512];

	if (sg_module_load(texts, b != NULL ? 2 : 1, NULL, &module, &error) != 0) {
		sg_module_error_text(&error, 2, sentence, sizeof(sentence));
		fail_msg("%s", sentence);
	}
	assert_true(code_check_module(module));
	sg_module_place(module, GLOBAL_BASE, CONSTANT_BASE);
	return module;
}

static void check_refused(const char *a, const char *b, int code, const char *expected)
{
	struct sg_module_text texts[] = { { a, strlen(a) }, { b, b != NULL ? strlen(b) : 0 } };
	struct sg_module *module;
	struct sg_error error;
	char sentence[512];

	assert_int_equal(sg_module_load(texts, b != NULL ? 2 : 1, NULL, &module, &error), code);
	sg_module_error_text(&error, b != NULL ? 2 : 1, sentence, sizeof(sentence));
	assert_string_equal(sentence, expected);
}

static uint64_t word_at(const struct sg_module *module, const char *name, size_t index)
{
	const struct sg_code_global *global = sg_module_find_global(module, name);
	const uint8_t *image;
	uint64_t word;

	assert_non_null(global);
	image = global->constant ? module->constant_image : module->global_image;
	memcpy(&word, image + global->offset + index * 8, 8);
	return word;
}

static uint64_t address_of(const struct sg_module *module, const char *name)
{
	const struct sg_code_global *global = sg_module_find_global(module, name);

	assert_non_null(global);
	return global->address;
}

/* Return: the n-th instruction of this op, NULL if there are fewer. */
static const struct sg_code_insn *find_op(const struct sg_code_function *f, enum sg_op op,
					  unsigned n)
{
	for (uint32_t i = 0; i < f->insn_count; i++)
		if (f->insns[i].op == op && n-- == 0)
			return &f->insns[i];
	return NULL;
}

static const struct sg_code_constant *constant_at(const struct sg_code_function *f, uint32_t slot)
{
	for (uint32_t i = 0; i < f->constant_count; i++)
		if (f->constants[i].slot == slot)
			return &f->constants[i];
	return NULL;
}

/* --- names across texts ------------------------------------------------------------------------
 */

static void an_extern_is_what_another_text_defines(void **state)
{
	struct sg_module *module =
		load(HEAD ".extern .func (.param .b32 r) twice(.param .b32 a);\n"
			  ".extern .global .u64 there;\n"
			  ".entry k() { .reg .b32 %r; .reg .b64 %a; .param .b32 x; .param .b32 y;\n"
			  "mov.u64 %a, there; st.param.b32 [x], 4; call (y), twice, (x); ret; }\n",
		     HEAD ".visible .global .u64 there = 7;\n"
			  ".visible .func (.param .b32 r) twice(.param .b32 a) { ret; }\n");
	const struct sg_code_function *k = find_function(module, "k");
	const struct sg_code_insn *mov = find_op(k, SG_OP_MOV, 0),
				  *call = find_op(k, SG_OP_CALL, 0);

	(void)state;
	assert_int_equal(module->function_count, 2);
	assert_ptr_equal(k->calls[call->target].function, find_function(module, "twice"));
	assert_int_equal(constant_at(k, mov->src[0])->value, address_of(module, "there"));
	assert_int_equal(word_at(module, "there", 0), 7);
	sg_module_free(module);
}

static void a_name_that_no_text_defines_is_told(void **state)
{
	(void)state;
	check_refused(HEAD ".extern .func f();\n.entry k() {\n call f; }\n", NULL, -ENOENT,
		      "line 6: 'f' is not defined in any text");
	check_refused(
		HEAD
		".extern .global .u32 x;\n.entry k() { .reg .b32 %r; ld.global.b32 %r, [x]; }\n",
		NULL, -ENOENT, "line 5: 'x' is not defined in any text");
	check_refused(
		HEAD ".extern .func __cudaCDP2Free();\n.entry k() {\n call __cudaCDP2Free; }\n",
		NULL, -ENOTSUP,
		"line 6: '__cudaCDP2Free': launches from kernels are not supported by softgpu");
	check_refused(HEAD ".extern .global .u32 x;\n.global .u64 p = x;\n", NULL, -ENOENT,
		      "line 5: 'x', of which 'p' has the address, is not defined");
	/* what is declared and never asked for does no harm */
	sg_module_free(load(
		HEAD ".extern .func f();\n.extern .global .u32 x;\n.entry k() { ret; }\n", NULL));
}

static void two_definitions_meet(void **state)
{
	static const char one[] = HEAD ".visible .global .u32 x = 1;\n";
	static const char weak[] = HEAD ".weak .global .u32 x = 2;\n";
	static const char common[] = HEAD ".common .global .u32 x;\n";
	static const char big[] = HEAD ".common .global .align 8 .b32 x[4];\n";
	struct sg_module *module;

	(void)state;
	check_refused(one, one, -EEXIST, "'x' is defined in two texts");
	module = load(weak, one);
	assert_int_equal(word_at(module, "x", 0) & UINT32_MAX, 1);
	assert_int_equal(module->global_count, 1);
	sg_module_free(module);
	module = load(one, weak);
	assert_int_equal(word_at(module, "x", 0) & UINT32_MAX, 1);
	sg_module_free(module);
	module = load(common, big);
	assert_int_equal(sg_module_find_global(module, "x")->bytes, 16);
	assert_int_equal(module->global_image_bytes, 0);
	sg_module_free(module);
	module = load(common, one);
	assert_int_equal(word_at(module, "x", 0) & UINT32_MAX, 1);
	sg_module_free(module);
	check_refused(HEAD ".entry k() { ret; }\n", HEAD ".entry k() { ret; }\n", -EEXIST,
		      "'k' is defined in two texts");
	/* what is local to a text may be there in both */
	module = load(HEAD ".global .u32 x = 1;\n.func f() { ret; }\n",
		      HEAD ".global .u32 x = 2;\n.func f() { ret; }\n");
	assert_int_equal(module->global_count, 2);
	assert_int_equal(module->function_count, 2);
	sg_module_free(module);
}

static void an_alias_is_its_function(void **state)
{
	struct sg_module *module = load(HEAD ".visible .func f() { ret; }\n.visible .func g();\n"
					     ".alias g, f;\n.entry k() { call g; ret; }\n",
					NULL);
	const struct sg_code_function *k = find_function(module, "k");

	(void)state;
	assert_ptr_equal(k->calls[0].function, find_function(module, "f"));
	sg_module_free(module);
}

/* --- values at first ----------------------------------------------------------------------------
 */

static void addresses_stand_in_values_once_placed(void **state)
{
	struct sg_module *module = load(
		HEAD
		".global .u32 x[4] = {1, 2, 3, 4};\n"
		".const .u64 where[3] = {generic(x), x+8, 5};\n"
		".func f() { ret; }\n.func g() { ret; }\n"
		".global .u64 functions[2] = {g, f};\n"
		".global .u8 bytes[8] = {0xff(x), 0xff00(x), 0xff0000(x), 0xff000000(x),\n"
		"	0xff00000000(x), 0xff0000000000(x), 0xff000000000000(x), 0xff00000000000000(x)};\n"
		".global .b8 zeros[1000000000];\n",
		NULL);
	uint64_t x = address_of(module, "x");

	(void)state;
	assert_int_equal(x - GLOBAL_BASE, sg_module_find_global(module, "x")->offset);
	assert_int_equal(word_at(module, "where", 0), x);
	assert_int_equal(word_at(module, "where", 1), x + 8);
	assert_int_equal(word_at(module, "where", 2), 5);
	assert_int_equal(word_at(module, "bytes", 0), x);
	assert_ptr_equal(sg_code_function_at(module, word_at(module, "functions", 0)),
			 find_function(module, "g"));
	assert_ptr_equal(sg_code_function_at(module, word_at(module, "functions", 1)),
			 find_function(module, "f"));
	assert_null(sg_code_function_at(module, word_at(module, "functions", 1) + 1));
	assert_null(sg_code_function_at(module, SG_CODE_ADDRESS_BASE + 2 * SG_CODE_ADDRESS_STEP));
	assert_null(sg_code_function_at(module, 0));
	/* what is zero takes no memory here */
	assert_true(module->global_image_bytes < 100);
	assert_true(module->global_bytes >= 1000000000);
	sg_module_free(module);
}

static void numbers_have_the_form_of_their_type(void **state)
{
	struct sg_module *module = load(HEAD
					".global .align 8 .b8 a[8] = {1, -1, 300, 0, 0, 0, 0, 8};\n"
					".global .align 8 .f32 f[2] = {1.5, 0fC0000000};\n"
					".global .f64 d = 0f3F800000;\n"
					".global .align 8 .u16 m[2][2] = {{1, 2}, {3}};\n"
					".global .s64 e = (1 << 40) - 2 * 3 + (7 > 3 ? 1 : 2);\n",
					NULL);

	(void)state;
	assert_int_equal(word_at(module, "a", 0), 0x08000000002cff01);
	assert_int_equal(word_at(module, "f", 0), 0xc00000003fc00000);
	assert_int_equal(word_at(module, "d", 0), 0x3ff0000000000000);
	assert_int_equal(word_at(module, "m", 0), 0x0000000300020001);
	assert_int_equal(word_at(module, "e", 0), (1ull << 40) - 5);
	sg_module_free(module);
}

/* --- shared memory, frames, parameters ---------------------------------------------------------
 */

#define TILE_USER(kernel, tile) \
	".entry " kernel "() { .reg .b32 %r; ld.shared.b32 %r, [" tile "]; ret; }\n"

static void kernels_pay_for_the_shared_memory_they_reach(void **state)
{
	static const char tiles[] = HEAD
		".shared .align 4 .b8 a[40000];\n.shared .align 4 .b8 b[40000];\n"
		".shared .align 4 .b8 c[100];\n.extern .shared .align 128 .b8 d[];\n";
	char text[1024];
	struct sg_module *module;
	const struct sg_code_function *k;

	(void)state;
	snprintf(text, sizeof(text), "%s%s%s%s", tiles, TILE_USER("ka", "a"), TILE_USER("kb", "b"),
		 TILE_USER("kd", "d"));
	module = load(text, NULL);
	assert_int_equal(find_function(module, "ka")->shared_bytes, 40000);
	assert_int_equal(find_function(module, "kb")->shared_bytes, 40000);
	k = find_function(module, "kd");
	assert_int_equal(k->shared_bytes, 0);
	assert_int_equal(k->shared_align, 128);
	assert_int_equal(find_op(k, SG_OP_MOV_SREG, 0)->sreg, SG_SREG_DYNAMIC_SHARED);
	sg_module_free(module);
	/* through a function both are reached */
	snprintf(text, sizeof(text),
		 "%s.func f() { .reg .b32 %%r; ld.shared.b32 %%r, [b]; ret; }\n"
		 ".entry k() { .reg .b32 %%r; ld.shared.b32 %%r, [a]; call f; ret; }\n",
		 tiles);
	check_refused(text, NULL, -E2BIG,
		      "line 9: 'k' uses more than 49152 bytes of .shared memory");
}

static void stacks_are_as_deep_as_calls(void **state)
{
	struct sg_module *module =
		load(HEAD ".func f() { .local .align 64 .b8 x[100]; ret; }\n"
			  ".func g() { .local .b8 x[10]; call f; ret; }\n"
			  ".entry k() { .local .b8 x[20]; call g; call f; ret; }\n"
			  ".func r() { call r; ret; }\n.entry rk() { call r; ret; }\n",
		     NULL);
	const struct sg_code_function *k = find_function(module, "k");

	(void)state;
	assert_int_equal(find_function(module, "f")->frame_align, 64);
	assert_int_equal(find_function(module, "f")->frame_bytes, 128);
	assert_int_equal(k->stack_bytes, 128 + 16 + 32);
	assert_false(k->recursive);
	assert_true(find_function(module, "rk")->recursive);
	sg_module_free(module);
}

static void parameters_lie_as_c_structs_do(void **state)
{
	struct sg_module *module = load(
		HEAD
		".entry k(.param .u8 a, .param .u64 b, .param .align 4 .b8 s[6], .param .f32 c)\n"
		".reqntid 8, 4\n.maxnreg 32\n"
		"{ .reg .f32 %f; ld.param.f32 %f, [c]; ret; }\n",
		NULL);
	const struct sg_code_function *k = find_function(module, "k");
	static const uint32_t offsets[] = { 0, 8, 16, 24 };
	const struct sg_code_insn *ld = find_op(k, SG_OP_LD, 0);

	(void)state;
	assert_int_equal(k->kernel_param_count, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(k->kernel_params[i].offset, offsets[i]);
	assert_int_equal(k->kernel_param_bytes, 28);
	assert_string_equal(k->kernel_params[2].name, "s");
	assert_int_equal(k->req_ntid[0] * k->req_ntid[1] * k->req_ntid[2], 32);
	assert_int_equal(k->max_nreg, 32);
	assert_int_equal(ld->space, SG_SPACE_PARAM);
	assert_int_equal(ld->imm, 24);
	assert_int_equal(ld->src[0], SG_SLOT_NONE);
	sg_module_free(module);
}

/* --- flat code ---------------------------------------------------------------------------------
 */

static void a_wrong_call_is_refused(void **state)
{
	static const char head[] = HEAD
		".func (.param .b32 r) f(.param .b64 a) { ret; }\n"
		".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);\n"
		".entry k() { .param .b32 x; .param .b64 y; .reg .b32 %r;\n";
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), "%s call (x), f, (x); }\n", head);
	check_refused(text, NULL, -EINVAL,
		      "line 7: call: a .param variable has another size than the parameter");
	snprintf(text, sizeof(text), "%s call (x), f, (y, y); }\n", head);
	check_refused(text, NULL, -EINVAL,
		      "line 7: call: the function has another count of parameters or results");
	snprintf(text, sizeof(text), "%s call (x), f, (%%r); }\n", head);
	check_refused(text, NULL, -EINVAL,
		      "line 7: call: a register has another width than the parameter");
	snprintf(text, sizeof(text), "%s call (x), vprintf, (y); }\n", head);
	check_refused(text, NULL, -EINVAL,
		      "line 7: call: the function has another count of parameters or results");
	snprintf(text, sizeof(text), "%s call (x), vprintf, (y, y); call (x), f, (3); }\n", head);
	sg_module_free(load(text, NULL));
}

static void widths_are_made_equal(void **state)
{
	struct sg_module *module = load(
		HEAD
		".entry k() { .reg .b16 %h<3>; .reg .b32 %r<3>; .reg .b64 %rd<3>; .reg .pred %p;\n"
		"ld.global.s8 %rd1, [%rd2]; st.global.u8 [%r1], %rd1; cvt.u8.u32 %rd1, %r1;\n"
		"ld.global.v2.u8 {%h1, %r1}, [%rd2]; cvta.shared.u32 %r1, %r2;\n"
		"selp.b32 %r1, %r2, 7, %p; bar.red.and.pred %p, 0, !%p; ret; }\n",
		NULL);
	const struct sg_code_function *k = find_function(module, "k");
	const struct sg_code_insn *insn = find_op(k, SG_OP_LD, 0);

	(void)state;
	assert_int_equal(insn->dst_bytes, 8);
	insn = find_op(k, SG_OP_ST, 0);
	assert_int_equal(insn->src_bytes, 8);
	/* an address register of 32 bits was widened before it */
	assert_int_equal(insn[-1].op, SG_OP_WIDEN);
	assert_int_equal(insn[-1].dst, insn->src[0]);
	insn = find_op(k, SG_OP_CVT, 0);
	assert_int_equal(insn->dst_bytes, 8);
	assert_int_equal(insn->src_bytes, 4);
	/* elements of two widths: loaded as the type has them, one is widened after */
	insn = find_op(k, SG_OP_LD, 1);
	assert_int_equal(insn->vec, 2);
	assert_int_equal(insn->dst_bytes, 2);
	assert_int_equal(insn[1].op, SG_OP_WIDEN);
	assert_int_equal(insn[1].src[0], k->extra[insn->target + 1]);
	insn = find_op(k, SG_OP_CVTA, 0);
	assert_int_equal(insn->type, SG_TYPE_U64);
	assert_int_equal(insn[1].op, SG_OP_TRUNCATE);
	insn = find_op(k, SG_OP_SELP, 0);
	assert_int_equal(constant_at(k, insn->src[1])->value, 7);
	/* !p is turned round before; the count of threads was left out */
	insn = find_op(k, SG_OP_BAR_RED, 0);
	assert_int_equal(insn[-1].op, SG_OP_NOT);
	assert_int_equal(insn->src[2], insn[-1].dst);
	assert_int_equal(insn->src[1], SG_SLOT_NONE);
	assert_true((insn->flags & SG_BIT(ALIGNED)) != 0);
	sg_module_free(module);
}

/* Counts down from `count` registers that are all alive at once, or one after the other. */
static struct sg_module *chain(unsigned count, bool at_once)
{
	struct sg_module *module;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	fprintf(out, HEAD ".entry k() { .reg .b32 %%r<%u>;\n", count + 1);
	for (unsigned i = 1; i <= count; i++)
		fprintf(out, "add.u32 %%r%u, %%r%u, 1;\n", i, at_once ? 0 : i - 1);
	for (unsigned i = 1; at_once && i <= count; i++)
		fprintf(out, "add.u32 %%r0, %%r0, %%r%u;\n", i);
	fputs("ret; }\n", out);
	fclose(out);
	module = load(text, NULL);
	free(text);
	return module;
}

static void registers_share_slots_when_their_lives_do_not_meet(void **state)
{
	struct sg_module *module = chain(1000, false);

	(void)state;
	assert_true(find_function(module, "k")->register_bytes <= 4 * 128);
	sg_module_free(module);
	module = chain(100, true);
	assert_true(find_function(module, "k")->register_bytes >= 101 * 128);
	assert_true(find_function(module, "k")->reg_count >= 101);
	sg_module_free(module);
}

/* A value that is made before a loop and read in it lives through all of it, also below its last
 * reading. */
static void a_loop_keeps_what_it_reads(void **state)
{
	struct sg_module *module = load(
		HEAD ".entry k() { .reg .b32 %r<9>; .reg .pred %p;\n"
		     "mov.u32 %r1, 5; mov.u32 %r2, 6;\n"
		     "L: add.u32 %r3, %r1, 1; setp.eq.u32 %p, %r3, 9;\n"
		     "@%p bra OUT; mov.u32 %r4, 1; add.u32 %r5, %r4, 2; @!%p mov.u32 %r6, %r5;\n"
		     "bra L; OUT: add.u32 %r7, %r6, %r2; ret; }\n",
		NULL);
	const struct sg_code_function *k = find_function(module, "k");
	uint32_t r1 = find_op(k, SG_OP_MOV, 0)->dst, r2 = find_op(k, SG_OP_MOV, 1)->dst;

	(void)state;
	for (uint32_t i = 2; &k->insns[i] < find_op(k, SG_OP_BRA, 1); i++)
		if (k->insns[i].op != SG_OP_SETP && k->insns[i].dst != SG_SLOT_NONE) {
			assert_int_not_equal(k->insns[i].dst, r1);
			assert_int_not_equal(k->insns[i].dst, r2);
		}
	assert_int_equal(find_op(k, SG_OP_ADD, 2)->src[1], r2);
	sg_module_free(module);
}

static void branches_go_where_their_labels_stand(void **state)
{
	struct sg_module *module =
		load(HEAD ".entry k() { .reg .b32 %r; .reg .pred %p;\n"
			  "T: .branchtargets A, B;\nbrx.idx %r, T;\n"
			  "A: trap;\n{ A: @%p bra A; }\nB: @!%p bra END;\nexit;\nEND: }\n",
		     NULL);
	const struct sg_code_function *k = find_function(module, "k");
	const struct sg_code_insn *brx = find_op(k, SG_OP_BRX, 0);

	(void)state;
	assert_int_equal(k->extra[brx->target], 2);
	assert_int_equal(k->insns[k->extra[brx->target + 1]].op, SG_OP_TRAP);
	/* the inner A hides the outer one */
	assert_ptr_equal(&k->insns[find_op(k, SG_OP_BRA, 0)->target], find_op(k, SG_OP_BRA, 0));
	assert_ptr_equal(&k->insns[k->extra[brx->target + 2]], find_op(k, SG_OP_BRA, 1));
	assert_int_equal(find_op(k, SG_OP_BRA, 1)->guard_not, 1);
	/* a label at the end has an instruction, too */
	assert_int_equal(find_op(k, SG_OP_BRA, 1)->target, k->insn_count - 1);
	assert_int_equal(k->insns[k->insn_count - 1].op, SG_OP_EXIT);
	sg_module_free(module);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_extern_is_what_another_text_defines),
		cmocka_unit_test(a_name_that_no_text_defines_is_told),
		cmocka_unit_test(two_definitions_meet),
		cmocka_unit_test(an_alias_is_its_function),
		cmocka_unit_test(addresses_stand_in_values_once_placed),
		cmocka_unit_test(numbers_have_the_form_of_their_type),
		cmocka_unit_test(kernels_pay_for_the_shared_memory_they_reach),
		cmocka_unit_test(stacks_are_as_deep_as_calls),
		cmocka_unit_test(parameters_lie_as_c_structs_do),
		cmocka_unit_test(a_wrong_call_is_refused),
		cmocka_unit_test(widths_are_made_equal),
		cmocka_unit_test(registers_share_slots_when_their_lives_do_not_meet),
		cmocka_unit_test(a_loop_keeps_what_it_reads),
		cmocka_unit_test(branches_go_where_their_labels_stand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
