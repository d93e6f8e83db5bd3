/* SPDX-License-Identifier: GPL-2.0-or-later */
/* form.c - one form of an instruction that computes: its operands, and a kernel that runs it */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "softgpu/ptx/isa.h"
#include "tests/ptx/form.h"
#include "tests/ptx/writer.h"

/* Mnemonics whose forms other tests cover: memory, other lanes, control. */
static const char *const elsewhere[] = {
	"activemask", "alloca",	  "bar",   "barrier", "createpolicy", "cvta",
	"elect",      "isspacep", "match", "redux",   "shfl",	      "stacksave",
	"vote",	      "mbarrier", "ld",	   "ldu",     "atom",
};

/* Truth tables of lop3: each input alone, and, or, xor, majority, choice, odd ones. */
static const unsigned tables[] = { 0xf0, 0xcc, 0xaa, 0x80, 0xfe, 0x96, 0xe8, 0xca, 0x1b, 0x00 };

bool form_is(const struct form *form, const char *mnemonic)
{
	return strcmp(form->words[0], mnemonic) == 0;
}

bool form_has(const struct form *form, const char *word)
{
	for (unsigned i = 1; i < form->word_count; i++) {
		if (strcmp(form->words[i], word) == 0)
			return true;
	}
	return false;
}

int form_type_number(const char *type)
{
	return (int)strtol(type + 1, NULL, 10);
}

unsigned form_type_bits(const char *type)
{
	unsigned bits = sg_isa_type_bits(sg_isa_find_type(type, strlen(type)));

	return bits == 8 ? 16 : bits;
}

static void split(struct form *form)
{
	const char *at = form->name;

	while (*at && form->word_count < FORM_WORDS_MAX) {
		size_t bytes = strcspn(at, ".");

		snprintf(form->words[form->word_count++], sizeof(form->words[0]), "%.*s",
			 (int)bytes, at);
		at += bytes + (at[bytes] == '.');
	}
}

