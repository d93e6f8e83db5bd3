/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ptx.c - PTX texts: what is refused, by which sentence and in which line, and what is printed
 * back */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "softgpu/ptx/print.h"

#define HEAD ".version 9.0\n.target sm_90\n.address_size 64\n"

/* A kernel with registers of all kinds; what is put in stands in line 7. */
#define KERNEL_HEAD                                                                             \
	HEAD ".entry k(.param .u64 p)\n{ .reg .pred %p<4>; .reg .b16 %h<4>; .reg .b32 %r<8>;\n" \
	     ".reg .b64 %rd<8>; .reg .f32 %f<8>; .reg .f64 %fd<4>; .reg .u32 %u; .local .b32 loc;\n"
#define KERNEL_TAIL "\nret;\n}\n"
#define KERNEL(body) KERNEL_HEAD body KERNEL_TAIL

struct refusal {
	const char *text;
	int code;
	const char *sentence;
};

static int load(const char *text, struct sg_module **module, struct sg_error *error)
{
	struct sg_module_text source = { text, strlen(text) };

	return sg_module_load(&source, 1, NULL, module, error);
}

static void check_refusal(const struct refusal *r)
{
	struct sg_module *module;
	struct sg_error error;
	char sentence[512];
	int err = load(r->text, &module, &error);

	sg_module_error_text(&error, 1, sentence, sizeof(sentence));
	if (err != r->code || strcmp(sentence, r->sentence) != 0)
		print_message("%d: %s\nexpected %d: %s\n%s\n", err, sentence, r->code, r->sentence,
			      r->text);
	assert_int_equal(err, r->code);
	assert_string_equal(sentence, r->sentence);
	assert_null(module);
}

