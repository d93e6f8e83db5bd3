/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_guest_job.c - operands to requests, answers to verdicts, percentiles, slots, exit codes,
 * registers in words */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/libvgpu/slot.h"
#include "guest/tool/exit_code.h"
#include "guest/vgpu-probe/regs.h"
#include "guest/vgpu-run/job.h"
#include "guest/vgpu-run/samples.h"

static char why[JOB_WHY_LEN];

static int build(struct job *job, uint32_t opcode, bool sealed, const char *a, const char *b)
{
	char *operands[] = { (char *)a, (char *)b };

	why[0] = '\0';
	return job_build(job, opcode, operands, (size_t)(a != NULL) + (size_t)(b != NULL), sealed,
			 why);
}

/* ---- operands ---- */

static void every_request_is_one_the_host_accepts(void **state)
{
	static const struct {
		uint32_t opcode;
		const char *a, *b;
		uint32_t len_bytes;
	} cases[] = { { VGPU_OP_NOP, NULL, NULL, 32 },
		      { VGPU_OP_CUDA_KERNEL, "100", "-200", 40 },
		      { VGPU_OP_VECTOR_ADD, "1,2,3", "10,20,30", 56 },
		      { VGPU_OP_DEVICE_INFO, NULL, NULL, 32 } };
	struct proto_request request;
	struct job job;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const bool sealed = i % 2;

		assert_int_equal(
			build(&job, cases[i / 2].opcode, sealed, cases[i / 2].a, cases[i / 2].b),
			0);
		assert_int_equal(job.request.len_bytes, cases[i / 2].len_bytes);
		assert_int_equal(
			proto_check_request(job.request.bytes, job.request.len_bytes, &request),
			VGPU_ERR_OK);
		assert_int_equal(request.opcode, cases[i / 2].opcode);
		assert_int_equal(request.flags, sealed ? VGPU_FLAG_CRC32C : 0);
	}
}

static void operands_travel_as_they_are(void **state)
{
	struct proto_request request;
	struct job job;

	(void)state;
	assert_int_equal(build(&job, VGPU_OP_CUDA_KERNEL, false, "-5", "+7"), 0);
	proto_check_request(job.request.bytes, job.request.len_bytes, &request);
	assert_int_equal((int32_t)proto_param(&request, 0), -5);
	assert_int_equal(proto_param(&request, 1), 7);
	assert_int_equal(job.expected[0], 2);
	assert_int_equal(build(&job, VGPU_OP_VECTOR_ADD, false, "1,-2", "30,40"), 0);
	proto_check_request(job.request.bytes, job.request.len_bytes, &request);
	assert_int_equal(request.data_bytes, 16);
	assert_int_equal((int32_t)vgpu_get_le32(request.data + 4), -2);
	assert_int_equal(vgpu_get_le32(request.data + 8), 30);
	assert_int_equal(job.expected_count, 2);
	assert_int_equal(job.expected[1], 38);
}

static void sums_wrap(void **state)
{
	struct job job;

	(void)state;
	assert_int_equal(build(&job, VGPU_OP_CUDA_KERNEL, false, "2147483647", "1"), 0);
	assert_int_equal(job.expected[0], INT32_MIN);
	assert_int_equal(build(&job, VGPU_OP_CUDA_KERNEL, false, "-2147483648", "-1"), 0);
	assert_int_equal(job.expected[0], INT32_MAX);
}

