/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptx_mutate.c - new PTX texts for a fuzzer, right and wrong ones, most of them short */

/*
 * Theory of operation. Bytes exchanged at random make texts that end in the lexer. So a text is
 * changed by words: one is left out, doubled, moved, or another of its kind put there, a suffix for
 * a suffix and a number for a number. The words come from the table of instructions and from the
 * text itself. What is made anew is an instruction or a few of the table with right operands and
 * the declarations that they need; then often some of its words are changed, too.
 */

#include "tests/fuzz/ptx_mutate.h"

#include <stdbool.h>

#include "softgpu/ptx/isa.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/ptx_program.h"

#define WORDS_MAX 512
#define EDITS_MAX 4
#define DECISIONS 96

struct span {
	size_t at, len;
};

struct edited {
	char *text;
	size_t len, room;
	struct span words[WORDS_MAX];
	unsigned count;
	uint32_t random;
};

static const char *const suffixes[] = {
#define TYPE(name, word, bits, kind) "." word,
#define WORD(class, name, word) "." word,
#include "softgpu/ptx/isa.def"
	".version",
	".target",
	".address_size",
	".entry",
	".func",
	".visible",
	".extern",
	".weak",
	".common",
	".alias",
	".global",
	".const",
	".shared",
	".local",
	".param",
	".reg",
	".align",
	".ptr",
	".attribute",
	".managed",
	".maxntid",
	".reqntid",
	".minnctapersm",
	".maxnreg",
	".maxclusterrank",
	".noreturn",
	".pragma",
	".section",
	".loc",
	".file",
	".branchtargets",
	".callprototype",
	".calltargets",
	".texref",
	".samplerref",
	".unified",
	".abi_preserve",
	".x",
	".w",
	".b0",
	".h1",
	".b3210",
};

static const char *const names[] = {
#define SREG(name, word, components, type) "%" word,
#include "softgpu/ptx/isa.def"
	"%tid.x",  "%envreg3", "%pm1",	 "%r1",	 "%p1",	    "%d1",   "%h1",	"%q1",	 "%r9",
	"k",	   "f",	       "sh",	 "lo",	 "co",	    "a",     "table",	"L0",	 "_",
	"generic", "vprintf",  "malloc", "free", "WARP_SZ", "proto", "sm_100a", "debug",
};

static const char *const mnemonics[] = {
#define INSN(op, pattern, operands, ptx, sm, status) pattern,
#include "softgpu/ptx/isa.def"
};

static const char *const numbers[] = {
	"0",
	"1",
	"2",
	"4",
	"8",
	"16",
	"31",
	"32",
	"33",
	"64",
	"127",
	"255",
	"256",
	"4096",
	"65535",
	"65536",
	"2147483647",
	"2147483648",
	"4294967295",
	"4294967296",
	"0x7fffffffffffffff",
	"0xffffffffffffffff",
	"9223372036854775808U",
	"18446744073709551616",
	"0f7fc00000",
	"0d7ff8000000000000",
	"1.5",
	"1e400",
	"0b11",
	"077",
};

static const char marks[] = "{}()[],;:+-*/%&|^~!<>=?@.\"\n";

#define SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Return: a number below `below`; xorshift. */
static unsigned pick(struct edited *e, size_t below)
{
	e->random ^= e->random << 13;
	e->random ^= e->random >> 17;
	e->random ^= e->random << 5;
	return (unsigned)((e->random >> 3) % below);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool in_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c == '$';
}

/* Finds the text's words: names with a dot or % before them, numbers, single marks. */
static void find_words(struct edited *e)
{
	size_t at = 0;

	e->count = 0;
	while (at < e->len && e->count < WORDS_MAX) {
		size_t from = at++;

		if (e->text[from] == ' ' || e->text[from] == '\n' || e->text[from] == '\t')
			continue;
		if (in_word(e->text[from]) || e->text[from] == '.' || e->text[from] == '%')
			while (at < e->len && in_word(e->text[at]))
				at++;
		e->words[e->count++] = (struct span){ from, at - from };
	}
}

/* Puts new text in an old one's place, where there is room for it. */
static void replace(struct edited *e, struct span old, const char *text, size_t len)
{
	char copy[256];

	if (len > sizeof(copy) || e->len - old.len + len > e->room)
		return;
	memcpy(copy, text, len); /* it may be a part of what moves */
	memmove(e->text + old.at + len, e->text + old.at + old.len, e->len - old.at - old.len);
	memcpy(e->text + old.at, copy, len);
	e->len += len - old.len;
}

/* Puts another word of the same kind in an old one's place, or, where old is empty, of like's. */
static void replace_kind(struct edited *e, struct span old, struct span like)
{
	char c = e->text[like.at];
	const char *word;
	size_t len;

	if (like.len == 1 && !in_word(c)) {
		replace(e, old, &marks[pick(e, sizeof(marks) - 1)], 1);
		return;
	}
	if (is_digit(c)) {
		word = numbers[pick(e, SIZE(numbers))];
	} else if (c == '.') {
		word = suffixes[pick(e, SIZE(suffixes))];
	} else if (c == '%' || pick(e, 3) == 0) {
		word = names[pick(e, SIZE(names))];
	} else {
		word = mnemonics[pick(e, SIZE(mnemonics))];
		replace(e, old, word, strcspn(word, "."));
		return;
	}
	len = strlen(word);
	replace(e, old, word, len);
}

