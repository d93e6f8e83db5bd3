/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_proto_check.c - every field of a request and of a response, right and wrong in every way */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/proto_check.h"

/* Offsets of the fields, written out: the test must not take them from what it tests. */
enum {
	AT_VERSION = 0,
	AT_OPCODE = 4,
	AT_STATUS = 4,
	AT_FLAGS = 8,
	AT_RESULT_COUNT = 8,
	AT_PARAM_COUNT = 12,
	AT_RSP_DATA_OFFSET = 12,
	AT_DATA_OFFSET = 16,
	AT_RSP_DATA_LENGTH = 16,
	AT_DATA_LENGTH = 20,
	AT_EXEC_TIME = 20,
	AT_CRC = 24,
	AT_RESERVED = 28,
	AT_BODY = 32,
};

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* CRC-32C bit by bit, of a message with its checksum taken as 0. */
static uint32_t slow_crc(const uint8_t *msg, uint32_t len)
{
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < len; i++) {
		crc ^= i >= AT_CRC && i < AT_CRC + 4 ? 0 : msg[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

/* A message written field by field. Return: its length. */
static uint32_t raw_request(uint8_t *msg, uint32_t opcode, uint32_t param_count, uint32_t data_len)
{
	uint32_t words = 4 * param_count;

	memset(msg, 0, VGPU_MSG_MAX);
	vgpu_put_le32(msg + AT_VERSION, 0x00010000);
	vgpu_put_le32(msg + AT_OPCODE, opcode);
	vgpu_put_le32(msg + AT_PARAM_COUNT, param_count);
	vgpu_put_le32(msg + AT_DATA_OFFSET, data_len ? AT_BODY + words : AT_BODY);
	vgpu_put_le32(msg + AT_DATA_LENGTH, data_len);
	for (uint32_t i = 0; i < words + data_len && AT_BODY + i < VGPU_MSG_MAX; i++)
		msg[AT_BODY + i] = (uint8_t)(i * 7 + 1);
	return AT_BODY + words + data_len;
}

static uint32_t raw_add(uint8_t *msg)
{
	return raw_request(msg, VGPU_OP_CUDA_KERNEL, 2, 0);
}

static void seal(uint8_t *msg, uint32_t len)
{
	vgpu_put_le32(msg + AT_FLAGS, vgpu_get_le32(msg + AT_FLAGS) | 1);
	vgpu_put_le32(msg + AT_CRC, slow_crc(msg, len));
}

static uint32_t judge(const uint8_t *msg, uint32_t len)
{
	struct proto_request r;

	return proto_check_request(msg, len, &r);
}

static void every_opcode_is_taken(void **state)
{
	static const struct {
		uint32_t opcode, params, data;
	} good[] = {
		{ 0, 0, 0 },   { 1, 2, 0 }, { 2, 0, 8 },      { 2, 0, 16 },
		{ 2, 0, 992 }, { 3, 0, 0 }, { 0xF001, 0, 0 }, { 0xF002, 0, 0 },
	};
	uint8_t msg[VGPU_MSG_MAX];
	struct proto_request r;

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		uint32_t len = raw_request(msg, good[i].opcode, good[i].params, good[i].data);

		memset(&r, 0xee, sizeof(r));
		assert_int_equal(proto_check_request(msg, len, &r), VGPU_ERR_OK);
		assert_int_equal(r.opcode, good[i].opcode);
		assert_int_equal(r.flags, 0);
		assert_int_equal(r.param_count, good[i].params);
		assert_ptr_equal(r.params, msg + AT_BODY);
		assert_int_equal(r.data_bytes, good[i].data);
		assert_ptr_equal(r.data, good[i].data ? msg + AT_BODY : NULL);
		seal(msg, len);
		assert_int_equal(proto_check_request(msg, len, &r), VGPU_ERR_OK);
		assert_int_equal(r.flags, VGPU_FLAG_CRC32C);
	}
}

static void params_are_read_little_endian(void **state)
{
	static const uint8_t words[8] = { 1, 2, 3, 0x84, 0xff, 0xff, 0xff, 0x7f };
	uint8_t msg[VGPU_MSG_MAX];
	struct proto_request r;
	uint32_t len = raw_add(msg);

	(void)state;
	memcpy(msg + AT_BODY, words, sizeof(words));
	assert_int_equal(len, 40);
	assert_int_equal(proto_check_request(msg, len, &r), VGPU_ERR_OK);
	assert_int_equal(proto_param(&r, 0), 0x84030201);
	assert_int_equal(proto_param(&r, 1), 0x7fffffff);
}

static void lengths_outside_the_bounds(void **state)
{
	static const uint32_t bad[] = { 0, 1, 4, 31, 1025, 1028, 0x80000000, 0xffffffff };
	uint8_t msg[VGPU_MSG_MAX];

	(void)state;
	raw_request(msg, VGPU_OP_NOP, 0, 0);
	for (size_t i = 0; i < LEN(bad); i++)
		assert_int_equal(judge(msg, bad[i]), VGPU_ERR_BAD_LENGTH);
	assert_int_equal(judge(msg, 32), VGPU_ERR_OK);
}

/* One field of a good message set to a wrong value, and what must come of it. */
static void each_field_wrong(void **state)
{
	static const struct {
		uint32_t at, value;
		uint32_t want;
	} wrong[] = {
		{ AT_VERSION, 0, VGPU_ERR_BAD_VERSION },
		{ AT_VERSION, 1, VGPU_ERR_BAD_VERSION },
		{ AT_VERSION, 0x00010001, VGPU_ERR_BAD_VERSION },
		{ AT_VERSION, 0x00020000, VGPU_ERR_BAD_VERSION },
		{ AT_VERSION, 0x00000100, VGPU_ERR_BAD_VERSION },
		{ AT_OPCODE, 4, VGPU_ERR_BAD_OPCODE },
		{ AT_OPCODE, VGPU_OPCODE_TEST, VGPU_ERR_BAD_OPCODE },
		{ AT_OPCODE, VGPU_OP_TEST_HANG, VGPU_ERR_BAD_REQUEST }, /* it takes no params */
		{ AT_OPCODE, VGPU_OP_TEST_HANG + 1, VGPU_ERR_BAD_OPCODE },
		{ AT_OPCODE, 0x00010001, VGPU_ERR_BAD_OPCODE },
		{ AT_OPCODE, 0xffffffff, VGPU_ERR_BAD_OPCODE },
		{ AT_OPCODE, VGPU_OP_NOP, VGPU_ERR_BAD_REQUEST },
		{ AT_OPCODE, VGPU_OP_VECTOR_ADD, VGPU_ERR_BAD_REQUEST },
		{ AT_FLAGS, 2, VGPU_ERR_BAD_REQUEST },
		{ AT_FLAGS, 3, VGPU_ERR_BAD_REQUEST },
		{ AT_FLAGS, 0x80000000, VGPU_ERR_BAD_REQUEST },
		{ AT_FLAGS, 1, VGPU_ERR_BAD_CRC },
		{ AT_PARAM_COUNT, 0, VGPU_ERR_BAD_REQUEST },
		{ AT_PARAM_COUNT, 1, VGPU_ERR_BAD_REQUEST },
		{ AT_PARAM_COUNT, 3, VGPU_ERR_BAD_REQUEST },
		{ AT_PARAM_COUNT, 0x40000002, VGPU_ERR_BAD_REQUEST },
		{ AT_PARAM_COUNT, 0xffffffff, VGPU_ERR_BAD_REQUEST },
		{ AT_DATA_OFFSET, 0, VGPU_ERR_BAD_LENGTH },
		{ AT_DATA_OFFSET, 40, VGPU_ERR_BAD_LENGTH },
		{ AT_DATA_OFFSET, 0xffffffff, VGPU_ERR_BAD_LENGTH },
		{ AT_DATA_LENGTH, 8, VGPU_ERR_BAD_LENGTH },
		{ AT_DATA_LENGTH, 0xffffffff, VGPU_ERR_BAD_LENGTH },
		{ AT_CRC, 1, VGPU_ERR_BAD_REQUEST },
		{ AT_CRC, 0xff000000, VGPU_ERR_BAD_REQUEST },
		{ AT_RESERVED, 1, VGPU_ERR_BAD_REQUEST },
		{ AT_RESERVED, 0x01000000, VGPU_ERR_BAD_REQUEST },
	};
	uint8_t msg[VGPU_MSG_MAX];

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++) {
		uint32_t len = raw_add(msg), got;

		assert_int_equal(judge(msg, len), VGPU_ERR_OK);
		vgpu_put_le32(msg + wrong[i].at, wrong[i].value);
		got = judge(msg, len);
		if (got != wrong[i].want)
			fail_msg("field at %u = 0x%x: error %u, not %u", wrong[i].at,
				 wrong[i].value, got, wrong[i].want);
	}
}

