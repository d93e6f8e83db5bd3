/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cases_forms.c - every form of every instruction that computes, one case for each mnemonic */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/case_tables.h"
#include "tests/ptx/form.h"
#include "tests/ptx/inputs.h"
#include "tests/ptx/oracle.h"

/* Kernels in one module: a module with one bad form costs the others of it too. */
enum { BATCH = 40, TEXT_BYTES = 4096 * (BATCH + 1), NEWEST_SM = 90, MNEMONICS_MAX = 128 };

struct batch {
	struct trial *trial;
	struct form forms[BATCH];
	unsigned count;
	unsigned total, skipped, refused;
	uint64_t *source[FORM_SOURCES_MAX], *result[FORM_RESULTS_MAX];
};

/*
 * Video instructions are no hardware's any more: ptxas writes them out in others, which depart from
 * the manual's pseudo-code in saturation, in the order of the second operation's minimum and
 * maximum, and in scaled products. nvcc emits none. A real GPU runs them unchecked.
 */
static bool departs_from_manual(const struct batch *batch, const struct form *form)
{
	return !trial_is_softgpu(batch->trial) && form->words[0][0] == 'v' &&
	       (FORM_HAS(form, SAT) || FORM_HAS(form, MIN) || FORM_HAS(form, MAX) ||
		FORM_HAS(form, SHR7) || FORM_HAS(form, SHR15));
}

/* The first wrong element of a form, with all that is needed to see why. */
static void report(struct batch *batch, const struct form *form, unsigned i, unsigned k,
		   unsigned wrong, const struct oracle_value *wanted)
{
	char sources[160] = "";
	size_t used = 0;

	for (unsigned s = 0; s < form->source_count; s++)
		used += (size_t)snprintf(sources + used, sizeof(sources) - used, " 0x%llx",
					 (unsigned long long)batch->source[s][i]);
	if (wanted->kind == ORACLE_NEAR)
		trial_fail(batch->trial,
			   "%s%s%s of%s: result %u is 0x%llx, not near %.9g %.9g (%u wrong)",
			   form->name, form->selector[0], form->selector[1], sources, k,
			   (unsigned long long)batch->result[k][i], wanted->exact[0],
			   wanted->exact[1], wrong);
	else
		trial_fail(batch->trial,
			   "%s%s%s table 0x%x of%s: result %u is 0x%llx, not 0x%llx (%u wrong)",
			   form->name, form->selector[0], form->selector[1], form->immediate,
			   sources, k, (unsigned long long)batch->result[k][i],
			   (unsigned long long)wanted->bits, wrong);
}

static uint64_t register_mask(unsigned bits)
{
	return bits < 64 ? (1ull << bits) - 1 : ~0ull;
}

/*
 * Notes a number that changes with any result that the manual fixes, for --compare, and one that
 * changes with a NaN's payload, too, which it does not fix.
 */
static void check(struct batch *batch, const struct form *form, unsigned count)
{
	oracle_fn *oracle = oracle_find(form);
	struct oracle_value first = { .kind = ORACLE_BITS };
	unsigned wrong = 0, first_i = 0, first_k = 0;
	char name[160];
	uint64_t hash = 0xcbf29ce484222325ull, raw = hash;

	if (!oracle) {
		trial_fail(batch->trial, "%s: no oracle", form->name);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		struct oracle_value wanted[FORM_RESULTS_MAX] = { { .kind = ORACLE_BITS } };
		uint64_t in[FORM_SOURCES_MAX] = { 0 };

		for (unsigned s = 0; s < form->source_count; s++)
			in[s] = batch->source[s][i] & register_mask(form->sources[s].bits);
		oracle(form, in, wanted);
		for (unsigned k = 0; k < form->result_count; k++) {
			uint64_t mask = register_mask(form->results[k].bits);
			uint64_t got = batch->result[k][i] &
				       (form->results[k].bits == 1 ? 0xffffffff : mask);

			wanted[k].bits &= mask;
			if (wanted[k].kind == ORACLE_BITS) {
				uint64_t plain = oracle_plain_nan(form->results[k].type, got);

				hash = (hash ^ plain) * 0x100000001b3ull;
				raw = (raw ^ got) * 0x100000001b3ull;
			}
			if (oracle_agrees(form->results[k].type, &wanted[k], got))
				continue;
			if (wrong++ == 0) {
				first = wanted[k];
				first_i = i;
				first_k = k;
			}
		}
	}
	if (wrong)
		report(batch, form, first_i, first_k, wrong, &first);
	snprintf(name, sizeof(name), "%s%s%s/%x", form->name, form->selector[0], form->selector[1],
		 form->immediate + form->source_count);
	trial_note(batch->trial, name, hash, raw);
}

