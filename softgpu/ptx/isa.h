/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isa.h - the PTX instruction set as isa.def lists it, and how the text of a mnemonic is matched
 * against it */

#ifndef VGPU_SOFTGPU_PTX_ISA_H
#define VGPU_SOFTGPU_PTX_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sg_type {
	SG_TYPE_NONE,
#define TYPE(name, word, bits, kind) SG_TYPE_##name,
#include "softgpu/ptx/isa.def"
	SG_TYPE_NUM
};

enum sg_kind {
	SG_KIND_NONE,
	SG_KIND_BITS,
	SG_KIND_UNSIGNED,
	SG_KIND_SIGNED,
	SG_KIND_FLOAT,
	SG_KIND_PACKED,
	SG_KIND_PREDICATE
};

enum sg_op {
#define OP(name) SG_OP_##name,
#include "softgpu/ptx/isa.def"
	SG_OP_NUM
};

enum sg_sreg {
#define SREG(name, word, components, type) SG_SREG_##name,
#include "softgpu/ptx/isa.def"
	SG_SREG_NUM
};

/* A reason to refuse an instruction at load; SG_FEATURE_RUNS: none. */
enum sg_feature {
	SG_FEATURE_RUNS,
#define FEATURE(name, text, verb) SG_FEATURE_##name,
#include "softgpu/ptx/isa.def"
	SG_FEATURE_NUM
};

enum sg_class {
	SG_CLASS_ROUND,
	SG_CLASS_FLAG,
	SG_CLASS_CMP,
	SG_CLASS_BOOL,
	SG_CLASS_SUB,
	SG_CLASS_SPACE,
	SG_CLASS_VEC,
	SG_CLASS_SEM,
	SG_CLASS_SCOPE,
	SG_CLASS_HINT,
	SG_CLASS_NUM
};

/* All modifiers: SG_ROUND_RN, SG_CMP_EQ, SG_SUB_ADD, SG_SPACE_GLOBAL ... 0 means that none was
 * written. */
enum sg_word {
	SG_WORD_NONE,
#define WORD(class, name, word) SG_##class##_##name,
#include "softgpu/ptx/isa.def"
	SG_WORD_NUM
};
_Static_assert(SG_WORD_NUM <= 256, "a modifier fits into a byte");

/* The bit of `flags` that stands for a modifier of class FLAG: SG_BIT(FTZ). */
#define SG_BIT(name) (1ull << (SG_FLAG_##name - SG_FLAG_FTZ))

/* One INSN of isa.def. */
struct sg_isa_row {
	const char *pattern;
	const char *operands;
	uint16_t ptx; /* times ten */
	uint16_t sm;
	uint8_t op;	 /* enum sg_op */
	uint8_t feature; /* enum sg_feature */
};

#define SG_ISA_SUFFIXES_MAX 16 /* suffixes of one instruction */
#define SG_ISA_TYPES_MAX 3

/* A mnemonic with all its suffixes, matched: everything that they say about an instruction. */
struct sg_isa_variant {
	const struct sg_isa_row *row;
	uint64_t flags;			/* SG_BIT() */
	uint8_t type[SG_ISA_TYPES_MAX]; /* enum sg_type, in the order of the text */
	uint8_t round, cmp, bool_op, sub, space, vec, sem, scope; /* enum sg_word, or 0 */
	char name[128]; /* canonical spelling: suffixes in the order of the pattern */
};

extern const struct sg_isa_row sg_isa_rows[];
extern const size_t sg_isa_row_count;

/* What a match can come to. */
enum sg_isa_match {
	SG_ISA_MATCHED,	    /* out is filled; row->feature says whether it runs */
	SG_ISA_NO_MNEMONIC, /* no row begins with this word */
	SG_ISA_NO_FORM	    /* rows begin with it, none takes these suffixes */
};

/*
 * Matches a mnemonic with its suffixes ("add.rn.ftz.f32", no blanks) against the table. Types have
 * to stand in order, other modifiers may stand in any order, as ptxas takes them. out: written when
 * matched, else its contents are not defined.
 */
enum sg_isa_match sg_isa_match(const char *text, size_t len_bytes, struct sg_isa_variant *out);

/*
 * Calls back once for every variant that a row's pattern admits and sg_isa_rule() has nothing
 * against. Each group takes each of its words; cache hints are left out, scopes and orders (SEM)
 * vary only where full is true. Nothing for rows ending in "*". Return: how many variants there
 * are.
 */
size_t sg_isa_each_variant(const struct sg_isa_row *row, bool full,
			   void (*visit)(const struct sg_isa_variant *variant, void *arg),
			   void *arg);

/* One operand that an instruction takes. */
enum sg_form {
	SG_FORM_VALUE,	 /* a register or constant of exactly `type` */
	SG_FORM_RELAXED, /* of type, or a wider register */
	SG_FORM_VECTOR,	 /* relaxed for ld and st; in braces when the variant has .v2, .v4, .v8 */
	SG_FORM_ADDRESS, /* in brackets */
	SG_FORM_INTEGER, /* a constant */
	SG_FORM_POINTER	 /* a value, or a variable for its address */
};

struct sg_isa_operand {
	enum sg_form form;
	enum sg_type type;
	bool written;
	bool optional;
	bool pair;     /* an optional predicate beside it: d|p */
	bool selector; /* a video selector may stand */
};

#define SG_ISA_OPERANDS_MAX 8

/* Return: how many operands a variant takes at most; -1: the instruction has rules of its own
 * ("*"). */
int sg_isa_operands(const struct sg_isa_variant *variant,
		    struct sg_isa_operand out[SG_ISA_OPERANDS_MAX]);

/*
 * What the manual forbids beyond what patterns say, like ".nc outside of .global".
 * Return: NULL, or a sentence's end that says what is wrong: "needs .global".
 */
const char *sg_isa_rule(const struct sg_isa_variant *variant);

/*
 * Writes a row's mnemonic, the pattern's leading words ("mad.wide", "cp.async.bulk"), which is how
 * the support table lists instructions. Return: 0, -ENOSPC out is too small.
 */
int sg_isa_mnemonic(const struct sg_isa_row *row, char *out, size_t out_bytes);

const char *sg_isa_type_word(enum sg_type type); /* "u32"; "" for NONE */
unsigned sg_isa_type_bits(enum sg_type type);	 /* 1 for pred */
enum sg_kind sg_isa_type_kind(enum sg_type type);
const char *sg_isa_word_text(enum sg_word word);    /* "rn"; "" for NONE */
const char *sg_isa_feature_text(enum sg_feature f); /* "tensor-core instructions" */
const char *sg_isa_feature_verb(enum sg_feature f); /* "are" for it, "is" for others */
const char *sg_isa_sreg_name(enum sg_sreg sreg);    /* "tid", without % */
enum sg_type sg_isa_sreg_type(enum sg_sreg sreg);
unsigned sg_isa_sreg_components(enum sg_sreg sreg);

/* Return: the type of this name, SG_TYPE_NONE if there is none. */
enum sg_type sg_isa_find_type(const char *word, size_t len_bytes);

/*
 * Finds a special register by its name without '%', component included ("tid.x", "envreg12",
 * "clock64"). component: 0 to 3 for .x to .w, or the number of an envreg or pm. Return: 0, -ENOENT.
 */
int sg_isa_find_sreg(const char *name, size_t len_bytes, enum sg_sreg *out, unsigned *component);

#endif
