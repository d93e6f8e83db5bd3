/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_ptx_run.c - short programs of any instructions, run for a bounded number of steps */

/*
 * The input's bytes choose instructions from the table, forms, registers, addresses and branches;
 * the text that comes of it is loaded as any other. Whatever a program does, nothing outside of
 * what it may write changes, and the block ends in one of its states.
 */

#include <stdarg.h>

#include "fuzz.h"

#include "tests/unit/softgpu/machine.h"

#define INSNS_MAX 40
#define TEXT_MAX 16384
#define BUFFER_BYTES 512
#define THREADS 48

struct source {
	const uint8_t *at;
	size_t left;
};

struct text {
	char bytes[TEXT_MAX];
	size_t used;
};

static unsigned take(struct source *s, unsigned below)
{
	unsigned value = 0;

	for (unsigned n = 0; n < 2 && s->left; n++) {
		value = value << 8 | *s->at++;
		s->left--;
		if (below <= 256)
			break;
	}
	return below ? value % below : 0;
}

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->used += (size_t)vsnprintf(t->bytes + t->used, sizeof(t->bytes) - t->used, format, args);
	va_end(args);
	REQUIRE(t->used < sizeof(t->bytes));
}

static void put_register(struct text *t, struct source *s, unsigned bits)
{
	const char *name = bits == 1	? "p"
			   : bits <= 8	? "c"
			   : bits == 16 ? "h"
			   : bits == 32 ? "r"
			   : bits == 64 ? "d"
					: "q";

	put(t, "%%%s%u", name, take(s, 4));
}

static void put_value(struct text *t, struct source *s, const struct sg_isa_operand *o)
{
	static const char *const floats[] = { "0f7fc00001", "0f3f800000", "0f80000001",
					      "0f7f7fffff" };
	unsigned bits = sg_isa_type_bits(o->type);

	bool is_half = sg_isa_type_kind(o->type) >= SG_KIND_FLOAT && bits < 64 &&
		       o->type != SG_TYPE_F32;

	if (o->form == SG_FORM_RELAXED && !is_half && take(s, 4) == 0)
		bits = bits < 32 ? 32 : bits;
	if (o->written || bits == 1 || bits > 64 || is_half || take(s, 4))
		put_register(t, s, bits < 16 && bits > 1 ? 16 : bits);
	else if (o->type == SG_TYPE_F32)
		put(t, "%s", floats[take(s, 4)]);
	else if (o->type == SG_TYPE_F64)
		put(t, "0d7ff0000000000000");
	else
		put(t, "%d", take(s, 3) ? (int)take(s, 70) : (int)take(s, 65536) - 32768);
}

static void put_address(struct text *t, struct source *s, uint8_t space)
{
	unsigned offset = take(s, 8) ? take(s, 16) * 16 : take(s, 2048);

	switch (space) {
	case SG_SPACE_SHARED:
	case SG_SPACE_SHARED_CTA:
		put(t, "[sh+%u]", offset % 256);
		break;
	case SG_SPACE_LOCAL:
		put(t, "[lo+%u]", offset % 128);
		break;
	case SG_SPACE_CONST:
		put(t, "[co+%u]", offset % 128);
		break;
	case SG_SPACE_PARAM:
		put(t, "[a]");
		break;
	default:
		if (take(s, 16) == 0)
			put(t, "[%%d%u]", take(s, 4));
		else
			put(t, "[%%d%u+%u]", 8 + take(s, 4), offset % BUFFER_BYTES);
		break;
	}
}

static void put_operand(struct text *t, struct source *s, const struct sg_isa_variant *v,
			const struct sg_isa_operand *o)
{
	unsigned vec = v->vec == SG_VEC_V2   ? 2
		       : v->vec == SG_VEC_V4 ? 4
		       : v->vec == SG_VEC_V8 ? 8
					     : 1;

	switch (o->form) {
	case SG_FORM_ADDRESS:
		put_address(t, s, v->space);
		break;
	case SG_FORM_INTEGER:
		put(t, "%u", take(s, 256));
		break;
	case SG_FORM_VECTOR:
		for (unsigned n = 0; n < vec; n++) {
			put(t, "%s", n ? ", " : vec > 1 ? "{" : "");
			put_register(t, s,
				     sg_isa_type_bits(o->type) < 16 ? 16
								    : sg_isa_type_bits(o->type));
		}
		put(t, "%s", vec > 1 ? "}" : "");
		break;
	default:
		put_value(t, s, o);
		if (o->pair && take(s, 2))
			put(t, "|%%p%u", take(s, 4));
		break;
	}
}

