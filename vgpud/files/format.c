/* SPDX-License-Identifier: GPL-2.0-or-later */
/* format.c - the texts of the file transport: a request's line, and an answer's */

#include "vgpud/files/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"

/* The rest of the line; the text need not end in a zero byte. */
struct cursor {
	const char *at, *end;
};

static bool take_char(struct cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

/*
 * One number from least to most, as printf() writes it: no sign but '-', no space, no zero before.
 */
static bool take_number(struct cursor *c, int64_t least, int64_t most, int64_t *out)
{
	bool negative = take_char(c, '-');
	const char *first = c->at;
	int64_t value = 0;

	while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
		value = value * 10 + (*c->at++ - '0');
		if (value > UINT32_MAX)
			return false;
	}
	if (c->at == first || (*first == '0' && (c->at > first + 1 || negative)))
		return false;
	*out = negative ? -value : value;
	return *out >= least && *out <= most;
}

/* Return: NULL, or what is wrong. */
static const char *parse_line(struct cursor *c, struct file_request *out)
{
	int64_t priority, vm_id, a, b;

	if (c->at == c->end || name_to_pool(*c->at) < 0)
		return "its pool is not a letter from A to Z";
	out->pool = *c->at++;
	if (!take_char(c, ':') || !take_number(c, 0, VGPU_PRIORITY_HIGH, &priority))
		return "its priority is not 0, 1 or 2";
	if (!take_char(c, ':') || !take_number(c, 0, UINT32_MAX, &vm_id))
		return "its VM is not a number";
	if (!take_char(c, ':') || !take_number(c, INT32_MIN, INT32_MAX, &a))
		return "its first number is not an int32";
	if (!take_char(c, ':') || !take_number(c, INT32_MIN, INT32_MAX, &b))
		return "its second number is not an int32";
	if (c->at != c->end)
		return "something follows the second number";
	out->priority = (uint8_t)priority;
	out->vm_id = (uint32_t)vm_id;
	out->a = (int32_t)a;
	out->b = (int32_t)b;
	return NULL;
}

int file_format_parse(const char *text, size_t len_bytes, struct file_request *out,
		      const char **why)
{
	const char *newline = len_bytes > 0 ? memchr(text, '\n', len_bytes) : NULL;
	struct cursor c = { text, newline };
	struct file_request parsed;

	if (len_bytes > FILE_FORMAT_REQUEST_MAX) {
		*why = "it is longer than a request";
		return -EMSGSIZE;
	}
	if (newline == NULL) {
		*why = "its line has no end";
		return -EAGAIN;
	}
	if (newline + 1 != text + len_bytes)
		*why = "there is more than one line in it";
	else
		*why = parse_line(&c, &parsed);
	if (*why != NULL)
		return -EINVAL;
	*out = parsed;
	return 0;
}

size_t file_format_answer(char *out, uint32_t status, int32_t sum)
{
	int len;

	if (status == VGPU_ERR_OK)
		len = snprintf(out, FILE_FORMAT_ANSWER_SIZE, "%" PRId32 "\n", sum);
	else
		len = snprintf(out, FILE_FORMAT_ANSWER_SIZE, "ERROR %s\n", name_error(status));
	return (size_t)len;
}
