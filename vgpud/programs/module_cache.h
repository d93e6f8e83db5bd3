/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_cache.h - compiled modules of a VM's programs, kept for its next ones */

#ifndef VGPUD_PROGRAMS_MODULE_CACHE_H
#define VGPUD_PROGRAMS_MODULE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/worker_wire.h"

/*
 * A worker that compiles an image asks first whether its VM has the code. An entry is a memory file that
 * the cache makes, a worker fills and the cache then closes against changes. What is in it is between
 * workers: the cache neither maps nor reads it, so nothing of a tenant is parsed in the broker, and no
 * descriptor ever comes from a worker.
 *
 * The bound covers what the entries hold of the host's memory. The entry that was used longest ago goes
 * first. One entry may have a quarter of the bound.
 */
struct module_cache;

/* Each takes a descriptor, of the lower half that vgpud may have. */
#define MODULE_CACHE_ENTRIES 256

struct module_cache_figures {
	uint64_t hits, misses; /* questions of workers, since the cache was made */
	uint64_t bytes;	       /* of the host's memory */
	unsigned entries;
};

/* Return: 0 or -ENOMEM. most_bytes: the bound; 0: nothing is kept. */
int module_cache_new(struct module_cache **out, uint64_t most_bytes);

/* NULL: does nothing. */
void module_cache_free(struct module_cache *cache);

/* Changes the bound, at once. */
void module_cache_set(struct module_cache *cache, uint64_t most_bytes);

/*
 * Counts a question. user: for whom the code was compiled; the users of a host see no code of each
 * other. key: MODULE_KEY_BYTES. Return: the cache's descriptor of the entry; -1: there is none.
 */
int module_cache_find(struct module_cache *cache, uint32_t user, const uint8_t *key);

/* Return: a file for a worker to fill, the caller's; -errno; -ENOSPC: nothing is kept; -EMFILE: too
 * many descriptors are in use. */
int module_cache_blank(const struct module_cache *cache);

/*
 * Keeps a file that a worker says it has filled with so many bytes. fd: from module_cache_blank();
 * becomes the cache's. Return: whether it is kept: not if there is such an entry already, or the file
 * is not as a worker may leave it.
 */
bool module_cache_keep(struct module_cache *cache, uint32_t user, const uint8_t *key, int fd,
		       uint64_t bytes);

/* cache: NULL: it has nothing. */
struct module_cache_figures module_cache_figures(const struct module_cache *cache);

#endif
