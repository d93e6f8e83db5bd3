/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_isa.c - the table of instructions: each form finds its row, the manual is covered, the
 * documentation is new */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "softgpu/ptx/isa.h"
#include "softgpu/ptx/table.h"

/* --- forms ----------------------------------------------------------------------------------- */

static void check_variant(const struct sg_isa_variant *variant, void *arg)
{
	struct sg_isa_variant found;

	(void)arg;
	assert_int_equal(sg_isa_match(variant->name, strlen(variant->name), &found),
			 SG_ISA_MATCHED);
	assert_null(sg_isa_rule(&found));
	assert_string_equal(found.name, variant->name);
	assert_int_equal(found.row->op, variant->row->op);
	assert_int_equal(found.flags, variant->flags);
	assert_memory_equal(found.type, variant->type, sizeof(found.type));
	assert_int_equal(found.round, variant->round);
	assert_int_equal(found.cmp, variant->cmp);
	assert_int_equal(found.bool_op, variant->bool_op);
	assert_int_equal(found.sub, variant->sub);
	assert_int_equal(found.space, variant->space);
	assert_int_equal(found.vec, variant->vec);
}

static void each_form_finds_itself(void **state)
{
	size_t count = 0;

	(void)state;
	for (size_t r = 0; r < sg_isa_row_count; r++)
		count += sg_isa_each_variant(&sg_isa_rows[r], false, check_variant, NULL);
	assert_true(count > 5000);
}

static void each_operand_has_a_type(void **state)
{
	(void)state;
	for (size_t r = 0; r < sg_isa_row_count; r++) {
		const struct sg_isa_row *row = &sg_isa_rows[r];
		struct sg_isa_variant variant = {
			.row = row, .type = { SG_TYPE_U32, SG_TYPE_U32, SG_TYPE_U32 }
		};
		struct sg_isa_operand operands[SG_ISA_OPERANDS_MAX];
		int count = sg_isa_operands(&variant, operands);

		for (int i = 0; i < count; i++)
			if (operands[i].type == SG_TYPE_NONE)
				fail_msg("%s: operand %d of \"%s\" has no type", row->pattern,
					 i + 1, row->operands);
	}
}

static const struct sg_isa_variant *match(const char *text)
{
	static struct sg_isa_variant variant;

	if (sg_isa_match(text, strlen(text), &variant) != SG_ISA_MATCHED)
		return NULL;
	return &variant;
}

static void suffixes_fill_their_fields(void **state)
{
	const struct sg_isa_variant *v = match("atom.add.acq_rel.gpu.global.u32");

	(void)state;
	/* libcu++ writes the operation first, the manual last */
	assert_string_equal(v->name, "atom.acq_rel.gpu.global.add.u32");
	assert_int_equal(v->sub, SG_SUB_ADD);
	assert_int_equal(v->sem, SG_SEM_ACQ_REL);
	assert_int_equal(v->scope, SG_SCOPE_GPU);
	assert_int_equal(v->space, SG_SPACE_GLOBAL);
	v = match("setp.lo.and.u32");
	assert_int_equal(v->cmp, SG_CMP_LO);
	assert_int_equal(v->bool_op, SG_BOOL_AND);
	v = match("mul.lo.s32");
	assert_int_equal(v->flags, SG_BIT(LO));
	assert_int_equal(v->sub, SG_WORD_NONE);
	v = match("min.s32");
	assert_int_equal(v->sub, SG_WORD_NONE);
	v = match("cvt.rni.sat.s8.f32");
	assert_int_equal(v->type[0], SG_TYPE_S8);
	assert_int_equal(v->type[1], SG_TYPE_F32);
	assert_int_equal(v->round, SG_ROUND_RNI);
	/* types stand in order, whatever else may not */
	assert_null(match("cvt.rni.f32.s8.sat.u8"));
	assert_null(match("add.f32.f64"));
	assert_null(match("ld.u32.u32"));
	assert_null(match("setp.lt"));
	assert_null(match("add..u32"));
	assert_null(match(""));
	assert_int_equal(match("mma.sync.whatever.else")->row->feature, SG_FEATURE_TENSOR);
	assert_non_null(
		sg_isa_rule(match("min.abs.f64") ? match("min.abs.f64") : match("ld.relaxed.u32")));
}

static void special_registers_are_found_with_their_parts(void **state)
{
	enum sg_sreg sreg;
	unsigned part;

	(void)state;
	assert_int_equal(sg_isa_find_sreg("ctaid.z", 7, &sreg, &part), 0);
	assert_int_equal(sreg, SG_SREG_CTAID);
	assert_int_equal(part, 2);
	assert_int_equal(sg_isa_find_sreg("envreg31", 8, &sreg, &part), 0);
	assert_int_equal(part, 31);
	assert_int_equal(sg_isa_find_sreg("pm3_64", 6, &sreg, &part), 0);
	assert_int_equal(sreg, SG_SREG_PM64);
	assert_int_equal(sg_isa_find_sreg("clock64", 7, &sreg, &part), 0);
	assert_int_not_equal(sg_isa_find_sreg("envreg32", 8, &sreg, &part), 0);
	assert_int_not_equal(sg_isa_find_sreg("ctaid", 5, &sreg, &part), 0);
	assert_int_not_equal(sg_isa_find_sreg("laneid.x", 8, &sreg, &part), 0);
	assert_int_not_equal(sg_isa_find_sreg("", 0, &sreg, &part), 0);
}

/* --- the manual and the documentation --------------------------------------------------------- */

static void the_manual_is_covered(void **state)
{
	size_t counts[SG_TABLE_STATE_NUM];

	(void)state;
	assert_int_equal(sg_table_count(counts), 0);
	assert_int_equal(counts[SG_TABLE_MISSING], 0);
	assert_true(counts[SG_TABLE_RUNS] > 100);
	assert_true(counts[SG_TABLE_REFUSED] > 40);
}

static char *read_file(const char *name)
{
	FILE *file = fopen(name, "r");
	char *text = NULL;
	size_t room = 0;

	if (file == NULL)
		return NULL;
	if (getdelim(&text, &room, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

static void the_documentation_has_this_table(void **state)
{
	static const char begin[] = "<!-- table: begin -->\n", end[] = "<!-- table: end -->";
	char *text = read_file("docs/softgpu.md"), *table = NULL, *from, *to;
	size_t table_bytes;
	FILE *out;

	(void)state;
	if (text == NULL) {
		print_message("# not run in the tree\n");
		return;
	}
	out = open_memstream(&table, &table_bytes);
	assert_int_equal(sg_table_print(out), 0);
	fclose(out);
	from = strstr(text, begin);
	to = strstr(text, end);
	assert_non_null(from);
	assert_non_null(to);
	from += strlen(begin);
	*to = '\0';
	if (strcmp(from, table) != 0)
		fail_msg("docs/softgpu.md has another table; `make softgpu-table` writes this one");
	free(table);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_finds_itself),
		cmocka_unit_test(each_operand_has_a_type),
		cmocka_unit_test(suffixes_fill_their_fields),
		cmocka_unit_test(special_registers_are_found_with_their_parts),
		cmocka_unit_test(the_manual_is_covered),
		cmocka_unit_test(the_documentation_has_this_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
