/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox_cgroup.c - a cgroup for each worker, in what of the hierarchy is vgpud's own */

#include "proc/sandbox_cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 *   our cgroup/          as systemd or an administrator made it
 *     vgpud/             vgpud and its processes: a group with children has no process itself
 *     workers/
 *       0/ 1/ ...        a worker each
 */
#define CGROUP_ROOT "/sys/fs/cgroup"
#define CONTROLLERS "+memory +pids"
#define WORKER_PIDS "256" /* threads count, too */
#define EARLIER_MS 4000	  /* vgpud waits 5 s for its starter */
#define EARLIER_STEP_MS 10

static int workers = -1; /* the directory */

/* Return: 0 or -errno. */
static int write_file(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* path: of PATH_MAX bytes. Return: 0 or -errno. */
static int find_own(char *path)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX];
	int err = -ENOENT;

	if (file == NULL)
		return -errno;
	/* Version 2's line has number 0 and no controllers. */
	while (err != 0 && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (snprintf(path, PATH_MAX, CGROUP_ROOT "%s", line + 3) < PATH_MAX)
			err = 0;
	}
	fclose(file);
	return err;
}

static int open_group(int dir, const char *name)
{
	int fd;

	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fd;
}

/* Moves this process and its parent. Return: 0 or -errno. */
static int move_down(int own)
{
	int group = open_group(own, "vgpud"), err;
	char pid[16];

	if (group < 0)
		return group;
	snprintf(pid, sizeof(pid), "%d", (int)getppid());
	err = write_file(group, "cgroup.procs", pid);
	if (err == 0)
		err = write_file(group, "cgroup.procs", "0");
	close(group);
	return err;
}

/* Return: 0 or -errno. */
static int remove_group(const char *name)
{
	char path[NAME_MAX + sizeof("/cgroup.kill")];

	snprintf(path, sizeof(path), "%s/cgroup.kill", name);
	write_file(workers, path, "1");
	return unlinkat(workers, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* Kills all that is in groups of workers. Return: how many groups are left, whose processes are still dying. */
static unsigned empty_workers(DIR *dir)
{
	const struct dirent *entry;
	unsigned left = 0;

	rewinddir(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			left += remove_group(entry->d_name) != 0;
	return left;
}

/*
 * Ends what an earlier vgpud left. Devices take it from this one's HELLO that nothing writes to their windows
 * any more, so it waits for the ends, but not for ever: a process that is stuck in the driver stays, with its
 * group, and vgpud does not answer the device of its VM (vgpud/programs/left.c). Return: how many stay.
 */
static unsigned end_earlier_workers(void)
{
	DIR *dir = fdopendir(dup(workers));
	unsigned left = 1;

	if (dir == NULL)
		return left;
	for (int left_ms = EARLIER_MS; left_ms > 0; left_ms -= EARLIER_STEP_MS) {
		left = empty_workers(dir);
		if (left == 0)
			break;
		poll(NULL, 0, EARLIER_STEP_MS);
	}
	closedir(dir);
	if (left > 0)
		dprintf(STDERR_FILENO,
			"vgpud-starter: %u workers of an earlier vgpud have not ended\n", left);
	return left;
}

/* Return: 0 or -errno; *step names what failed. */
static int set_up(int own, const char **step, unsigned *left)
{
	int err;

	*step = "moving vgpud into a group of its own";
	err = move_down(own);
	if (err != 0)
		return err;
	*step = "its controllers memory and pids; under systemd the unit needs Delegate=yes";
	err = write_file(own, "cgroup.subtree_control", CONTROLLERS);
	if (err != 0)
		return err;
	*step = "a group for workers";
	workers = open_group(own, "workers");
	if (workers < 0)
		return workers;
	err = write_file(workers, "cgroup.subtree_control", CONTROLLERS);
	if (err == 0)
		*left = end_earlier_workers();
	return err;
}

int sandbox_cgroup_open(unsigned *left, char *why, size_t why_size)
{
	char path[PATH_MAX];
	const char *step = "no version 2 of it is mounted";
	int own, err = find_own(path);

	if (err == 0 && access(CGROUP_ROOT "/cgroup.controllers", R_OK) < 0)
		err = -ENOENT;
	if (err == 0) {
		step = path;
		own = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = own < 0 ? -errno : set_up(own, &step, left);
		if (own >= 0)
			close(own);
	}
	if (err != 0) {
		snprintf(why, why_size, "%.90s: %s", step, strerror(-err));
		if (workers >= 0)
			close(workers);
		workers = -1;
	}
	return err;
}

int sandbox_cgroup_make(unsigned place, uint64_t memory_bytes)
{
	char name[16], memory[24];
	int group, err, procs;

	snprintf(name, sizeof(name), "%u", place);
	group = open_group(workers, name);
	if (group < 0)
		return group;
	snprintf(memory, sizeof(memory), "%" PRIu64, memory_bytes);
	err = write_file(group, "memory.max", memory);
	if (err == 0)
		err = write_file(group, "pids.max", WORKER_PIDS);
	/* When its memory runs out, the kernel kills the worker as a whole: part of it is useless. */
	if (err == 0)
		err = write_file(group, "memory.oom.group", "1");
	procs = err == 0 ? openat(group, "cgroup.procs", O_WRONLY | O_CLOEXEC) : err;
	if (err == 0 && procs < 0)
		procs = -errno;
	close(group);
	return procs;
}

void sandbox_cgroup_kill(unsigned place)
{
	char path[32];

	snprintf(path, sizeof(path), "%u/cgroup.kill", place);
	write_file(workers, path, "1");
}

int sandbox_cgroup_freeze(unsigned place, bool frozen)
{
	char path[32];

	snprintf(path, sizeof(path), "%u/cgroup.freeze", place);
	return write_file(workers, path, frozen ? "1" : "0");
}

int sandbox_cgroup_remove(unsigned place)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", place);
	return remove_group(name);
}

/* --- what vgpud finds there --- */

int sandbox_cgroup_find(char *path)
{
	static const char ours[] = "/vgpud", theirs[] = "/workers";
	size_t len;
	int err = find_own(path);

	if (err != 0)
		return err;
	len = strlen(path);
	if (len < strlen(ours) || strcmp(path + len - strlen(ours), ours) != 0)
		return -ENOENT;
	if (len - strlen(ours) + sizeof(theirs) > PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path + len - strlen(ours), theirs, sizeof(theirs));
	return access(path, R_OK | X_OK) == 0 ? 0 : -errno;
}

/* Return: whether cgroup.procs in that directory names the process. */
static bool group_has(const char *workers_path, const char *name, pid_t pid)
{
	char path[PATH_MAX], line[32], wanted[32];
	bool has = false;
	FILE *file;

	snprintf(wanted, sizeof(wanted), "%d\n", (int)pid);
	if (snprintf(path, sizeof(path), "%s/%s/cgroup.procs", workers_path, name) >=
	    (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	while (!has && fgets(line, sizeof(line), file) != NULL)
		has = strcmp(line, wanted) == 0;
	fclose(file);
	return has;
}

bool sandbox_cgroup_has(const char *workers_path, pid_t pid)
{
	const struct dirent *entry;
	DIR *dir = opendir(workers_path);
	bool has = false;

	if (dir == NULL)
		return false;
	while (!has && (entry = readdir(dir)) != NULL)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			has = group_has(workers_path, entry->d_name, pid);
	closedir(dir);
	return has;
}

void sandbox_cgroup_close(void)
{
	unlinkat(workers, "../workers", AT_REMOVEDIR);
	close(workers);
	workers = -1;
}
