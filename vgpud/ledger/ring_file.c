/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring_file.c - the ring's file: made, found again, judged, replaced */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/crc32c.h"
#include "vgpud/ledger/ring_private.h"
#include "vgpud/ledger/set_aside.h"

#define RING_MAGIC "VGPURING"

static size_t file_bytes(const struct ring_format *format, uint64_t record_num)
{
	return RING_HEADER_BYTES + record_num * format->record_bytes;
}

static uint32_t header_crc(const struct ring_header *header)
{
	return crc32c(0, header, offsetof(struct ring_header, crc));
}

static int map(struct ring *ring, int fd, const struct ring_format *format, uint64_t record_num)
{
	size_t bytes = file_bytes(format, record_num);
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	ring->header = at;
	ring->format = format;
	ring->records = (char *)at + RING_HEADER_BYTES;
	ring->map_bytes = bytes;
	ring->record_num = record_num;
	return 0;
}

static void unmap(struct ring *ring)
{
	munmap(ring->header, ring->map_bytes);
	ring->header = NULL;
}

/* Return: the format of a ring with this header, or NULL: no vgpud up to this one wrote it. */
static const struct ring_format *format_of(const struct ring_header *header)
{
	static const struct ring_format *const formats[] = { &ring_format_2, &ring_format_1 };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (header->version == formats[i]->version &&
		    header->record_bytes == formats[i]->record_bytes)
			return formats[i];
	return NULL;
}

/* Return: what is wrong with the header, or NULL. */
static const char *judge_header(const struct ring_header *header, uint64_t file_len)
{
	const struct ring_format *format = format_of(header);
	uint64_t tail = atomic_load(&header->tail), again = atomic_load(&header->tail_again);

	if (memcmp(header->magic, RING_MAGIC, sizeof(header->magic)) != 0)
		return "it is no ring file";
	if (header->crc != header_crc(header))
		return "its header is damaged";
	if (!format)
		return "a newer vgpud made it";
	if (header->record_num < RING_RECORDS_LEAST || header->record_num > RING_RECORDS_MOST ||
	    file_bytes(format, header->record_num) != file_len)
		return "its length is wrong";
	if (tail < again || tail - again > header->record_num)
		return "its position is damaged";
	return NULL;
}

/*
 * After a power failure the header may be older than the records, and its tail with it. So whole
 * records are looked for in all slots, however far from the tail.
 */
static void scan_later_laps(struct ring *ring)
{
	uint64_t head = ring_head(ring);

	for (uint64_t i = 0; i < ring->record_num; i++) {
		uint64_t position = ring_position_in(ring, i, ring_tail(ring));

		if (position == UINT64_MAX || position < head || position % ring->record_num != i ||
		    !ring_whole(ring, position))
			continue;
		ring->damaged = true;
		head = position + 1;
	}
	atomic_store(&ring->head, head);
}

/* Finds the head, and records where none should be. */
static void scan(struct ring *ring)
{
	uint64_t tail = ring_tail(ring), position = tail;

	while (position < tail + ring->record_num && ring_whole(ring, position))
		position++;
	atomic_store(&ring->head, position);
	for (; position < tail + ring->record_num; position++) {
		if (!ring_sequence_matches(ring, position))
			continue;
		ring->damaged = true;
		atomic_store(&ring->head, position + 1);
	}
	scan_later_laps(ring);
	ring->tail_seen = tail;
}

/* Return: 0, -EBADMSG with a reason when the file is no good, or another error. */
static int load(struct ring *ring, int fd, const char **reason)
{
	struct stat st;
	struct ring_header *header;
	int err;

	if (fstat(fd, &st) != 0)
		return -errno;
	*reason = "it is too short";
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < RING_HEADER_BYTES)
		return -EBADMSG;
	header = mmap(NULL, RING_HEADER_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (header == MAP_FAILED)
		return -errno;
	*reason = judge_header(header, (uint64_t)st.st_size);
	err = *reason ? -EBADMSG : map(ring, fd, format_of(header), header->record_num);
	munmap(header, RING_HEADER_BYTES);
	if (err == 0)
		scan(ring);
	return err;
}