static void find_flags(struct form *form)
{
	static const char *const words[] = {
#define X(name, word) word,
		FORM_FLAGS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		form->flags |= (uint64_t)form_has(form, words[i]) << i;
}

static void wide_of(const char *type, char *wide)
{
	snprintf(wide, 12, "%c%d", type[0], 2 * form_type_number(type));
}

/* Reads one token of the table's operand list, like "t", "w", "p" or "b32". */
static void read_type(const struct form *form, const char *token, size_t bytes,
		      struct form_operand *operand)
{
	const char *type = NULL;

	if (bytes == 1) {
		switch (*token) {
		case 't':
		case 'T':
			type = form->type[0];
			break;
		case 's':
		case 'S':
			type = form->type[1];
			break;
		case 'r':
			type = form->type[2];
			break;
		case 'p':
			type = "pred";
			break;
		case 'w':
			wide_of(form->type[0], operand->type);
			break;
		default:
			abort();
		}
		if (type)
			snprintf(operand->type, sizeof(operand->type), "%s", type);
	} else {
		snprintf(operand->type, sizeof(operand->type), "%.*s", (int)bytes, token);
	}
	operand->bits = form_type_bits(operand->type);
}

static void read_result(struct form *form, const char *token, size_t bytes)
{
	const char *bar = memchr(token, '|', bytes);
	size_t first = bar ? (size_t)(bar - token) : bytes;

	read_type(form, token, first, &form->results[form->result_count++]);
	if (bar)
		read_type(form, bar + 1, bytes - first - 1, &form->results[form->result_count++]);
}

static bool wants_optional(const struct form *form, bool optional)
{
	/* Video: the third source belongs to the second operation. */
	if (form->words[0][0] == 'v')
		return form_has(form, "add") || form_has(form, "min") || form_has(form, "max");
	return optional;
}

static void read_operands(struct form *form, const char *list, bool optional)
{
	while (*list) {
		size_t bytes = strcspn(list, ","), next = bytes + (list[bytes] == ',');
		const char *token = list;

		if (*token == '~') {
			token++;
			bytes--;
		}
		if (*token == '=') {
			read_result(form, token + 1, bytes - 1);
		} else if (bytes == 1 && *token == 'i') {
			form->has_immediate = true;
		} else if (token[bytes - 1] != '?' || wants_optional(form, optional)) {
			bytes -= token[bytes - 1] == '?';
			read_type(form, token, bytes, &form->sources[form->source_count++]);
		}
		list += next;
	}
}

static void add_carries(struct form *form)
{
	form->carry_in = form_is(form, "addc") || form_is(form, "subc") || form_is(form, "madc");
	form->carry_out = form_has(form, "cc");
	if (form->carry_in)
		form->sources[form->source_count++] = (struct form_operand){ "carry", 32 };
	if (form->carry_out)
		form->results[form->result_count++] = (struct form_operand){ "u32", 32 };
}

struct visit {
	const char *mnemonic;
	void (*visit)(const struct form *form, void *arg);
	void *arg;
	size_t count;
};

static void fill(struct form *form, const struct sg_isa_variant *variant, bool optional)
{
	const char *operands = variant->row->operands;

	memset(form, 0, sizeof(*form));
	snprintf(form->name, sizeof(form->name), "%s", variant->name);
	split(form);
	find_flags(form);
	for (int i = 0; i < 3; i++)
		snprintf(form->type[i], sizeof(form->type[i]), "%s",
			 sg_isa_type_word(variant->type[i]));
	form->ptx = variant->row->ptx;
	form->sm = variant->row->sm;
	read_operands(form, form_is(form, "mov") ? "=t,t" : operands, optional);
	add_carries(form);
}

static void give(struct visit *visit, const struct form *form)
{
	visit->count++;
	visit->visit(form, visit->arg);
}

/* Video: whole registers once, and each kind of part in some place. */
static void give_video(struct visit *visit, struct form *form)
{
	static const char *const scalar[][3] = {
		{ "", "", "" }, { ".b3", ".h0", "" }, { ".h1", ".b0", "" }, { ".b2", ".b1", "" }
	};
	bool simd = strchr("24", form->words[0][strlen(form->words[0]) - 1]) != NULL;

	for (unsigned i = 0; i < (simd ? 1 : 4); i++) {
		for (int k = 0; k < 2; k++)
			snprintf(form->selector[k], sizeof(form->selector[k]), "%s", scalar[i][k]);
		give(visit, form);
	}
}

static void visit_variant(const struct sg_isa_variant *variant, void *arg)
{
	struct visit *visit = arg;
	struct form form;

	fill(&form, variant, false);
	if (!form_is(&form, visit->mnemonic) || form_has(&form, "b128"))
		return;
	if (form.words[0][0] == 'v') {
		give_video(visit, &form);
	} else if (form.has_immediate) {
		for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
			form.immediate = tables[i];
			give(visit, &form);
		}
	} else {
		give(visit, &form);
	}
	/* min and max of three: since PTX 8.8, on sm_100. */
	if (strchr(variant->row->operands, '?') && form.words[0][0] == 'm' &&
	    !FORM_HAS(&form, XORSIGN)) {
		fill(&form, variant, true);
		form.ptx = 88;
		form.sm = 100;
		give(visit, &form);
	}
}

static bool is_elsewhere(const char *mnemonic)
{
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		if (strcmp(elsewhere[i], mnemonic) == 0)
			return true;
	}
	return false;
}

static void mnemonic_of(const struct sg_isa_row *row, char *mnemonic, size_t bytes)
{
	snprintf(mnemonic, bytes, "%.*s", (int)strcspn(row->pattern, "."), row->pattern);
}

static bool computes(const struct sg_isa_row *row)
{
	return row->feature == SG_FEATURE_RUNS && strcmp(row->operands, "=v,v") != 0 &&
	       (row->operands[0] == '=' || row->operands[0] == '~' ||
		strncmp(row->pattern, "mov.", 4) == 0);
}

size_t form_each(const char *mnemonic, void (*visit)(const struct form *form, void *arg), void *arg)
{
	struct visit state = { mnemonic, visit, arg, 0 };
	char first[32];

	for (size_t i = 0; i < sg_isa_row_count; i++) {
		mnemonic_of(&sg_isa_rows[i], first, sizeof(first));
		if (computes(&sg_isa_rows[i]) && strcmp(first, mnemonic) == 0)
			sg_isa_each_variant(&sg_isa_rows[i], false, visit_variant, &state);
	}
	return state.count;
}

void form_each_mnemonic(void (*visit)(const char *mnemonic, void *arg), void *arg)
{
	char first[32], earlier[32];

	for (size_t i = 0; i < sg_isa_row_count; i++) {
		bool seen = !computes(&sg_isa_rows[i]);

		mnemonic_of(&sg_isa_rows[i], first, sizeof(first));
		for (size_t k = 0; k < i && !seen; k++) {
			mnemonic_of(&sg_isa_rows[k], earlier, sizeof(earlier));
			seen = computes(&sg_isa_rows[k]) && strcmp(first, earlier) == 0;
		}
		if (!seen && !is_elsewhere(first))
			visit(first, arg);
	}
}

