/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - the objects that a program's handles mean */

#include "guest/libcuda/table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/vgpu_cmds.h"

#define INDEX_BITS 16
#define GENERATION_BITS 20
#define KIND_AT (INDEX_BITS + GENERATION_BITS)
#define GENERATION_MASK ((1u << GENERATION_BITS) - 1)

/*
 * A handle is looked up without a lock, at every call: so the pointers stand in a table as large as it
 * can get, of which the system gives memory as it is used, and objects stay where they are.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct table {
	_Atomic(struct table_object *) objects[VGPU_HANDLES_MOST + 1]; /* by index */
	uint16_t ended[VGPU_HANDLES_MOST]; /* indices of ended objects; the last is used first */
	size_t ended_num;
	size_t num; /* indices used so far; the next one is num + 1 */
} tables[TABLE_KIND_NUM];

static struct table_object *take(struct table *table, size_t bytes)
{
	struct table_object *object;

	if (table->ended_num > 0)
		return atomic_load(&table->objects[table->ended[--table->ended_num]]);
	if (table->num >= VGPU_HANDLES_MOST)
		return NULL;
	object = calloc(1, bytes);
	if (!object)
		return NULL;
	object->index = (uint16_t)++table->num;
	return object;
}

void *table_new(enum table_kind kind, size_t bytes, uint64_t context)
{
	struct table_object *object;

	pthread_mutex_lock(&lock);
	object = take(&tables[kind], bytes);
	if (object) {
		/* The head stays in place: a thread may be looking at it with an old handle. */
		memset(object + 1, 0, bytes - sizeof(*object));
		object->context = context;
		object->kind = (uint8_t)kind;
		atomic_store(&object->generation, object->generation + 1);
		atomic_store(&tables[kind].objects[object->index], object);
		atomic_store(&object->live, true);
	}
	pthread_mutex_unlock(&lock);
	return object;
}

void *table_handle(const void *object)
{
	const struct table_object *o = object;
	uint64_t value = ((uint64_t)o->kind + 1) << KIND_AT |
			 (uint64_t)(o->generation & GENERATION_MASK) << INDEX_BITS | o->index;

	return (void *)(uintptr_t)value; /* NOLINT(performance-no-int-to-ptr) */
}

void *table_get(enum table_kind kind, const void *handle)
{
	uint64_t value = (uintptr_t)handle;
	size_t index = value & ((1u << INDEX_BITS) - 1);
	struct table_object *object;

	if (value >> KIND_AT != (uint64_t)kind + 1 || index > VGPU_HANDLES_MOST)
		return NULL;
	object = atomic_load_explicit(&tables[kind].objects[index], memory_order_acquire);
	return object && atomic_load_explicit(&object->live, memory_order_acquire) &&
			       table_handle(object) == handle
		       ? object
		       : NULL;
}

bool table_delete(void *object)
{
	struct table_object *o = object;
	struct table *table = &tables[o->kind];
	bool live;

	pthread_mutex_lock(&lock);
	live = atomic_exchange(&o->live, false);
	if (live)
		table->ended[table->ended_num++] = o->index;
	pthread_mutex_unlock(&lock);
	return live;
}

void *table_next(enum table_kind kind, const void *after)
{
	const struct table_object *o = after;
	struct table *table = &tables[kind];
	struct table_object *found = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = o ? o->index + 1u : 1; i <= table->num && !found; i++)
		if (table->objects[i]->live)
			found = table->objects[i];
	pthread_mutex_unlock(&lock);
	return found;
}
