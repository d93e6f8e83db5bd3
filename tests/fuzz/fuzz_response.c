/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_response.c - any bytes as a response: the host's reader and the guest's must agree on them
 */

#include <errno.h>

#include "common/crc32c.h"
#include "common/proto_check.h"
#include "guest/lib/response.h"
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

static void check_accepted(const uint8_t *msg, uint32_t len, const struct proto_response *r)
{
	REQUIRE(len >= VGPU_MSG_HEADER_LEN && len <= VGPU_MSG_MAX);
	REQUIRE(r->status < VGPU_ERROR_NUM && r->result_count <= PROTO_WORDS_MAX);
	REQUIRE((r->data != NULL) == (r->data_bytes > 0));
	if (r->data != NULL)
		REQUIRE(r->data >= msg + VGPU_MSG_HEADER_LEN + 4 * r->result_count &&
			r->data + r->data_bytes == msg + len);
	rewrite(msg, len, r);
}

/* Whether the data follows the results at once, as the guest insists and the host need not. */
static bool is_tight(uint32_t len, const struct proto_response *r)
{
	return len == VGPU_MSG_HEADER_LEN + 4 * r->result_count + r->data_bytes;
}

static void compare(uint32_t len, const struct proto_response *host, const struct response *guest)
{
	REQUIRE(is_tight(len, host));
	REQUIRE(host->status == guest->status && host->exec_time_us == guest->exec_time_us);
	REQUIRE(host->result_count == guest->result_count);
	REQUIRE(memcmp(host->results, guest->results, sizeof(uint32_t) * host->result_count) == 0);
	REQUIRE(host->data_bytes == guest->data_bytes);
	if (host->data_bytes > 0)
		REQUIRE(memcmp(host->data, guest->data, host->data_bytes) == 0);
}

/* Return: 0, or how the host refused it. */
static int judge(const uint8_t *input, size_t len_bytes, bool with_crc)
{
	uint8_t *msg = fuzz_copy(input, len_bytes);
	uint32_t len = (uint32_t)len_bytes;
	struct proto_response host;
	struct response guest;
	const char *what = NULL;
	int rc = proto_check_response(msg, len, with_crc, &host);
	int guest_rc = response_parse(msg, len, with_crc, &guest, &what);

	if (rc == 0)
		check_accepted(msg, len, &host);
	REQUIRE((guest_rc == 0) == (what == NULL));
	/* The guest lets a number pass that it has no name for; in all else the two agree. */
	if (guest_rc == 0 && guest.status < VGPU_ERROR_NUM)
		REQUIRE(rc == 0);
	if (rc == 0 && is_tight(len, &host))
		REQUIRE(guest_rc == 0);
	if (rc == 0 && guest_rc == 0)
		compare(len, &host, &guest);
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
