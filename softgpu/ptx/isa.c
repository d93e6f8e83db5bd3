/* SPDX-License-Identifier: GPL-2.0-or-later */
/* isa.c - the table of instructions, and the names of what is in it */

#include "softgpu/ptx/isa.h"

#include <errno.h>
#include <string.h>

#include "softgpu/ptx/isa_private.h"

#define RUNS SG_FEATURE_RUNS
#define TENSOR SG_FEATURE_TENSOR
#define TMA SG_FEATURE_TMA
#define CLUSTER SG_FEATURE_CLUSTER
#define TEXTURE SG_FEATURE_TEXTURE
#define SURFACE SG_FEATURE_SURFACE
#define MULTICAST SG_FEATURE_MULTICAST
#define NARROW_FLOAT SG_FEATURE_NARROW_FLOAT
#define REGISTER_POOL SG_FEATURE_REGISTER_POOL
#define STOCHASTIC SG_FEATURE_STOCHASTIC

const struct sg_isa_row sg_isa_rows[] = {
#define INSN(op_, pattern_, operands_, ptx_, sm_, status_) \
	{ .pattern = pattern_,                             \
	  .operands = operands_,                           \
	  .ptx = ptx_,                                     \
	  .sm = sm_,                                       \
	  .op = SG_OP_##op_,                               \
	  .feature = status_ },
#include "softgpu/ptx/isa.def"
};

const size_t sg_isa_row_count = sizeof(sg_isa_rows) / sizeof(sg_isa_rows[0]);

struct type_row {
	const char *word;
	uint8_t bits;
	uint8_t kind;
};

static const struct type_row types[SG_TYPE_NUM] = {
	[SG_TYPE_NONE] = { "", 0, SG_KIND_NONE },
#define TYPE(name, word_, bits_, kind_) [SG_TYPE_##name] = { word_, bits_, SG_KIND_##kind_ },
#include "softgpu/ptx/isa.def"
};

static const char *const words[SG_WORD_NUM] = {
	[SG_WORD_NONE] = "",
#define WORD(class, name, word) [SG_##class##_##name] = word,
#include "softgpu/ptx/isa.def"
};

static const char *const features[SG_FEATURE_NUM] = {
	[SG_FEATURE_RUNS] = "",
#define FEATURE(name, text, verb) [SG_FEATURE_##name] = text,
#include "softgpu/ptx/isa.def"
};

static const char *const feature_verbs[SG_FEATURE_NUM] = {
	[SG_FEATURE_RUNS] = "",
#define FEATURE(name, text, verb) [SG_FEATURE_##name] = verb,
#include "softgpu/ptx/isa.def"
};

struct sreg_row {
	const char *name;
	uint8_t components;
	uint8_t type;
};