static void bad_operands_are_named(void **state)
{
	static const struct {
		uint32_t opcode;
		const char *a, *b, *words;
	} cases[] = {
		{ VGPU_OP_CUDA_KERNEL, "2147483648", "1", "2147483648 is out of range" },
		{ VGPU_OP_CUDA_KERNEL, "1", "-2147483649", "-2147483649 is out of range" },
		{ VGPU_OP_CUDA_KERNEL, "1", "99999999999999999999", "is out of range" },
		{ VGPU_OP_CUDA_KERNEL, "one", "1", "'one' is not a number" },
		{ VGPU_OP_CUDA_KERNEL, "", "1", "'' is not a number" },
		{ VGPU_OP_CUDA_KERNEL, "-", "1", "'-' is not a number" },
		{ VGPU_OP_CUDA_KERNEL, " 1", "1", "' 1' is not a number" },
		{ VGPU_OP_CUDA_KERNEL, "1x", "1", "'1x' is not a number" },
		{ VGPU_OP_CUDA_KERNEL, "0x10", "1", "'0x10' is not a number" },
		{ VGPU_OP_CUDA_KERNEL, "1,2", "1", "'1,2' is not a number" },
		{ VGPU_OP_CUDA_KERNEL, "1", NULL, "takes two operands, not 1" },
		{ VGPU_OP_NOP, "1", NULL, "takes no operands, not 1" },
		{ VGPU_OP_VECTOR_ADD, "1,2", "1", "differ in length: 2 and 1" },
		{ VGPU_OP_VECTOR_ADD, "1,,2", "1", "'' is not a number" },
		{ VGPU_OP_VECTOR_ADD, "1,", "1,2", "'' is not a number" },
		{ VGPU_OP_VECTOR_ADD, "1,2147483648", "1,2", "2147483648 is out of range" },
	};
	struct job job;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(build(&job, cases[i].opcode, false, cases[i].a, cases[i].b),
				 -EINVAL);
		if (!strstr(why, cases[i].words))
			fail_msg("'%s' does not say '%s'", why, cases[i].words);
	}
}

static void a_vector_fills_the_buffer_and_no_more(void **state)
{
	char text[2 * JOB_VALUES_MAX + 2] = "";
	struct job job;

	(void)state;
	for (size_t i = 0; i < JOB_VALUES_MAX; i++)
		memcpy(text + 2 * i, "1,", 2);
	text[2 * JOB_VALUES_MAX - 1] = '\0';
	assert_int_equal(build(&job, VGPU_OP_VECTOR_ADD, true, text, text), 0);
	assert_int_equal(job.request.len_bytes, VGPU_MSG_MAX);
	memcpy(text + 2 * JOB_VALUES_MAX - 1, ",1", 3);
	assert_int_equal(build(&job, VGPU_OP_VECTOR_ADD, true, text, text), -EINVAL);
	assert_non_null(strstr(why, "at most 124"));
}

static void a_raw_file_is_taken_as_it_is(void **state)
{
	char path[] = "/tmp/vgpu-test-XXXXXX";
	uint8_t bytes[1500] = { [8] = VGPU_FLAG_CRC32C, [1023] = 5, [1024] = 6 };
	int fd = mkstemp(path);
	struct job job;

	(void)state;
	assert_int_equal(job_load_raw(&job, path, why), 0);
	assert_int_equal(job.request.len_bytes, 0);
	assert_false(job.sealed);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	assert_int_equal(job_load_raw(&job, path, why), 0);
	assert_true(job.is_raw);
	assert_true(job.sealed);
	assert_int_equal(job.request.len_bytes, 1500);
	assert_int_equal(job.request.bytes[1023], 5);
	unlink(path);
	assert_int_equal(job_load_raw(&job, path, why), -ENOENT);
	assert_non_null(strstr(why, path));
}

/* ---- answers ---- */

static void answers_must_be_right_in_value_and_shape(void **state)
{
	struct proto_response response = { .result_count = 1, .results = { 300 } };
	int32_t values[JOB_VALUES_MAX];
	uint8_t sums[8] = { 11, [4] = 22 };
	struct job job;

	(void)state;
	build(&job, VGPU_OP_CUDA_KERNEL, false, "100", "200");
	assert_null(job_check(&job, &response, values));
	assert_int_equal(values[0], 300);
	response.results[0] = 301;
	assert_non_null(job_check(&job, &response, values));
	response = (struct proto_response){ .result_count = 2, .results = { 300 } };
	assert_non_null(job_check(&job, &response, values));
	response = (struct proto_response){
		.result_count = 1, .results = { 300 }, .data = sums, .data_bytes = 4
	};
	assert_non_null(job_check(&job, &response, values));

	build(&job, VGPU_OP_VECTOR_ADD, false, "1,2", "10,20");
	response = (struct proto_response){ .data = sums, .data_bytes = 8 };
	assert_null(job_check(&job, &response, values));
	assert_int_equal(values[1], 22);
	sums[7] = 1;
	assert_non_null(job_check(&job, &response, values));
	response.data_bytes = 4;
	assert_non_null(job_check(&job, &response, values));

	build(&job, VGPU_OP_NOP, false, NULL, NULL);
	assert_non_null(job_check(&job, &response, values));
	response = (struct proto_response){ 0 };
	assert_null(job_check(&job, &response, values));
	build(&job, VGPU_OP_DEVICE_INFO, false, NULL, NULL);
	assert_non_null(job_check(&job, &response, values));
	response = (struct proto_response){ .result_count = VGPU_INFO_NUM };
	assert_null(job_check(&job, &response, values));
}

