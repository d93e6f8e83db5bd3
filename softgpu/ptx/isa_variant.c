/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isa_variant.c - every form that a row of isa.def admits, and what the manual forbids beside it */

#include <string.h>

#include "softgpu/ptx/isa.h"
#include "softgpu/ptx/isa_private.h"

/* --- what the manual forbids ----------------------------------------------------------------- */

static bool is_float(enum sg_type type)
{
	return sg_isa_type_kind(type) == SG_KIND_FLOAT;
}

static bool is_half(enum sg_type type)
{
	return type == SG_TYPE_F16 || type == SG_TYPE_F16X2;
}

static bool has(const struct sg_isa_variant *v, uint64_t bit)
{
	return (v->flags & bit) != 0;
}

static bool strong(enum sg_word sem)
{
	return sem == SG_SEM_RELAXED || sem == SG_SEM_ACQUIRE || sem == SG_SEM_RELEASE ||
	       sem == SG_SEM_ACQ_REL;
}

/* ld, ldu, st: order and scope go together, and vectors have a size at most. */
static const char *memory_rule(const struct sg_isa_variant *v)
{
	unsigned elements = v->vec == SG_VEC_V2	  ? 2
			    : v->vec == SG_VEC_V4 ? 4
			    : v->vec == SG_VEC_V8 ? 8
						  : 1;
	unsigned bits = elements * sg_isa_type_bits(v->type[0]);

	if (strong(v->sem) != (v->scope != SG_WORD_NONE))
		return v->scope != SG_WORD_NONE ? "has a scope but no order that takes one"
						: "needs a scope";
	if (has(v, SG_BIT(MMIO)) && (v->sem != SG_SEM_RELAXED || v->scope != SG_SCOPE_SYS))
		return ".mmio needs .relaxed and .sys";
	if (has(v, SG_BIT(NC)) && (v->space != SG_SPACE_GLOBAL || v->sem != SG_WORD_NONE))
		return ".nc needs .global and no order";
	if ((v->space == SG_SPACE_CONST || v->space == SG_SPACE_PARAM ||
	     v->space == SG_SPACE_PARAM_ENTRY || v->space == SG_SPACE_PARAM_FUNC) &&
	    v->sem != SG_WORD_NONE && v->sem != SG_SEM_VOLATILE && v->sem != SG_SEM_WEAK)
		return "takes no order in this space";
	if (bits > 256 || (bits > 128 && v->space != SG_SPACE_GLOBAL))
		return "is a vector of more than 128 bits";
	if (v->vec == SG_VEC_V8 && sg_isa_type_bits(v->type[0]) != 32)
		return ".v8 needs a type of 32 bits";
	if (elements > 1 && v->type[0] == SG_TYPE_B128)
		return "has no vectors of .b128";
	return NULL;
}

static const char *atom_rule(const struct sg_isa_variant *v)
{
	unsigned elements = v->vec == SG_VEC_V2	  ? 2
			    : v->vec == SG_VEC_V4 ? 4
			    : v->vec == SG_VEC_V8 ? 8
						  : 1;

	if (elements > 1 && elements * sg_isa_type_bits(v->type[0]) > 128)
		return "is a vector of more than 128 bits";
	if (v->vec == SG_VEC_V8 && sg_isa_type_bits(v->type[0]) != 16)
		return ".v8 needs a type of 16 bits";
	return NULL;
}

static const char *compare_rule(const struct sg_isa_variant *v, enum sg_type type)
{
	bool is_signed = sg_isa_type_kind(type) == SG_KIND_SIGNED;

	if (v->cmp >= SG_CMP_LO && v->cmp <= SG_CMP_HS && is_signed)
		return "compares signed numbers with an order of unsigned ones";
	if (has(v, SG_BIT(FTZ)) && type != SG_TYPE_F32 && !is_half(type))
		return ".ftz needs .f32 or .f16";
	return NULL;
}

static const char *min_max_rule(const struct sg_isa_variant *v)
{
	bool of_three = strcmp(v->row->operands, "=t,t,t,t") == 0;

	if (has(v, SG_BIT(XORSIGN)) != has(v, SG_BIT(ABS)) && !of_three)
		return ".xorsign and .abs go together";
	return NULL;
}

static bool round_integer(enum sg_word round)
{
	return round >= SG_ROUND_RNI && round <= SG_ROUND_RPI;
}

static const char *cvt_float_rule(const struct sg_isa_variant *v, enum sg_type to,
				  enum sg_type from)
{
	unsigned to_bits = sg_isa_type_bits(to), from_bits = sg_isa_type_bits(from);

	if (to_bits < from_bits && (v->round == SG_WORD_NONE || round_integer(v->round)))
		return "needs a rounding: .rn, .rz, .rm or .rp";
	if (to_bits > from_bits && v->round != SG_WORD_NONE)
		return "widens a float exactly and takes no rounding";
	if (to == from && v->round != SG_WORD_NONE && !round_integer(v->round))
		return "rounds to an integer or not at all";
	if (to == SG_TYPE_BF16 && from == SG_TYPE_F64 && has(v, SG_BIT(FTZ)))
		return ".ftz needs .f32";
	return NULL;
}

