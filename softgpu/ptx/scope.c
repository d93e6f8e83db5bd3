/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scope.c - names and what they stand for, block inside of block */

#include "softgpu/ptx/scope.h"

#include <errno.h>
#include <string.h>

#define BUCKETS_FIRST 256u

/* Its seed differs from process to process, so that no text can be full of names of one bucket. */
static uint64_t hash_name(const struct sg_scope *scope, const char *name, size_t len_bytes)
{
	uint64_t hash = scope->seed ^ len_bytes;

	for (size_t i = 0; i < len_bytes; i++) {
		hash = (hash ^ (unsigned char)name[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
	}
	return hash ^ hash >> 32;
}

void sg_scope_init(struct sg_scope *scope, struct sg_load *load)
{
	memset(scope, 0, sizeof(*scope));
	scope->load = load;
	scope->bucket_count = BUCKETS_FIRST;
	scope->buckets = sg_load_array(load, BUCKETS_FIRST, sizeof(struct sg_symbol *));
	scope->seed = (uint64_t)(uintptr_t)scope->buckets * 0xd6e8feb86659fd93ull;
}

void sg_scope_push(struct sg_scope *scope)
{
	scope->depth++;
	scope->heads[scope->depth] = NULL;
}

void sg_scope_pop(struct sg_scope *scope)
{
	/* Newest first: each is the first of its bucket when its turn comes. */
	for (struct sg_symbol *s = scope->heads[scope->depth]; s != NULL; s = s->next_in_scope) {
		struct sg_symbol **bucket = &scope->buckets[s->hash & (scope->bucket_count - 1)];

		while (*bucket != s)
			bucket = &(*bucket)->next_in_bucket;
		*bucket = s->next_in_bucket;
		scope->symbol_count--;
	}
	scope->heads[scope->depth] = NULL;
	scope->depth--;
}

static void grow(struct sg_scope *scope)
{
	size_t count = scope->bucket_count * 4;
	struct sg_symbol **buckets = sg_load_array(scope->load, count, sizeof(*buckets));

	/*
	 * A bucket's newest stands first, which is what finds the innermost of equal names: the
	 * order has to survive, so a bucket is taken over from its end.
	 */
	for (size_t b = 0; b < scope->bucket_count; b++) {
		struct sg_symbol *turned = NULL;

		for (struct sg_symbol *s = scope->buckets[b], *next; s != NULL; s = next) {
			next = s->next_in_bucket;
			s->next_in_bucket = turned;
			turned = s;
		}
		for (struct sg_symbol *s = turned, *next; s != NULL; s = next) {
			struct sg_symbol **bucket = &buckets[s->hash & (count - 1)];

			next = s->next_in_bucket;
			s->next_in_bucket = *bucket;
			*bucket = s;
		}
	}
	scope->buckets = buckets;
	scope->bucket_count = count;
}

struct sg_symbol *sg_scope_find(const struct sg_scope *scope, const char *name, size_t len_bytes)
{
	uint64_t hash = hash_name(scope, name, len_bytes);

	for (struct sg_symbol *s = scope->buckets[hash & (scope->bucket_count - 1)]; s != NULL;
	     s = s->next_in_bucket)
		if (s->hash == hash && s->name_bytes == len_bytes &&
		    memcmp(s->name, name, len_bytes) == 0)
			return s;
	return NULL;
}

struct sg_symbol *sg_scope_find_here(const struct sg_scope *scope, const char *name,
				     size_t len_bytes)
{
	struct sg_symbol *symbol = sg_scope_find(scope, name, len_bytes);

	return symbol != NULL && symbol->depth == scope->depth ? symbol : NULL;
}

struct sg_symbol *sg_scope_add(struct sg_scope *scope, const char *name, size_t len_bytes,
			       enum sg_symbol_kind kind, uint32_t line)
{
	struct sg_symbol *symbol = sg_scope_find_here(scope, name, len_bytes);
	struct sg_symbol **bucket;

	if (symbol != NULL)
		sg_load_fail(scope->load, -EINVAL, line, 0,
			     "'%.*s' is defined twice (first in line %u)",
			     (int)(len_bytes > 80 ? 80 : len_bytes), name, symbol->line);
	if (scope->symbol_count >= scope->bucket_count)
		grow(scope);
	symbol = sg_load_alloc(scope->load, sizeof(*symbol));
	symbol->name = name;
	symbol->name_bytes = len_bytes;
	symbol->kind = kind;
	symbol->depth = scope->depth;
	symbol->line = line;
	symbol->hash = hash_name(scope, name, len_bytes);
	bucket = &scope->buckets[symbol->hash & (scope->bucket_count - 1)];
	symbol->next_in_bucket = *bucket;
	*bucket = symbol;
	symbol->next_in_scope = scope->heads[scope->depth];
	scope->heads[scope->depth] = symbol;
	scope->symbol_count++;
	return symbol;
}
