/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_memory.c - every form of ld, st, atom and red, each thread on memory of its own */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"
#include "tests/ptx/memory_form.h"
#include "tests/ptx/oracle_format.h"

enum {
	BATCH = 30,
	TEXT_BYTES = 16384 * BATCH,
	NEWEST_SM = 90,
	BYTES = MEMORY_SLOT * MEMORY_THREADS
};

struct batch {
	struct trial *trial;
	enum memory_kind kind;
	struct memory_form forms[BATCH];
	unsigned count, total, skipped, refused;
	unsigned char *data, *operands, *out;
	unsigned char parameter[MEMORY_SLOT];
};

static uint64_t mask_of(unsigned bits)
{
	return bits < 64 ? (1ull << bits) - 1 : ~0ull;
}

/* A number at a place, at most 8 bytes of it. */
static uint64_t number_at(const unsigned char *at, unsigned bytes)
{
	uint64_t number = 0;

	memcpy(&number, at, bytes < 8 ? bytes : 8);
	return number;
}

static uint64_t extend(const struct memory_form *form, uint64_t value)
{
	value &= mask_of(form->type_bits);
	if (form->type[0] == 's' && form->type_bits < 64 && value >> (form->type_bits - 1))
		value |= ~mask_of(form->type_bits);
	return value & mask_of(form->register_bits);
}

static void wrong(struct batch *batch, const struct memory_form *form, unsigned thread,
		  unsigned element, uint64_t got, uint64_t wanted)
{
	trial_fail(batch->trial, "%s into %u bits, thread %u element %u: 0x%llx, not 0x%llx",
		   form->name, form->register_bits, thread, element, (unsigned long long)got,
		   (unsigned long long)wanted);
}

/* The bytes of which a load's thread reads: its slot, its place in the table, the parameter. */
static const unsigned char *loaded(struct batch *batch, const struct memory_form *form,
				   unsigned thread, const unsigned char *data)
{
	if (strncmp(form->space, "param", 5) == 0)
		return batch->parameter;
	return data + MEMORY_SLOT * thread;
}

static bool check_load(struct batch *batch, const struct memory_form *form,
		       const unsigned char *data)
{
	unsigned bytes = form->type_bits / 8, stride = bytes > 8 ? 16 : 8;

	for (unsigned t = 0; t < MEMORY_THREADS; t++) {
		const unsigned char *from = loaded(batch, form, t, data),
				    *to = batch->out + MEMORY_SLOT * t;

		for (unsigned e = 0; e < form->elements; e++) {
			uint64_t wanted = extend(form, number_at(from + bytes * e, bytes));
			uint64_t got = number_at(to + stride * e, form->register_bits / 8);

			if (got != wanted || (bytes == 16 && memcmp(to, from, 16) != 0)) {
				wrong(batch, form, t, e, got, wanted);
				return false;
			}
		}
	}
	return true;
}

static bool check_store(struct batch *batch, const struct memory_form *form)
{
	unsigned bytes = form->type_bits / 8, stride = bytes > 8 ? 16 : 8;

	for (unsigned t = 0; t < MEMORY_THREADS; t++) {
		const unsigned char *from = batch->operands + MEMORY_SLOT * t;
		const unsigned char *to = batch->out + MEMORY_SLOT * t;

		for (unsigned e = 0; e < form->elements; e++) {
			if (memcmp(to + bytes * e, from + stride * e, bytes) != 0) {
				wrong(batch, form, t, e, number_at(to + bytes * e, bytes),
				      number_at(from + stride * e, bytes));
				return false;
			}
		}
		/* What follows must be as it was. */
		if (to[bytes * form->elements] != 0xee) {
			trial_fail(batch->trial, "%s writes behind its end", form->name);
			return false;
		}
	}
	return true;
}

static uint64_t float_operation(const struct memory_form *form, const char *type, uint64_t old,
				uint64_t by)
{
	const struct oracle_format *f = oracle_format(type);
	double a, b, r;

	/* "atom.add.f32 on global memory flushes subnormal numbers, on shared memory it does not."
	 */
	if (strcmp(type, "f32") == 0 && strncmp(form->space, "shared", 6) != 0) {
		old = oracle_flush(f, old);
		by = oracle_flush(f, by);
	}
	a = oracle_value(f, old);
	b = oracle_value(f, by);
	if (strcmp(form->operation, "min") == 0)
		return isnan(a) || (b < a || (b == a && signbit(b))) ? by : old;
	if (strcmp(form->operation, "max") == 0)
		return isnan(a) || (b > a || (b == a && !signbit(b))) ? by : old;
	if (f->storage_bits == 64) {
		r = a + b;
		memcpy(&old, &r, 8);
		return old;
	}
	old = oracle_round(f, oracle_odd_add(a, b), ORACLE_RN);
	return strcmp(type, "f32") == 0 && strncmp(form->space, "shared", 6) != 0
		       ? oracle_flush(f, old)
		       : old;
}

