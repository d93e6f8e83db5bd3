/* SPDX-License-Identifier: GPL-2.0-or-later */
/* samples.h - times of many rounds, printed as one JSON line */

#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int samples_compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Sorts the samples. num: at least 1. */
static inline void samples_print(const char *name, uint64_t *sample_ns, size_t num)
{
	qsort(sample_ns, num, sizeof(*sample_ns), samples_compare);
	printf("{\"name\":\"%s\",\"count\":%zu,\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64 "}\n",
	       name, num, sample_ns[num / 2], sample_ns[num * 99 / 100]);
}

#endif