/* When several things are wrong, the first step that sees one of them names it. */
static void the_order_of_judgement(void **state)
{
	uint8_t msg[VGPU_MSG_MAX];

	(void)state;
	raw_add(msg);
	vgpu_put_le32(msg + AT_DATA_OFFSET, 36); /* layout */
	assert_int_equal(judge(msg, 40), VGPU_ERR_BAD_LENGTH);
	vgpu_put_le32(msg + AT_PARAM_COUNT, 1);
	assert_int_equal(judge(msg, 40), VGPU_ERR_BAD_REQUEST);
	vgpu_put_le32(msg + AT_OPCODE, 99);
	assert_int_equal(judge(msg, 40), VGPU_ERR_BAD_OPCODE);
	vgpu_put_le32(msg + AT_FLAGS, 1);
	assert_int_equal(judge(msg, 40), VGPU_ERR_BAD_CRC);
	vgpu_put_le32(msg + AT_RESERVED, 1);
	assert_int_equal(judge(msg, 40), VGPU_ERR_BAD_REQUEST);
	vgpu_put_le32(msg + AT_VERSION, 2);
	assert_int_equal(judge(msg, 40), VGPU_ERR_BAD_VERSION);
	assert_int_equal(judge(msg, 31), VGPU_ERR_BAD_LENGTH);
}

