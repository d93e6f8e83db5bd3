/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - what a program's kernels printed and the program has not fetched yet */

#include "worker/output.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 4096u

void output_init(struct output *output)
{
	memset(output, 0, sizeof(*output));
	pthread_mutex_init(&output->lock, NULL);
}

void output_end(struct output *output)
{
	pthread_mutex_destroy(&output->lock);
	free(output->text);
}

/* Return: whether there is room for bytes behind the used ones. */
static bool make_room(struct output *output, size_t bytes)
{
	size_t size = output->size == 0 ? SIZE_FIRST : output->size;
	char *text;

	if (output->taken > 0) {
		memmove(output->text, output->text + output->taken, output->used - output->taken);
		output->used -= output->taken;
		output->taken = 0;
	}
	if (bytes > OUTPUT_MOST - output->used)
		return false;
	while (size - output->used < bytes)
		size *= 2;
	if (size == output->size)
		return true;
	text = realloc(output->text, size);
	if (text == NULL)
		return false;
	output->text = text;
	output->size = size;
	return true;
}

/* Return: whether the text was kept. */
static bool keep(struct output *output, enum output_kind kind, const char *text, size_t bytes)
{
	struct output_run *last = output->run_num > 0 ? &output->runs[output->run_num - 1] : NULL;
	bool joins = last != NULL && last->kind == kind;

	if ((!joins && output->run_num == OUTPUT_RUNS) || !make_room(output, bytes))
		return false;
	memcpy(output->text + output->used, text, bytes);
	output->used += bytes;
	if (joins)
		last->bytes += (uint32_t)bytes;
	else
		output->runs[output->run_num++] = (struct output_run){ kind, (uint32_t)bytes };
	return true;
}

/* Says how much was lost, once there is room for it. */
static void tell_lost(struct output *output)
{
	char line[96];
	int len;

	if (output->lost == 0)
		return;
	len = snprintf(line, sizeof(line), "vgpu: %llu bytes that kernels printed were lost\n",
		       (unsigned long long)output->lost);
	if (keep(output, OUTPUT_STDERR, line, (size_t)len))
		output->lost = 0;
}

void output_add(struct output *output, enum output_kind kind, const char *text, size_t bytes)
{
	if (bytes == 0)
		return;
	pthread_mutex_lock(&output->lock);
	tell_lost(output);
	if (output->lost > 0 || !keep(output, kind, text, bytes))
		output->lost += bytes;
	pthread_mutex_unlock(&output->lock);
}

uint32_t output_waiting(struct output *output)
{
	uint32_t waiting;

	pthread_mutex_lock(&output->lock);
	waiting = (uint32_t)(output->used - output->taken);
	pthread_mutex_unlock(&output->lock);
	return waiting;
}

uint32_t output_take(struct output *output, void *to, uint32_t most, enum output_kind *kind,
		     uint32_t *left)
{
	struct output_run *first = &output->runs[0];
	uint32_t bytes = 0;

	pthread_mutex_lock(&output->lock);
	*kind = OUTPUT_STDOUT;
	if (output->run_num > 0) {
		bytes = first->bytes < most ? first->bytes : most;
		*kind = first->kind;
		memcpy(to, output->text + output->taken, bytes);
		output->taken += bytes;
		first->bytes -= bytes;
		if (first->bytes == 0)
			memmove(first, first + 1, --output->run_num * sizeof(*first));
		tell_lost(output);
	}
	*left = (uint32_t)(output->used - output->taken);
	pthread_mutex_unlock(&output->lock);
	return bytes;
}