/* Every form of every instruction that runs, made once: rows[n] of them from first[n] on. */
static struct sg_isa_variant *variants;
static uint32_t variant_count, *first, rows;

static void keep(const struct sg_isa_variant *variant, void *arg)
{
	(void)arg;
	if (sg_isa_rule(variant))
		return;
	/* Doubled when full, at every power of two. */
	if ((variant_count & (variant_count - 1)) == 0)
		variants = realloc(variants,
				   (variant_count ? variant_count * 2 : 1) * sizeof(*variants));
	REQUIRE(variants);
	variants[variant_count++] = *variant;
}

static void list_variants(void)
{
	first = calloc(sg_isa_row_count + 1, sizeof(*first));
	REQUIRE(first);
	for (size_t n = 0; n < sg_isa_row_count; n++) {
		const struct sg_isa_row *row = &sg_isa_rows[n];

		if (row->feature != SG_FEATURE_RUNS || row->operands[0] == '*')
			continue;
		sg_isa_each_variant(row, false, keep, NULL);
		if (variant_count > first[rows])
			first[++rows] = variant_count;
	}
}

/* One instruction of the table. */
static void put_row(struct text *t, struct source *s)
{
	uint32_t row = take(s, rows);
	const struct sg_isa_variant *v =
		&variants[first[row] + take(s, 65536) % (first[row + 1] - first[row])];
	struct sg_isa_operand operands[SG_ISA_OPERANDS_MAX];
	int count;

	count = sg_isa_operands(v, operands);
	put(t, "%s", v->name);
	for (int n = 0; n < count; n++) {
		bool hint = operands[n].type == SG_TYPE_B64 && operands[n].optional;

		if (hint ? !(v->flags & SG_BIT(CACHE_HINT)) : operands[n].optional && take(s, 2))
			continue;
		put(t, n ? ", " : " ");
		put_operand(t, s, v, &operands[n]);
	}
	put(t, ";\n");
}

/* Instructions with a syntax of their own. */
static void put_special(struct text *t, struct source *s, unsigned labels)
{
	switch (take(s, 12)) {
	case 0:
	case 1:
	case 2:
		put(t, "bra L%u;\n", take(s, labels));
		break;
	case 3:
		put(t, "call (%%r%u), f, (%%r%u);\n", take(s, 4), take(s, 4));
		break;
	case 4:
		put(t, "mov.b64 %%d%u, {%%r%u, %%r%u};\n", take(s, 4), take(s, 4), take(s, 4));
		break;
	case 5:
		put(t, "mov.b32 {%%h%u, %%h%u}, %%r%u;\n", take(s, 4), take(s, 4), take(s, 4));
		break;
	case 6:
		put(t, "mov.u32 %%r%u, %%laneid;\n", take(s, 4));
		break;
	case 7:
		put(t, "brx.idx %%r%u, table;\n", take(s, 4));
		break;
	case 8:
		put(t, "cvta.shared.u64 %%d%u, %%d%u;\n", take(s, 4), take(s, 4));
		break;
	case 9:
		put(t, "call (%%r%u), %%d%u, (%%r%u), proto;\n", take(s, 4),
		    take(s, 2) ? 11 : take(s, 4), take(s, 4));
		break;
	case 10:
		put(t, "mov.u64 %%d%u, lo;\ncvta.local.u64 %%d%u, %%d%u;\n", take(s, 4), take(s, 4),
		    take(s, 4));
		break;
	default:
		put(t, "add.u64 %%d%u, %%d%u, %%d%u;\n", take(s, 4), take(s, 4), 8 + take(s, 4));
		break;
	}
}

