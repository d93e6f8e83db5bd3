/* SPDX-License-Identifier: GPL-2.0-or-later */
/* samples.c - a bounded collection of measurements, and their percentiles */

#include "guest/vgpu-run/samples.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int samples_init(struct samples *samples, size_t room)
{
	samples->values = calloc(room, sizeof(samples->values[0]));
	samples->count = 0;
	samples->room = room;
	return samples->values ? 0 : -ENOMEM;
}

void samples_free(struct samples *samples)
{
	free(samples->values);
	samples->values = NULL;
}

void samples_add(struct samples *samples, uint64_t value)
{
	assert(samples->count < samples->room);
	samples->values[samples->count++] = value;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void samples_sort(struct samples *samples)
{
	qsort(samples->values, samples->count, sizeof(samples->values[0]), by_value);
}

uint64_t samples_percentile(const struct samples *samples, unsigned int percent)
{
	size_t rank = (samples->count * percent + 99) / 100;

	if (samples->count == 0)
		return 0;
	return samples->values[rank ? rank - 1 : 0];
}