static void every_truncation_and_extension(void **state)
{
	uint8_t msg[VGPU_MSG_MAX];

	(void)state;
	for (uint32_t len = 0; len <= VGPU_MSG_MAX; len++) {
		raw_request(msg, VGPU_OP_VECTOR_ADD, 0, 64);
		assert_int_equal(judge(msg, len), len == 96 ? VGPU_ERR_OK : VGPU_ERR_BAD_LENGTH);
		raw_add(msg);
		assert_int_equal(judge(msg, len), len == 40 ? VGPU_ERR_OK : VGPU_ERR_BAD_LENGTH);
	}
}

static void data_against_the_opcode(void **state)
{
	uint8_t msg[VGPU_MSG_MAX];
	uint32_t len;

	(void)state;
	/* A well laid out message whose opcode takes no data. */
	len = raw_request(msg, VGPU_OP_CUDA_KERNEL, 2, 8);
	assert_int_equal(judge(msg, len), VGPU_ERR_BAD_REQUEST);
	len = raw_request(msg, VGPU_OP_NOP, 0, 4);
	assert_int_equal(judge(msg, len), VGPU_ERR_BAD_REQUEST);
	len = raw_request(msg, VGPU_OP_DEVICE_INFO, 0, 1);
	assert_int_equal(judge(msg, len), VGPU_ERR_BAD_REQUEST);
	/* Data that is no multiple of the unit, or none at all. */
	for (uint32_t bytes = 0; bytes <= 992; bytes++) {
		len = raw_request(msg, VGPU_OP_VECTOR_ADD, 0, bytes);
		assert_int_equal(judge(msg, len),
				 bytes && bytes % 8 == 0 ? VGPU_ERR_OK : VGPU_ERR_BAD_LENGTH);
	}
}

