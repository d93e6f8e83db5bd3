/* SPDX-License-Identifier: GPL-2.0-or-later */
/* form.h - one form of an instruction that computes: its operands, and a kernel that runs it */

#ifndef PTX_FORM_H
#define PTX_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FORM_WORDS_MAX = 12, FORM_SOURCES_MAX = 6, FORM_RESULTS_MAX = 2 };

/* Modifiers that change what is computed; FORM_FTZ and so on are bits of form.flags. */
/* clang-format off */
#define FORM_FLAGS(X) \
	X(FTZ, "ftz") X(SAT, "sat") X(RELU, "relu") X(NAN, "NaN") X(XORSIGN, "xorsign") \
	X(ABS, "abs") X(OOB, "oob") X(RN, "rn") X(RZ, "rz") X(RM, "rm") \
	X(RP, "rp") X(RNA, "rna") X(RNI, "rni") X(RZI, "rzi") X(RMI, "rmi") \
	X(RPI, "rpi") X(HI, "hi") X(LO, "lo") X(WIDE, "wide") X(CC, "cc") \
	X(SHIFTAMT, "shiftamt") X(CLAMP, "clamp") X(WRAP, "wrap") X(ADD, "add") X(MIN, "min") \
	X(MAX, "max") X(SATFINITE, "satfinite") X(APPROX, "approx") X(FULL, "full") X(PO, "po") \
	X(SHR7, "shr7") X(SHR15, "shr15") X(LEFT, "l") X(PACK, "pack") X(AND, "and") \
	X(OR, "or") X(XOR, "xor")
/* clang-format on */

enum form_flag_bit {
#define X(name, word) FORM_BIT_##name,
	FORM_FLAGS(X)
#undef X
};
#define FORM_HAS(form, name) (((form)->flags >> FORM_BIT_##name & 1) != 0)

/* A register operand: the type that the instruction reads or writes, and its register's width. */
struct form_operand {
	char type[12]; /* as in PTX: "u32", "f16x2", "pred" */
	unsigned bits; /* of the register: 1, 16, 32, 64 */
};

/*
 * A mnemonic with its modifiers, split at the dots, and its operands. Carries count as operands: a
 * form that takes one has a source of type "carry" at the end, one that makes one a second result.
 */
struct form {
	char name[128];
	char words[FORM_WORDS_MAX][20];
	unsigned word_count;
	char type[3][12]; /* types in the order of the text, "" where there is none */
	struct form_operand sources[FORM_SOURCES_MAX];
	unsigned source_count;
	struct form_operand results[FORM_RESULTS_MAX];
	unsigned result_count;
	bool carry_in, carry_out;
	bool has_immediate;
	unsigned immediate;
	/* Video: which part of a register each source is (".b3", ".h0", ""), and of the result. */
	char selector[4][8];
	uint64_t flags;
	unsigned ptx; /* first version that has it, times ten */
	unsigned sm;  /* first architecture */
};

/* Return: whether the word stands among the modifiers (the mnemonic itself does not count). */
bool form_has(const struct form *form, const char *word);

/* Return: whether the mnemonic is this one. */
bool form_is(const struct form *form, const char *mnemonic);

/*
 * Calls visit for every form that softgpu's table of instructions has under a mnemonic, one at a
 * time, with what a register-to-register kernel can run; memory and control have other tests.
 * Return: how many there are.
 */
size_t form_each(const char *mnemonic, void (*visit)(const struct form *form, void *arg),
		 void *arg);

/* Calls visit for every mnemonic that form_each() knows, in the table's order, each once. */
void form_each_mnemonic(void (*visit)(const char *mnemonic, void *arg), void *arg);

/* Return: the number in a type's name, "u32": 32; 0: it begins with none, as that of "pred". */
int form_type_number(const char *type);

/* Bits of a type as registers hold it; 8-bit types lie in 16-bit registers. */
unsigned form_type_bits(const char *type);

/*
 * Appends a kernel named "k" and number that runs the form once in each thread: element i of every
 * operand is at 8 * i. Parameters: six addresses of sources, two of results.
 * Return: bytes appended, 0 when text is too small.
 */
size_t form_print(const struct form *form, unsigned number, char *text, size_t text_bytes);

#endif