static void put_body(struct text *t, struct source *s)
{
	unsigned count = 1 + take(s, INSNS_MAX);

	for (unsigned n = 0; n < count; n++) {
		unsigned guard = take(s, 8);

		put(t, "L%u: ", n);
		/* An instruction that gets no text leaves the guard to the empty statement's place.
		 */
		if (take(s, 5) == 0) {
			put(t, "%s", guard < 2 ? (guard ? "@%p1 " : "@!%p2 ") : "");
			put_special(t, s, count);
		} else {
			put_row(t, s);
		}
	}
	put(t, "table: .branchtargets L0, L%u;\n", count - 1);
}

static void put_program(struct text *t, struct source *s)
{
	put(t,
	    ".version 9.0\n.target sm_100\n.address_size 64\n"
	    ".const .align 16 .b8 co[128] = {1, 2, 3};\n.shared .align 16 .b8 sh[256];\n"
	    ".func (.reg .b32 o) f(.reg .b32 n)\n{ .reg .pred p; .reg .b32 t; setp.gt.u32 p, n, 40;\n"
	    "mov.u32 o, n; @p ret; add.u32 t, n, 7; call (t), f, (t); xor.b32 o, t, n; ret; }\n"
	    ".visible .entry k(.param .u64 a)\n{ .reg .pred %%p<4>; .reg .b16 %%h<4>; .reg .b32 %%r<4>;\n"
	    ".reg .b64 %%d<12>; .reg .b128 %%q<4>; .local .align 16 .b8 lo[128];\n"
	    "proto: .callprototype (.reg .b32 _) _ (.reg .b32 _);\n"
	    "ld.param.u64 %%d8, [a]; mov.u32 %%r0, %%tid.x; mul.wide.u32 %%d9, %%r0, 8; add.s64 %%d9, %%d8, %%d9;\n"
	    "mov.u64 %%d10, sh; cvta.shared.u64 %%d10, %%d10; mov.u64 %%d11, f;\n"
	    "ld.global.v2.b32 {%%r1, %%r2}, [%%d9]; mov.b64 %%d0, {%%r1, %%r2}; mov.b64 %%d1, {%%r2, %%r0};\n"
	    "mov.b32 {%%h0, %%h1}, %%r1; mov.b32 {%%h2, %%h3}, %%r2; mov.u32 %%r3, 3; setp.lt.u32 %%p1, %%r0, 17;\n"
	    "setp.lt.u32 %%p2, %%r1, %%r2; mov.b128 %%q0, {%%d0, %%d1}; mov.u64 %%d2, 8; mov.u64 %%d3, 1;\n");
	put_body(t, s);
	put(t, "ret; }\n");
}

static void run(struct machine *m, const struct source *s)
{
	uint64_t buffer = machine_alloc(m, BUFFER_BYTES);
	unsigned char *host = machine_host(m, buffer);

	for (size_t n = 0; n < BUFFER_BYTES; n++)
		host[n] = (unsigned char)(n * 37 + (s->left ? s->at[n % s->left] : 0));
	m->steps_left = 4;
	m->budget = 300;
	m->resident = 2;
	m->races = s->left & 1;
	machine_run(m, "k", 2, THREADS, &buffer, sizeof(buffer));
	/* The gap behind the buffer belongs to nothing. */
	for (size_t n = BUFFER_BYTES; n < BUFFER_BYTES + SG_MEMORY_ALIGN; n++)
		REQUIRE(host[n] == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	struct source s = { .at = input, .left = len_bytes };
	struct text t = { .used = 0 };
	struct machine m;
	int err;

	if (!variants)
		list_variants();
	put_program(&t, &s);
	err = machine_load(&m, t.bytes, t.used);
	if (getenv("FUZZ_SHOW"))
		fprintf(stderr, "%s%d: line %u: %s\n", t.bytes, err, m.error.line, m.error.text);
	/* What the table lets through has a handler. */
	REQUIRE(err != -ENOTSUP || m.error.text[0]);
	if (err == 0)
		run(&m, &s);
	if (m.module)
		machine_free(&m);
	return 0;
}
