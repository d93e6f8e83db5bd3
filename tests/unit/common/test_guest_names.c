/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_guest_names.c - number to name tables and the checksum */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/crc32c.h"
#include "common/names.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"

static void names_are_the_tables(void **state)
{
	(void)state;
	assert_string_equal(name_error(VGPU_ERR_OK), "OK");
	assert_string_equal(name_error(VGPU_ERR_BAD_CRC), "BAD_CRC");
	assert_string_equal(name_error_text(VGPU_ERR_BAD_CRC), "the request's checksum is wrong");
	assert_string_equal(name_error(VGPU_ERR_INTERNAL), "INTERNAL");
	assert_string_equal(name_opcode(VGPU_OP_CUDA_KERNEL), "add");
	assert_string_equal(name_opcode_text(VGPU_OP_CUDA_KERNEL), "int32 sum of two params");
	assert_string_equal(name_status(VGPU_STATUS_BUSY), "busy");
	assert_string_equal(name_priority(VGPU_PRIORITY_HIGH), "high");
	assert_string_equal(name_executor(VGPU_EXECUTOR_CUDA), "cuda");
}

static void unknown_numbers_are_a_question_mark(void **state)
{
	(void)state;
	const uint32_t unknown[] = { 18, 255, 0x80000000u, UINT32_MAX };

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_string_equal(name_error(unknown[i]), "?");
		assert_string_equal(name_error_text(unknown[i]), "?");
		assert_string_equal(name_opcode(unknown[i]), "?");
		assert_string_equal(name_opcode_text(unknown[i]), "?");
		assert_string_equal(name_status(unknown[i]), "?");
		assert_string_equal(name_priority(unknown[i]), "?");
		assert_string_equal(name_executor(unknown[i]), "?");
	}
	assert_string_equal(name_opcode(VGPU_OP_DEVICE_INFO + 1), "?");
	assert_string_equal(name_opcode(VGPU_OPCODE_TEST), "?");
	assert_string_equal(name_priority(VGPU_PRIORITY_NUM), "?");
}

static void every_name_leads_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VGPU_OPCODE_NUM; i++) {
		int opcode = name_to_opcode(name_opcode_at(i));

		assert_true(opcode >= 0);
		assert_string_equal(name_opcode((uint32_t)opcode), name_opcode_at(i));
	}
	assert_null(name_opcode_at(VGPU_OPCODE_NUM));
	assert_int_equal(name_to_opcode("info"), VGPU_OP_DEVICE_INFO);
	assert_int_equal(name_to_opcode("test-hang"), VGPU_OP_TEST_HANG);
	for (int i = 0; i < VGPU_PRIORITY_NUM; i++)
		assert_int_equal(name_to_priority(name_priority((uint32_t)i)), i);
	assert_int_equal(name_to_opcode("ADD"), -ENOENT);
	assert_int_equal(name_to_opcode(""), -ENOENT);
	assert_int_equal(name_to_opcode("?"), -ENOENT);
	assert_int_equal(name_to_priority("urgent"), -ENOENT);
}

/* The vectors of RFC 3720, appendix B.4, and the catalogue's check value. */
static void crc_vectors(void **state)
{
	(void)state;
	static const uint8_t read_pdu[48] = { 0x01,	   0xc0,	[16] = 0x14, [22] = 0x04,
					      [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02 };
	uint8_t bytes[32];

	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
	assert_int_equal(crc32c(0, NULL, 0), 0);
	memset(bytes, 0x00, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aau);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43u);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794eu);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = (uint8_t)(31 - i);
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x113fdb5cu);
	assert_int_equal(crc32c(0, read_pdu, sizeof(read_pdu)), 0xd9963a56u);
}

static void crc_goes_on_in_parts(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 9; cut++) {
		uint32_t crc = crc32c(0, "123456789", cut);

		assert_int_equal(crc32c(crc, "123456789" + cut, 9 - cut), 0xe3069283u);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_the_tables),
		cmocka_unit_test(unknown_numbers_are_a_question_mark),
		cmocka_unit_test(every_name_leads_back),
		cmocka_unit_test(crc_vectors),
		cmocka_unit_test(crc_goes_on_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