/* The statement that holds a byte, with the semicolon at its end. */
static struct span statement_at(const struct edited *e, size_t at)
{
	size_t from = at, end = at;

	while (from > 0 && e->text[from - 1] != ';' && e->text[from - 1] != '{')
		from--;
	while (end < e->len && e->text[end] != ';')
		end++;
	return (struct span){ from, end + (end < e->len) - from };
}

/* The later of two words first: the earlier one stays where it is. */
static void swap(struct edited *e, struct span a, struct span b)
{
	struct span early = a.at < b.at ? a : b, late = a.at < b.at ? b : a;
	char kept[64];

	if (a.at == b.at || late.len > sizeof(kept))
		return;
	memcpy(kept, e->text + late.at, late.len);
	replace(e, late, e->text + early.at, early.len);
	replace(e, early, kept, late.len);
}

static void edit(struct edited *e)
{
	struct span word, other, statement;

	find_words(e);
	if (e->count == 0)
		return;
	word = e->words[pick(e, e->count)];
	other = e->words[pick(e, e->count)];
	switch (pick(e, 9)) {
	case 0: /* left out */
		replace(e, word, "", 0);
		break;
	case 1: /* twice */
		replace(e, (struct span){ word.at, 0 }, e->text + word.at, word.len);
		break;
	case 2: /* another one of the text */
		replace(e, word, e->text + other.at, other.len);
		break;
	case 3: /* one more */
		replace_kind(e, (struct span){ word.at, 0 }, other);
		break;
	case 4:
		swap(e, word, other);
		break;
	case 5: /* a statement again, elsewhere */
		statement = statement_at(e, word.at);
		replace(e, (struct span){ statement_at(e, other.at).at, 0 }, e->text + statement.at,
			statement.len);
		break;
	case 6: /* a statement less, or the end */
		replace(e,
			pick(e, 8) ? statement_at(e, word.at)
				   : (struct span){ word.at, e->len - word.at },
			"", 0);
		break;
	default: /* another of its kind */
		replace_kind(e, word, word);
		break;
	}
}

/* What instructions of ptx_put_body() refer to, declared where they do. */
static const struct ptx_part parts[] = {
	{ "[co", ".const .align 16 .b8 co[128] = {1, 2, 3};\n" },
	{ "[sh", ".shared .align 16 .b8 sh[256];\n" },
	{ "fmt", ".global .b8 fmt[4] = {37, 100, 10, 0};\n" },
	{ "vprintf", ".extern .func (.param .b32 r) vprintf(.param .b64 a, .param .b64 b);\n" },
	{ "malloc", ".extern .func (.param .b64 r) malloc(.param .b64 n);\n" },
	{ "free", ".extern .func free(.param .b64 p);\n" },
	{ " f,", ".func (.reg .b32 o) f(.reg .b32 n)\n{ mov.u32 o, n; ret; }\n" },
	{ "", ".entry k(.param .u64 a)\n{\n" },
	{ "%p", ".reg .pred %p<4>;\n" },
	{ "%h", ".reg .b16 %h<4>;\n" },
	{ "%r", ".reg .b32 %r<4>;\n" },
	{ "%d", ".reg .b64 %d<12>;\n" },
	{ "%q", ".reg .b128 %q<4>;\n" },
	{ "[lo|lo;", ".local .align 16 .b8 lo[128];\n" },
	{ "proto", "proto: .callprototype (.reg .b32 _) _ (.reg .b32 _);\n" },
};

/* Return: the length of a program of few instructions, written over the text. */
static size_t new_program(struct edited *e)
{
	uint8_t decisions[DECISIONS];
	struct ptx_source s = { decisions, sizeof(decisions) };
	static struct ptx_text body, all;

	for (size_t n = 0; n < sizeof(decisions); n++)
		decisions[n] = (uint8_t)pick(e, 256);
	body.used = all.used = 0;
	ptx_put_body(&body, &s, 1 + pick(e, pick(e, 64) ? 4 : 20));
	ptx_put(&all, ".version %u.%u\n.target sm_%s\n.address_size 64\n", 9 - pick(e, 8) / 7,
		pick(e, 8) / 7, pick(e, 4) ? "100" : "80");
	for (size_t n = 0; n < SIZE(parts); n++)
		ptx_put_part(&all, &parts[n], body.bytes);
	ptx_put(&all, "%sret;\n}\n", body.bytes);
	if (all.used > e->room)
		all.used = e->room;
	memcpy(e->text, all.bytes, all.used);
	return all.used;
}

size_t ptx_mutate(char *text, size_t len_bytes, size_t room_bytes, uint32_t seed)
{
	struct edited e = {
		.text = text, .len = len_bytes, .room = room_bytes, .random = seed * 2654435761u | 1
	};
	unsigned edits = 1 + pick(&e, EDITS_MAX);

	if (len_bytes == 0 || pick(&e, 2)) {
		e.len = new_program(&e);
		edits = pick(&e, 2) ? 0 : pick(&e, EDITS_MAX);
	}
	for (; edits > 0; edits--)
		edit(&e);
	return e.len;
}
