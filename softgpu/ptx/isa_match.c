/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isa_match.c - the patterns of isa.def: matched against a mnemonic, and enumerated */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "softgpu/ptx/isa.h"
#include "softgpu/ptx/isa_private.h"

/*
 * Theory of operation
 *
 * A pattern is a few dozen characters, read anew for each match: the parser asks once for each
 * spelling that a text has, so that no compiled form is worth its memory. A suffix goes into the
 * first group that is still empty and has it. Types go only into the first empty group of types,
 * which keeps "cvt.f32.u8" apart from "cvt.u8.f32"; all other words may stand anywhere.
 */

struct set_row {
	const char *name;
	const char *words;
};

static const struct set_row sets[] = {
#define SET(name, words) { #name, words },
#include "softgpu/ptx/isa.def"
};

/* Where each class begins among the words, in the order of enum sg_class. */
static const struct {
	const char *name;
	enum sg_word from, end;
} classes[SG_CLASS_NUM] = {
	[SG_CLASS_ROUND] = { "round", SG_ROUND_RN, SG_FLAG_FTZ },
	[SG_CLASS_FLAG] = { "flag", SG_FLAG_FTZ, SG_CMP_EQ },
	[SG_CLASS_CMP] = { "cmp", SG_CMP_EQ, SG_BOOL_AND },
	[SG_CLASS_BOOL] = { "bool", SG_BOOL_AND, SG_SUB_AND },
	[SG_CLASS_SUB] = { "sub", SG_SUB_AND, SG_SPACE_GENERIC },
	[SG_CLASS_SPACE] = { "space", SG_SPACE_GENERIC, SG_VEC_V2 },
	[SG_CLASS_VEC] = { "vec", SG_VEC_V2, SG_SEM_WEAK },
	[SG_CLASS_SEM] = { "sem", SG_SEM_WEAK, SG_SCOPE_CTA },
	[SG_CLASS_SCOPE] = { "scope", SG_SCOPE_CTA, SG_HINT_CA },
	[SG_CLASS_HINT] = { "hint", SG_HINT_CA, SG_WORD_NUM },
};

static bool span_is(struct sg_isa_span a, const char *text)
{
	return sg_isa_same(text, a.text, a.len_bytes);
}

static bool same_span(struct sg_isa_span a, struct sg_isa_span b)
{
	return a.len_bytes == b.len_bytes && memcmp(a.text, b.text, a.len_bytes) == 0;
}

/* What a word means in a group, where class was written before it (SG_CLASS_NUM: was not). */
struct sg_isa_choice sg_isa_meaning(struct sg_isa_span word, unsigned class)
{
	struct sg_isa_choice choice = { .word = word, .class = SG_CLASS_NUM };

	if (class == SG_CLASS_NUM) {
		choice.type = sg_isa_find_type(word.text, word.len_bytes);
		if (choice.type != SG_TYPE_NONE)
			return choice;
	}
	for (unsigned c = 0; c < SG_CLASS_NUM; c++) {
		if (class != SG_CLASS_NUM && class != c)
			continue;
		choice.id = sg_isa_find_word(classes[c].from, classes[c].end, word.text,
					     word.len_bytes);
		if (choice.id != SG_WORD_NONE) {
			choice.class = c;
			return choice;
		}
	}
	return choice;
}

bool sg_isa_next_group(const char **pattern, struct sg_isa_group *out)
{
	const char *p = *pattern;
	size_t len_bytes;

	if (*p == '.')
		p++;
	if (*p == '\0')
		return false;
	out->optional = *p == '[';
	if (*p == '[' || *p == '{') {
		len_bytes = strcspn(p + 1, "]}");
		out->body = (struct sg_isa_span){ p + 1, len_bytes };
		*pattern = p + 1 + len_bytes + (p[1 + len_bytes] != '\0');
		return true;
	}
	len_bytes = strcspn(p, ".");
	out->body = (struct sg_isa_span){ p, len_bytes };
	*pattern = p + len_bytes;
	return true;
}

/* Cuts the next alternative off a group's body. A class in front of it is remembered. */
static bool next_alternative(struct sg_isa_span *rest, struct sg_isa_span *out, unsigned *class)
{
	const char *bar, *equal;

	if (rest->len_bytes == 0)
		return false;
	bar = memchr(rest->text, '|', rest->len_bytes);
	*out = (struct sg_isa_span){ rest->text,
				     bar != NULL ? (size_t)(bar - rest->text) : rest->len_bytes };
	rest->text += out->len_bytes + (bar != NULL);
	rest->len_bytes -= out->len_bytes + (bar != NULL);
	equal = memchr(out->text, '=', out->len_bytes);
	if (equal == NULL)
		return true;
	for (unsigned c = 0; c < SG_CLASS_NUM; c++)
		if (span_is((struct sg_isa_span){ out->text, (size_t)(equal - out->text) },
			    classes[c].name))
			*class = c;
	out->len_bytes -= (size_t)(equal + 1 - out->text);
	out->text = equal + 1;
	return true;
}

