/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allowance.c - how much of a GPU's memory the programs of a VM may have, and claim to have */

#include "vgpud/programs/allowance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/quota_page.h"

/* More than any GPU has, and little enough for the sum of all slots. */
#define CLAIM_MOST (UINT64_C(1) << 53)

struct allowance {
	int fd;
	unsigned references;
	uint64_t quota_bytes; /* 0: none */
	struct overuse overuse;
	bool in_use[QUOTA_SLOTS];
};

/*
 * The page is read and written by system calls: a worker that punches a hole into it, or cuts it where
 * the kernel has no seals, can do no harm here. It cannot be full: it was written as a whole.
 */
static void put(const struct allowance *allowance, size_t at, const void *bytes, size_t size)
{
	(void)!pwrite(allowance->fd, bytes, size, (off_t)at);
}

static bool get(const struct allowance *allowance, size_t at, void *bytes, size_t size)
{
	return pread(allowance->fd, bytes, size, (off_t)at) == (ssize_t)size;
}

static size_t slot_at(unsigned slot)
{
	return offsetof(struct quota_page, slots) + slot * sizeof(struct quota_slot);
}

/* Return: 0 or -errno. */
static int make_page(struct allowance *allowance)
{
	const struct quota_page page = { .magic = QUOTA_MAGIC, .version = QUOTA_VERSION };

	allowance->fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (allowance->fd < 0)
		return -errno;
	if (pwrite(allowance->fd, &page, sizeof(page), 0) == (ssize_t)sizeof(page) &&
	    fcntl(allowance->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return 0;
	close(allowance->fd);
	return -EIO;
}

int allowance_new(struct allowance **out, uint64_t quota_bytes)
{
	struct allowance *allowance = calloc(1, sizeof(*allowance));
	int err;

	if (allowance == NULL)
		return -ENOMEM;
	err = make_page(allowance);
	if (err != 0) {
		free(allowance);
		return err;
	}
	allowance->references = 1;
	overuse_begin(&allowance->overuse, quota_bytes);
	allowance_set(allowance, quota_bytes);
	*out = allowance;
	return 0;
}

struct allowance *allowance_get(struct allowance *allowance)
{
	allowance->references++;
	return allowance;
}

void allowance_put(struct allowance *allowance)
{
	if (allowance == NULL || --allowance->references > 0)
		return;
	close(allowance->fd);
	free(allowance);
}

int allowance_fd(const struct allowance *allowance)
{
	return allowance->fd;
}

static bool any_in_use(const struct allowance *allowance)
{
	return memchr(allowance->in_use, 1, sizeof(allowance->in_use)) != NULL;
}

struct overuse *allowance_overuse(struct allowance *allowance)
{
	return &allowance->overuse;
}

/* The words that the broker alone may write, as they have to be. */
static void put_head(const struct allowance *allowance)
{
	const uint64_t quota = allowance->quota_bytes != 0 ? allowance->quota_bytes : QUOTA_NONE;
	const struct quota_page head = {
		.magic = QUOTA_MAGIC,
		.version = QUOTA_VERSION,
		.quota_bytes = quota,
		.quota_check = ~quota,
	};

	put(allowance, 0, &head, offsetof(struct quota_page, lock));
}

/*
 * The page outlives its workers. What one of them wrote where it must not would bar its VM's later
 * programs: a lock that no slot in use has, claims in free slots, a quota that makes no sense.
 */
static void mend(const struct allowance *allowance)
{
	const struct quota_slot none = { 0 };
	const uint32_t released = 0;
	struct quota_page page;

	put_head(allowance);
	if (!get(allowance, 0, &page, sizeof(page)))
		return;
	for (unsigned slot = 0; slot < QUOTA_SLOTS; slot++)
		if (!allowance->in_use[slot] && memcmp(&page.slots[slot], &none, sizeof(none)) != 0)
			put(allowance, slot_at(slot), &none, sizeof(none));
	/* Nobody else changes the word while no living worker has the lock. */
	if (page.lock > QUOTA_SLOTS || (page.lock != 0 && !allowance->in_use[page.lock - 1]))
		put(allowance, offsetof(struct quota_page, lock), &released, sizeof(released));
}

void allowance_set(struct allowance *allowance, uint64_t quota_bytes)
{
	allowance->quota_bytes = quota_bytes;
	put_head(allowance);
	if (any_in_use(allowance))
		overuse_quota(&allowance->overuse, quota_bytes);
	else
		overuse_begin(&allowance->overuse, quota_bytes);
}

int allowance_take_slot(struct allowance *allowance, uint64_t program_id)
{
	const struct quota_slot mine = { .program_id = program_id };

	if (!any_in_use(allowance))
		overuse_begin(&allowance->overuse, allowance->quota_bytes);
	mend(allowance);
	for (unsigned slot = 0; slot < QUOTA_SLOTS; slot++) {
		if (allowance->in_use[slot])
			continue;
		allowance->in_use[slot] = true;
		put(allowance, slot_at(slot), &mine, sizeof(mine));
		return (int)slot;
	}
	return -ENOSPC;
}

void allowance_slot_ends(struct allowance *allowance, unsigned slot)
{
	const uint32_t yes = 1;

	put(allowance, slot_at(slot) + offsetof(struct quota_slot, ending), &yes, sizeof(yes));
}

void allowance_free_slot(struct allowance *allowance, unsigned slot)
{
	allowance->in_use[slot] = false;
	mend(allowance); /* it may also have died with the lock */
}

static uint64_t bounded(uint64_t claim)
{
	return claim < CLAIM_MOST ? claim : CLAIM_MOST;
}

uint64_t allowance_claimed(const struct allowance *allowance, unsigned slot)
{
	struct quota_slot found;

	return get(allowance, slot_at(slot), &found, sizeof(found)) ? bounded(found.claimed_bytes)
								    : 0;
}

uint64_t allowance_sum(const struct allowance *allowance)
{
	struct quota_page page;
	uint64_t sum = 0;

	if (!get(allowance, 0, &page, sizeof(page)))
		return 0;
	for (unsigned slot = 0; slot < QUOTA_SLOTS; slot++)
		if (allowance->in_use[slot])
			sum += bounded(page.slots[slot].claimed_bytes);
	return sum;
}