/* ---- the rest ---- */

static void percentiles_are_by_nearest_rank(void **state)
{
	struct samples samples;

	(void)state;
	assert_int_equal(samples_init(&samples, 200), 0);
	assert_int_equal(samples_percentile(&samples, 50), 0);
	samples_add(&samples, 7);
	samples_sort(&samples);
	assert_int_equal(samples_percentile(&samples, 1), 7);
	assert_int_equal(samples_percentile(&samples, 100), 7);
	samples.count = 0;
	for (uint64_t i = 1; i <= 3; i++)
		samples_add(&samples, i);
	assert_int_equal(samples_percentile(&samples, 50), 2);
	assert_int_equal(samples_percentile(&samples, 90), 3);
	samples.count = 0;
	for (uint64_t i = 200; i > 0; i--)
		samples_add(&samples, i);
	samples_sort(&samples);
	assert_int_equal(samples_percentile(&samples, 50), 100);
	assert_int_equal(samples_percentile(&samples, 90), 180);
	assert_int_equal(samples_percentile(&samples, 99), 198);
	assert_int_equal(samples_percentile(&samples, 100), 200);
	samples_free(&samples);
}

static void slots_are_read_strictly(void **state)
{
	static const char *const bad[] = { "",		 "4",	     "04.0",
					   "00:04",	 "00:04.8",  "00:20.0",
					   "100:04.0:",	 "00:04.0x", "0000:00:04.",
					   "g0:04.0",	 "00:04.0 ", ":04.0",
					   "-1:00:04.0", "0:0:0:0.0" };
	char text[SLOT_TEXT_LEN];
	struct slot a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (slot_parse(bad[i], &a) != -EINVAL)
			fail_msg("'%s' passes as a slot", bad[i]);
	}
	assert_int_equal(slot_parse("0000:00:1f.7", &a), 0);
	assert_int_equal(slot_parse("00:1f.7", &b), 0);
	assert_int_equal(slot_compare(&a, &b), 0);
	slot_format(&a, text);
	assert_string_equal(text, "0000:00:1f.7");
	assert_int_equal(slot_parse("10000:ff:00.0", &b), 0);
	assert_true(slot_compare(&a, &b) < 0);
	slot_format(&b, text);
	assert_string_equal(text, "10000:ff:00.0");
}

/* The mapping that vgpu-run(1) shows. */
static void errors_have_their_exit_codes(void **state)
{
	static const int codes[VGPU_ERROR_NUM] = { 0,  12, 12, 12, 12, 12, 11, 11, 14,
						   12, 12, 12, 13, 13, 13, 13, 12, 13 };

	(void)state;
	for (uint32_t i = 0; i < VGPU_ERROR_NUM; i++)
		assert_int_equal(exit_code_of_error(i), codes[i]);
	assert_int_equal(exit_code_of_error(VGPU_ERROR_NUM), 13);
	assert_int_equal(exit_code_of_error(UINT32_MAX), 13);
	assert_null(exit_code_remedy(UINT32_MAX));
	assert_int_equal(exit_code_of_fail(FAIL_NO_DEVICE), 10);
	assert_int_equal(exit_code_of_fail(FAIL_PERMISSION), 16);
	assert_int_equal(exit_code_of_fail(FAIL_LOCKDOWN), 16);
	assert_int_equal(exit_code_of_fail(FAIL_GONE), 10);
	assert_int_equal(exit_code_of_fail(FAIL_IN_USE), 15);
	assert_int_equal(exit_code_of_fail(FAIL_TIMEOUT), 14);
	assert_int_equal(exit_code_of_fail(FAIL_BUSY), 14);
	assert_int_equal(exit_code_of_fail(FAIL_ANSWER), 13);
}

