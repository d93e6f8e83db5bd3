/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isa_private.h - the patterns' pieces, for the files that read them: isa_match.c, isa_variant.c */

#ifndef VGPU_SOFTGPU_PTX_ISA_PRIVATE_H
#define VGPU_SOFTGPU_PTX_ISA_PRIVATE_H

#include "softgpu/ptx/isa.h"

/* A piece of a text that ends where len_bytes says. */
struct sg_isa_span {
	const char *text;
	size_t len_bytes;
};

/* One of a pattern's dotted pieces: its alternatives, unread. */
struct sg_isa_group {
	struct sg_isa_span body;
	bool optional;
};

/* A suffix, understood. */
struct sg_isa_choice {
	struct sg_isa_span word;
	enum sg_type type; /* NONE: no type */
	uint8_t class;	   /* enum sg_class; SG_CLASS_NUM: none */
	uint8_t id;	   /* enum sg_word */
};

/* Return: true to stop. class: as written before the word, SG_CLASS_NUM if none was. */
typedef bool (*sg_isa_choice_visit)(struct sg_isa_span word, unsigned class, void *arg);

/* Cuts the next group off a pattern. Return: false at its end. */
bool sg_isa_next_group(const char **pattern, struct sg_isa_group *out);

/* Visits a group's alternatives, sets resolved. Return: true when visit stopped it. */
bool sg_isa_each_choice(struct sg_isa_span body, sg_isa_choice_visit visit, void *arg);

/* What a word means in a group; class as sg_isa_choice_visit has it. */
struct sg_isa_choice sg_isa_meaning(struct sg_isa_span word, unsigned class);

/* Adds a choice to a variant: its field, and the word to its name. */
void sg_isa_apply(struct sg_isa_variant *variant, const struct sg_isa_choice *choice);

/* Return: the word in [from, end) that is spelt so, SG_WORD_NONE if there is none. */
enum sg_word sg_isa_find_word(enum sg_word from, enum sg_word end, const char *word,
			      size_t len_bytes);

/* Whether a word of the table is this text. Most differ in their first letter: no call for these. */
static inline bool sg_isa_same(const char *word, const char *text, size_t len_bytes)
{
	size_t i = 0;

	while (i < len_bytes && word[i] == text[i] && word[i] != '\0')
		i++;
	return i == len_bytes && word[i] == '\0';
}

#endif