static struct sg_isa_span find_set(struct sg_isa_span name)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (span_is(name, sets[i].name))
			return (struct sg_isa_span){ sets[i].words, strlen(sets[i].words) };
	return (struct sg_isa_span){ "", 0 };
}

bool sg_isa_each_choice(struct sg_isa_span body, sg_isa_choice_visit visit, void *arg)
{
	unsigned class = SG_CLASS_NUM;
	struct sg_isa_span word;

	while (next_alternative(&body, &word, &class)) {
		if (word.len_bytes > 0 && word.text[0] == '$') {
			struct sg_isa_span set =
				find_set((struct sg_isa_span){ word.text + 1, word.len_bytes - 1 });

			if (sg_isa_each_choice(set, visit, arg))
				return true;
			continue;
		}
		if (visit(word, class, arg))
			return true;
	}
	return false;
}

struct search {
	struct sg_isa_span wanted;
	struct sg_isa_choice found;
};

static bool look(struct sg_isa_span word, unsigned class, void *arg)
{
	struct search *search = arg;

	if (word.len_bytes > 0 && word.text[word.len_bytes - 1] == '*') {
		/* "fence::*" */
		if (search->wanted.len_bytes < word.len_bytes - 1 ||
		    memcmp(word.text, search->wanted.text, word.len_bytes - 1) != 0)
			return false;
		search->found = (struct sg_isa_choice){ .word = search->wanted,
							.class = SG_CLASS_NUM };
		return true;
	}
	if (!same_span(word, search->wanted))
		return false;
	search->found = sg_isa_meaning(word, class);
	return true;
}

static bool first_is_type(struct sg_isa_span word, unsigned class, void *arg)
{
	*(bool *)arg = class == SG_CLASS_NUM &&
		       sg_isa_find_type(word.text, word.len_bytes) != SG_TYPE_NONE;
	return true;
}

static bool has_types(const struct sg_isa_group *group)
{
	bool is_type = false;

	sg_isa_each_choice(group->body, first_is_type, &is_type);
	return is_type;
}

/* One row being matched: its groups, and what fills them. */
struct match {
	struct sg_isa_group groups[SG_ISA_SUFFIXES_MAX + 4];
	struct sg_isa_choice filled[SG_ISA_SUFFIXES_MAX + 4];
	bool is_filled[SG_ISA_SUFFIXES_MAX + 4];
	size_t count;
	bool open; /* the row ends in "*" */
};

static void read_groups(const char *pattern, struct match *match)
{
	struct sg_isa_group group;

	match->count = 0;
	match->open = false;
	while (match->count < SG_ISA_SUFFIXES_MAX + 4 && sg_isa_next_group(&pattern, &group)) {
		if (span_is(group.body, "*")) {
			match->open = true;
			continue;
		}
		match->is_filled[match->count] = false;
		match->groups[match->count++] = group;
	}
}

/* Puts a suffix into a group. from: the first group that may take it. */
static bool place(struct match *match, struct sg_isa_span suffix, size_t from)
{
	bool type = sg_isa_find_type(suffix.text, suffix.len_bytes) != SG_TYPE_NONE;

	for (size_t i = from; i < match->count; i++) {
		struct search search = { .wanted = suffix };

		if (match->is_filled[i])
			continue;
		if (sg_isa_each_choice(match->groups[i].body, look, &search)) {
			match->is_filled[i] = true;
			match->filled[i] = search.found;
			return true;
		}
		if (type && has_types(&match->groups[i]))
			return false;
	}
	return false;
}

/* "mma.sync.*": the words before the star have to stand in order, at the beginning. */
static bool match_open(struct match *match, const struct sg_isa_span *suffixes, size_t count)
{
	if (count < match->count)
		return false;
	for (size_t i = 0; i < match->count; i++) {
		struct search search = { .wanted = suffixes[i] };

		if (!sg_isa_each_choice(match->groups[i].body, look, &search))
			return false;
		match->is_filled[i] = true;
		match->filled[i] = search.found;
	}
	return true;
}

static bool match_row(struct match *match, const struct sg_isa_span *suffixes, size_t count)
{
	if (match->open)
		return match_open(match, suffixes, count);
	for (size_t i = 0; i < count; i++)
		if (!place(match, suffixes[i], 0))
			return false;
	for (size_t i = 0; i < match->count; i++)
		if (!match->is_filled[i] && !match->groups[i].optional)
			return false;
	return true;
}

/* Adds a dot, if there is a word before, and a word; what does not fit is left out. */
static void append_word(char *name, size_t name_bytes, struct sg_isa_span word)
{
	size_t used = strlen(name), room;

	if (used > 0 && used + 1 < name_bytes)
		name[used++] = '.';
	room = name_bytes - 1 - used;
	if (word.len_bytes < room)
		room = word.len_bytes;
	memcpy(name + used, word.text, room);
	name[used + room] = '\0';
}

