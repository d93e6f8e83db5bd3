/* SPDX-License-Identifier: GPL-2.0-or-later */
/* format.h - the texts of the file transport: a request's line, and an answer's */

#ifndef VGPUD_FILES_FORMAT_H
#define VGPUD_FILES_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define FILE_FORMAT_REQUEST_MAX 128 /* bytes of a request's line, its end included */
#define FILE_FORMAT_ANSWER_SIZE 32  /* of any answer, with a zero byte behind it */

/* "A:2:1:100:200\n" taken apart. */
struct file_request {
	char pool;	  /* 'A' to 'Z' */
	uint8_t priority; /* enum vgpu_priority */
	uint32_t vm_id;
	int32_t a, b; /* to be added */
};

/*
 * Takes a request's line apart: pool_id:priority:vm_id:num1:num2 and a newline, numbers as printf()
 * writes them and nothing besides.
 * why: on failure a phrase for the log.
 * Return: 0; -EAGAIN: the line has no end yet; -EMSGSIZE too long; -EINVAL not such a line.
 */
int file_format_parse(const char *text, size_t len_bytes, struct file_request *out,
		      const char **why);

/*
 * Writes the answer to a request: "300\n", or "ERROR QUEUE_FULL\n".
 * out: FILE_FORMAT_ANSWER_SIZE bytes. status: enum vgpu_error. sum: what OK answers.
 * Return: bytes of the answer.
 */
size_t file_format_answer(char *out, uint32_t status, int32_t sum);

#endif
