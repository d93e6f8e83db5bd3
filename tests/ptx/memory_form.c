/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory_form.c - one form of ld, st, atom or red, and a kernel in which each thread runs it once
 */

#include <stdio.h>
#include <string.h>

#include "softgpu/ptx/isa.h"
#include "tests/ptx/memory_form.h"
#include "tests/ptx/writer.h"

struct visit {
	void (*visit)(const struct memory_form *form, void *arg);
	void *arg;
	size_t count;
};

/* What a kernel of one block cannot reach: memory of other blocks, parameters of functions. */
static bool reachable(const struct memory_form *form)
{
	return strcmp(form->space, "shared::cluster") != 0 &&
	       strcmp(form->space, "param::func") != 0 &&
	       !(form->kind == MEMORY_ST && strcmp(form->space, "param") == 0);
}

static unsigned elements_of(enum sg_word vec)
{
	return vec == SG_VEC_V2 ? 2 : vec == SG_VEC_V4 ? 4 : vec == SG_VEC_V8 ? 8 : 1;
}

static void fill(struct memory_form *form, const struct sg_isa_variant *v)
{
	enum sg_op op = (enum sg_op)v->row->op;

	memset(form, 0, sizeof(*form));
	snprintf(form->name, sizeof(form->name), "%s", v->name);
	form->kind = op == SG_OP_LD	? MEMORY_LD
		     : op == SG_OP_ST	? MEMORY_ST
		     : op == SG_OP_ATOM ? MEMORY_ATOM
					: MEMORY_RED;
	if (v->space != SG_WORD_NONE && v->space != SG_SPACE_GENERIC)
		snprintf(form->space, sizeof(form->space), "%s", sg_isa_word_text(v->space));
	snprintf(form->type, sizeof(form->type), "%s", sg_isa_type_word(v->type[0]));
	snprintf(form->operation, sizeof(form->operation), "%s", sg_isa_word_text(v->sub));
	form->type_bits = sg_isa_type_bits(v->type[0]);
	form->elements = elements_of(v->vec);
	form->register_bits = form->type_bits < 16 ? 16 : form->type_bits;
	form->ptx = v->row->ptx;
	form->sm = v->row->sm;
	if (form->elements * form->type_bits > 128) {
		form->ptx = 88;
		form->sm = 100;
	} else if (form->type_bits == 128) {
		form->ptx = 83;
		form->sm = 90;
	}
}

static void visit_variant(const struct sg_isa_variant *variant, void *arg)
{
	struct visit *visit = arg;
	struct memory_form form;

	fill(&form, variant);
	if (!reachable(&form))
		return;
	visit->visit(&form, visit->arg);
	visit->count++;
	/* The same into registers that are wider than the type. */
	if (form.kind <= MEMORY_ST && form.register_bits < 64 && form.type[0] != 'f' &&
	    form.elements < 4) {
		form.register_bits *= 2;
		visit->visit(&form, visit->arg);
		visit->count++;
	}
}

size_t memory_form_each(void (*visit)(const struct memory_form *form, void *arg), void *arg)
{
	struct visit state = { visit, arg, 0 };

	for (size_t i = 0; i < sg_isa_row_count; i++) {
		const struct sg_isa_row *row = &sg_isa_rows[i];

		if (row->feature == SG_FEATURE_RUNS &&
		    (row->op == SG_OP_LD || row->op == SG_OP_ST || row->op == SG_OP_ATOM ||
		     row->op == SG_OP_RED))
			sg_isa_each_variant(row, false, visit_variant, &state);
	}
	return state.count;
}

/* --- the kernel ------------------------------------------------------------------------------ */

static const char *prefix(unsigned bits)
{
	return bits == 16 ? "h" : bits == 32 ? "r" : bits == 64 ? "d" : "q";
}

static unsigned total_bytes(const struct memory_form *form)
{
	return form->elements * form->type_bits / 8;
}

static bool in_block(const struct memory_form *form)
{
	return strncmp(form->space, "shared", 6) == 0 || strcmp(form->space, "local") == 0;
}

/* Copies the thread's bytes one by one between spaces, as no form under test would. */
static void put_copy(struct writer *w, const struct memory_form *form, const char *to,
		     const char *to_at, const char *from, const char *from_at)
{
	for (unsigned i = 0; i < total_bytes(form); i++)
		writer_put(w, "\tld.%s.u8 %%h30, [%s+%u];\n\tst.%s.u8 [%s+%u], %%h30;\n", from,
			   from_at, i, to, to_at, i);
}

static const char *plain_space(const struct memory_form *form)
{
	return strncmp(form->space, "shared", 6) == 0 ? "shared" : "local";
}

/* Where the form's memory is: the slot itself, or a place in the block or thread. */
static const char *place(const struct memory_form *form)
{
	if (strcmp(form->space, "const") == 0)
		return "%d43";
	if (strncmp(form->space, "param", 5) == 0)
		return "bytes";
	return in_block(form) ? "%d42" : form->kind == MEMORY_ST ? "%d41" : "%d40";
}

static void put_registers(struct writer *w, const struct memory_form *form, unsigned first)
{
	if (form->elements > 1)
		writer_put(w, "{");
	for (unsigned i = 0; i < form->elements; i++)
		writer_put(w, "%s%%%s%u", i ? ", " : "", prefix(form->register_bits), first + i);
	if (form->elements > 1)
		writer_put(w, "}");
}

