/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hist.h - log-linear histogram of durations: what quantiles over millions of requests come from */

#ifndef VGPU_COMMON_HIST_H
#define VGPU_COMMON_HIST_H

#include <stddef.h>
#include <stdint.h>

/*
 * Each power of two is cut into 32 equal buckets, so a bucket is at most 1/32 of its values wide;
 * below 64 each value has its own. Values of 2^48 ns (78 hours) and more count in the last bucket.
 */
#define HIST_SUB_BITS 5
#define HIST_VALUE_BITS 48
#define HIST_BUCKET_NUM ((HIST_VALUE_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)
#define HIST_VALUE_MAX ((UINT64_C(1) << HIST_VALUE_BITS) - 1)

/* Most bytes of an encoded histogram: each pair is an index of 2 bytes and a count of 10. */
#define HIST_ENCODED_MAX ((size_t)HIST_BUCKET_NUM * 12)

struct hist {
	uint64_t count[HIST_BUCKET_NUM];
};

/* Return: the bucket of a value. */
uint32_t hist_index(uint64_t value);

/* Return: the least value of a bucket. */
uint64_t hist_low(uint32_t index);

/* Return: how many values share a bucket. */
uint64_t hist_width(uint32_t index);

static inline void hist_add(struct hist *hist, uint64_t value)
{
	hist->count[hist_index(value)]++;
}

/* Return: how many values it holds. */
uint64_t hist_total(const struct hist *hist);

/* Return: which value in order of size, counted from 1, is the quantile of total values. */
uint64_t hist_rank(uint64_t total, uint32_t q_ppm);

/*
 * q_ppm: which quantile, in millionths: 500000 is the median.
 * max: the greatest value that was added, where it is known, so that no quantile exceeds it.
 * Return: the middle of the bucket that holds it, within 1.6 % of the true one; 0 of no values.
 */
uint64_t hist_quantile(const struct hist *hist, uint32_t q_ppm, uint64_t max);

/*
 * For each bucket in use, in order: how many were skipped since the last one, then its count, both
 * as LEB128 varints. out: HIST_ENCODED_MAX bytes. Return: bytes written.
 */
size_t hist_encode(const struct hist *hist, uint8_t *out);

/*
 * Adds an encoded histogram to one.
 * Return: 0, or -EBADMSG when it is not one; hist then holds a part of it.
 */
int hist_decode(struct hist *hist, const uint8_t *in, size_t len_bytes);

#endif
