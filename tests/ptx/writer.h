/* SPDX-License-Identifier: GPL-2.0-or-later */
/* writer.h - text that grows in a buffer */

#ifndef PTX_WRITER_H
#define PTX_WRITER_H

#include <stdbool.h>
#include <stddef.h>

/* Begin with { .text = buffer, .bytes = its size }. */
struct writer {
	char *text;
	size_t used, bytes;
	bool full; /* something did not fit, and is not there */
};

void writer_put(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
