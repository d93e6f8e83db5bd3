/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bill.c - a program's GPU time, kept where a kill -9 of vgpud cannot lose it */

#include "vgpud/programs/bill.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vgpud/ledger/ledger.h"

#define BILL_MAGIC 0x4c495642u /* "BVIL" */
#define BILL_VERSION 1u
#define BILL_BYTES 4096u

static bool name_file(char *out, size_t size, const char *path)
{
	int len = snprintf(out, size, "%s" BILL_SUFFIX, path);

	return len > 0 && (size_t)len < size;
}

struct bill_page *bill_make(const char *state_dir, uint64_t id)
{
	const union {
		struct bill_page page;
		uint8_t bytes[BILL_BYTES];
	} first = { .page = { .magic = BILL_MAGIC, .version = BILL_VERSION, .program_id = id } };
	char path[PATH_MAX];
	void *page = MAP_FAILED;
	int fd, len;

	if (state_dir == NULL)
		return NULL;
	len = snprintf(path, sizeof(path), "%s/programs/%" PRIu64 BILL_SUFFIX, state_dir, id);
	if (len < 0 || (size_t)len >= sizeof(path))
		return NULL;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return NULL;
	/* Written as a whole, so that its block is there: a store into a hole of a full disk kills. */
	if (pwrite(fd, &first, sizeof(first), 0) == (ssize_t)sizeof(first))
		page = mmap(NULL, BILL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		return page;
	unlink(path);
	return NULL;
}

void bill_close(struct bill_page *page)
{
	if (page != NULL)
		munmap(page, BILL_BYTES);
}

uint64_t bill_read(const char *path, uint64_t id)
{
	struct bill_page page;
	char name[PATH_MAX];
	bool fine;
	int fd;

	if (!name_file(name, sizeof(name), path))
		return LEDGER_UNKNOWN;
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return LEDGER_UNKNOWN;
	fine = pread(fd, &page, sizeof(page), 0) == (ssize_t)sizeof(page) &&
	       page.magic == BILL_MAGIC && page.version == BILL_VERSION && page.program_id == id;
	close(fd);
	return fine ? page.billed_ns : LEDGER_UNKNOWN;
}

void bill_remove(const char *path)
{
	char name[PATH_MAX];

	if (name_file(name, sizeof(name), path))
		unlink(name);
}
