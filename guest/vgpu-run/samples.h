/* SPDX-License-Identifier: GPL-2.0-or-later */
/* samples.h - a bounded collection of measurements, and their percentiles */

#ifndef RUN_SAMPLES_H
#define RUN_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
	uint64_t *values;
	size_t count;
	size_t room;
};

/* Return: 0 or -ENOMEM. samples_free() ends it. */
int samples_init(struct samples *samples, size_t room);
void samples_free(struct samples *samples);

/* There must be room. */
void samples_add(struct samples *samples, uint64_t value);

/* Sorts; samples_percentile() needs it done after the last samples_add(). */
void samples_sort(struct samples *samples);

/*
 * The smallest value that percent of all values do not exceed (nearest rank); 100 is the maximum.
 * Return: 0 when there is none.
 */
uint64_t samples_percentile(const struct samples *samples, unsigned int percent);

#endif
