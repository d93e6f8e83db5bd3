/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_drain.c - a drain, which outlives restarts until an administrator ends it */

#include "vgpud/daemon_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "vgpud/aside.h"

/*
 * A file beside the database records the drain. It is not in the database, since an administrator
 * may need a drain just when the database cannot be written.
 */
static const char *file_dir(const struct daemon *daemon)
{
	const char *state_dir = conf_state_dir(daemon->conf);

	return state_dir != NULL ? state_dir : daemon->conf->runtime_dir;
}

static int file_path(const struct daemon *daemon, const char *suffix, char *path, size_t size)
{
	int len = snprintf(path, size, "%s/draining%s", file_dir(daemon), suffix);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* Writes a new file and renames it, so that the file appears whole or not at all. */
static int write_file(const struct daemon *daemon, const struct daemon_drain *drain)
{
	char path[PATH_MAX], part[PATH_MAX];
	FILE *file;
	int err = file_path(daemon, "", path, sizeof(path));

	if (err == 0)
		err = file_path(daemon, ".new", part, sizeof(part));
	if (err != 0)
		return err;
	file = fopen(part, "we");
	if (file == NULL)
		return -errno;
	if (fprintf(file, "%" PRId64 " %" PRId64 "\n", drain->since_ns, drain->uid) < 0 ||
	    fflush(file) != 0)
		err = -EIO;
	if (fclose(file) != 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(part, path) < 0)
		err = -errno;
	if (err != 0)
		unlink(part);
	return err;
}

void daemon_drain_load(struct daemon *daemon)
{
	struct daemon_drain drain = { 0 };
	char path[PATH_MAX];
	FILE *file = NULL;
	int fd = -1;

	if (file_path(daemon, "", path, sizeof(path)) == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd >= 0)
		file = fdopen(fd, "r");
	if (file == NULL)
		return;
	/* Even an unreadable file means a drain: ending one removes the file. */
	if (fscanf(file, "%" SCNd64 " %" SCNd64, &drain.since_ns, &drain.uid) != 2)
		drain = (struct daemon_drain){ .uid = -1 };
	drain.kept = true;
	fclose(file);
	daemon->draining = drain;
	daemon->broker.draining = true;
	log_warning(
		"draining, as before the restart: new requests are refused until vgpuadm drain --off");
}

/* --- and a power failure --- */

struct sync {
	char path[PATH_MAX];
	char dir[PATH_MAX];
	int err;
	void (*done)(void *arg, int err);
};

/* Return: 0 or -errno. */
static int sync_path(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | flags), err = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		err = -errno;
	close(fd);
	return err;
}

static void run_sync(void *data)
{
	struct sync *sync = data;

	sync->err = sync_path(sync->path, 0);
	if (sync->err == 0)
		sync->err = sync_path(sync->dir, O_DIRECTORY);
}

static void on_synced(void *arg, void *data)
{
	const struct sync *sync = data;

	sync->done(arg, sync->err);
}

int daemon_drain_sync(struct aside **out, struct daemon *daemon, void (*done)(void *arg, int err),
		      void *arg)
{
	static const struct aside_work work = { .run = run_sync, .done = on_synced, .drop = free };
	struct sync *sync = calloc(1, sizeof(*sync));

	if (sync == NULL)
		return -ENOMEM;
	sync->done = done;
	snprintf(sync->dir, sizeof(sync->dir), "%s", file_dir(daemon));
	file_path(daemon, "", sync->path, sizeof(sync->path)); /* as it was for the file */
	return aside_begin(out, daemon->event, &work, sync, arg);
}

int daemon_drain_begin(struct daemon *daemon, bool keep, int64_t uid)
{
	struct daemon_drain drain = { .since_ns = util_wall_ns(), .uid = uid, .kept = keep };
	int err;

	if (daemon->broker.draining) {
		if (!keep || daemon->draining.kept)
			return 0;
		drain.since_ns = daemon->draining.since_ns;
	}
	if (keep) {
		err = write_file(daemon, &drain);
		if (err != 0)
			return err;
	}
	daemon->draining = drain;
	daemon->broker.draining = true;
	return 0;
}

int daemon_drain_end(struct daemon *daemon)
{
	char path[PATH_MAX];

	if (file_path(daemon, "", path, sizeof(path)) == 0 && unlink(path) < 0 && errno != ENOENT)
		return -errno;
	daemon->draining = (struct daemon_drain){ 0 };
	daemon->broker.draining = false;
	return 0;
}