/* The destination holds whatever the source has. */
static bool holds_all(enum sg_type to, enum sg_type from)
{
	unsigned to_bits = sg_isa_type_bits(to), from_bits = sg_isa_type_bits(from);
	bool to_signed = sg_isa_type_kind(to) == SG_KIND_SIGNED;
	bool from_signed = sg_isa_type_kind(from) == SG_KIND_SIGNED;

	if (to_signed == from_signed)
		return to_bits >= from_bits;
	return to_signed && to_bits > from_bits;
}

static bool is_integer(enum sg_type type)
{
	return sg_isa_type_kind(type) == SG_KIND_SIGNED ||
	       sg_isa_type_kind(type) == SG_KIND_UNSIGNED;
}

static const char *cvt_rule(const struct sg_isa_variant *v)
{
	enum sg_type to = v->type[0], from = v->type[1];

	if (has(v, SG_BIT(SAT)) && is_integer(to) && is_integer(from) && holds_all(to, from))
		return ".sat says nothing where every value fits";
	if (has(v, SG_BIT(FTZ)) && to != SG_TYPE_F32 && from != SG_TYPE_F32)
		return ".ftz needs .f32";
	if (has(v, SG_BIT(SAT)) && has(v, SG_BIT(SATFINITE)))
		return ".sat and .satfinite exclude each other";
	if (is_float(to) && is_float(from) && to != SG_TYPE_TF32 && to != SG_TYPE_BF16 &&
	    from != SG_TYPE_BF16)
		return cvt_float_rule(v, to, from);
	return NULL;
}

const char *sg_isa_rule(const struct sg_isa_variant *v)
{
	if (v->row->op >= SG_OP_VADD2 && v->row->op <= SG_OP_VSET4 && has(v, SG_BIT(SAT)) &&
	    v->sub == SG_SUB_ADD)
		return ".sat and .add exclude each other";
	switch (v->row->op) {
	case SG_OP_LD:
	case SG_OP_ST:
		return memory_rule(v);
	case SG_OP_ATOM:
	case SG_OP_RED:
		return atom_rule(v);
	case SG_OP_SETP:
		return compare_rule(v, v->type[0]);
	case SG_OP_SET:
		return compare_rule(v, v->type[1]);
	case SG_OP_MIN:
	case SG_OP_MAX:
		return min_max_rule(v);
	case SG_OP_CVT:
		return cvt_rule(v);
	default:
		return NULL;
	}
}

/* --- all variants ---------------------------------------------------------------------------- */

#define GROUPS_MAX (SG_ISA_SUFFIXES_MAX + 4)

struct walk {
	struct sg_isa_group groups[GROUPS_MAX];
	size_t count;
	bool full;
	const struct sg_isa_row *row;
	void (*visit)(const struct sg_isa_variant *variant, void *arg);
	void *arg;
	size_t found;
	/* where the walk stands: the variant so far, before each group */
	struct sg_isa_variant stack[GROUPS_MAX + 1];
	size_t depth;
};

static void walk_group(struct walk *walk);

/* Orders, scopes and hints say nothing about values: one of them stands for all. */
static bool is_side_word(const struct walk *walk, const struct sg_isa_choice *choice)
{
	return choice->class == SG_CLASS_HINT ||
	       (!walk->full && (choice->class == SG_CLASS_SEM || choice->class == SG_CLASS_SCOPE));
}

static bool take(struct sg_isa_span word, unsigned class, void *arg)
{
	struct walk *walk = arg;
	struct sg_isa_choice choice = sg_isa_meaning(word, class);
	bool side = is_side_word(walk, &choice);
	bool optional = walk->groups[walk->depth].optional;

	if (choice.class == SG_CLASS_FLAG && choice.id == SG_FLAG_CACHE_HINT)
		return true; /* an operand more, a value not */
	if (side && optional)
		return true;
	if (walk->depth == 0)
		choice.class = SG_CLASS_NUM;
	walk->stack[walk->depth + 1] = walk->stack[walk->depth];
	sg_isa_apply(&walk->stack[walk->depth + 1], &choice);
	walk->depth++;
	walk_group(walk);
	walk->depth--;
	return side;
}

static void walk_group(struct walk *walk)
{
	if (walk->depth == walk->count) {
		const struct sg_isa_variant *variant = &walk->stack[walk->depth];

		if (sg_isa_rule(variant) != NULL)
			return;
		walk->found++;
		if (walk->visit != NULL)
			walk->visit(variant, walk->arg);
		return;
	}
	if (walk->groups[walk->depth].optional) {
		walk->stack[walk->depth + 1] = walk->stack[walk->depth];
		walk->depth++;
		walk_group(walk);
		walk->depth--;
	}
	sg_isa_each_choice(walk->groups[walk->depth].body, take, walk);
}

size_t sg_isa_each_variant(const struct sg_isa_row *row, bool full,
			   void (*visit)(const struct sg_isa_variant *variant, void *arg),
			   void *arg)
{
	struct walk walk = { .full = full, .row = row, .visit = visit, .arg = arg };
	const char *pattern = row->pattern;

	if (row->pattern[strlen(row->pattern) - 1] == '*')
		return 0;
	while (walk.count < GROUPS_MAX && sg_isa_next_group(&pattern, &walk.groups[walk.count]))
		walk.count++;
	walk.stack[0].row = row;
	walk_group(&walk);
	return walk.found;
}
