/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_file_format.c - the file transport's texts: each field, right and wrong, and the answers */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "common/wire/vgpu_proto.h"
#include "vgpud/files/format.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static int parse(const char *text, struct file_request *out)
{
	const char *why = NULL;
	int err = file_format_parse(text, strlen(text), out, &why);

	assert_int_equal(err == 0, why == NULL);
	return err;
}

static void good_lines(void **state)
{
	static const struct {
		const char *text;
		struct file_request request;
	} cases[] = {
		{ "A:2:1:100:200\n", { 'A', 2, 1, 100, 200 } },
		{ "Z:0:0:0:0\n", { 'Z', 0, 0, 0, 0 } },
		{ "B:1:4294967295:-1:-200\n", { 'B', 1, UINT32_MAX, -1, -200 } },
		{ "A:2:7:2147483647:-2147483648\n", { 'A', 2, 7, INT32_MAX, INT32_MIN } },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct file_request got;

		assert_int_equal(parse(cases[i].text, &got), 0);
		assert_int_equal(got.pool, cases[i].request.pool);
		assert_int_equal(got.priority, cases[i].request.priority);
		assert_int_equal(got.vm_id, cases[i].request.vm_id);
		assert_int_equal(got.a, cases[i].request.a);
		assert_int_equal(got.b, cases[i].request.b);
	}
}

static void bad_lines(void **state)
{
	static const char *const cases[] = {
		"\n",
		"A\n",
		"A:\n",
		"x\n",
		"A:2:1:100\n",
		"A:2:1:100:\n",
		"A:2:1::200\n",
		/* the pool */
		":2:1:100:200\n",
		"a:2:1:100:200\n",
		"AA:2:1:100:200\n",
		"1:2:1:100:200\n",
		" A:2:1:100:200\n",
		"\xc3\x84:2:1:100:200\n",
		/* the priority */
		"A:3:1:100:200\n",
		"A:-1:1:100:200\n",
		"A::1:100:200\n",
		"A:high:1:100:200\n",
		"A:02:1:100:200\n",
		"A:-0:1:100:200\n",
		"A: 2:1:100:200\n",
		/* the VM */
		"A:2:-1:100:200\n",
		"A:2:4294967296:100:200\n",
		"A:2::100:200\n",
		"A:2:vm1:100:200\n",
		"A:2:1.0:100:200\n",
		"A:2:99999999999999999999999999999:100:200\n",
		/* the numbers */
		"A:2:1:2147483648:200\n",
		"A:2:1:-2147483649:200\n",
		"A:2:1:+1:200\n",
		"A:2:1:0x10:200\n",
		"A:2:1:1e3:200\n",
		"A:2:1:--1:200\n",
		"A:2:1:-:200\n",
		"A:2:1:100:2147483648\n",
		"A:2:1:100:-2147483649\n",
		"A:2:1:100:a\n",
		"A:2:1:100: 200\n",
		"A:2:1:100:00\n",
		"A:2:1:4294967396:200\n",
		/* the end */
		"A:2:1:100:200 \n",
		"A:2:1:100:200:\n",
		"A:2:1:100:200\r\n",
		"A:2:1:100:200\n\n",
		"A:2:1:100:200\nA:2:1:100:200\n",
		"A:2:1:100:200\nx",
		"\nA:2:1:100:200\n",
	};
	struct file_request got;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++)
		if (parse(cases[i], &got) != -EINVAL)
			fail_msg("not refused: %s", cases[i]);
}

static void a_zero_byte(void **state)
{
	static const char text[] = "A:2:1:100:2\0"
				   "0\n";
	struct file_request got;
	const char *why;

	(void)state;
	assert_int_equal(file_format_parse(text, sizeof(text) - 1, &got, &why), -EINVAL);
	assert_int_equal(file_format_parse("", 0, &got, &why), -EAGAIN);
}

/* Each beginning of a line is one that has no end yet. */
static void half_lines(void **state)
{
	static const char text[] = "A:2:1:100:200";
	struct file_request got;
	const char *why;

	(void)state;
	for (size_t len = 0; len <= strlen(text); len++)
		assert_int_equal(file_format_parse(text, len, &got, &why), -EAGAIN);
}

static void long_lines(void **state)
{
	char text[FILE_FORMAT_REQUEST_MAX + 1];
	struct file_request got;
	const char *why;

	(void)state;
	memset(text, '1', sizeof(text));
	assert_int_equal(file_format_parse(text, sizeof(text), &got, &why), -EMSGSIZE);
	assert_int_equal(file_format_parse(text, sizeof(text) - 1, &got, &why), -EAGAIN);
	text[sizeof(text) - 2] = '\n';
	assert_int_equal(file_format_parse(text, sizeof(text) - 1, &got, &why), -EINVAL);
}

static void answers(void **state)
{
	char text[FILE_FORMAT_ANSWER_SIZE];

	(void)state;
	assert_int_equal(file_format_answer(text, VGPU_ERR_OK, 300), 4);
	assert_string_equal(text, "300\n");
	file_format_answer(text, VGPU_ERR_OK, INT32_MIN);
	assert_string_equal(text, "-2147483648\n");
	file_format_answer(text, VGPU_ERR_QUEUE_FULL, 300);
	assert_string_equal(text, "ERROR QUEUE_FULL\n");
	for (uint32_t status = 0; status < VGPU_ERROR_NUM + 2; status++) {
		size_t len = file_format_answer(text, status, INT32_MIN);

		assert_int_equal(len, strlen(text));
		assert_in_range(len, 2, sizeof(text) - 1);
		assert_int_equal(text[len - 1], '\n');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines),  cmocka_unit_test(bad_lines),
		cmocka_unit_test(a_zero_byte), cmocka_unit_test(half_lines),
		cmocka_unit_test(long_lines),  cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
