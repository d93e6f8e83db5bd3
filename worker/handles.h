/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handles.h - the numbers by which a program knows its streams, events, modules, functions, pools */

#ifndef VGPU_WORKER_HANDLES_H
#define VGPU_WORKER_HANDLES_H

#include <stdint.h>

enum handles_kind {
	HANDLES_STREAM,
	HANDLES_EVENT,
	HANDLES_MODULE,
	HANDLES_FUNCTION,
	HANDLES_POOL,
	HANDLES_KIND_NUM
};

/*
 * The program chooses the numbers, 1 to VGPU_HANDLES_MOST of each kind. A pointer never leaves the
 * worker, and a number of another kind finds nothing. Pure; the caller locks.
 */
struct handles_entry {
	void *object;	     /* NULL: the number is free */
	uint32_t generation; /* counts up with each object that had the number */
	uint32_t owner;	     /* of a function: its module's number; else 0 */
	uint32_t value;	     /* the caller's: of a function, the bytes of its parameters */
	/*
	 * The caller's: memory of the GPU that a module takes, that a pool is charged with, that a
	 * function needs for each thread.
	 */
	uint64_t bytes;
};

struct handles {
	struct handles_entry *entries[HANDLES_KIND_NUM]; /* by number; made when first used */
	uint32_t most[HANDLES_KIND_NUM];		 /* numbers above were never used */
};

void handles_init(struct handles *handles);
void handles_end(struct handles *handles);

/* Return: the entry, NULL: there is no such object. It is valid until the next change. */
const struct handles_entry *handles_find(const struct handles *handles, enum handles_kind kind,
					 uint32_t number);

/*
 * object: not NULL. Return: 0, -EINVAL the number is out of bounds, -EEXIST it is in use, -ENOMEM.
 */
int handles_add(struct handles *handles, enum handles_kind kind, uint32_t number, void *object,
		uint32_t owner, uint32_t value);

/* Sets `bytes`, which are 0 at first. There is such an object. */
void handles_set_bytes(struct handles *handles, enum handles_kind kind, uint32_t number,
		       uint64_t bytes);

/* Return: the object, which has no number any more; NULL: there was none. */
void *handles_remove(struct handles *handles, enum handles_kind kind, uint32_t number);

/* Removes all objects of the kind that this one owns. */
void handles_remove_owned(struct handles *handles, enum handles_kind kind, uint32_t owner);

#endif
