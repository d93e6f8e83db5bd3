/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.h - what a program's kernels printed and the program has not fetched yet */

#ifndef VGPU_WORKER_OUTPUT_H
#define VGPU_WORKER_OUTPUT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Of a run; the numbers are those of the program's descriptors. */
enum output_kind { OUTPUT_STDOUT = 1, OUTPUT_STDERR = 2 };

/*
 * Text is kept in the order in which it came, as runs of one kind. A program that fetches none loses
 * what is above the bound; a line on its standard error then tells how much.
 */
#define OUTPUT_MOST (8u << 20) /* bytes */
#define OUTPUT_RUNS 1024u

struct output_run {
	enum output_kind kind;
	uint32_t bytes;
};

struct output {
	pthread_mutex_t lock; /* guards all below; nothing else is locked while it is held */
	char *text;	      /* of `size` bytes, `used` of them filled, `taken` of those gone */
	size_t size, used, taken;
	struct output_run runs[OUTPUT_RUNS]; /* run_num of them */
	uint32_t run_num;
	uint64_t lost; /* bytes, since the last that was told */
};

void output_init(struct output *output);
void output_end(struct output *output);

/* Any thread. */
void output_add(struct output *output, enum output_kind kind, const char *text, size_t bytes);

/* Return: bytes that wait. */
uint32_t output_waiting(struct output *output);

/*
 * Takes from the first run. Return: how many bytes were written to `to`, most at most; their kind in
 * *kind, and what still waits in *left.
 */
uint32_t output_take(struct output *output, void *to, uint32_t most, enum output_kind *kind,
		     uint32_t *left);

#endif