static int allocate(int fd, size_t bytes)
{
	struct rlimit limit;

	/* Growing a file beyond this limit raises SIGXFSZ, which kills. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes > limit.rlim_cur)
		return -EFBIG;
	return -posix_fallocate(fd, 0, (off_t)bytes);
}

static int fill_header(struct ring *ring)
{
	struct ring_header *header = ring->header;
	uint64_t id;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -errno;
	memcpy(header->magic, RING_MAGIC, sizeof(header->magic));
	header->version = ring_format_2.version;
	header->record_bytes = ring_format_2.record_bytes;
	header->record_num = ring->record_num;
	header->id = id >> 1 | 1;
	header->crc = header_crc(header);
	return 0;
}

/* Return: 0; or -errno with why. */
static int explain_new(const struct ring *ring, int err, size_t bytes, char *why, size_t why_len)
{
	if (err)
		snprintf(why, why_len, "%s: cannot set up the ledger's ring of %zu bytes: %s%s",
			 ring->path, bytes, strerror(-err),
			 err == -ENOSPC || err == -EDQUOT
				 ? "; free some space, or lower ring_records in vgpud.conf"
			 : err == -EFBIG ? "; raise the limit (ulimit -f, LimitFSIZE=)"
					 : "");
	return err;
}

/* Makes a new ring at PATH.new, on the disk as a whole, and maps it. On failure there is none. */
static int make(struct ring *ring, const char *path, uint64_t record_num, char *why, size_t why_len)
{
	size_t bytes = file_bytes(&ring_format_2, record_num);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int err;

	if (fd < 0) {
		err = -errno;
		snprintf(why, why_len, "%s: cannot create the ledger's ring: %s", path,
			 strerror(-err));
		return err;
	}
	err = allocate(fd, bytes);
	if (err == 0)
		err = map(ring, fd, &ring_format_2, record_num);
	if (err == 0)
		err = fill_header(ring);
	if (err == 0 && fsync(fd) != 0)
		err = -errno;
	close(fd);
	if (err == 0)
		return 0;
	unlink(path);
	if (ring->header)
		unmap(ring);
	return explain_new(ring, err, bytes, why, why_len);
}

/* Sets the old file aside; an earlier attempt may have done that already. */
static int keep_old(const struct ring *ring, struct ring_report *report, char *why, size_t why_len)
{
	static const char *const companions[] = { NULL };
	int err = set_aside(ring->path, companions, report->set_aside, sizeof(report->set_aside));

	if (err == -ENOENT)
		return 0;
	if (err)
		snprintf(why, why_len, "%s: damaged, and cannot be moved aside: %s; move it away",
			 ring->path, strerror(-err));
	return err;
}

/*
 * A new ring appears at its path as a whole, or not at all.
 * keep: the file that is there is set aside; else it is overwritten.
 */
static int create(struct ring *ring, uint64_t record_num, bool keep, struct ring_report *report,
		  char *why, size_t why_len)
{
	char path[PATH_MAX + 4];
	int err;

	snprintf(path, sizeof(path), "%s.new", ring->path);
	err = make(ring, path, record_num, why, why_len);
	if (err)
		return err;
	if (keep)
		err = keep_old(ring, report, why, why_len);
	if (err == 0 && rename(path, ring->path) != 0)
		err = explain_new(ring, -errno, ring->map_bytes, why, why_len);
	if (err == 0)
		return 0;
	unlink(path);
	unmap(ring);
	return err;
}

static int open_or_create(struct ring *ring, uint64_t record_num, struct ring_report *report,
			  char *why, size_t why_len)
{
	int fd = open(ring->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int err;

	if (fd < 0) {
		report->created = errno == ENOENT;
		if (report->created)
			return create(ring, record_num, false, report, why, why_len);
		err = -errno;
	} else {
		err = load(ring, fd, &report->reason);
		close(fd);
	}
	if (err == -EBADMSG)
		return create(ring, record_num, true, report, why, why_len);
	if (err)
		snprintf(why, why_len, "%s: cannot open the ledger's ring: %s", ring->path,
			 strerror(-err));
	return err;
}

/* Return: a ring with no file yet, or NULL: no memory. */
static struct ring *new_ring(const char *path)
{
	struct ring *ring = aligned_alloc(_Alignof(struct ring), sizeof(*ring));

	if (!ring)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	snprintf(ring->path, sizeof(ring->path), "%s", path);
	return ring;
}

int ring_open(struct ring **out, const char *path, uint64_t record_num, struct ring_report *report,
	      char *why, size_t why_len)
{
	struct ring *ring;
	int err;

	*report = (struct ring_report){ 0 };
	if (record_num < RING_RECORDS_LEAST || record_num > RING_RECORDS_MOST) {
		snprintf(why, why_len, "a ring of %llu records: it takes %u to %u",
			 (unsigned long long)record_num, RING_RECORDS_LEAST, RING_RECORDS_MOST);
		return -EINVAL;
	}
	if (strlen(path) >= sizeof(ring->path)) {
		snprintf(why, why_len, "the ring's path is too long");
		return -ENAMETOOLONG;
	}
	ring = new_ring(path);
	if (!ring) {
		snprintf(why, why_len, "%s: no memory", path);
		return -ENOMEM;
	}
	err = open_or_create(ring, record_num, report, why, why_len);
	if (err) {
		free(ring);
		return err;
	}
	*out = ring;
	return 0;
}

int ring_replace(struct ring **ring, uint64_t record_num, bool keep, struct ring_report *report,
		 char *why, size_t why_len)
{
	struct ring *new = new_ring((*ring)->path);
	int err;

	if (!new) {
		snprintf(why, why_len, "%s: no memory", (*ring)->path);
		return -ENOMEM;
	}
	*report = (struct ring_report){ .reason = "records in it are damaged" };
	err = create(new, record_num, keep, report, why, why_len);
	if (err) {
		free(new);
		return err;
	}
	ring_close(*ring);
	*ring = new;
	return 0;
}

void ring_close(struct ring *ring)
{
	unmap(ring);
	free(ring);
}
