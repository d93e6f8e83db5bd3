/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print_buffer.h - what kernels printed and no call has written out yet */

#ifndef VGPU_SOFTGPU_DEVICE_PRINT_BUFFER_H
#define VGPU_SOFTGPU_DEVICE_PRINT_BUFFER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "softgpu/softgpu.h"

struct sg_print_buffer {
	/* `output_lock`, then `lock`: texts come out in the order in which they were taken. */
	pthread_mutex_t output_lock; /* held while the caller's output runs */
	pthread_mutex_t lock;	     /* guards the fields below */
	char *text;
	size_t used, capacity;
	size_t dropped; /* of the used bytes, in front */
	uint64_t limit_bytes;
};

void sg_print_buffer_init(struct sg_print_buffer *print, uint64_t limit_bytes);
void sg_print_buffer_end(struct sg_print_buffer *print);
void sg_print_buffer_limit(struct sg_print_buffer *print, uint64_t limit_bytes);

/*
 * Appends text, which takes 4 bytes more than it has. The oldest texts go where the limit leaves no
 * room. Return: 0, -ENOSPC longer than the limit, or no memory.
 */
int sg_print_buffer_append(struct sg_print_buffer *print, const char *text, uint32_t bytes);

/* Hands one line to the host's output at once, behind what was flushed before. */
void sg_print_buffer_line(struct sg_print_buffer *print, const struct softgpu_host *host,
			  enum softgpu_output kind, const char *text);

/* Hands all text to the host's output and empties the buffer. */
void sg_print_buffer_flush(struct sg_print_buffer *print, const struct softgpu_host *host);

#endif
