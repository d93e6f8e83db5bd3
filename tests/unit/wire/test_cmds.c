/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_cmds.c - the table of commands: its numbers for good, and what is judged by it */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/cmds_check.h"

#define GOLDEN "tests/unit/wire/commands.golden" /* from the top of the tree */

/* Writes what programs and workers of other versions rely on. */
static void write_table(FILE *out)
{
	static const char *const ways[] = { "ISSUE", "BLOCK", "WAIT" };
	static const char *const works[] = { "IDLE", "GPU", "COPY" };
	static const char *const answers[] = { "ASKED", "ALWAYS" };

	for (unsigned op = 0; op < VGPU_CMD_MOST; op++) {
		const struct cmds_entry *entry = cmds_find(op);

		if (entry == NULL)
			continue;
		fprintf(out, "%u %s %s %s %s tail=%u", op, entry->name, ways[entry->way],
			works[entry->work], answers[entry->answer], entry->tail_most);
		for (const struct cmds_field *field = entry->fields; field->kind != CMDS_END;
		     field++)
			fprintf(out, " %s:%u/%u", field->name, field->bytes, field->kind);
		fputc('\n', out);
	}
}

/* Old lines must stay; new ones may follow. `test_cmds --print` shows what the file has to be. */
static void test_golden(void **state)
{
	char text[16384] = "", golden[16384] = "";
	FILE *out = fmemopen(text, sizeof(text), "w"), *in = fopen(GOLDEN, "r");

	(void)state;
	assert_non_null(out);
	write_table(out);
	fclose(out);
	assert_non_null(in);
	assert_true(fread(golden, 1, sizeof(golden) - 1, in) > 0);
	fclose(in);
	assert_string_equal(text, golden);
}

static void test_fields_fill_the_arguments(void **state)
{
	(void)state;
	for (unsigned op = 0; op < VGPU_CMD_MOST; op++) {
		const struct cmds_entry *entry = cmds_find(op);
		const struct cmds_field *field;
		uint32_t bytes = 0;

		if (entry == NULL)
			continue;
		for (field = entry->fields; field->kind != CMDS_END; field++) {
			bytes += field->bytes;
			/* A position is judged with the length behind it. */
			if (field->kind == CMDS_READ_AT || field->kind == CMDS_WRITE_AT ||
			    field->kind == CMDS_PIECES_AT)
				assert_int_equal(field[1].kind, field->kind + 1);
		}
		assert_int_equal(bytes, entry->args_bytes);
	}
}

static void test_check(void **state)
{
	const uint32_t least = sizeof(struct vgpu_command) + sizeof(struct vgpu_cmd_copy_in);
	struct vgpu_command head = { .op = VGPU_CMD_COPY_IN,
				     .bytes = least,
				     .reply = VGPU_NO_REPLY };

	(void)state;
	assert_int_equal(cmds_check(&head), CMDS_FINE);
	head.bytes = least + 32768;
	assert_int_equal(cmds_check(&head), CMDS_FINE);
	head.bytes++;
	assert_int_equal(cmds_check(&head), CMDS_FAULT_BYTES);
	head.bytes = least - 1;
	assert_int_equal(cmds_check(&head), CMDS_FAULT_BYTES);
	head.bytes = 0;
	assert_int_equal(cmds_check(&head), CMDS_FAULT_BYTES);
	head.bytes = least;
	head.reply = VGPU_REPLIES - 1;
	assert_int_equal(cmds_check(&head), CMDS_FINE);
	head.reply = VGPU_REPLIES;
	assert_int_equal(cmds_check(&head), CMDS_FAULT_REPLY);
	head.op = VGPU_CMD_STREAM_QUERY; /* always answered */
	head.bytes = sizeof(head) + sizeof(struct vgpu_cmd_stream_query);
	head.reply = VGPU_NO_REPLY;
	assert_int_equal(cmds_check(&head), CMDS_FAULT_REPLY);
	for (unsigned op = 0; op < 1u << 16; op++) {
		head.op = (uint16_t)op;
		if (cmds_find(op) == NULL)
			assert_int_equal(cmds_check(&head), CMDS_FAULT_OP);
	}
	assert_null(cmds_find(0));
	assert_null(cmds_find(VGPU_CMD_MOST));
}

static void test_print(void **state)
{
	struct {
		struct vgpu_command head;
		struct vgpu_cmd_stream_create args;
	} __attribute__((packed, aligned(8))) create = {
		.head = { VGPU_CMD_STREAM_CREATE, 0, sizeof(create.head) + sizeof(create.args), 5,
			  77 },
		.args = { .stream = 3, .flags = 1, .priority = -2 },
	};
	struct {
		struct vgpu_command head;
		struct vgpu_cmd_copy_in args;
		uint8_t tail[4];
	} __attribute__((packed, aligned(8))) copy = {
		.head = { VGPU_CMD_COPY_IN, 0, sizeof(copy), VGPU_NO_REPLY, 0 },
		.args = { .to = 0x7f0000000000, .stream = 0 },
	};
	const char *text = "stream_create stream=3 flags=1 priority=-2 reply=5/77";
	char got[128];

	(void)state;
	assert_int_equal(cmds_print((const void *)&create, got, sizeof(got)), strlen(text));
	assert_string_equal(got, text);
	assert_int_equal(cmds_print((const void *)&create, got, 10), strlen(text));
	assert_string_equal(got, "stream_cr");
	cmds_print((const void *)&copy, got, sizeof(got));
	assert_string_equal(got, "copy_in to=0x7f0000000000 stream=0 +4");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_fields_fill_the_arguments),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_print),
	};

	if (argc == 2 && strcmp(argv[1], "--print") == 0) {
		write_table(stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
