/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job.h - builds the request that the user asks for, and checks its answer */

#ifndef RUN_JOB_H
#define RUN_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/proto_check.h"
#include "guest/libvgpu/submit.h"

#define JOB_VALUES_MAX ((VGPU_MSG_MAX - VGPU_MSG_HEADER_LEN) / 8) /* elements of one vector */
#define JOB_WHY_LEN 200

struct job {
	bool is_raw; /* any bytes, from a file: the right answer is not known */
	uint32_t opcode;
	bool sealed; /* carries a checksum, or says so */
	struct request request;
	uint32_t expected_count;
	int32_t expected[JOB_VALUES_MAX];
};

/*
 * Builds the request of an opcode from the operands of the command line.
 * why: on failure, what is wrong, in words, JOB_WHY_LEN bytes.
 * Return: 0 or -EINVAL.
 */
int job_build(struct job *job, uint32_t opcode, char *const *operands, size_t count, bool sealed,
	      char *why);

/* The same from a file. Return: 0, or -errno with why. */
int job_load_raw(struct job *job, const char *path, char *why);

/*
 * Checks whether a response with status OK is the right one.
 * values: the sums that it holds, job->expected_count of them.
 * Return: NULL, or in words what is wrong.
 */
const char *job_check(const struct job *job, const struct proto_response *response,
		      int32_t *values);

#endif
