/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.h - what one loading of texts has in hand: its memory, its bounds, and where it fails to */

/*
 * Loading is one computation with a hundred places where it can fail, and no state that outlives a
 * failure: all memory comes from one arena. So a failure is a jump to sg_module_load(), which set
 * the mark; no function between them has anything to undo, and none may take what the arena does
 * not own (files, locks, malloc).
 */

#ifndef VGPU_SOFTGPU_PTX_LOAD_H
#define VGPU_SOFTGPU_PTX_LOAD_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include "softgpu/ptx/error.h"

struct sg_load_chunk;

struct sg_load {
	jmp_buf failed; /* set by who begins; sg_load_fail() goes there with 1 */
	struct sg_error *error;
	struct sg_module_limits limits; /* no zeros any more */
	uint32_t source;		/* text that is being read, for errors */
	struct sg_load_chunk *chunks;
	size_t chunk_used;     /* bytes of the newest chunk */
	uint64_t memory_bytes; /* of all chunks */
	uint64_t flow_work;    /* steps that the data flow of all functions took; lower_lives.c */
};

/* Fills in defaults. limits may be NULL. */
void sg_load_init(struct sg_load *load, const struct sg_module_limits *limits,
		  struct sg_error *error);

/* Frees all memory. */
void sg_load_free(struct sg_load *load);

/*
 * Frees what a chunk list owns, when the load itself is gone: the module keeps the list.
 */
void sg_load_free_chunks(struct sg_load_chunk *chunks);

/* Where the memory stood; see sg_load_release(). */
struct sg_load_mark {
	struct sg_load_chunk *chunks;
	size_t chunk_used;
};

struct sg_load_mark sg_load_mark(const struct sg_load *load);

/* Gives back all that was taken since the mark; for what one step alone needs. */
void sg_load_release(struct sg_load *load, struct sg_load_mark mark);

/* Return: zeroed memory, aligned to 16; never NULL, fails the load at the bound or without memory.
 */
void *sg_load_alloc(struct sg_load *load, size_t bytes);

/* The same for count objects; an overflow of the product fails. */
void *sg_load_array(struct sg_load *load, size_t count, size_t bytes);

/*
 * Makes room for one element more in an array that doubles.
 * capacity: of the array at present, in elements; updated.
 * Return: the array, maybe moved.
 */
void *sg_load_grow(struct sg_load *load, void *array, size_t count, size_t *capacity, size_t bytes);

/* Return: a copy with a NUL. */
char *sg_load_text(struct sg_load *load, const char *text, size_t len_bytes);

/*
 * Ends the load with an error.
 * code: negative errno. line: from 1; 0: none.
 */
_Noreturn void sg_load_fail(struct sg_load *load, int code, uint32_t line, uint32_t column,
			    const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
