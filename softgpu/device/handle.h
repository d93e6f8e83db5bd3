/* SPDX-License-Identifier: GPL-2.0-or-later */
/* handle.h - handles of a device's objects: numbers that are checked, never pointers */

#ifndef VGPU_SOFTGPU_DEVICE_HANDLE_H
#define VGPU_SOFTGPU_DEVICE_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

enum sg_handle_kind {
	SG_HANDLE_FREE, /* the slot is unused */
	SG_HANDLE_STREAM,
	SG_HANDLE_EVENT,
	SG_HANDLE_MODULE,
	SG_HANDLE_FUNCTION,
	SG_HANDLE_POOL,
	SG_HANDLE_KIND_NUM,
};

#define SG_HANDLE_MAX (1u << 20) /* live objects of a device */

struct sg_handle_slot {
	void *object;
	uint32_t generation; /* counts the uses of the slot, so that an old handle is not taken */
	uint32_t next_free;
	enum sg_handle_kind kind;
};

/* A table of handles; the device's lock guards it. */
struct sg_handles {
	struct sg_handle_slot *slots;
	uint32_t count;	     /* slots that were used at some time */
	uint32_t capacity;   /* slots that there is memory for */
	uint32_t first_free; /* index + 1; 0: none */
};

/* Return: a handle, never 0 to 15; NULL: no memory or SG_HANDLE_MAX are in use. */
void *sg_handle_new(struct sg_handles *handles, enum sg_handle_kind kind, void *object);

/* Return: the object, NULL: the handle is of another kind, was removed, or never made. */
void *sg_handle_find(const struct sg_handles *handles, enum sg_handle_kind kind,
		     const void *handle);

/* Return: the object, which has no handle any more; NULL as above. */
void *sg_handle_remove(struct sg_handles *handles, enum sg_handle_kind kind, const void *handle);

/*
 * The next live object of a kind, to go through all of them: *cursor begins as 0.
 * Return: the object, NULL after the last.
 */
void *sg_handle_next(const struct sg_handles *handles, enum sg_handle_kind kind, uint32_t *cursor);

/* Frees the table, not the objects. */
void sg_handle_end(struct sg_handles *handles);

#endif
