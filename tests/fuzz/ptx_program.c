/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptx_program.c - instructions of the table as PTX text, chosen by bytes */

#include "tests/fuzz/ptx_program.h"

#include <stdarg.h>
#include <stdbool.h>

#include "softgpu/ptx/isa.h"
#include "tests/fuzz/fuzz.h"

unsigned ptx_take(struct ptx_source *s, unsigned below)
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

void ptx_put(struct ptx_text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->used += (size_t)vsnprintf(t->bytes + t->used, sizeof(t->bytes) - t->used, format, args);
	va_end(args);
	REQUIRE(t->used < sizeof(t->bytes));
}

void ptx_put_part(struct ptx_text *t, const struct ptx_part *part, const char *body)
{
	const char *word = part->words;
	bool used = *word == '\0';

	while (!used && *word != '\0') {
		size_t len = strcspn(word, "|");

		used = memmem(body, strlen(body), word, len) != NULL;
		word += len + (word[len] == '|');
	}
	if (used)
		ptx_put(t, "%s", part->text);
}

static void put_register(struct ptx_text *t, struct ptx_source *s, unsigned bits)
{
	const char *name = bits == 1	? "p"
			   : bits <= 8	? "c"
			   : bits == 16 ? "h"
			   : bits == 32 ? "r"
			   : bits == 64 ? "d"
					: "q";

	ptx_put(t, "%%%s%u", name, ptx_take(s, 4));
}

static void put_value(struct ptx_text *t, struct ptx_source *s, const struct sg_isa_operand *o)
{
	static const char *const floats[] = { "0f7fc00001", "0f3f800000", "0f80000001",
					      "0f7f7fffff" };
	unsigned bits = sg_isa_type_bits(o->type);

	bool is_half = sg_isa_type_kind(o->type) >= SG_KIND_FLOAT && bits < 64 &&
		       o->type != SG_TYPE_F32;

	if (o->form == SG_FORM_RELAXED && !is_half && ptx_take(s, 4) == 0)
		bits = bits < 32 ? 32 : bits;
	if (o->written || bits == 1 || bits > 64 || is_half || ptx_take(s, 4))
		put_register(t, s, bits < 16 && bits > 1 ? 16 : bits);
	else if (o->type == SG_TYPE_F32)
		ptx_put(t, "%s", floats[ptx_take(s, 4)]);
	else if (o->type == SG_TYPE_F64)
		ptx_put(t, "0d7ff0000000000000");
	else
		ptx_put(t, "%d",
			ptx_take(s, 3) ? (int)ptx_take(s, 70) : (int)ptx_take(s, 65536) - 32768);
}

static void put_address(struct ptx_text *t, struct ptx_source *s, uint8_t space)
{
	unsigned offset = ptx_take(s, 8) ? ptx_take(s, 16) * 16 : ptx_take(s, 2048);

	switch (space) {
	case SG_SPACE_SHARED:
	case SG_SPACE_SHARED_CTA:
		ptx_put(t, "[sh+%u]", offset % 256);
		break;
	case SG_SPACE_LOCAL:
		ptx_put(t, "[lo+%u]", offset % 128);
		break;
	case SG_SPACE_CONST:
		ptx_put(t, "[co+%u]", offset % 128);
		break;
	case SG_SPACE_PARAM:
		ptx_put(t, "[a]");
		break;
	default:
		if (ptx_take(s, 16) == 0)
			ptx_put(t, "[%%d%u]", ptx_take(s, 4));
		else
			ptx_put(t, "[%%d%u+%u]", 8 + ptx_take(s, 4), offset % PTX_BUFFER_BYTES);
		break;
	}
}

