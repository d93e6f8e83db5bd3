/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hist.c - log-linear histogram of durations */

#include "common/hist.h"

#include <errno.h>

#define SUB_NUM (1u << HIST_SUB_BITS)

uint32_t hist_index(uint64_t value)
{
	unsigned shift;

	if (value > HIST_VALUE_MAX)
		value = HIST_VALUE_MAX;
	if (value < SUB_NUM)
		return (uint32_t)value;
	shift = 63 - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
	/* The leading bit of value >> shift is SUB_NUM itself: it carries into the row's number. */
	return (shift << HIST_SUB_BITS) + (uint32_t)(value >> shift);
}

static unsigned bucket_shift(uint32_t index)
{
	return index < 2 * SUB_NUM ? 0 : (index >> HIST_SUB_BITS) - 1;
}

uint64_t hist_low(uint32_t index)
{
	unsigned shift = bucket_shift(index);

	return (uint64_t)(index - (shift << HIST_SUB_BITS)) << shift;
}

uint64_t hist_width(uint32_t index)
{
	return UINT64_C(1) << bucket_shift(index);
}

uint64_t hist_total(const struct hist *hist)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < HIST_BUCKET_NUM; i++)
		total += hist->count[i];
	return total;
}

uint64_t hist_rank(uint64_t total, uint32_t q_ppm)
{
	/* In two parts, since total * q_ppm could overflow. */
	uint64_t rank = total / 1000000 * q_ppm + (total % 1000000 * q_ppm + 999999) / 1000000;

	return rank ? rank : 1;
}

uint64_t hist_quantile(const struct hist *hist, uint32_t q_ppm, uint64_t max)
{
	uint64_t left = hist_total(hist);
	uint64_t middle;
	uint32_t i;

	if (left == 0)
		return 0;
	left = hist_rank(left, q_ppm);
	for (i = 0; i < HIST_BUCKET_NUM - 1 && hist->count[i] < left; i++)
		left -= hist->count[i];
	middle = hist_low(i) + hist_width(i) / 2;
	return middle < max ? middle : max;
}

static size_t put_varint(uint8_t *out, uint64_t value)
{
	size_t n = 0;

	for (; value > 0x7f; value >>= 7)
		out[n++] = (uint8_t)(value | 0x80);
	out[n++] = (uint8_t)value;
	return n;
}

size_t hist_encode(const struct hist *hist, uint8_t *out)
{
	uint32_t next = 0; /* the bucket that a skip of 0 means */
	size_t n = 0;

	for (uint32_t i = 0; i < HIST_BUCKET_NUM; i++) {
		if (!hist->count[i])
			continue;
		n += put_varint(out + n, i - next);
		n += put_varint(out + n, hist->count[i]);
		next = i + 1;
	}
	return n;
}

/* Return: 0, or -EBADMSG: it does not end, or does not fit 64 bits. */
static int get_varint(const uint8_t **in, const uint8_t *end, uint64_t *value)
{
	const uint8_t *at = *in;

	*value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (at == end)
			return -EBADMSG;
		byte = *at++;
		if (shift == 63 && byte > 1)
			return -EBADMSG;
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*in = at;
			return 0;
		}
	}
	return -EBADMSG;
}

int hist_decode(struct hist *hist, const uint8_t *in, size_t len_bytes)
{
	const uint8_t *end = in + len_bytes;
	uint64_t next = 0;

	while (in < end) {
		uint64_t skip, count;

		if (get_varint(&in, end, &skip) || get_varint(&in, end, &count))
			return -EBADMSG;
		if (skip >= HIST_BUCKET_NUM - next || count == 0)
			return -EBADMSG;
		next += skip;
		if (__builtin_add_overflow(hist->count[next], count, &hist->count[next]))
			return -EBADMSG;
		next++;
	}
	return 0;
}
