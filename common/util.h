/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util.h - small things that several folders need */

#ifndef VGPU_UTIL_H
#define VGPU_UTIL_H

#include <stdint.h>
#include <time.h>

#define UTIL_NS_PER_DAY INT64_C(86400000000000)
#define UTIL_NS_PER_MINUTE INT64_C(60000000000)
#define UTIL_NS_PER_S INT64_C(1000000000)
#define UTIL_NS_PER_MS INT64_C(1000000)
#define UTIL_NS_PER_US INT64_C(1000)

/* Return: CLOCK_MONOTONIC in nanoseconds. */
static inline uint64_t util_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UTIL_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Return: CLOCK_REALTIME in nanoseconds, since the Unix epoch. */
static inline int64_t util_wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * UTIL_NS_PER_S + now.tv_nsec;
}

/* Return: the sum, or UINT64_MAX where it would overflow: a counter must not wrap to 0. */
static inline uint64_t util_add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/*
 * A whole decimal number from least to most, nothing before it and nothing after.
 * Return: 0, -EINVAL no number, -ERANGE outside the bounds.
 */
int util_parse_u64(const char *text, uint64_t least, uint64_t most, uint64_t *out);

#endif
