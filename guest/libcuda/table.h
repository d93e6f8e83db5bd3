/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h - the objects that a program's handles mean */

#ifndef VGPU_GUEST_LIBCUDA_TABLE_H
#define VGPU_GUEST_LIBCUDA_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum table_kind {
	TABLE_CONTEXT,
	TABLE_STREAM,
	TABLE_EVENT,
	TABLE_MODULE,	/* CUmodule and CUlibrary */
	TABLE_FUNCTION, /* CUfunction and CUkernel */
	TABLE_POOL,
	TABLE_LINK,
	TABLE_KIND_NUM
};

/*
 * First member of every object. A handle is a number that wears a pointer's type: kind, generation
 * and index. So a handle that was destroyed, never made, or is of another kind is found out, and
 * never dereferenced. The memory of an object is used again for one of its kind and never freed: a
 * program that destroys what another thread uses gets an error at worst.
 */
struct table_object {
	uint64_t context; /* id of the context that owns it; 0: none */
	_Atomic uint32_t generation;
	uint16_t index; /* from 1: the object's number for the worker, too */
	uint8_t kind;
	_Atomic bool live;
};

/*
 * Makes an object of that kind, zeros but for its head. bytes: the same for all of a kind.
 * Return: NULL when there are VGPU_HANDLES_MOST, or no memory.
 */
void *table_new(enum table_kind kind, size_t bytes, uint64_t context);

/* Return: the live object that a handle means, or NULL. */
void *table_get(enum table_kind kind, const void *handle);

/* Return: the handle of an object. */
void *table_handle(const void *object);

/* Ends an object: its handle means nothing any more. Return: false when it had ended before. */
bool table_delete(void *object);

/* Return: the live object of that kind behind `after` in the table, the first for NULL, or NULL. */
void *table_next(enum table_kind kind, const void *after);

#endif