static void assert_decoded(const struct regs *regs, size_t index, const char *expected)
{
	char text[REGS_TEXT_LEN];

	regs_decode(regs, index, text);
	assert_string_equal(text, expected);
}

static void registers_are_put_in_words(void **state)
{
	/* 2024-02-29 12:34:56.000000789 UTC */
	const uint64_t leap_ns = 1709210096000000789u;
	struct regs regs = { .value = {
				     [REGS_INDEX(STATUS)] = VGPU_STATUS_ERROR,
				     [REGS_INDEX(POOL_ID)] = 'B',
				     [REGS_INDEX(PRIORITY)] = 2,
				     [REGS_INDEX(ERROR_CODE)] = VGPU_ERR_PAUSED,
				     [REGS_INDEX(REQUEST_LEN)] = 40,
				     [REGS_INDEX(PROTOCOL_VER)] = 0x00010002,
				     [REGS_INDEX(CAPABILITIES)] = 0x80000105,
				     [REGS_INDEX(INTERRUPT_STATUS)] = 5,
				     [REGS_INDEX(TIMESTAMP_LO)] = (uint32_t)leap_ns,
				     [REGS_INDEX(TIMESTAMP_HI)] = (uint32_t)(leap_ns >> 32),
			     } };

	(void)state;
	assert_decoded(&regs, REGS_INDEX(STATUS), "error");
	assert_decoded(&regs, REGS_INDEX(POOL_ID), "B");
	assert_decoded(&regs, REGS_INDEX(PRIORITY), "high");
	assert_decoded(&regs, REGS_INDEX(ERROR_CODE), "PAUSED: the administrator paused this VM");
	assert_decoded(&regs, REGS_INDEX(REQUEST_LEN), "40 bytes");
	assert_decoded(&regs, REGS_INDEX(PROTOCOL_VER), "1.2");
	assert_decoded(&regs, REGS_INDEX(CAPABILITIES),
		       "interrupt live-config link-up unknown:0x100");
	assert_decoded(&regs, REGS_INDEX(INTERRUPT_CTRL), "none");
	assert_decoded(&regs, REGS_INDEX(INTERRUPT_STATUS), "completion link");
	assert_decoded(&regs, REGS_INDEX(TIMESTAMP_LO), "2024-02-29 12:34:56.000000789 UTC");
	regs = (struct regs){ .value = { [REGS_INDEX(ERROR_CODE)] = 3,
					 [REGS_INDEX(PRIORITY)] = 9 } };
	assert_decoded(&regs, REGS_INDEX(STATUS), "idle");
	assert_decoded(&regs, REGS_INDEX(POOL_ID), "?");
	assert_decoded(&regs, REGS_INDEX(PRIORITY), "?");
	assert_decoded(&regs, REGS_INDEX(ERROR_CODE), "-");
	assert_decoded(&regs, REGS_INDEX(CAPABILITIES), "link-down");
	assert_decoded(&regs, REGS_INDEX(TIMESTAMP_LO), "never");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_is_one_the_host_accepts),
		cmocka_unit_test(operands_travel_as_they_are),
		cmocka_unit_test(sums_wrap),
		cmocka_unit_test(bad_operands_are_named),
		cmocka_unit_test(a_vector_fills_the_buffer_and_no_more),
		cmocka_unit_test(a_raw_file_is_taken_as_it_is),
		cmocka_unit_test(answers_must_be_right_in_value_and_shape),
		cmocka_unit_test(percentiles_are_by_nearest_rank),
		cmocka_unit_test(slots_are_read_strictly),
		cmocka_unit_test(errors_have_their_exit_codes),
		cmocka_unit_test(registers_are_put_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