static void run_form(struct batch *batch, unsigned index)
{
	const struct form *form = &batch->forms[index];
	unsigned count = inputs_fill(form, batch->source);
	char entry[16];

	for (unsigned k = 0; k < FORM_RESULTS_MAX; k++)
		memset(batch->result[k], 0xee, count * sizeof(uint64_t));
	snprintf(entry, sizeof(entry), "k%u", index);
	trial_limit_buffers(batch->trial, count * sizeof(uint64_t));
	if (trial_launch(batch->trial, entry, SHAPE(count / 256, 256), BUF(batch->source[0]),
			 BUF(batch->source[1]), BUF(batch->source[2]), BUF(batch->source[3]),
			 BUF(batch->source[4]), BUF(batch->source[5]), BUF(batch->result[0]),
			 BUF(batch->result[1])) &&
	    !departs_from_manual(batch, form))
		check(batch, form, count);
}

/* Loads what was collected, and one by one where one text is refused. */
static bool load(struct batch *batch, unsigned first, unsigned count)
{
	static char text[TEXT_BYTES];
	bool newer = false;
	size_t used;

	for (unsigned i = first; i < first + count; i++)
		newer |= batch->forms[i].sm > NEWEST_SM;
	used = (size_t)snprintf(text, sizeof(text),
				".version 8.8\n.target sm_%u\n.address_size 64\n",
				newer ? 100 : NEWEST_SM);
	for (unsigned i = first; i < first + count; i++)
		used += form_print(&batch->forms[i], i, text + used, sizeof(text) - used);
	return trial_try_text(batch->trial, text, used);
}

static void run_batch(struct batch *batch)
{
	if (load(batch, 0, batch->count)) {
		for (unsigned i = 0; i < batch->count; i++)
			run_form(batch, i);
		trial_unload(batch->trial);
	} else {
		for (unsigned i = 0; i < batch->count; i++) {
			if (load(batch, i, 1))
				run_form(batch, i);
			else
				batch->refused += trial_not_loaded(batch->trial,
								   batch->forms[i].name);
			trial_unload(batch->trial);
		}
	}
	batch->count = 0;
}

static void collect(const struct form *form, void *arg)
{
	struct batch *batch = arg;

	batch->total++;
	/* The GPU at hand may be older than the instruction; softgpu has all of them. */
	if (!trial_is_softgpu(batch->trial) && form->sm > NEWEST_SM) {
		batch->skipped++;
		return;
	}
	batch->forms[batch->count++] = *form;
	if (batch->count == BATCH)
		run_batch(batch);
}

static void run_mnemonic(struct trial *trial)
{
	static struct batch batch;
	const char *mnemonic = trial_argument(trial);
	char name[16];

	memset(&batch, 0, sizeof(batch));
	batch.trial = trial;
	for (unsigned k = 0; k < FORM_SOURCES_MAX; k++) {
		snprintf(name, sizeof(name), "source%u", k);
		batch.source[k] = trial_buffer(trial, name, INPUTS_MAX * sizeof(uint64_t));
		trial_varies(trial, batch.source[k], "each form has its own");
	}
	for (unsigned k = 0; k < FORM_RESULTS_MAX; k++) {
		snprintf(name, sizeof(name), "result%u", k);
		batch.result[k] = trial_buffer(trial, name, INPUTS_MAX * sizeof(uint64_t));
		trial_varies(trial, batch.result[k], "each form has its own; notes are compared");
	}
	form_each(mnemonic, collect, &batch);
	if (batch.count)
		run_batch(&batch);
	printf("# %s: %u forms, %u newer than this GPU, %u refused there\n", mnemonic, batch.total,
	       batch.skipped, batch.refused);
	trial_expect(trial, batch.total > batch.skipped + 8 * batch.refused,
		     "all but a few forms of the table run");
}

static struct ptx_case forms[MNEMONICS_MAX + 1];
static unsigned form_cases;

static void add_case(const char *mnemonic, void *arg)
{
	static char names[MNEMONICS_MAX][32];
	struct ptx_case *c = &forms[form_cases];

	(void)arg;
	if (form_cases == MNEMONICS_MAX)
		abort();
	snprintf(names[form_cases], sizeof(names[0]), "forms.%s", mnemonic);
	c->name = names[form_cases];
	c->argument = strchr(c->name, '.') + 1;
	c->run = run_mnemonic;
	form_cases++;
}

const struct ptx_case *cases_forms(void)
{
	if (form_cases == 0)
		form_each_mnemonic(add_case, NULL);
	return forms;
}
