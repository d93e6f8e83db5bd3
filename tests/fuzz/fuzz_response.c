/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_response.c - any bytes as a response: judged, and written down again */

#include <errno.h>

#include "common/crc32c.h"
#include "common/wire/proto_check.h"
#include "tests/fuzz/fuzz.h"

/* Input: a byte whose lowest bit says whether the request had a checksum, then the message. */

/* Written again, the response has the same bytes, unless its data began later than it had to. */
static void rewrite(const uint8_t *msg, uint32_t len, const struct proto_response *r)
{
	uint8_t again[VGPU_MSG_MAX];
	uint32_t again_len = proto_make_response(again, r);

	REQUIRE(again_len > 0 && again_len <= len);
	if (again_len == len)
		REQUIRE(memcmp(again, msg, len) == 0);
}

static void check_accepted(const uint8_t *msg, uint32_t len, bool with_crc,
			   const struct proto_response *r)
{
	REQUIRE(len >= VGPU_MSG_HEADER_LEN && len <= VGPU_MSG_MAX);
	REQUIRE(r->status < VGPU_ERROR_NUM && r->result_count <= PROTO_WORDS_MAX);
	REQUIRE((r->data != NULL) == (r->data_bytes > 0));
	if (r->data != NULL)
		REQUIRE(r->data >= msg + VGPU_MSG_HEADER_LEN + 4 * r->result_count &&
			r->data + r->data_bytes == msg + len);
	/* Only an error may lack the checksum that was asked for; one that was not asked for is
	 * none. */
	REQUIRE(r->with_crc == with_crc || (with_crc && r->status != VGPU_ERR_OK));
	rewrite(msg, len, r);
}

/* Return: 0, or how it was refused. */
static int judge(const uint8_t *input, size_t len_bytes, bool with_crc)
{
	uint8_t *msg = fuzz_copy(input, len_bytes);
	uint32_t len = (uint32_t)len_bytes;
	struct proto_response r;
	int rc = proto_check_response(msg, len, with_crc, &r);

	if (rc == 0)
		check_accepted(msg, len, with_crc, &r);
	free(msg);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	bool with_crc;

	if (len_bytes < 1)
		return 0;
	with_crc = *input++ & 1;
	len_bytes--;
	/* A wrong checksum hides what is behind it: mend it and look again. */
	if (judge(input, len_bytes, with_crc) == -EBADMSG) {
		uint8_t *sealed = fuzz_copy(input, len_bytes);

		vgpu_put_le32(sealed + VGPU_RESPONSE_CRC_OFFSET, 0);
		vgpu_put_le32(sealed + VGPU_RESPONSE_CRC_OFFSET, crc32c(0, sealed, len_bytes));
		REQUIRE(judge(sealed, len_bytes, with_crc) != -EBADMSG);
		free(sealed);
	}
	return 0;
}
