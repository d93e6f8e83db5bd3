/* SPDX-License-Identifier: GPL-2.0-or-later */
/* module_cache.c - compiled modules of a VM's programs, kept for its next ones */

#include "vgpud/programs/module_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHARE_OF_ENTRY 4 /* an entry has at most this part of the bound */
#define PAGE_BYTES 4096u

struct entry {
	TAILQ_ENTRY(entry) link;
	uint32_t user;
	uint8_t key[MODULE_KEY_BYTES];
	int fd;
	uint64_t bytes; /* whole pages */
};

TAILQ_HEAD(entry_list, entry);

struct module_cache {
	struct entry_list entries; /* the one used last comes first */
	uint64_t most_bytes;
	struct module_cache_figures figures;
};

int module_cache_new(struct module_cache **out, uint64_t most_bytes)
{
	struct module_cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		return -ENOMEM;
	TAILQ_INIT(&cache->entries);
	cache->most_bytes = most_bytes;
	*out = cache;
	return 0;
}

static void forget(struct module_cache *cache, struct entry *entry)
{
	TAILQ_REMOVE(&cache->entries, entry, link);
	cache->figures.bytes -= entry->bytes;
	cache->figures.entries--;
	close(entry->fd);
	free(entry);
}

/* Makes room for so many entries and bytes more. */
static void make_room(struct module_cache *cache, unsigned num, uint64_t bytes)
{
	struct entry *last;

	while ((last = TAILQ_LAST(&cache->entries, entry_list)) != NULL &&
	       (cache->figures.entries + num > MODULE_CACHE_ENTRIES ||
		cache->figures.bytes + bytes > cache->most_bytes))
		forget(cache, last);
}

void module_cache_free(struct module_cache *cache)
{
	struct entry *first;

	if (cache == NULL)
		return;
	while ((first = TAILQ_FIRST(&cache->entries)) != NULL)
		forget(cache, first);
	free(cache);
}

void module_cache_set(struct module_cache *cache, uint64_t most_bytes)
{
	cache->most_bytes = most_bytes;
	make_room(cache, 0, 0);
}

static struct entry *find(const struct module_cache *cache, uint32_t user, const uint8_t *key)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, &cache->entries, link)
		if (entry->user == user && memcmp(entry->key, key, MODULE_KEY_BYTES) == 0)
			return entry;
	return NULL;
}

int module_cache_find(struct module_cache *cache, uint32_t user, const uint8_t *key)
{
	struct entry *entry = find(cache, user, key);

	if (entry == NULL) {
		cache->figures.misses++;
		return -1;
	}
	cache->figures.hits++;
	TAILQ_REMOVE(&cache->entries, entry, link);
	TAILQ_INSERT_HEAD(&cache->entries, entry, link);
	return entry->fd;
}

static uint64_t most_of_entry(const struct module_cache *cache)
{
	return cache->most_bytes / SHARE_OF_ENTRY / PAGE_BYTES * PAGE_BYTES;
}

/*
 * What is kept is a convenience: it takes no descriptor from the upper half of those that vgpud may have,
 * since devices, programs and administrators need theirs. The kernel gives the lowest free number.
 */
static bool may_have(int fd)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd < limit.rlim_cur / 2;
}

/* It has its greatest size from the start, and cannot grow: no worker can make it larger. */
int module_cache_blank(const struct module_cache *cache)
{
	uint64_t bytes = most_of_entry(cache);
	int fd;

	if (bytes == 0)
		return -ENOSPC;
	fd = memfd_create("module", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (may_have(fd) && ftruncate(fd, (off_t)bytes) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0)
		return fd;
	close(fd);
	return -EMFILE;
}

/*
 * Cuts the file to what it holds, for good, and lets no descriptor of it write any more. Not
 * F_SEAL_WRITE: the kernel would wait for devices that use its pages. So the worker that filled it may
 * go on writing by a mapping; others copy what they read before they look at it.
 */
static bool close_file(int fd, uint64_t bytes, uint64_t most_bytes)
{
	const int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
	struct stat about;

	return bytes > 0 && bytes <= most_bytes && fstat(fd, &about) == 0 &&
	       (uint64_t)about.st_size >= bytes && ftruncate(fd, (off_t)bytes) == 0 &&
	       fcntl(fd, F_ADD_SEALS, seals) == 0;
}

bool module_cache_keep(struct module_cache *cache, uint32_t user, const uint8_t *key, int fd,
		       uint64_t bytes)
{
	struct entry *entry = NULL;

	if (find(cache, user, key) == NULL && close_file(fd, bytes, most_of_entry(cache)))
		entry = calloc(1, sizeof(*entry));
	if (entry == NULL) {
		close(fd);
		return false;
	}
	entry->user = user;
	memcpy(entry->key, key, sizeof(entry->key));
	entry->fd = fd;
	entry->bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	make_room(cache, 1, entry->bytes);
	TAILQ_INSERT_HEAD(&cache->entries, entry, link);
	cache->figures.bytes += entry->bytes;
	cache->figures.entries++;
	return true;
}

struct module_cache_figures module_cache_figures(const struct module_cache *cache)
{
	return cache != NULL ? cache->figures : (struct module_cache_figures){ 0 };
}