/* --- the kernel ------------------------------------------------------------------------------ */

static const char *register_prefix(unsigned bits)
{
	return bits == 1 ? "p" : bits == 16 ? "h" : bits == 32 ? "r" : "d";
}

static void put_source(struct writer *w, const struct form *form, unsigned k)
{
	const struct form_operand *s = &form->sources[k];

	writer_put(w, "\tld.param.u64 %%d30, [s%u];\n\tadd.u64 %%d30, %%d30, %%d31;\n", k);
	if (s->bits == 1)
		writer_put(w, "\tld.global.b32 %%r20, [%%d30];\n\tsetp.ne.u32 %%p%u, %%r20, 0;\n",
			   k);
	else
		writer_put(w, "\tld.global.b%u %%%s%u, [%%d30];\n", s->bits,
			   register_prefix(s->bits), k);
}

static void put_result(struct writer *w, const struct form *form, unsigned k)
{
	const struct form_operand *r = &form->results[k];

	writer_put(w, "\tld.param.u64 %%d30, [r%u];\n\tadd.u64 %%d30, %%d30, %%d31;\n", k);
	if (r->bits == 1)
		writer_put(w, "\tselp.u32 %%r20, 1, 0, %%p%u;\n\tst.global.b32 [%%d30], %%r20;\n",
			   10 + k);
	else
		writer_put(w, "\tst.global.b%u [%%d30], %%%s%u;\n", r->bits,
			   register_prefix(r->bits), 10 + k);
}

/* A carry of 1 comes of adding 0xffffffff to 1, a borrow of 1 of taking 1 from 0. */
static void put_carry_in(struct writer *w, const struct form *form)
{
	unsigned k = form->source_count - 1;

	if (form_is(form, "subc"))
		writer_put(w, "\tsub.cc.u32 %%r21, 0, %%r%u;\n", k);
	else
		writer_put(w, "\tadd.cc.u32 %%r21, %%r%u, 0xffffffff;\n", k);
}

static void put_instruction(struct writer *w, const struct form *form)
{
	unsigned sources = form->source_count - form->carry_in;
	unsigned results = form->result_count - form->carry_out;
	bool listed = false;

	if (form->carry_in)
		put_carry_in(w, form);
	writer_put(w, "\t%s ", form->name);
	for (unsigned k = 0; k < results; k++)
		writer_put(w, "%s%%%s%u", k ? "|" : "", register_prefix(form->results[k].bits),
			   10 + k);
	for (unsigned k = 0; k < sources; k++) {
		/* The predicate of lop3 stands behind the table. */
		if (form->has_immediate && k == 3) {
			writer_put(w, ", 0x%x", form->immediate);
			listed = true;
		}
		writer_put(w, ", %%%s%u%s", register_prefix(form->sources[k].bits), k,
			   k < 4 ? form->selector[k] : "");
	}
	if (form->has_immediate && !listed)
		writer_put(w, ", 0x%x", form->immediate);
	writer_put(w, ";\n");
	if (form->carry_out)
		writer_put(w, "\t%s.u32 %%r%u, 0, 0;\n",
			   form_is(form, "sub") || form_is(form, "subc") ? "subc" : "addc",
			   10 + results);
}

size_t form_print(const struct form *form, unsigned number, char *text, size_t text_bytes)
{
	struct writer w = { text, 0, text_bytes, false };

	writer_put(
		&w,
		".visible .entry k%u(.param .u64 s0, .param .u64 s1, .param .u64 s2, .param .u64 s3,\n"
		"\t.param .u64 s4, .param .u64 s5, .param .u64 r0, .param .u64 r1)\n{\n"
		"\t.reg .pred %%p<16>;\n\t.reg .b16 %%h<16>;\n\t.reg .b32 %%r<24>;\n"
		"\t.reg .b64 %%d<32>;\n"
		"\tmov.u32 %%r20, %%ctaid.x;\n\tmov.u32 %%r21, %%ntid.x;\n\tmov.u32 %%r22, %%tid.x;\n"
		"\tmad.lo.u32 %%r20, %%r20, %%r21, %%r22;\n\tmul.wide.u32 %%d31, %%r20, 8;\n",
		number);
	for (unsigned k = 0; k < form->source_count; k++)
		put_source(&w, form, k);
	put_instruction(&w, form);
	for (unsigned k = 0; k < form->result_count; k++)
		put_result(&w, form, k);
	writer_put(&w, "\tret;\n}\n");
	return w.full ? 0 : w.used;
}
