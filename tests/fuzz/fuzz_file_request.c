/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_file_request.c - any bytes as a request of the file transport */

#include <errno.h>
#include <inttypes.h>

#include "common/wire/vgpu_regs.h"
#include "tests/fuzz/fuzz.h"
#include "vgpud/files/format.h"

/* Input: the file. What is taken is exactly what printf() would have written. */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	char *text = (char *)fuzz_copy(input, len_bytes);
	struct file_request request;
	const char *why = NULL;
	char again[FILE_FORMAT_REQUEST_MAX];
	int err = file_format_parse(text, len_bytes, &request, &why), len;

	REQUIRE((err == 0) == (why == NULL));
	if (err == 0) {
		REQUIRE(request.priority < VGPU_PRIORITY_NUM);
		len = snprintf(again, sizeof(again), "%c:%u:%" PRIu32 ":%" PRId32 ":%" PRId32 "\n",
			       request.pool, request.priority, request.vm_id, request.a, request.b);
		REQUIRE((size_t)len == len_bytes && memcmp(again, text, len_bytes) == 0);
	} else {
		REQUIRE(err == -EINVAL || err == -EAGAIN || err == -EMSGSIZE);
		REQUIRE((err == -EMSGSIZE) == (len_bytes > FILE_FORMAT_REQUEST_MAX));
	}
	free(text);
	return 0;
}