static int64_t as_signed(uint64_t value, unsigned bits)
{
	/* Of .b128 this is one half; no operation on it asks for a sign. */
	unsigned unused = bits < 64 ? 64 - bits : 0;

	return (int64_t)(value << unused) >> unused;
}

static uint64_t whole_operation(const struct memory_form *form, uint64_t old, uint64_t by,
				uint64_t with)
{
	const char *operation = form->operation;
	int64_t a = as_signed(old, form->type_bits), b = as_signed(by, form->type_bits);
	bool less = form->type[0] == 's' ? b < a : by < old;

	if (strcmp(operation, "add") == 0)
		return old + by;
	if (strcmp(operation, "and") == 0)
		return old & by;
	if (strcmp(operation, "or") == 0)
		return old | by;
	if (strcmp(operation, "xor") == 0)
		return old ^ by;
	if (strcmp(operation, "inc") == 0)
		return old >= by ? 0 : old + 1;
	if (strcmp(operation, "dec") == 0)
		return old == 0 || old > by ? by : old - 1;
	if (strcmp(operation, "min") == 0)
		return less ? by : old;
	if (strcmp(operation, "max") == 0)
		return less ? old : by;
	return strcmp(operation, "cas") != 0 ? by : old == by ? with : old;
}

static uint64_t operate(const struct memory_form *form, uint64_t old, uint64_t by, uint64_t with)
{
	uint64_t r = 0;

	if (!oracle_format(form->type) || strcmp(form->operation, "exch") == 0)
		return whole_operation(form, old, by, with) & mask_of(form->type_bits);
	if (!strchr(form->type, 'x'))
		return float_operation(form, form->type, old, by);
	for (int at = 0; at < 32; at += 16)
		r |= float_operation(form, form->type, old >> at & 0xffff, by >> at & 0xffff) << at;
	return r;
}

/* Any NaN stands for another one. Of .b128 the words hold one half. */
static bool same(const struct memory_form *form, uint64_t a, uint64_t b)
{
	const struct oracle_format *f = oracle_format(form->type);
	unsigned bits = form->type_bits < 64 ? form->type_bits : 64;

	for (unsigned at = 0; at < bits; at += f ? (unsigned)f->storage_bits : 64) {
		uint64_t mask = mask_of(f ? (unsigned)f->storage_bits : 64);

		if ((a >> at & mask) != (b >> at & mask) &&
		    !(f && oracle_is_nan(f, a >> at & mask) && oracle_is_nan(f, b >> at & mask)))
			return false;
	}
	return true;
}

static bool check_atomic(struct batch *batch, const struct memory_form *form,
			 const unsigned char *before)
{
	unsigned bytes = form->type_bits / 8;

	for (unsigned t = 0; t < MEMORY_THREADS; t++) {
		const unsigned char *by = batch->operands + MEMORY_SLOT * t;
		const unsigned char *out = batch->out + MEMORY_SLOT * t,
				    *at = batch->data + MEMORY_SLOT * t;

		for (unsigned e = 0; e < form->elements; e++) {
			uint64_t old = number_at(before + MEMORY_SLOT * t + bytes * e, bytes);
			uint64_t wanted = operate(form, old, number_at(by + 8 * e, bytes),
						  number_at(by + 32, bytes));
			uint64_t now = number_at(at + bytes * e, bytes),
				 got = number_at(out + 8 * e, bytes);

			if (!same(form, now, wanted)) {
				wrong(batch, form, t, e, now, wanted);
				return false;
			}
			if (form->kind == MEMORY_ATOM && got != old) {
				trial_fail(batch->trial, "%s returns 0x%llx, not the old 0x%llx",
					   form->name, (unsigned long long)got,
					   (unsigned long long)old);
				return false;
			}
		}
	}
	return true;
}