void sg_isa_apply(struct sg_isa_variant *variant, const struct sg_isa_choice *choice)
{
	append_word(variant->name, sizeof(variant->name), choice->word);
	if (choice->type != SG_TYPE_NONE) {
		for (size_t i = 0; i < SG_ISA_TYPES_MAX; i++) {
			if (variant->type[i] != SG_TYPE_NONE)
				continue;
			variant->type[i] = choice->type;
			break;
		}
	}
	switch (choice->class) {
	case SG_CLASS_ROUND:
		variant->round = choice->id;
		break;
	case SG_CLASS_FLAG:
		variant->flags |= 1ull << (choice->id - SG_FLAG_FTZ);
		break;
	case SG_CLASS_CMP:
		variant->cmp = choice->id;
		break;
	case SG_CLASS_BOOL:
		variant->bool_op = choice->id;
		break;
	case SG_CLASS_SUB:
		variant->sub = choice->id;
		break;
	case SG_CLASS_SPACE:
		variant->space = choice->id;
		break;
	case SG_CLASS_VEC:
		variant->vec = choice->id;
		break;
	case SG_CLASS_SEM:
		variant->sem = choice->id;
		break;
	case SG_CLASS_SCOPE:
		variant->scope = choice->id;
		break;
	default: /* hints and types fill no field; neither does a word that only tells rows apart */
		break;
	}
}

static void fill(const struct sg_isa_row *row, struct match *match, struct sg_isa_variant *out)
{
	memset(out, 0, sizeof(*out));
	out->row = row;
	/* "min" is a mnemonic here, not atom's operation of the same name */
	match->filled[0].class = SG_CLASS_NUM;
	for (size_t i = 0; i < match->count; i++)
		if (match->is_filled[i])
			sg_isa_apply(out, &match->filled[i]);
}

/* Cuts "add.rn.f32" at its dots. Return: how many parts, 0 for too many. */
static size_t split(const char *text, size_t len_bytes, struct sg_isa_span *out)
{
	size_t count = 0;

	for (;;) {
		const char *dot = memchr(text, '.', len_bytes);
		size_t part = dot != NULL ? (size_t)(dot - text) : len_bytes;

		if (count == SG_ISA_SUFFIXES_MAX + 1)
			return 0;
		out[count++] = (struct sg_isa_span){ text, part };
		if (dot == NULL)
			return count;
		text += part + 1;
		len_bytes -= part + 1;
	}
}

/* A row's pattern begins with the word before the text's first dot. Nearly all rows differ early. */
static bool is_mnemonic_of(const struct sg_isa_row *row, const char *text, size_t len_bytes)
{
	const char *pattern = row->pattern;
	size_t i = 0;

	while (i < len_bytes && text[i] != '.' && pattern[i] == text[i])
		i++;
	return (i == len_bytes || text[i] == '.') && (pattern[i] == '.' || pattern[i] == '\0');
}

enum sg_isa_match sg_isa_match(const char *text, size_t len_bytes, struct sg_isa_variant *out)
{
	struct sg_isa_span parts[SG_ISA_SUFFIXES_MAX + 1];
	size_t count = split(text, len_bytes, parts);
	bool known = false, forbidden = false;

	for (size_t r = 0; r < sg_isa_row_count; r++) {
		const struct sg_isa_row *row = &sg_isa_rows[r];
		struct sg_isa_variant variant;
		struct match match;

		if (!is_mnemonic_of(row, text, len_bytes))
			continue;
		known = true;
		read_groups(row->pattern, &match);
		if (count == 0 || !match_row(&match, parts, count))
			continue;
		fill(row, &match, &variant);
		/* a later row may be the one that means it; else the first one's rule is what is
		 * told */
		if (sg_isa_rule(&variant) == NULL) {
			*out = variant;
			return SG_ISA_MATCHED;
		}
		if (!forbidden)
			*out = variant;
		forbidden = true;
	}
	if (forbidden)
		return SG_ISA_MATCHED;
	return known ? SG_ISA_NO_FORM : SG_ISA_NO_MNEMONIC;
}

int sg_isa_mnemonic(const struct sg_isa_row *row, char *out, size_t out_bytes)
{
	const char *pattern = row->pattern;
	struct sg_isa_group group;
	size_t used = 0;

	if (out_bytes > 0)
		out[0] = '\0';
	while (*pattern != '\0' && pattern[*pattern == '.'] != '[' &&
	       pattern[*pattern == '.'] != '{' && sg_isa_next_group(&pattern, &group)) {
		size_t len = group.body.len_bytes;
		int written;

		if (span_is(group.body, "*") ||
		    sg_isa_find_type(group.body.text, len) != SG_TYPE_NONE)
			break;
		/* "fence::*" stands for all that begin so */
		if (len > 0 && group.body.text[len - 1] == '*')
			len--;
		while (len > 0 && group.body.text[len - 1] == ':')
			len--;
		written = snprintf(out + used, out_bytes - used, "%s%.*s", used > 0 ? "." : "",
				   (int)len, group.body.text);
		if (written < 0 || (size_t)written >= out_bytes - used)
			return -ENOSPC;
		used += (size_t)written;
	}
	return 0;
}