static void each_mistake_is_named_with_its_line(void **state)
{
	static const struct refusal refusals[] = {
		{ "", -ENOEXEC, "line 1: this is not PTX text, which begins with .version" },
		{ "hello", -ENOEXEC, "line 1: this is not PTX text, which begins with .version" },
		{ "\x7f"
		  "ELF",
		  -ENOEXEC,
		  "this is machine code (a cubin); softgpu runs PTX text (nvcc -ptx makes it)" },
		{ "\x50\xed\x55\xba", -ENOEXEC,
		  "this is a fatbin; softgpu runs PTX text (nvcc -ptx makes it)" },
		{ ".version 2.3\n", -EPROTONOSUPPORT,
		  "line 1: ptx version 2.3 is not supported by softgpu, which reads 3.0 to 9.0" },
		{ ".version 9.1\n", -EPROTONOSUPPORT,
		  "line 1: ptx version 9.1 is not supported by softgpu, which reads 3.0 to 9.0" },
		{ ".version 9.0\n.target sm_13\n", -ENOTSUP,
		  "line 2: target sm_13 is not supported by softgpu, which knows sm_20 and newer" },
		{ ".version 9.0\n.target sm_75\n.address_size 32\n", -ENOTSUP,
		  "line 3: 32-bit addresses are not supported by softgpu; use -m64" },
		{ HEAD "/* no end", -EINVAL, "line 4: a comment does not end" },
		{ HEAD ".entry k()\n{\n", -EINVAL,
		  "line 6: expected '}', found the end of the text" },
		{ KERNEL("frobnicate.u32 %r1;"), -ENOTSUP,
		  "line 7: frobnicate.u32: no such instruction" },
		{ KERNEL("add.u99 %r1, %r2, %r3;"), -ENOTSUP,
		  "line 7: add.u99: the instruction is known, not with these suffixes" },
		{ KERNEL("ld.global.nc.volatile.u32 %r1, [%rd1];"), -EINVAL,
		  "line 7: ld.global.nc.volatile.u32: .nc needs .global and no order" },
		{ KERNEL("ld.relaxed.u32 %r1, [%rd1];"), -EINVAL,
		  "line 7: ld.relaxed.u32: needs a scope" },
		{ KERNEL("add.u32 %r1, %r2;"), -EINVAL,
		  "line 7: add.u32: has 2 operands, expected 3" },
		{ KERNEL("add.u32 %r1, %f1, %r2;"), -EINVAL,
		  "line 7: add.u32: operand 2 is a register of .f32, expected .u32" },
		{ KERNEL("add.f32 %f1, %f2, 3;"), -EINVAL,
		  "line 7: add.f32: operand 3 is an integer constant, expected .f32" },
		{ KERNEL("add.u32 %r1, %r2, 1.5;"), -EINVAL,
		  "line 7: add.u32: operand 3 is a floating-point constant, expected .u32" },
		{ KERNEL("add.u64 %rd1, %r1, %rd2;"), -EINVAL,
		  "line 7: add.u64: operand 2 is a register of .b32, expected .u64" },
		{ KERNEL("add.u32 3, %r1, %r2;"), -EINVAL,
		  "line 7: add.u32: operand 1 is written, and is a constant" },
		{ KERNEL("add.u32 %r1, _, %r2;"), -EINVAL,
		  "line 7: add.u32: operand 2 is read, '_' has no value" },
		{ KERNEL("add.u32 %r1, %tid.x, %r2;"), -EINVAL,
		  "line 7: add.u32: operand 2 is a special register, which mov reads" },
		{ KERNEL("mov.u32 %r1, %r99;"), -EINVAL,
		  "line 7: '%r99' is neither declared nor a special register" },
		{ KERNEL("mov.u32 %r1, nothing;"), -EINVAL, "line 7: 'nothing' is not declared" },
		{ KERNEL("mov.b64 %rd1, {%r1, %h1};"), -EINVAL,
		  "line 7: mov.b64: operand 2 is a register of .b16, expected .b32" },
		{ KERNEL("st.shared.u32 [loc], %r1;"), -EINVAL,
		  "line 7: st.shared.u32: operand 1 'loc' is a variable in .local" },
		{ KERNEL("ld.param.u64 %rd1, [p+4];"), -EINVAL,
		  "line 7: ld.param.u64: operand 2 reaches beyond 'p'" },
		{ KERNEL("st.param.u64 [p], %rd1;"), -EINVAL,
		  "line 7: st.param.u64: operand 1 is a parameter of the kernel, which cannot be written" },
		{ KERNEL("ld.global.v2.u32 %r1, [%rd1];"), -EINVAL,
		  "line 7: ld.global.v2.u32: operand 1 is not a vector of 2 elements" },
		{ KERNEL("ld.global.v4.u64 {%rd1, %rd2, %rd3, %rd4}, [%rd1];"), 0, "" },
		{ HEAD ".global .attribute(.managed, .unified(19, 0x5f)) .u32 a;\n"
		       ".func .attribute(.unified(1, 2)) f() { ret; }\n",
		  0, "" },
		{ HEAD ".global .attribute(.pinned) .u32 a;\n", -EINVAL,
		  "line 4: expected .managed or .unified, found '.pinned'" },
		{ HEAD ".func .attribute(.managed) f() { ret; }\n", -EINVAL,
		  "line 4: expected .unified, found '.managed'" },
		{ HEAD ".global .attribute(.unified(1)) .u32 a;\n", -EINVAL,
		  "line 4: expected ',' between the halves of an identifier, found ')'" },
		{ KERNEL("ld.shared.v4.u64 {%rd1, %rd2, %rd3, %rd4}, [%rd1];"), -EINVAL,
		  "line 7: ld.shared.v4.u64: is a vector of more than 128 bits" },
		{ KERNEL("bra nowhere;"), -EINVAL,
		  "line 7: 'nowhere' is no label of this function" },
		{ KERNEL("{ inner: } bra inner;"), -EINVAL,
		  "line 7: 'inner' is no label of this function" },
		{ KERNEL("@%r1 ret;"), -EINVAL, "line 7: a guard is a predicate" },
		{ KERNEL("call missing, (%r1);"), -EINVAL, "line 7: 'missing' is not declared" },
		{ KERNEL("call k;"), -EINVAL, "line 7: 'k' is a kernel and cannot be called" },
		{ KERNEL("vadd4.u32.u32.u32 %r1, %r2.b9, %r3, %r4;"), -EINVAL,
		  "line 7: expected an operand without a suffix, found '.b9'" },
		{ KERNEL("mov.u32 %r1, 1/0;"), -EINVAL, "line 7: a constant is divided by zero" },
		{ KERNEL("mov.u32 %r1, 0x;"), -EINVAL, "line 7: malformed number" },
		{ KERNEL("mov.f32 %f1, 0f12;"), -EINVAL,
		  "line 7: a float in bits has 8 hexadecimal digits after 0f" },
		{ KERNEL(".reg .b32 %r1; .reg .b32 %r1;"), -EINVAL,
		  "line 7: '%r1' is defined twice (first in line 7)" },
		{ KERNEL(".reg .b32 %x<2000000>;"), -E2BIG,
		  "line 7: the count of registers is not between 1 and 1048576" },
		{ KERNEL("mov.u32 %r1, \x01;"), -EINVAL,
		  "line 7: a character that PTX does not have (byte 0x01)" },
		{ HEAD ".global .texref t;\n", -ENOTSUP,
		  "line 4: .texref: textures and surfaces are not supported by softgpu" },
		{ HEAD ".global .u32 x[4] = {1, 2, 3, 4, 5};\n", -EINVAL,
		  "line 4: 'x' has more values than elements" },
		{ HEAD ".global .f32 x = 1;\n", -EINVAL,
		  "line 4: an integer constant where .f32 needs a float" },
		{ HEAD ".shared .u32 x = 1;\n", -EINVAL,
		  "line 4: 'x' cannot have a value at first: only .global and .const" },
		{ HEAD ".global .align 3 .u32 x;\n", -EINVAL,
		  "line 4: an alignment of 3 is no power of two" },
		{ HEAD ".visible .entry k() .reqnctapercluster 2, 1, 1 { ret; }\n", -ENOTSUP,
		  "line 4: .reqnctapercluster: thread block clusters are not supported by softgpu" },
		{ HEAD ".entry k(.param .b8 a[32000], .param .b8 b[800]) { ret; }\n", -E2BIG,
		  "line 4: 'k' has more than 32764 bytes of parameters" },
		{ HEAD
		  ".shared .b8 x[50000];\n.entry k() { .reg .b32 %r; ld.shared.b32 %r, [x]; }\n",
		  -E2BIG, "line 5: 'k' uses more than 49152 bytes of .shared memory" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct sg_module *module;
		struct sg_error error;

		if (refusals[i].code != 0) {
			check_refusal(&refusals[i]);
			continue;
		}
		assert_int_equal(load(refusals[i].text, &module, &error), 0);
		sg_module_free(module);
	}
}

static void features_are_refused_by_name(void **state)
{
	static const char *const texts[][2] = {
		{ "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%f1}, %rd1, %rd2, 1, 1, 1;",
		  "wgmma.mma_async: tensor-core instructions are" },
		{ "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1}, {%r1}, {%r2}, {%f1};",
		  "mma.sync: tensor-core instructions are" },
		{ "wmma.load.a.sync.aligned.row.m16n16k16.f16 {%r1}, [%rd1], %r2;",
		  "wmma.load: tensor-core instructions are" },
		{ "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1}, [%r2];",
		  "ldmatrix: tensor-core instructions are" },
		{ "tcgen05.fence::before_thread_sync;",
		  "tcgen05.fence: tensor-core instructions are" },
		{ "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1], 4, [%r2];",
		  "cp.async.bulk: TMA and bulk copies are" },
		{ "barrier.cluster.arrive.aligned;", "barrier.cluster: thread block clusters are" },
		{ "mapa.shared::cluster.u32 %r1, %r2, 0;", "mapa: thread block clusters are" },
		{ "tex.2d.v4.f32.f32 {%f1, %f2, %f3, %f4}, [t, {%f1, %f2}];", "tex: textures are" },
		{ "suld.b.1d.b32.trap {%r1}, [s, {%r2}];", "suld: surfaces are" },
		{ "multimem.red.relaxed.sys.global.add.u32 [%rd1], %r1;",
		  "multimem.red: multicast memory is" },
		{ "setmaxnreg.inc.sync.aligned.u32 232;",
		  "setmaxnreg: register reallocation between warps is" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[1024], sentence[256];
		struct refusal r = { text, -ENOTSUP, sentence };

		snprintf(text, sizeof(text), "%s%s%s", KERNEL_HEAD, texts[i][0], KERNEL_TAIL);
		snprintf(sentence, sizeof(sentence), "line 7: %s not supported by softgpu",
			 texts[i][1]);
		check_refusal(&r);
	}
}

static void check_nested(const char *head, char brace, const char *sentence)
{
	char text[512];
	struct refusal r = { text, -E2BIG, sentence };
	size_t len = strlen(head);

	memcpy(text, head, len);
	memset(text + len, brace, 100);
	text[len + 100] = '\0';
	check_refusal(&r);
}

static void nesting_is_bounded(void **state)
{
	(void)state;
	check_nested(HEAD ".entry k()\n", '{', "line 5: more than 64 blocks in each other");
	check_nested(HEAD ".global .u32 x = ", '(', "line 4: more than 64 levels of nesting");
	check_nested(HEAD ".global .u32 x = ", '-', "line 4: more than 64 levels of nesting");
}

/* A text without an end: what stands behind its length is never read, and a NUL ends it earlier. */
static void texts_end_where_they_say(void **state)
{
	static const char whole[] = HEAD ".entry k() { ret; }\n";
	struct sg_module *module;
	struct sg_error error;

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		char *text = malloc(len + 1);
		struct sg_module_text source = { text, len };

		memcpy(text, whole, len);
		if (sg_module_load(&source, 1, NULL, &module, &error) == 0) {
			/* without a kernel there is nothing wrong with the head alone */
			assert_true(len >= strlen(".version 9.0\n.target sm_9"));
			sg_module_free(module);
		}
		free(text);
	}
	assert_int_equal(
		sg_module_load(&(struct sg_module_text){ HEAD "\0 nonsense", sizeof(HEAD) + 9 }, 1,
			       NULL, &module, &error),
		0);
	sg_module_free(module);
}

static void memory_is_bounded(void **state)
{
	static const struct sg_module_limits limits = { .memory_bytes = 1 << 20,
							.text_bytes = 1 << 20 };
	struct sg_module_text source = { 0 };
	struct sg_module *module;
	struct sg_error error;
	char *text = NULL;
	FILE *out = open_memstream(&text, &source.len_bytes);

	(void)state;
	assert_non_null(out);
	fputs(HEAD, out);
	for (int i = 0; i < 40000; i++)
		fprintf(out, ".global .u32 x%d;\n", i);
	fclose(out);
	assert_true(source.len_bytes < limits.text_bytes);
	source.text = text;
	assert_int_equal(sg_module_load(&source, 1, &limits, &module, &error), -E2BIG);
	assert_string_equal(error.text,
			    "loading this module takes more than 1048576 bytes of memory");
	source.len_bytes = (1 << 20) + 1;
	assert_int_equal(sg_module_load(&source, 1, &limits, &module, &error), -E2BIG);
	assert_string_equal(error.text, "more than 1048576 bytes of text");
	free(text);
}

/* --- printed back ---------------------------------------------------------------------------- */

static char *print(const char *text)
{
	struct sg_module_text source = { text, strlen(text) };
	struct sg_error error;
	char *printed = NULL;
	size_t bytes;
	FILE *out = open_memstream(&printed, &bytes);

	assert_non_null(out);
	if (sg_ptx_print(&source, out, &error) != 0)
		fail_msg("line %u: %s", error.line, error.text);
	fclose(out);
	return printed;
}

static void what_is_printed_back_is_what_was_meant(void **state)
{
	static const char text[] = HEAD
		"// a comment\n"
		".global .v2 .u16 g[2] = {{1,2},{0x10,-1}};\n"
		".visible .entry k(.param .u64 .ptr .global .align 8 p)\n"
		".maxntid 64\n"
		"{\n"
		"	.reg .pred %p<2>; .reg .b32 %r<10>; .reg .b64 %rd<2>; .reg .f32 f; .reg .v2 .b32 v;\n"
		"	.loc 1 1 1\n"
		"	ld.u64.param %rd1, [p];\n"
		"	{ .reg .b32 %r5; mov.u32 %r5, %tid.x; mov.b64 {%r1, _}, %rd1;\n"
		"	  setp.u32.lt %p1, %r5, 2*(3+4); }\n"
		"	@!%p1 bra OUT;\n"
		"	add.sat.f32.rn f, f, -1.0;\n"
		"	st.global.v2.b32 [%rd1-8], v;\n"
		"	lop3.b32 v.x, %r1, %r9, 0xffffffff, 0x80;\n"
		"OUT: ret;\n"
		"}\n";
	static const char expected[] = HEAD
		"\n"
		".global .align 4 .u16 g[4] = {1U, 2U, 16U, 65535U};\n"
		"\n"
		".visible .entry k(.param .align 8 .u64 p)\n"
		".maxntid 64, 1, 1\n"
		"{\n"
		"	.reg .pred %pred_<2>;\n"
		"	.reg .b32 %b32_<13>;\n"
		"	.reg .b64 %b64_<2>;\n"
		"	.reg .f32 %f32_<1>;\n"
		"	ld.param.u64 %b64_1, [p];\n"
		"	mov.u32 %b32_12, %tid.x;\n"
		"	mov.b64 {%b32_1, _}, %b64_1;\n"
		"	setp.lt.u32 %pred_1, %b32_12, 14;\n"
		"	@!%pred_1 bra $L_0;\n"
		"	add.rn.sat.f32 %f32_0, %f32_0, 0dBFF0000000000000;\n"
		"	st.global.v2.b32 [%b64_1+-8], {%b32_10, %b32_11};\n"
		"	lop3.b32 %b32_10, %b32_1, %b32_9, 4294967295, 128;\n"
		"$L_0:\n"
		"	ret;\n"
		"}\n";
	char *once = print(text), *twice = print(once);

	(void)state;
	assert_string_equal(once, expected);
	assert_string_equal(twice, expected);
	free(once);
	free(twice);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_named_with_its_line),
		cmocka_unit_test(features_are_refused_by_name),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(texts_end_where_they_say),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(what_is_printed_back_is_what_was_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