/* data_offset, data_length and length in all combinations that might wrap or touch an edge. */
static void layout_at_every_edge(void **state)
{
	static const uint32_t edges[] = {
		0,	    1,		8,	    28,	       31,   32,	 33,
		34,	    36,		40,	    48,	       64,   984,	 992,
		1016,	    1023,	1024,	    1025,      1032, 0x7ffffff8, 0x80000000,
		0x80000020, 0xffffffe0, 0xfffffff8, 0xffffffff
	};
	uint8_t msg[VGPU_MSG_MAX];
	uint32_t good = 0;

	(void)state;
	raw_request(msg, VGPU_OP_VECTOR_ADD, 0, 8);
	for (size_t o = 0; o < LEN(edges); o++) {
		for (size_t d = 0; d < LEN(edges); d++) {
			for (uint32_t len = 32; len <= VGPU_MSG_MAX; len++) {
				bool ok = edges[o] >= 32 && edges[o] % 4 == 0 && edges[d] > 0 &&
					  edges[d] % 8 == 0 && (uint64_t)edges[o] + edges[d] == len;

				vgpu_put_le32(msg + AT_DATA_OFFSET, edges[o]);
				vgpu_put_le32(msg + AT_DATA_LENGTH, edges[d]);
				assert_int_equal(judge(msg, len),
						 ok ? VGPU_ERR_OK : VGPU_ERR_BAD_LENGTH);
				good += ok;
			}
		}
	}
	assert_true(good > 20);
}

/* Data may begin later than the params end; what lies between is not data. */
static void a_gap_before_the_data(void **state)
{
	uint8_t msg[VGPU_MSG_MAX] = { 0 };
	struct proto_request r;

	(void)state;
	raw_request(msg, VGPU_OP_VECTOR_ADD, 0, 8);
	vgpu_put_le32(msg + AT_DATA_OFFSET, 44);
	assert_int_equal(proto_check_request(msg, 52, &r), VGPU_ERR_OK);
	assert_ptr_equal(r.data, msg + 44);
	assert_int_equal(r.data_bytes, 8);
}

static void a_refused_request_leaves_out_alone(void **state)
{
	uint8_t msg[VGPU_MSG_MAX];
	struct proto_request r, before;

	(void)state;
	memset(&r, 0x5a, sizeof(r));
	before = r;
	raw_add(msg);
	vgpu_put_le32(msg + AT_DATA_OFFSET, 36);
	assert_int_equal(proto_check_request(msg, 40, &r), VGPU_ERR_BAD_LENGTH);
	assert_memory_equal(&r, &before, sizeof(r));
}

