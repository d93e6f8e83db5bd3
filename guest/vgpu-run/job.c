/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job.c - builds the request that the user asks for, and checks its answer */

#include "guest/vgpu-run/job.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/names.h"

#define FLAGS_OFFSET offsetof(struct vgpu_request_header, flags)

/* One int32 up to delimiter or the end of text. Return: the rest, or NULL with why. */
static const char *parse_int32(const char *text, char delimiter, int32_t *value, char *why)
{
	const int len = (int)strcspn(text, (char[]){ delimiter, '\0' });
	const char *digits = text + (*text == '-' || *text == '+');
	long long number;
	char *end;

	if (*digits < '0' || *digits > '9') {
		snprintf(why, JOB_WHY_LEN, "'%.*s' is not a number", len, text);
		return NULL;
	}
	errno = 0;
	number = strtoll(text, &end, 10);
	if (*end != '\0' && *end != delimiter) {
		snprintf(why, JOB_WHY_LEN, "'%.*s' is not a number", len, text);
		return NULL;
	}
	if (errno == ERANGE || number < INT32_MIN || number > INT32_MAX) {
		snprintf(why, JOB_WHY_LEN, "%.*s is out of range: an int32 goes from %ld to %ld",
			 len, text, (long)INT32_MIN, (long)INT32_MAX);
		return NULL;
	}
	*value = (int32_t)number;
	return end;
}

/* "1,2,3". Return: how many, or -EINVAL with why. */
static int parse_list(const char *text, int32_t *values, char *why)
{
	uint32_t count = 0;

	for (;;) {
		if (count == JOB_VALUES_MAX) {
			snprintf(why, JOB_WHY_LEN, "a vector holds at most %u numbers",
				 JOB_VALUES_MAX);
			return -EINVAL;
		}
		text = parse_int32(text, ',', &values[count], why);
		if (!text)
			return -EINVAL;
		count++;
		if (*text == '\0')
			return (int)count;
		text++;
	}
}

/* Two's complement, as the GPU adds: the sum wraps. */
static int32_t add(int32_t a, int32_t b)
{
	return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* It always fits: the caller has bounded the number of operands. */
static void make(struct job *job, const uint8_t *params, uint32_t param_count, const uint8_t *data,
		 uint32_t data_bytes)
{
	const struct proto_request request = { .opcode = job->opcode,
					       .flags = job->sealed ? VGPU_FLAG_CRC32C : 0,
					       .param_count = param_count,
					       .params = params,
					       .data = data,
					       .data_bytes = data_bytes };

	job->request.len_bytes = proto_make_request(job->request.bytes, &request);
	assert(job->request.len_bytes > 0);
}

static int build_add(struct job *job, char *const *operands, char *why)
{
	uint8_t params[8];
	int32_t a, b;

	if (!parse_int32(operands[0], '\0', &a, why) || !parse_int32(operands[1], '\0', &b, why))
		return -EINVAL;
	job->expected[0] = add(a, b);
	job->expected_count = 1;
	vgpu_put_le32(params, (uint32_t)a);
	vgpu_put_le32(params + 4, (uint32_t)b);
	make(job, params, 2, NULL, 0);
	return 0;
}

static int build_vector_add(struct job *job, char *const *operands, char *why)
{
	int32_t a[JOB_VALUES_MAX], b[JOB_VALUES_MAX];
	uint8_t data[2 * sizeof(a)];
	int n = parse_list(operands[0], a, why);
	int m = n < 0 ? n : parse_list(operands[1], b, why);

	if (m < 0)
		return -EINVAL;
	if (n != m) {
		snprintf(why, JOB_WHY_LEN, "the vectors differ in length: %d and %d", n, m);
		return -EINVAL;
	}
	for (int i = 0; i < n; i++) {
		vgpu_put_le32(data + 4 * i, (uint32_t)a[i]);
		vgpu_put_le32(data + 4 * (n + i), (uint32_t)b[i]);
		job->expected[i] = add(a[i], b[i]);
	}
	job->expected_count = (uint32_t)n;
	make(job, NULL, 0, data, 8 * (uint32_t)n);
	return 0;
}

int job_build(struct job *job, uint32_t opcode, char *const *operands, size_t count, bool sealed,
	      char *why)
{
	const bool takes_two = opcode == VGPU_OP_CUDA_KERNEL || opcode == VGPU_OP_VECTOR_ADD;
	const size_t wanted = takes_two ? 2 : 0;

	*job = (struct job){ .opcode = opcode, .sealed = sealed };
	if (count != wanted) {
		snprintf(why, JOB_WHY_LEN, "%s takes %s operands, not %zu", name_opcode(opcode),
			 wanted ? "two" : "no", count);
		return -EINVAL;
	}
	if (opcode == VGPU_OP_CUDA_KERNEL)
		return build_add(job, operands, why);
	if (opcode == VGPU_OP_VECTOR_ADD)
		return build_vector_add(job, operands, why);
	make(job, NULL, 0, NULL, 0);
	return 0;
}

int job_load_raw(struct job *job, const char *path, char *why)
{
	FILE *file = fopen(path, "re");
	long size;

	*job = (struct job){ .is_raw = true };
	if (!file) {
		snprintf(why, JOB_WHY_LEN, "%s: %s", path, strerror(errno));
		return -errno;
	}
	if (fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0 || size > INT32_MAX) {
		snprintf(why, JOB_WHY_LEN, "%s: not a regular file of a bearable size", path);
		fclose(file);
		return -EINVAL;
	}
	rewind(file);
	job->request.len_bytes = (uint32_t)size;
	if (fread(job->request.bytes, 1, sizeof(job->request.bytes), file) == 0 && size > 0) {
		snprintf(why, JOB_WHY_LEN, "%s: cannot be read", path);
		fclose(file);
		return -EIO;
	}
	fclose(file);
	job->sealed = vgpu_get_le32(job->request.bytes + FLAGS_OFFSET) & VGPU_FLAG_CRC32C;
	return 0;
}

static const char *check_sums(const struct job *job, const int32_t *values)
{
	for (uint32_t i = 0; i < job->expected_count; i++) {
		if (values[i] != job->expected[i])
			return "the sum is wrong";
	}
	return NULL;
}

static const char *check_shape(const struct proto_response *response, uint32_t results,
			       uint32_t data)
{
	if (response->result_count != results)
		return "result_count is not the opcode's";
	if (response->data_bytes != data)
		return "data_length is not the opcode's";
	return NULL;
}

const char *job_check(const struct job *job, const struct proto_response *response, int32_t *values)
{
	const char *what;

	switch ((enum vgpu_opcode)job->opcode) {
	case VGPU_OP_NOP:
	case VGPU_OP_TEST_FAULT:
	case VGPU_OP_TEST_HANG:
		return check_shape(response, 0, 0);
	case VGPU_OP_CUDA_KERNEL:
		what = check_shape(response, 1, 0);
		if (what)
			return what;
		values[0] = (int32_t)response->results[0];
		return check_sums(job, values);
	case VGPU_OP_VECTOR_ADD:
		what = check_shape(response, 0, 4 * job->expected_count);
		if (what)
			return what;
		for (uint32_t i = 0; i < job->expected_count; i++)
			values[i] = (int32_t)vgpu_get_le32(response->data + 4 * i);
		return check_sums(job, values);
	case VGPU_OP_DEVICE_INFO:
		return check_shape(response, VGPU_INFO_NUM, response->data_bytes);
	}
	return "the opcode is unknown";
}
