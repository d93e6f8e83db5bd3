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

/* One for a drain of the daemon, and one with the names of drained GPUs. */
#define DRAIN_FILE "draining"
#define GPUS_FILE "draining-gpus"

static int file_path(const struct daemon *daemon, const char *name, const char *suffix, char *path,
		     size_t size)
{
	int len = snprintf(path, size, "%s/%s%s", file_dir(daemon), name, suffix);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

/* Writes a new file and renames it, so that the file appears whole or not at all. */
static int write_file(const struct daemon *daemon, const char *name, const char *text)
{
	char path[PATH_MAX], part[PATH_MAX];
	FILE *file;
	int err = file_path(daemon, name, "", path, sizeof(path));

	if (err == 0)
		err = file_path(daemon, name, ".new", part, sizeof(part));
	if (err != 0)
		return err;
	file = fopen(part, "we");
	if (file == NULL)
		return -errno;
	if (fputs(text, file) < 0 || fflush(file) != 0)
		err = -errno;
	if (fclose(file) != 0 && err == 0)
		err = -errno;
	if (err == 0 && rename(part, path) < 0)
		err = -errno;
	if (err != 0)
		unlink(part);
	return err;
}

/* Return: NULL: there is no such file. */
static FILE *open_file(const struct daemon *daemon, const char *name)
{
	char path[PATH_MAX];
	int fd = -1;

	if (file_path(daemon, name, "", path, sizeof(path)) == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	return fd >= 0 ? fdopen(fd, "r") : NULL;
}

static void load_gpus(struct daemon *daemon)
{
	FILE *file = open_file(daemon, GPUS_FILE);
	char name[CONF_GPU_NAME_SIZE];

	if (file == NULL)
		return;
	/* What is no name of a GPU was written by another hand, or version. */
	while (fscanf(file, "%15s", name) == 1) {
		int gpu = conf_gpu_find(name);

		if (gpu < 0)
			continue;
		programs_drain_gpu(daemon->programs, (unsigned)gpu, true);
		log_warning("GPU %s takes no new programs, as before the restart, until vgpuadm "
			    "drain-gpu %s --off",
			    name, name);
	}
	fclose(file);
}

int daemon_drain_gpu(struct daemon *daemon, unsigned gpu, bool drain)
{
	char text[CONF_GPU_NUM * CONF_GPU_NAME_SIZE] = "", path[PATH_MAX];
	size_t len = 0;
	int err;

	for (unsigned i = 0; i < CONF_GPU_NUM; i++) {
		char name[CONF_GPU_NAME_SIZE];

		if (i == gpu ? !drain : !programs_gpu_drained(daemon->programs, i))
			continue;
		conf_gpu_name(i, name);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", name);
	}
	err = file_path(daemon, GPUS_FILE, "", path, sizeof(path));
	if (err == 0 && len > 0)
		err = write_file(daemon, GPUS_FILE, text);
	else if (err == 0 && unlink(path) < 0 && errno != ENOENT)
		err = -errno;
	if (err == 0)
		programs_drain_gpu(daemon->programs, gpu, drain);
	return err;
}

void daemon_drain_load(struct daemon *daemon)
{
	struct daemon_drain drain = { 0 };
	FILE *file = open_file(daemon, DRAIN_FILE);

	load_gpus(daemon);
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
	file_path(daemon, DRAIN_FILE, "", sync->path, sizeof(sync->path)); /* as for the file */
	return aside_begin(out, daemon->event, &work, sync, arg);
}

int daemon_drain_begin(struct daemon *daemon, bool keep, int64_t uid)
{
	struct daemon_drain drain = { .since_ns = util_wall_ns(), .uid = uid, .kept = keep };
	char text[64];
	int err;

	if (daemon->broker.draining) {
		if (!keep || daemon->draining.kept)
			return 0;
		drain.since_ns = daemon->draining.since_ns;
	}
	if (keep) {
		snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 "\n", drain.since_ns,
			 drain.uid);
		err = write_file(daemon, DRAIN_FILE, text);
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

	if (file_path(daemon, DRAIN_FILE, "", path, sizeof(path)) == 0 && unlink(path) < 0 &&
	    errno != ENOENT)
		return -errno;
	daemon->draining = (struct daemon_drain){ 0 };
	daemon->broker.draining = false;
	return 0;
}
