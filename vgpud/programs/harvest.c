/* SPDX-License-Identifier: GPL-2.0-or-later */
/* harvest.c - what programs' workers say of their work, read from their pages */

/*
 * Theory of operation. Each program has a file of one page, STATE_DIR/programs/ID, that its worker maps
 * and writes. The broker reads it with pread(), so a worker that cuts the file can do no harm. The file
 * goes once its figures are in the program's row. One that is there at a start is of a program that was
 * lost with the last vgpud: its row gets the figures then. That may happen twice, after another kill,
 * and changes nothing.
 */

#include "vgpud/programs/harvest.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/report_page.h"
#include "common/util.h"

/* More than a worker can do, and little enough for sums. */
#define CLAIM_MOST (UINT64_C(1) << 53)
#define WAIT_MS 1000 /* for changes under way, at the start */

static int name_file(char *path, size_t size, const char *state_dir, uint64_t id)
{
	int len = snprintf(path, size, "%s/programs/%" PRIu64, state_dir, id);

	return len > 0 && (size_t)len < size ? 0 : -ENAMETOOLONG;
}

static int open_file(const char *state_dir, uint64_t id)
{
	char path[PATH_MAX];
	int fd, err;

	snprintf(path, sizeof(path), "%s/programs", state_dir);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return -errno;
	err = name_file(path, sizeof(path), state_dir, id);
	if (err != 0)
		return err;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd >= 0 ? fd : -errno;
}

/* Written as a whole, so that its block is there: a worker that wrote into a hole could die of it. */
static int fill(int fd, uint64_t id)
{
	static union {
		struct report_page page;
		uint8_t bytes[REPORT_BYTES];
	} empty;

	empty.page.magic = REPORT_MAGIC;
	empty.page.version = REPORT_VERSION;
	empty.page.program_id = id;
	return pwrite(fd, &empty, sizeof(empty), 0) == (ssize_t)sizeof(empty) ? 0 : -EIO;
}

int harvest_make(const char *state_dir, uint64_t id)
{
	int fd = state_dir != NULL ? open_file(state_dir, id) : -ENOENT;

	if (fd >= 0 && fill(fd, id) == 0)
		return fd;
	if (fd >= 0) {
		close(fd);
		harvest_remove(state_dir, id);
	}
	/* On a full disk programs run all the same; their figures then die with vgpud. */
	fd = memfd_create("program", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fill(fd, id) == 0)
		return fd;
	close(fd);
	return -EIO;
}

/* --- reading --- */

static uint64_t bounded(uint64_t claim)
{
	return claim < CLAIM_MOST ? claim : CLAIM_MOST;
}

/* Return: whether it may be a function's name, ended within its array. */
static bool is_name(const char *name)
{
	size_t len = strnlen(name, REPORT_NAME_SIZE);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '_')
			return false;
	return len > 0 && len < REPORT_NAME_SIZE;
}

static void list_names(const struct report_page *page, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < REPORT_NAMES; i++) {
		const struct report_refused *one = &page->refused[i];
		int len;

		if (one->times == 0 || !is_name(one->name))
			continue;
		len = snprintf(out + used, size - used, "%s%s %" PRIu64, used > 0 ? ", " : "",
			       one->name, bounded(one->times));
		if (len < 0 || (size_t)len >= size - used) {
			out[used] = '\0'; /* no half names */
			return;
		}
		used += (size_t)len;
	}
}

bool harvest_read(int fd, uint64_t id, struct harvest *harvest)
{
	struct report_page page;
	uint64_t commands = 0, copies;

	*harvest = (struct harvest){ 0 };
	if (pread(fd, &page, sizeof(page), 0) != (ssize_t)sizeof(page) ||
	    page.magic != REPORT_MAGIC || page.version != REPORT_VERSION || page.program_id != id)
		return false;
	for (unsigned i = 0; i < VGPU_CMD_MOST; i++)
		commands += bounded(page.commands[i]);
	copies = bounded(page.commands[VGPU_CMD_COPY_IN]) + bounded(page.commands[VGPU_CMD_COPY]) +
		 bounded(page.commands[VGPU_CMD_COPY_WAIT]) +
		 bounded(page.commands[VGPU_CMD_COPY_BOX]);
	harvest->commands = bounded(commands);
	harvest->launches = bounded(page.commands[VGPU_CMD_LAUNCH]);
	harvest->copies = bounded(copies);
	harvest->copy_bytes = bounded(page.copy_bytes);
	harvest->refused = bounded(page.refused_times);
	/* One that is open counts: it is under way, or its program ended in the middle of it. */
	harvest->submissions = bounded(bounded(page.submissions) + (page.open_since_ns != 0));
	list_names(&page, harvest->refused_names, sizeof(harvest->refused_names));
	return true;
}

void harvest_record(const struct harvest *harvest, struct ledger_program *program)
{
	program->submissions = harvest->submissions;
	program->commands = harvest->commands;
	program->launches = harvest->launches;
	program->copies = harvest->copies;
	program->copy_bytes = harvest->copy_bytes;
	program->refused = harvest->refused;
}

/* --- into the row --- */

void harvest_remove(const char *state_dir, uint64_t id)
{
	char path[PATH_MAX];

	if (state_dir != NULL && name_file(path, sizeof(path), state_dir, id) == 0)
		unlink(path);
}

/* For ledger_program_claims(). arg: the file's path, allocated. */
static void on_recorded(void *arg, int err)
{
	/* Else it stays for the next start. */
	if (err == 0)
		unlink(arg);
	free(arg);
}

/* Return: 0 or -errno; then the file stays. */
static int settle(struct ledger *ledger, const char *path, uint64_t id,
		  const struct harvest *harvest)
{
	struct ledger_program program = { .id = id };
	char *copy = strdup(path);
	int err;

	if (copy == NULL)
		return -ENOMEM;
	harvest_record(harvest, &program);
	err = ledger_program_claims(
		ledger, &program, harvest->refused_names[0] != '\0' ? harvest->refused_names : NULL,
		on_recorded, copy);
	if (err != 0)
		free(copy);
	return err;
}

void harvest_settle(struct ledger *ledger, const char *state_dir, uint64_t id,
		    const struct harvest *harvest)
{
	char path[PATH_MAX] = "";

	if (state_dir != NULL && name_file(path, sizeof(path), state_dir, id) != 0)
		return;
	settle(ledger, path, id, harvest);
}

static void take_rest(struct ledger *ledger, const char *path, uint64_t id)
{
	struct harvest harvest;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err;

	if (fd < 0)
		return;
	if (!harvest_read(fd, id, &harvest)) {
		unlink(path); /* a kill left it before it was filled in */
	} else {
		err = settle(ledger, path, id, &harvest);
		if (err == -ENOBUFS && ledger_wait(ledger, WAIT_MS) == 0)
			err = settle(ledger, path, id, &harvest);
		if (err != 0)
			log_warning("%s: cannot be recorded: %s; it stays for the next start", path,
				    strerror(-err));
	}
	close(fd);
}

void harvest_rest(struct ledger *ledger, const char *state_dir)
{
	char path[PATH_MAX];
	struct dirent *entry;
	uint64_t id;
	DIR *dir;

	if (state_dir == NULL)
		return;
	snprintf(path, sizeof(path), "%s/programs", state_dir);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (util_parse_u64(entry->d_name, 1, UINT64_MAX, &id) == 0 &&
		    name_file(path, sizeof(path), state_dir, id) == 0)
			take_rest(ledger, path, id);
	closedir(dir);
}