/* A checksum notices each single bit, wherever it is. */
static void every_bit_is_protected(void **state)
{
	uint8_t msg[VGPU_MSG_MAX];
	uint32_t len = raw_request(msg, VGPU_OP_VECTOR_ADD, 0, 992);

	(void)state;
	seal(msg, len);
	assert_int_equal(judge(msg, len), VGPU_ERR_OK);
	for (uint32_t bit = 0; bit < 8 * len; bit++) {
		uint32_t got;

		msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
		got = judge(msg, len);
		/* A flipped flag or reserved bit is seen even earlier; all else is the checksum's.
		 */
		if (bit / 8 < AT_OPCODE)
			assert_int_equal(got, VGPU_ERR_BAD_VERSION);
		else if ((bit / 8 >= AT_FLAGS && bit / 8 < AT_PARAM_COUNT) ||
			 (bit / 8 >= AT_RESERVED && bit / 8 < AT_BODY))
			assert_int_equal(got, VGPU_ERR_BAD_REQUEST);
		else
			assert_int_equal(got, VGPU_ERR_BAD_CRC);
		msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(judge(msg, len), VGPU_ERR_OK);
}

static void made_requests_are_good(void **state)
{
	uint8_t msg[VGPU_MSG_MAX], want[VGPU_MSG_MAX], words[8], data[992];
	struct proto_request in = { .opcode = 1, .param_count = 2, .params = words }, r;
	uint32_t len;

	(void)state;
	memset(words, 0xab, sizeof(words));
	memset(data, 0xcd, sizeof(data));
	memset(msg, 0x77, sizeof(msg));
	len = proto_make_request(msg, &in);
	assert_int_equal(len, raw_add(want));
	memcpy(want + AT_BODY, words, sizeof(words));
	assert_memory_equal(msg, want, len);

	in = (struct proto_request){
		.opcode = 2, .flags = VGPU_FLAG_CRC32C, .data = data, .data_bytes = sizeof(data)
	};
	len = proto_make_request(msg, &in);
	assert_int_equal(len, VGPU_MSG_MAX);
	assert_int_equal(vgpu_get_le32(msg + AT_CRC), slow_crc(msg, len));
	assert_int_equal(proto_check_request(msg, len, &r), VGPU_ERR_OK);
	assert_int_equal(r.data_bytes, sizeof(data));
	assert_memory_equal(r.data, data, sizeof(data));
}

static void params_and_data_together(void **state)
{
	static const uint8_t words[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const struct proto_request in = { .opcode = 1,
					  .param_count = 2,
					  .params = words,
					  .data = (const uint8_t *)"hello",
					  .data_bytes = 5 };
	uint8_t msg[VGPU_MSG_MAX];

	(void)state;
	assert_int_equal(proto_make_request(msg, &in), 45);
	assert_int_equal(vgpu_get_le32(msg + AT_DATA_OFFSET), 40);
	assert_int_equal(vgpu_get_le32(msg + AT_DATA_LENGTH), 5);
	assert_memory_equal(msg + AT_BODY, words, 8);
	assert_memory_equal(msg + AT_BODY + 8, "hello", 5);
}

/* A message that does not fit is refused without a byte written. */
static void too_much_does_not_fit(void **state)
{
	static const struct {
		uint32_t words, data, len;
	} sizes[] = {
		{ 248, 0, 1024 }, { 249, 0, 0 },	{ 0, 992, 1024 },     { 0, 993, 0 },
		{ 247, 4, 1024 }, { 248, 1, 0 },	{ 247, 5, 0 },	      { 0, 0xffffffff, 0 },
		{ 1, 989, 0 },	  { 0x40000000, 0, 0 }, { 0xffffffff, 0, 0 }, { 1, 0xfffffffc, 0 },
	};
	static const uint8_t zeros[1024];
	uint8_t msg[VGPU_MSG_MAX], untouched[VGPU_MSG_MAX];

	(void)state;
	memset(untouched, 0x3c, sizeof(untouched));
	for (size_t i = 0; i < LEN(sizes); i++) {
		struct proto_request req = { .param_count = sizes[i].words,
					     .params = zeros,
					     .data = zeros,
					     .data_bytes = sizes[i].data };
		struct proto_response rsp = { .result_count = sizes[i].words,
					      .data = zeros,
					      .data_bytes = sizes[i].data };

		memcpy(msg, untouched, sizeof(msg));
		assert_int_equal(proto_make_request(msg, &req), sizes[i].len);
		if (sizes[i].len == 0)
			assert_memory_equal(msg, untouched, sizeof(msg));
		memcpy(msg, untouched, sizeof(msg));
		assert_int_equal(proto_make_response(msg, &rsp), sizes[i].len);
		if (sizes[i].len == 0)
			assert_memory_equal(msg, untouched, sizeof(msg));
	}
}

static const uint8_t hello[5] = { 'h', 'e', 'l', 'l', 'o' };

/* A response with two results and five bytes of data. */
static uint32_t raw_response(uint8_t *msg)
{
	memset(msg, 0, VGPU_MSG_MAX);
	vgpu_put_le32(msg + AT_VERSION, 0x00010000);
	vgpu_put_le32(msg + AT_STATUS, VGPU_ERR_GPU_FAULT);
	vgpu_put_le32(msg + AT_RESULT_COUNT, 2);
	vgpu_put_le32(msg + AT_RSP_DATA_OFFSET, 40);
	vgpu_put_le32(msg + AT_RSP_DATA_LENGTH, 5);
	vgpu_put_le32(msg + AT_EXEC_TIME, 1234567);
	vgpu_put_le32(msg + AT_BODY, 300);
	vgpu_put_le32(msg + AT_BODY + 4, 0xdeadbeef);
	memcpy(msg + AT_BODY + 8, hello, sizeof(hello));
	return 45;
}

static void a_response_byte_by_byte(void **state)
{
	uint8_t msg[VGPU_MSG_MAX], want[VGPU_MSG_MAX];
	struct proto_response in = { .status = VGPU_ERR_GPU_FAULT,
				     .exec_time_us = 1234567,
				     .result_count = 2,
				     .results = { 300, 0xdeadbeef },
				     .data = hello,
				     .data_bytes = sizeof(hello) };
	uint32_t len = raw_response(want);

	(void)state;
	memset(msg, 0x77, sizeof(msg));
	assert_int_equal(proto_make_response(msg, &in), len);
	assert_memory_equal(msg, want, len);

	in.with_crc = true;
	memset(msg, 0x77, sizeof(msg));
	assert_int_equal(proto_make_response(msg, &in), len);
	vgpu_put_le32(want + AT_CRC, slow_crc(want, len));
	assert_memory_equal(msg, want, len);
}

static void the_seeds_sizes(void **state)
{
	uint8_t msg[VGPU_MSG_MAX];
	struct proto_response in = { .result_count = 1, .results = { 300 } };
	struct proto_response empty = { .status = VGPU_ERR_BAD_OPCODE };

	(void)state;
	assert_int_equal(proto_make_response(msg, &in), 36);
	assert_int_equal(vgpu_get_le32(msg + AT_RSP_DATA_OFFSET), 32);
	assert_int_equal(vgpu_get_le32(msg + AT_RSP_DATA_LENGTH), 0);
	assert_int_equal(vgpu_get_le32(msg + 32), 300);
	assert_int_equal(proto_make_response(msg, &empty), 32);
	assert_int_equal(vgpu_get_le32(msg + AT_STATUS), VGPU_ERR_BAD_OPCODE);
	assert_int_equal(vgpu_get_le32(msg + AT_RSP_DATA_OFFSET), 32);
}

static void a_response_is_taken_apart(void **state)
{
	uint8_t msg[VGPU_MSG_MAX];
	struct proto_response r;
	uint32_t len = raw_response(msg);

	(void)state;
	memset(&r, 0xee, sizeof(r));
	assert_int_equal(proto_check_response(msg, len, false, &r), 0);
	assert_int_equal(r.status, VGPU_ERR_GPU_FAULT);
	assert_int_equal(r.exec_time_us, 1234567);
	assert_int_equal(r.result_count, 2);
	assert_int_equal(r.results[0], 300);
	assert_int_equal(r.results[1], 0xdeadbeef);
	assert_int_equal(r.data_bytes, 5);
	assert_ptr_equal(r.data, msg + 40);
	assert_false(r.with_crc);
	vgpu_put_le32(msg + AT_CRC, slow_crc(msg, len));
	assert_int_equal(proto_check_response(msg, len, true, &r), 0);
	assert_true(r.with_crc);
}

static void responses_at_the_bounds(void **state)
{
	uint8_t msg[VGPU_MSG_MAX];
	struct proto_response empty = { .status = VGPU_ERR_OK };
	struct proto_response full = { .status = VGPU_ERR_INTERNAL, .result_count = 248 };
	struct proto_response r;

	(void)state;
	memset(&r, 0xee, sizeof(r));
	assert_int_equal(proto_make_response(msg, &empty), 32);
	assert_int_equal(proto_check_response(msg, 32, false, &r), 0);
	assert_int_equal(r.result_count, 0);
	assert_null(r.data);
	assert_int_equal(r.results[0], 0xeeeeeeee); /* only what came is written */

	for (uint32_t i = 0; i < 248; i++)
		full.results[i] = i * 0x01010101;
	assert_int_equal(proto_make_response(msg, &full), 1024);
	assert_int_equal(proto_check_response(msg, 1024, false, &r), 0);
	assert_int_equal(r.result_count, 248);
	assert_memory_equal(r.results, full.results, sizeof(full.results));
	assert_int_equal(proto_check_response(msg, 0xffffffff, false, &r), -EPROTO);
	assert_int_equal(proto_check_response(msg, 0xffffffff, true, &r), -EPROTO);
}

static void a_response_wrong_in_each_field(void **state)
{
	static const struct {
		uint32_t at, value;
		int want;
	} wrong[] = {
		{ AT_VERSION, 0, -EPROTONOSUPPORT },
		{ AT_VERSION, 0x00020000, -EPROTONOSUPPORT },
		{ AT_STATUS, VGPU_ERROR_NUM, -EPROTO },
		{ AT_STATUS, 0xffffffff, -EPROTO },
		{ AT_RESULT_COUNT, 3, -EPROTO },
		{ AT_RESULT_COUNT, 249, -EPROTO },
		{ AT_RESULT_COUNT, 0x40000002, -EPROTO },
		{ AT_RESULT_COUNT, 0xffffffff, -EPROTO },
		{ AT_RSP_DATA_OFFSET, 32, -EPROTO },
		{ AT_RSP_DATA_OFFSET, 41, -EPROTO },
		{ AT_RSP_DATA_OFFSET, 44, -EPROTO },
		{ AT_RSP_DATA_OFFSET, 0xfffffffc, -EPROTO },
		{ AT_RSP_DATA_LENGTH, 0, -EPROTO },
		{ AT_RSP_DATA_LENGTH, 4, -EPROTO },
		{ AT_RSP_DATA_LENGTH, 6, -EPROTO },
		{ AT_RSP_DATA_LENGTH, 0xffffffff, -EPROTO },
		{ AT_CRC, 1, -EPROTO },
		{ AT_RESERVED, 1, -EPROTO },
	};
	uint8_t msg[VGPU_MSG_MAX];
	struct proto_response r;

	(void)state;
	for (size_t i = 0; i < LEN(wrong); i++) {
		uint32_t len = raw_response(msg);
		int got;

		vgpu_put_le32(msg + wrong[i].at, wrong[i].value);
		got = proto_check_response(msg, len, false, &r);
		if (got != wrong[i].want)
			fail_msg("field at %u = 0x%x: %d, not %d", wrong[i].at, wrong[i].value, got,
				 wrong[i].want);
	}
	for (uint32_t len = 0; len <= VGPU_MSG_MAX + 1; len++) {
		raw_response(msg);
		assert_int_equal(proto_check_response(msg, len, false, &r),
				 len == 45 ? 0 : -EPROTO);
	}
}

static void a_response_whose_checksum_is_missing_or_wrong(void **state)
{
	uint8_t msg[VGPU_MSG_MAX];
	struct proto_response r;
	uint32_t len = raw_response(msg);

	(void)state;
	/* An error may lack it, a good answer may not. */
	assert_int_equal(proto_check_response(msg, len, true, &r), 0);
	assert_false(r.with_crc);
	vgpu_put_le32(msg + AT_CRC, 1);
	assert_int_equal(proto_check_response(msg, len, true, &r), -EBADMSG);
	vgpu_put_le32(msg + AT_CRC, 0);
	vgpu_put_le32(msg + AT_STATUS, VGPU_ERR_OK);
	assert_int_equal(proto_check_response(msg, len, true, &r), -EBADMSG);
	vgpu_put_le32(msg + AT_CRC, slow_crc(msg, len));
	assert_int_equal(proto_check_response(msg, len, false, &r), -EPROTO);
	for (uint32_t bit = 0; bit < 8 * len; bit++) {
		msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(proto_check_response(msg, len, true, &r), 0);
		msg[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(proto_check_response(msg, len, true, &r), 0);
	assert_true(r.with_crc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_opcode_is_taken),
		cmocka_unit_test(params_are_read_little_endian),
		cmocka_unit_test(lengths_outside_the_bounds),
		cmocka_unit_test(each_field_wrong),
		cmocka_unit_test(the_order_of_judgement),
		cmocka_unit_test(every_truncation_and_extension),
		cmocka_unit_test(data_against_the_opcode),
		cmocka_unit_test(layout_at_every_edge),
		cmocka_unit_test(a_gap_before_the_data),
		cmocka_unit_test(a_refused_request_leaves_out_alone),
		cmocka_unit_test(every_bit_is_protected),
		cmocka_unit_test(made_requests_are_good),
		cmocka_unit_test(params_and_data_together),
		cmocka_unit_test(too_much_does_not_fit),
		cmocka_unit_test(a_response_byte_by_byte),
		cmocka_unit_test(the_seeds_sizes),
		cmocka_unit_test(a_response_is_taken_apart),
		cmocka_unit_test(responses_at_the_bounds),
		cmocka_unit_test(a_response_wrong_in_each_field),
		cmocka_unit_test(a_response_whose_checksum_is_missing_or_wrong),
	};

	return cmocka_run_group_tests_name("proto_check", tests, NULL, NULL);
}