/* Half of all compare-and-swaps find what they expect. */
static void fill(struct batch *batch, const struct memory_form *form, unsigned char *table)
{
	uint64_t seed = 77;

	for (int i = 0; i < BYTES; i++) {
		batch->data[i] = (unsigned char)trial_random(&seed);
		batch->operands[i] = (unsigned char)trial_random(&seed);
		table[i] = (unsigned char)(i * 37 + i / 64);
	}
	for (int i = 0; i < MEMORY_SLOT; i++)
		batch->parameter[i] = (unsigned char)(i * 11 + 200);
	memset(batch->out, 0xee, BYTES);
	for (int t = 0; t < MEMORY_THREADS && strcmp(form->operation, "cas") == 0; t += 2)
		memcpy(batch->operands + t * MEMORY_SLOT, batch->data + t * MEMORY_SLOT, 16);
}

static void run_form(struct batch *batch, unsigned index)
{
	const struct memory_form *form = &batch->forms[index];
	static unsigned char table[BYTES], before[BYTES];
	struct trial_arg parameter = { .kind = TRIAL_ARG_BYTES, .at = batch->parameter };
	char entry[16];

	fill(batch, form, table);
	memcpy(before, batch->data, BYTES);
	snprintf(entry, sizeof(entry), "k%u", index);
	trial_global_write(batch->trial, "fixed", table, BYTES);
	if (!trial_launch(batch->trial, entry, SHAPE(1, MEMORY_THREADS), BUF(batch->data),
			  BUF(batch->operands), BUF(batch->out), parameter))
		return;
	if (form->kind == MEMORY_LD)
		check_load(batch, form, strcmp(form->space, "const") == 0 ? table : before);
	else if (form->kind == MEMORY_ST)
		check_store(batch, form);
	else
		check_atomic(batch, form, before);
}

static bool load(struct batch *batch, unsigned first, unsigned count)
{
	static char text[TEXT_BYTES];
	bool newer = false;
	size_t used;

	for (unsigned i = first; i < first + count; i++)
		newer |= batch->forms[i].sm > NEWEST_SM;
	used = (size_t)snprintf(text, sizeof(text),
				".version 8.8\n.target sm_%u\n.address_size 64\n"
				".const .align 32 .b8 fixed[%d];\n",
				newer ? 100 : NEWEST_SM, BYTES);
	for (unsigned i = first; i < first + count; i++)
		used += memory_form_print(&batch->forms[i], i, text + used, sizeof(text) - used);
	return trial_try_text(batch->trial, text, used);
}

static void run_batch(struct batch *batch)
{
	bool all = load(batch, 0, batch->count);

	for (unsigned i = 0; i < batch->count; i++) {
		if (all || load(batch, i, 1))
			run_form(batch, i);
		else
			batch->refused += trial_not_loaded(batch->trial, batch->forms[i].name);
		if (!all)
			trial_unload(batch->trial);
	}
	trial_unload(batch->trial);
	batch->count = 0;
}

static void collect(const struct memory_form *form, void *arg)
{
	struct batch *batch = arg;

	if (form->kind != batch->kind)
		return;
	batch->total++;
	if (!trial_is_softgpu(batch->trial) && form->sm > NEWEST_SM) {
		batch->skipped++;
		return;
	}
	batch->forms[batch->count++] = *form;
	if (batch->count == BATCH)
		run_batch(batch);
}

static void run_kind(struct trial *trial, enum memory_kind kind)
{
	static struct batch batch;

	memset(&batch, 0, sizeof(batch));
	batch.trial = trial;
	batch.kind = kind;
	batch.data = trial_buffer(trial, "data", BYTES);
	batch.operands = trial_buffer(trial, "operands", BYTES);
	batch.out = trial_buffer(trial, "out", BYTES);
	trial_varies(trial, batch.data, "each form has its own");
	trial_varies(trial, batch.operands, "each form has its own");
	trial_varies(trial, batch.out, "each form has its own");
	memory_form_each(collect, &batch);
	if (batch.count)
		run_batch(&batch);
	printf("# %u forms, %u newer than this GPU, %u refused there\n", batch.total, batch.skipped,
	       batch.refused);
	trial_expect(trial, batch.total > batch.skipped + 8 * batch.refused,
		     "all but a few forms of the table run");
}

static void loads(struct trial *trial)
{
	run_kind(trial, MEMORY_LD);
}

static void stores(struct trial *trial)
{
	run_kind(trial, MEMORY_ST);
}

static void atoms(struct trial *trial)
{
	run_kind(trial, MEMORY_ATOM);
}

static void reductions(struct trial *trial)
{
	run_kind(trial, MEMORY_RED);
}

const struct ptx_case cases_memory[] = {
	{ .name = "memory.ld", .run = loads },
	{ .name = "memory.st", .run = stores },
	{ .name = "memory.atom", .run = atoms },
	{ .name = "memory.red", .run = reductions },
	{ .name = NULL },
};
