/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_refused.c - texts that softgpu refuses, each with the exact sentence */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"

/* A text with one statement in a kernel; the statement is on line 12. */
static void refuse(struct trial *t, const char *statement, const char *message)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 ".version 8.6\n.target sm_100a\n.address_size 64\n"
		 ".visible .entry k(.param .u64 p)\n{\n"
		 "\t.reg .pred %%p<4>;\n\t.reg .b16 %%h<8>;\n\t.reg .b32 %%r<32>;\n"
		 "\t.reg .b64 %%d<8>;\n\t.reg .f32 %%f<16>;\n\tld.param.u64 %%d1, [p];\n"
		 "\t%s\n\tret;\n}\n",
		 statement);
	trial_refused(t, text, message);
}

#define NOT(what) ": " what " are not supported by softgpu"

static void tensor(struct trial *t)
{
	refuse(t,
	       "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1,%r2,%r3}, "
	       "{%r4,%r5}, {%f4,%f5,%f6,%f7};",
	       "line 12: mma.sync" NOT("tensor-core instructions"));
	refuse(t, "wgmma.fence.sync.aligned;",
	       "line 12: wgmma.fence" NOT("tensor-core instructions"));
	refuse(t, "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r0,%r1,%r2,%r3}, [%r4];",
	       "line 12: ldmatrix" NOT("tensor-core instructions"));
	refuse(t, "tcgen05.fence::before_thread_sync;",
	       "line 12: tcgen05.fence" NOT("tensor-core instructions"));
}

static void clusters(struct trial *t)
{
	refuse(t, "barrier.cluster.arrive.aligned;",
	       "line 12: barrier.cluster" NOT("thread block clusters"));
	refuse(t, "mapa.u64 %d2, %d1, 0;", "line 12: mapa" NOT("thread block clusters"));
	refuse(t, "cp.async.bulk.commit_group;",
	       "line 12: cp.async.bulk" NOT("TMA and bulk copies"));
	refuse(t, "setmaxnreg.inc.sync.aligned.u32 64;",
	       "line 12: setmaxnreg: register reallocation between warps is not supported by softgpu");
}

static void textures(struct trial *t)
{
	refuse(t, "tex.2d.v4.f32.f32 {%f0,%f1,%f2,%f3}, [%d1, {%f4,%f5}];",
	       "line 12: tex" NOT("textures"));
	refuse(t, "suld.b.1d.b32.trap %r1, [%d1, {%r2}];", "line 12: suld" NOT("surfaces"));
}

/* Sentences of the parser and checker: they have to name the line; the words are their own. */
static const struct {
	const char *statement, *word;
} mistakes[] = {
	{ "addd.u32 %r1, %r2, %r3;", "addd" },
	{ "add.u33 %r1, %r2, %r3;", "add.u33" },
	{ "add.u32 %r1, %r2;", "add.u32" },
	{ "add.u32 %r1, %r2, %nothing;", "%nothing" },
	{ "add.u32 %r1, %d2, %r3;", "add.u32" },
	{ "add.rn.u32 %r1, %r2, %r3;", "add.rn.u32" },
	{ "add.f32 %r1, %r2", "" },
	{ "bra NOWHERE;", "NOWHERE" },
	{ "call missing, (%r1);", "missing" },
	{ "setp.lt.b32 %p1, %r1, %r2;", "setp.lt.b32" },
	{ "mov.u32 %r1, %tid.q;", "tid.q" },
	{ "ld.global.u32 %r1, %d1;", "" },
	{ "st.const.u32 [%d1], %r1;", "st.const.u32" },
	{ "shl.b32 %r1, %r2, %d1;", "shl.b32" },
	{ "L: add.u32 %r1, %r1, 1; L: ret;", "L" },
	{ "cvt.f32.f64 %f1, %d1;", "cvt" },
	{ "{ .reg .u32 x;", "" },
	{ "@%r1 ret;", "guard" },
};

static void told(struct trial *t, const char *text, const char *line, const char *word)
{
	if (trial_try_text(t, text, strlen(text))) {
		trial_fail(t, "loaded: %s", word);
		return;
	}
	if (trial_is_softgpu(t) &&
	    (strncmp(trial_log(t), line, strlen(line)) != 0 || !strstr(trial_log(t), word)))
		trial_fail(t, "said \"%s\", without \"%s\" or \"%s\"", trial_log(t), line, word);
}

static void errors(struct trial *t)
{
	char text[1024];

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		snprintf(
			text, sizeof(text),
			".version 8.0\n.target sm_80\n.address_size 64\n"
			".visible .entry k(.param .u64 p)\n{\n\t.reg .pred %%p<4>;\n"
			"\t.reg .b32 %%r<8>;\n\t.reg .b64 %%d<8>;\n\t.reg .f32 %%f<4>;\n\t%s\n\tret;\n}\n",
			mistakes[i].statement);
		told(t, text, "line 1", mistakes[i].word);
	}
}

/* Whole texts that are none, or are cut off anywhere: refused, and never anything worse. */
static void cut_off(struct trial *t)
{
	static const char text[] =
		".version 7.0\n.target sm_70\n.address_size 64\n.global .align 4 .u32 g[2] = { 1, 2 };\n"
		".func (.param .b32 r) f(.param .b32 x)\n{\n\t.reg .b32 %r<3>;\n"
		"\tld.param.b32 %r1, [x];\n\tst.param.b32 [r], %r1;\n\tret;\n}\n"
		".visible .entry k(.param .u64 p)\n{\n\t.reg .b32 %r<3>;\n\tmov.u32 %r1, 0x10;\n\tret;\n}\n";
	char part[sizeof(text)];

	for (size_t bytes = 0; bytes < sizeof(text); bytes++) {
		memcpy(part, text, bytes);
		part[bytes] = '\0';
		trial_try_text(t, part, bytes);
		trial_unload(t);
	}
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		memcpy(part, text, sizeof(text));
		part[i] = (char)(part[i] ^ 0x15);
		trial_try_text(t, part, sizeof(text) - 1);
		trial_unload(t);
	}
	told(t, "", "", "");
	told(t,
	     "\x7f"
	     "ELF\x02\x01\x01",
	     "", "");
	told(t, ".version 99.0\n.target sm_70\n", "line 1", "99.0");
	told(t, ".version 7.0\n.target sm_7\n", "line 2", "sm_7");
}

const struct ptx_case cases_refused[] = {
	{ .name = "refused.tensor", .run = tensor, .softgpu_only = true },
	{ .name = "refused.clusters", .run = clusters, .softgpu_only = true },
	{ .name = "refused.textures", .run = textures, .softgpu_only = true },
	{ .name = "refused.errors", .run = errors, .softgpu_only = true },
	{ .name = "refused.cut_off", .run = cut_off, .softgpu_only = true },
	{ .name = NULL },
};