static const struct sreg_row sregs[SG_SREG_NUM] = {
#define SREG(name_, word, components_, type_) \
	[SG_SREG_##name_] = { word, components_, SG_TYPE_##type_ },
#include "softgpu/ptx/isa.def"
};

const char *sg_isa_type_word(enum sg_type type)
{
	return type < SG_TYPE_NUM ? types[type].word : "";
}

unsigned sg_isa_type_bits(enum sg_type type)
{
	return type < SG_TYPE_NUM ? types[type].bits : 0;
}

enum sg_kind sg_isa_type_kind(enum sg_type type)
{
	return type < SG_TYPE_NUM ? (enum sg_kind)types[type].kind : SG_KIND_NONE;
}

const char *sg_isa_word_text(enum sg_word word)
{
	return word < SG_WORD_NUM ? words[word] : "";
}

const char *sg_isa_feature_text(enum sg_feature f)
{
	return f < SG_FEATURE_NUM ? features[f] : "";
}

const char *sg_isa_feature_verb(enum sg_feature f)
{
	return f < SG_FEATURE_NUM ? feature_verbs[f] : "";
}

const char *sg_isa_sreg_name(enum sg_sreg sreg)
{
	return sreg < SG_SREG_NUM ? sregs[sreg].name : "";
}

enum sg_type sg_isa_sreg_type(enum sg_sreg sreg)
{
	return sreg < SG_SREG_NUM ? (enum sg_type)sregs[sreg].type : SG_TYPE_NONE;
}

unsigned sg_isa_sreg_components(enum sg_sreg sreg)
{
	return sreg < SG_SREG_NUM ? sregs[sreg].components : 0;
}

/*
 * All but .pred have their width in the second to fourth place; most words that are asked about
 * have none.
 */
static bool may_be_type(const char *word, size_t len_bytes)
{
	for (size_t i = 1; i < len_bytes && i < 4; i++)
		if (word[i] >= '0' && word[i] <= '9')
			return true;
	return len_bytes == 4 && word[0] == 'p';
}

enum sg_type sg_isa_find_type(const char *word, size_t len_bytes)
{
	if (!may_be_type(word, len_bytes))
		return SG_TYPE_NONE;
	for (unsigned type = SG_TYPE_NONE + 1; type < SG_TYPE_NUM; type++)
		if (sg_isa_same(types[type].word, word, len_bytes))
			return type;
	return SG_TYPE_NONE;
}

enum sg_word sg_isa_find_word(enum sg_word from, enum sg_word end, const char *word,
			      size_t len_bytes)
{
	for (unsigned w = from; w < end; w++)
		if (sg_isa_same(words[w], word, len_bytes))
			return w;
	return SG_WORD_NONE;
}

/* Reads up to three digits. Return: how many characters they take, 0 for none. */
static size_t read_number(const char *text, size_t len_bytes, unsigned *out)
{
	size_t i = 0;

	*out = 0;
	for (; i < len_bytes && i < 3 && text[i] >= '0' && text[i] <= '9'; i++)
		*out = *out * 10 + (unsigned)(text[i] - '0');
	return i;
}

/* "pm3", "pm3_64", "envreg31": the number is a part of the name. */
static int find_numbered(const char *name, size_t len_bytes, enum sg_sreg *out, unsigned *number)
{
	size_t digits;

	if (len_bytes > 2 && memcmp(name, "pm", 2) == 0) {
		digits = read_number(name + 2, len_bytes - 2, number);
		if (digits == 0 || *number > 7)
			return -ENOENT;
		*out = SG_SREG_PM;
		if (len_bytes == 2 + digits)
			return 0;
		*out = SG_SREG_PM64;
		return sg_isa_same("_64", name + 2 + digits, len_bytes - 2 - digits) ? 0 : -ENOENT;
	}
	if (len_bytes > 6 && memcmp(name, "envreg", 6) == 0) {
		digits = read_number(name + 6, len_bytes - 6, number);
		*out = SG_SREG_ENVREG;
		return digits == len_bytes - 6 && digits > 0 && *number < 32 ? 0 : -ENOENT;
	}
	return -ENOENT;
}

int sg_isa_find_sreg(const char *name, size_t len_bytes, enum sg_sreg *out, unsigned *component)
{
	const char *dot = memchr(name, '.', len_bytes);
	size_t base_bytes = dot != NULL ? (size_t)(dot - name) : len_bytes;
	static const char letters[] = "xyzw";

	for (unsigned s = 0; s < SG_SREG_FRAME; s++) {
		const char *letter;

		if (s == SG_SREG_PM || s == SG_SREG_PM64 || s == SG_SREG_ENVREG ||
		    !sg_isa_same(sregs[s].name, name, base_bytes))
			continue;
		*out = s;
		*component = 0;
		if (sregs[s].components == 1)
			return dot == NULL ? 0 : -ENOENT;
		if (dot == NULL || len_bytes - base_bytes != 2)
			return -ENOENT;
		letter = strchr(letters, dot[1]);
		if (letter == NULL || *letter == '\0')
			return -ENOENT;
		*component = (unsigned)(letter - letters);
		return 0;
	}
	return find_numbered(name, len_bytes, out, component);
}
