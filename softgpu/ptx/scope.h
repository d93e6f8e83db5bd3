/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scope.h - names and what they stand for, block inside of block */

#ifndef VGPU_SOFTGPU_PTX_SCOPE_H
#define VGPU_SOFTGPU_PTX_SCOPE_H

#include "softgpu/ptx/load.h"

enum sg_symbol_kind {
	SG_SYMBOL_REG,	 /* number is the register */
	SG_SYMBOL_RANGE, /* %r<100>: number is the first, count how many */
	SG_SYMBOL_VAR,
	SG_SYMBOL_FUNC,
	SG_SYMBOL_LABEL,  /* number is the index */
	SG_SYMBOL_TABLE,  /* .branchtargets */
	SG_SYMBOL_PROTO,  /* .callprototype, .calltargets */
	SG_SYMBOL_VARIANT /* a mnemonic that was matched before */
};

struct sg_symbol {
	const char *name;
	size_t name_bytes;
	enum sg_symbol_kind kind;
	uint32_t depth;
	uint32_t number;
	uint32_t count;
	uint8_t type;	/* REG, RANGE: enum sg_type */
	uint8_t vector; /* REG: registers that follow each other, 1 for a scalar */
	uint32_t line;
	void *object;
	/* of the table */
	uint64_t hash;
	struct sg_symbol *next_in_bucket;
	struct sg_symbol *next_in_scope;
};

struct sg_scope {
	struct sg_load *load;
	struct sg_symbol **buckets;
	size_t bucket_count; /* a power of two */
	size_t symbol_count;
	uint64_t seed;
	uint32_t depth;
	struct sg_symbol *heads[72]; /* of each depth, newest first */
};

void sg_scope_init(struct sg_scope *scope, struct sg_load *load);

/* Opens a block. The caller bounds the depth (SG_PTX_NESTING_MAX). */
void sg_scope_push(struct sg_scope *scope);

/* Closes it: its names are gone. */
void sg_scope_pop(struct sg_scope *scope);

/* Return: the innermost symbol of this name, NULL if there is none. */
struct sg_symbol *sg_scope_find(const struct sg_scope *scope, const char *name, size_t len_bytes);

/* Return: the one of the current block alone. */
struct sg_symbol *sg_scope_find_here(const struct sg_scope *scope, const char *name,
				     size_t len_bytes);

/*
 * Adds a name to the current block; a second one of the same block fails the load.
 * name: must stay.
 */
struct sg_symbol *sg_scope_add(struct sg_scope *scope, const char *name, size_t len_bytes,
			       enum sg_symbol_kind kind, uint32_t line);

#endif
