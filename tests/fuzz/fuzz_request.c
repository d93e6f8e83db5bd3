/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_request.c - any bytes as a request: judged, run on the processor, and its answer judged */

#include "common/crc32c.h"
#include "common/names.h"
#include "common/wire/proto_check.h"
#include "tests/fuzz/fuzz.h"
#include "worker/exec_cpu.h"

/* Input: the message as the guest left it in its buffer. */

/* Conditions for every accepted request, in the words of the ABI. */
static void check_accepted(const uint8_t *msg, uint32_t len, const struct proto_request *r)
{
	uint32_t words_end = VGPU_MSG_HEADER_LEN + 4 * r->param_count;

	REQUIRE(len >= VGPU_MSG_HEADER_LEN && len <= VGPU_MSG_MAX);
	REQUIRE(strcmp(name_opcode(r->opcode), "?") != 0);
	REQUIRE((r->flags & ~VGPU_FLAG_MASK) == 0);
	REQUIRE(r->param_count == (r->opcode == VGPU_OP_CUDA_KERNEL ? 2 : 0));
	REQUIRE(r->params == msg + VGPU_MSG_HEADER_LEN && words_end <= len);
	REQUIRE((r->data_bytes > 0) == (r->opcode == VGPU_OP_VECTOR_ADD));
	REQUIRE((r->data != NULL) == (r->data_bytes > 0));
	if (r->data != NULL) {
		REQUIRE(r->data >= msg + words_end && r->data + r->data_bytes == msg + len);
		REQUIRE(r->data_bytes % 8 == 0);
	} else {
		REQUIRE(words_end == len);
	}
}

/* Written down again it is as good; the same bytes, unless its data began later than it had to. */
static void rewrite(const uint8_t *original, uint32_t original_len, const struct proto_request *r)
{
	uint8_t msg[VGPU_MSG_MAX];
	uint32_t len = proto_make_request(msg, r);
	struct proto_request again;

	REQUIRE(len > 0 && len <= original_len);
	REQUIRE(proto_check_request(msg, len, &again) == VGPU_ERR_OK);
	REQUIRE(again.opcode == r->opcode && again.flags == r->flags);
	REQUIRE(again.param_count == r->param_count && again.data_bytes == r->data_bytes);
	if (len == original_len)
		REQUIRE(memcmp(msg, original, len) == 0);
}

static void check_answer(const struct proto_request *r, const struct proto_response *answer)
{
	REQUIRE(answer->status == VGPU_ERR_OK);
	switch ((enum vgpu_opcode)r->opcode) {
	case VGPU_OP_NOP:
		REQUIRE(answer->result_count == 0 && answer->data_bytes == 0);
		break;
	case VGPU_OP_CUDA_KERNEL:
		REQUIRE(answer->result_count == 1 && answer->data_bytes == 0);
		REQUIRE(answer->results[0] - proto_param(r, 1) == proto_param(r, 0));
		break;
	case VGPU_OP_VECTOR_ADD:
		REQUIRE(answer->result_count == 0 && answer->data_bytes == r->data_bytes / 2);
		for (uint32_t at = 0; at < answer->data_bytes; at += 4)
			REQUIRE(vgpu_get_le32(answer->data + at) -
					vgpu_get_le32(r->data + answer->data_bytes + at) ==
				vgpu_get_le32(r->data + at));
		break;
	case VGPU_OP_DEVICE_INFO:
		REQUIRE(answer->result_count == VGPU_INFO_NUM);
		REQUIRE(answer->results[VGPU_INFO_EXECUTOR] == VGPU_EXECUTOR_CPU);
		break;
	case VGPU_OP_TEST_FAULT:
	case VGPU_OP_TEST_HANG:
		REQUIRE(!"these never answer");
	}
}

static void run(const uint8_t *msg, uint32_t len, const struct proto_request *r)
{
	static struct exec *exec;
	static uint64_t id;
	struct worker_job job;
	struct worker_done done;
	struct proto_response answer;

	if (exec == NULL)
		exec = exec_cpu_open();
	REQUIRE(exec != NULL);
	memset(&job, 0xa5, sizeof(job));
	memset(&done, 0xa5, sizeof(done));
	job.id = ++id;
	job.len_bytes = len;
	memcpy(job.msg, msg, len);
	REQUIRE(exec->ops->submit(exec, &job) == 0);
	REQUIRE(exec->ops->reap(exec, &done) == 1 && done.id == id);
	REQUIRE(proto_check_response(done.msg, done.len_bytes, r->flags & VGPU_FLAG_CRC32C,
				     &answer) == 0);
	check_answer(r, &answer);
}

/* Return: what the message is judged to be. */
static enum vgpu_error judge(const uint8_t *input, size_t len_bytes)
{
	uint8_t *msg = fuzz_copy(input, len_bytes);
	struct proto_request r;
	enum vgpu_error error;

	error = proto_check_request(msg, (uint32_t)len_bytes, &r);
	REQUIRE(error <= VGPU_ERR_BAD_CRC);
	if (error == VGPU_ERR_OK) {
		check_accepted(msg, (uint32_t)len_bytes, &r);
		rewrite(msg, (uint32_t)len_bytes, &r);
		if (r.opcode < VGPU_OPCODE_TEST)
			run(msg, (uint32_t)len_bytes, &r);
	}
	free(msg);
	return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	/* A wrong checksum hides what is behind it: mend it and look again. */
	if (judge(input, len_bytes) == VGPU_ERR_BAD_CRC) {
		uint8_t *sealed = fuzz_copy(input, len_bytes);

		vgpu_put_le32(sealed + VGPU_REQUEST_CRC_OFFSET, 0);
		vgpu_put_le32(sealed + VGPU_REQUEST_CRC_OFFSET, crc32c(0, sealed, len_bytes));
		REQUIRE(judge(sealed, len_bytes) != VGPU_ERR_BAD_CRC);
		free(sealed);
	}
	return 0;
}