static void put_operand(struct ptx_text *t, struct ptx_source *s, const struct sg_isa_variant *v,
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
		ptx_put(t, "%u", ptx_take(s, 256));
		break;
	case SG_FORM_VECTOR:
		for (unsigned n = 0; n < vec; n++) {
			ptx_put(t, "%s", n ? ", " : vec > 1 ? "{" : "");
			put_register(t, s,
				     sg_isa_type_bits(o->type) < 16 ? 16
								    : sg_isa_type_bits(o->type));
		}
		ptx_put(t, "%s", vec > 1 ? "}" : "");
		break;
	default:
		put_value(t, s, o);
		if (o->pair && ptx_take(s, 2))
			ptx_put(t, "|%%p%u", ptx_take(s, 4));
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

/* One instruction that the table says runs, with operands of its types. */
static void put_row(struct ptx_text *t, struct ptx_source *s)
{
	struct sg_isa_operand operands[SG_ISA_OPERANDS_MAX];
	const struct sg_isa_variant *v;
	uint32_t row, forms;
	int count;

	if (!variants)
		list_variants();
	row = ptx_take(s, rows);
	forms = first[row + 1] - first[row];
	if (forms == 0)
		return;
	v = &variants[first[row] + ptx_take(s, 65536) % forms];
	count = sg_isa_operands(v, operands);
	ptx_put(t, "%s", v->name);
	for (int n = 0; n < count; n++) {
		bool hint = operands[n].type == SG_TYPE_B64 && operands[n].optional;

		if (hint ? !(v->flags & SG_BIT(CACHE_HINT))
			 : operands[n].optional && ptx_take(s, 2))
			continue;
		ptx_put(t, n ? ", " : " ");
		put_operand(t, s, v, &operands[n]);
	}
	ptx_put(t, ";\n");
}

/* What printf and its like are given: often what they expect, else any number. */
static void put_passed(struct ptx_text *t, struct ptx_source *s, const char *param)
{
	if (ptx_take(s, 4))
		ptx_put(t, "st.param.b64 [%s], %%d%u; ", param, 4 + ptx_take(s, 4));
	else
		ptx_put(t, "st.param.b64 [%s], %%d%u; ", param, ptx_take(s, 4));
}

/* Functions of the device itself, special registers, and sums of addresses. */
static void put_device_call(struct ptx_text *t, struct ptx_source *s)
{
	static const char *const registers[] = { "ctaid.x", "ntid.x",	   "nctaid.y",
						 "warpid",  "lanemask_lt", "clock",
						 "smid",    "gridid",	   "total_smem_size",
						 "envreg1", "tid.y",	   "lanemask_ge" };

	switch (ptx_take(s, 8)) {
	case 0: /* %d4: the format, %d5: what it prints */
		ptx_put(t, "{ .param .b64 p0; .param .b64 p1; .param .b32 r0; ");
		ptx_put(t, "mov.u64 %%d4, fmt; mov.u64 %%d5, lo; cvta.local.u64 %%d5, %%d5; ");
		ptx_put(t, "mov.u64 %%d6, %%d9; mov.u64 %%d7, %%d4; ");
		put_passed(t, s, "p0");
		put_passed(t, s, "p1");
		ptx_put(t, "call (r0), vprintf, (p0, p1); ld.param.b32 %%r%u, [r0]; }\n",
			ptx_take(s, 4));
		break;
	case 1:
		ptx_put(t, "{ .param .b64 p0; .param .b64 r0; st.param.b64 [p0], %u; ",
			ptx_take(s, 4) ? ptx_take(s, 256) : ptx_take(s, 65536) << 8);
		ptx_put(t, "call (r0), malloc, (p0); ld.param.b64 %%d%u, [r0]; }\n",
			ptx_take(s, 4));
		break;
	case 2:
		ptx_put(t, "{ .param .b64 p0; st.param.b64 [p0], %%d%u; call free, (p0); }\n",
			ptx_take(s, 4));
		break;
	case 3:
		ptx_put(t, "mov.u32 %%r%u, %%%s;\n", ptx_take(s, 4),
			registers[ptx_take(s, sizeof(registers) / sizeof(registers[0]))]);
		break;
	default:
		ptx_put(t, "add.u64 %%d%u, %%d%u, %%d%u;\n", ptx_take(s, 4), ptx_take(s, 4),
			8 + ptx_take(s, 4));
		break;
	}
}

/* Instructions with a syntax of their own. */
static void put_special(struct ptx_text *t, struct ptx_source *s, unsigned labels)
{
	switch (ptx_take(s, 12)) {
	case 0:
	case 1:
	case 2:
		ptx_put(t, "bra L%u;\n", ptx_take(s, labels));
		break;
	case 3:
		ptx_put(t, "call (%%r%u), f, (%%r%u);\n", ptx_take(s, 4), ptx_take(s, 4));
		break;
	case 4:
		ptx_put(t, "mov.b64 %%d%u, {%%r%u, %%r%u};\n", ptx_take(s, 4), ptx_take(s, 4),
			ptx_take(s, 4));
		break;
	case 5:
		ptx_put(t, "mov.b32 {%%h%u, %%h%u}, %%r%u;\n", ptx_take(s, 4), ptx_take(s, 4),
			ptx_take(s, 4));
		break;
	case 6:
		ptx_put(t, "mov.u32 %%r%u, %%laneid;\n", ptx_take(s, 4));
		break;
	case 7:
		ptx_put(t, "brx.idx %%r%u, table;\n", ptx_take(s, 4));
		break;
	case 8:
		ptx_put(t, "cvta.shared.u64 %%d%u, %%d%u;\n", ptx_take(s, 4), ptx_take(s, 4));
		break;
	case 9:
		ptx_put(t, "call (%%r%u), %%d%u, (%%r%u), proto;\n", ptx_take(s, 4),
			ptx_take(s, 2) ? 11 : ptx_take(s, 4), ptx_take(s, 4));
		break;
	case 10:
		ptx_put(t, "mov.u64 %%d%u, lo;\ncvta.local.u64 %%d%u, %%d%u;\n", ptx_take(s, 4),
			ptx_take(s, 4), ptx_take(s, 4));
		break;
	default:
		put_device_call(t, s);
		break;
	}
}

void ptx_put_body(struct ptx_text *t, struct ptx_source *s, unsigned count)
{
	for (unsigned n = 0; n < count; n++) {
		unsigned guard = ptx_take(s, 8);

		ptx_put(t, "L%u: ", n);
		if (ptx_take(s, 5) == 0) {
			ptx_put(t, "%s", guard < 2 ? (guard ? "@%p1 " : "@!%p2 ") : "");
			put_special(t, s, count);
		} else {
			put_row(t, s);
		}
	}
	ptx_put(t, "table: .branchtargets L0, L%u;\n", count - 1);
}