/* Registers from and to 8 bytes each, 16 for .b128. */
static void put_elements(struct writer *w, const struct memory_form *form, bool load,
			 const char *at, unsigned first, unsigned offset)
{
	for (unsigned i = 0; i < form->elements; i++) {
		unsigned bits = form->register_bits, k = first + i;

		if (bits == 128 && load)
			writer_put(
				w,
				"\tld.global.v2.b64 {%%d50, %%d51}, [%s+%u];\n\tmov.b128 %%q%u, {%%d50, %%d51};\n",
				at, offset, k);
		else if (bits == 128)
			writer_put(
				w,
				"\tmov.b128 {%%d50, %%d51}, %%q%u;\n\tst.global.v2.b64 [%s+%u], {%%d50, %%d51};\n",
				k, at, offset);
		else if (load)
			writer_put(w, "\tld.global.b%u %%%s%u, [%s+%u];\n", bits, prefix(bits), k,
				   at, offset + 8 * i);
		else
			writer_put(w, "\tst.global.b%u [%s+%u], %%%s%u;\n", bits, at,
				   offset + 8 * i, prefix(bits), k);
	}
}

static void put_load(struct writer *w, const struct memory_form *form)
{
	if (in_block(form))
		put_copy(w, form, plain_space(form), "%d42", "global", "%d40");
	writer_put(w, "\t%s ", form->name);
	put_registers(w, form, 0);
	writer_put(w, ", [%s];\n", place(form));
	put_elements(w, form, false, "%d41", 0, 0);
}

static void put_store(struct writer *w, const struct memory_form *form)
{
	put_elements(w, form, true, "%d44", 0, 0);
	writer_put(w, "\t%s [%s], ", form->name, place(form));
	put_registers(w, form, 0);
	writer_put(w, ";\n");
	if (in_block(form))
		put_copy(w, form, "global", "%d41", plain_space(form), "%d42");
}

static void put_atomic(struct writer *w, const struct memory_form *form)
{
	bool swap = strcmp(form->operation, "cas") == 0;

	if (in_block(form))
		put_copy(w, form, plain_space(form), "%d42", "global", "%d40");
	put_elements(w, form, true, "%d44", 0, 0);
	if (swap)
		put_elements(w, form, true, "%d44", 8, 32);
	writer_put(w, "\t%s ", form->name);
	if (form->kind == MEMORY_ATOM) {
		put_registers(w, form, 16);
		writer_put(w, ", ");
	}
	writer_put(w, "[%s], ", place(form));
	put_registers(w, form, 0);
	if (swap) {
		writer_put(w, ", ");
		put_registers(w, form, 8);
	}
	writer_put(w, ";\n");
	if (form->kind == MEMORY_ATOM)
		put_elements(w, form, false, "%d41", 16, 0);
	if (in_block(form))
		put_copy(w, form, "global", "%d40", plain_space(form), "%d42");
}

static void put_head(struct writer *w, const struct memory_form *form, unsigned number)
{
	writer_put(w,
		   ".visible .entry k%u(.param .u64 data, .param .u64 operands, .param .u64 out,\n"
		   "\t.param .align 16 .b8 bytes[64])\n{\n"
		   "\t.reg .b16 %%h<40>;\n\t.reg .b32 %%r<40>;\n\t.reg .b64 %%d<60>;\n%s"
		   "\tmov.u32 %%r39, %%tid.x;\n\tmul.wide.u32 %%d45, %%r39, %d;\n"
		   "\tld.param.u64 %%d40, [data];\n\tadd.u64 %%d40, %%d40, %%d45;\n"
		   "\tld.param.u64 %%d41, [out];\n\tadd.u64 %%d41, %%d41, %%d45;\n"
		   "\tld.param.u64 %%d44, [operands];\n\tadd.u64 %%d44, %%d44, %%d45;\n",
		   number, form->register_bits == 128 ? "\t.reg .b128 %q<24>;\n" : "", MEMORY_SLOT);
	if (strncmp(form->space, "shared", 6) == 0)
		writer_put(w,
			   "\t.shared .align 32 .b8 held%u[%d];\n\tmov.u64 %%d42, held%u;\n"
			   "\tadd.u64 %%d42, %%d42, %%d45;\n",
			   number, MEMORY_SLOT * MEMORY_THREADS, number);
	else if (strcmp(form->space, "local") == 0)
		writer_put(w, "\t.local .align 32 .b8 held%u[%d];\n\tmov.u64 %%d42, held%u;\n",
			   number, MEMORY_SLOT, number);
	else if (strcmp(form->space, "const") == 0)
		writer_put(w, "\tmov.u64 %%d43, fixed;\n\tadd.u64 %%d43, %%d43, %%d45;\n");
}

size_t memory_form_print(const struct memory_form *form, unsigned number, char *text,
			 size_t text_bytes)
{
	struct writer w = { text, 0, text_bytes, false };

	put_head(&w, form, number);
	if (form->kind == MEMORY_LD)
		put_load(&w, form);
	else if (form->kind == MEMORY_ST)
		put_store(&w, form);
	else
		put_atomic(&w, form);
	writer_put(&w, "\tret;\n}\n");
	return w.full ? 0 : w.used;
}
