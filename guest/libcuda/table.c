/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - the objects that a program's handles mean */

#include "guest/libcuda/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/vgpu_cmds.h"

#define INDEX_BITS 16
#define GENERATION_BITS 20
#define KIND_AT (INDEX_BITS + GENERATION_BITS)
#define GENERATION_MASK ((1u << GENERATION_BITS) - 1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct table {
	struct table_object **objects; /* by index */
	size_t room;
	size_t num;	 /* indices used so far; the next one is num + 1 */
	uint16_t *ended; /* indices of ended objects, the last one is used first */
	size_t ended_num;
} tables[TABLE_KIND_NUM];

static bool grow(struct table *table)
{
	size_t room = table->room == 0 ? 64 : table->room * 2;
	struct table_object **objects;
	uint16_t *ended;

	if (table->num + 1 < table->room)
		return true;
	objects = realloc(table->objects, room * sizeof(*objects));
	if (!objects)
		return false;
	table->objects = objects;
	ended = realloc(table->ended, room * sizeof(*ended));
	if (!ended)
		return false;
	table->ended = ended;
	table->room = room;
	return true;
}

static struct table_object *take(struct table *table, size_t bytes)
{
	struct table_object *object;

	if (table->ended_num > 0)
		return table->objects[table->ended[--table->ended_num]];
	if (table->num >= VGPU_HANDLES_MOST || !grow(table))
		return NULL;
	object = calloc(1, bytes);
	if (!object)
		return NULL;
	object->index = (uint16_t)++table->num;
	table->objects[object->index] = object;
	return object;
}

void *table_new(enum table_kind kind, size_t bytes, uint64_t context)
{
	struct table_object *object;

	pthread_mutex_lock(&lock);
	object = take(&tables[kind], bytes);
	if (object) {
		struct table_object head = { .context = context,
					     .generation = object->generation + 1,
					     .index = object->index,
					     .kind = (uint8_t)kind,
					     .live = true };

		memset(object, 0, bytes);
		*object = head;
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
	struct table_object *object = NULL;

	if (value >> KIND_AT != (uint64_t)kind + 1)
		return NULL;
	pthread_mutex_lock(&lock);
	if (index > 0 && index <= tables[kind].num) {
		object = tables[kind].objects[index];
		if (!object->live || table_handle(object) != handle)
			object = NULL;
	}
	pthread_mutex_unlock(&lock);
	return object;
}

bool table_delete(void *object)
{
	struct table_object *o = object;
	struct table *table = &tables[o->kind];
	bool live;

	pthread_mutex_lock(&lock);
	live = o->live;
	o->live = false;
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
