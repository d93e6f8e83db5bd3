/* SPDX-License-Identifier: GPL-2.0-or-later */
/* left.c - workers that an earlier vgpud left and that have not ended: they may write to their VM's window */

/*
 * The starter kills what an earlier vgpud left, and waits for the ends, but not for ever: a killed process
 * that is stuck in the driver goes on to have the window mapped, and the GPU may go on to write there. A
 * device, however, takes it from a new vgpud's answer that nothing does, and lets the guest use the pieces
 * again. So a VM with such a worker gets no answer before that has ended.
 */

#include "vgpud/programs/left.h"

#include <dirent.h>
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
#include "proc/child.h"
#include "proc/sandbox_cgroup.h"

#define NOTE_MAGIC 0x4b524f57u /* "WORK" */
#define NOTE_SUFFIX ".worker"
#define BOOT_ID_SIZE 40
#define STAT_START 19 /* fields of /proc/PID/stat between the name and the time of the start */

/*
 * Boot, number and time of its start tell a process from all others. Where systemd hides other users'
 * processes from vgpud (ProtectProc=), the time is not known; what is in a worker's group there is a worker.
 */
struct note {
	uint32_t magic;
	uint32_t vm_id;
	int64_t worker;
	uint64_t start_ticks; /* since the boot; 0: not known */
	char boot_id[BOOT_ID_SIZE];
};

struct left {
	SLIST_ENTRY(left) link;
	struct left_list *list;
	uint32_t vm_id;
	sd_event_source *ended;
	char path[PATH_MAX]; /* of its note */
};

/* --- processes --- */

/* Reads what there is, up to size - 1 bytes, and ends it. */
static void read_text(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, out, size - 1);

	if (fd >= 0)
		close(fd);
	out[len > 0 ? len : 0] = '\0';
}

/* Return: when it was started, in ticks since the boot; 0: it is not there. */
static uint64_t start_of(pid_t pid)
{
	char path[32], stat[1024], *rest;
	uint64_t ticks = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	read_text(path, stat, sizeof(stat));
	/* The name may have any characters; after it and a blank come the state and numbers. */
	rest = strrchr(stat, ')');
	for (unsigned i = 0; i <= STAT_START && rest != NULL; i++)
		rest = strchr(rest + 1, ' ');
	if (rest == NULL)
		return 0;
	rest[1 + strcspn(rest + 1, " ")] = '\0';
	return util_parse_u64(rest + 1, 1, UINT64_MAX, &ticks) == 0 ? ticks : 0;
}

static void tell(struct note *note, uint32_t vm_id, pid_t worker)
{
	*note = (struct note){ .magic = NOTE_MAGIC, .vm_id = vm_id, .worker = worker };
	note->start_ticks = start_of(worker);
	read_text("/proc/sys/kernel/random/boot_id", note->boot_id, sizeof(note->boot_id));
}

/* Return: whether the process that has the number now is the one that the note is of. */
static bool is_same(const struct note *note, const char *groups)
{
	struct note now;

	tell(&now, note->vm_id, (pid_t)note->worker);
	if (note->start_ticks == 0)
		now.start_ticks = 0;
	return memcmp(&now, note, sizeof(now)) == 0 &&
	       (note->start_ticks != 0 ||
		(groups != NULL && sandbox_cgroup_has(groups, (pid_t)note->worker)));
}

/* --- notes --- */

static bool name_note(char *path, size_t size, const char *state_dir, uint64_t id)
{
	int len = snprintf(path, size, "%s/programs/%" PRIu64 NOTE_SUFFIX, state_dir, id);

	return len > 0 && (size_t)len < size;
}

void left_note(const char *state_dir, uint64_t id, uint32_t vm_id, pid_t worker)
{
	char path[PATH_MAX];
	struct note note;
	int fd;

	if (state_dir == NULL || !name_note(path, sizeof(path), state_dir, id))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	tell(&note, vm_id, worker);
	if (write(fd, &note, sizeof(note)) != (ssize_t)sizeof(note))
		unlink(path);
	close(fd);
}

void left_forget(const char *state_dir, uint64_t id)
{
	char path[PATH_MAX];

	if (state_dir != NULL && name_note(path, sizeof(path), state_dir, id))
		unlink(path);
}

/* --- at a start --- */

static void free_left(struct left *left)
{
	sd_event_source_disable_unref(left->ended);
	free(left);
}

/* With all of its threads. */
static int on_ended(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct left *left = arg;

	(void)source;
	(void)fd;
	(void)revents;
	unlink(left->path);
	SLIST_REMOVE(left->list, left, left, link);
	free_left(left);
	return 0;
}

/* Return: whether the note can be read. */
static bool read_note(const char *path, struct note *note)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool whole = fd >= 0 && read(fd, note, sizeof(*note)) == (ssize_t)sizeof(*note);

	if (fd >= 0)
		close(fd);
	return whole && note->magic == NOTE_MAGIC && note->worker > 0 && note->worker <= INT32_MAX;
}

static void look_at(struct left_list *list, sd_event *event, const char *path, const char *groups)
{
	struct left *left = calloc(1, sizeof(*left));
	struct note note;
	int err = -ESRCH;

	if (left == NULL)
		return;
	if (read_note(path, &note))
		err = child_watch(event, &left->ended, (pid_t)note.worker, on_ended, left);
	/* What is watched has had the number since before it is looked whose that is. */
	if (err == 0 && !is_same(&note, groups))
		err = -ESRCH;
	if (err == -ESRCH)
		unlink(path);
	if (err != 0) {
		free_left(left);
		return;
	}
	left->list = list;
	left->vm_id = note.vm_id;
	snprintf(left->path, sizeof(left->path), "%s", path);
	log_warning(
		"worker %d of an earlier vgpud has not ended: VM %u gets no answer before that, "
		"since it may still write to the VM's window (dmesg may say why)",
		(int)note.worker, note.vm_id);
	SLIST_INSERT_HEAD(list, left, link);
}

void left_find(struct left_list *list, sd_event *event, const char *state_dir, const char *groups)
{
	const size_t suffix = strlen(NOTE_SUFFIX);
	const struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	SLIST_INIT(list);
	if (state_dir == NULL)
		return;
	snprintf(path, sizeof(path), "%s/programs", state_dir);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (len > suffix && strcmp(entry->d_name + len - suffix, NOTE_SUFFIX) == 0 &&
		    snprintf(path, sizeof(path), "%s/programs/%s", state_dir, entry->d_name) <
			    (int)sizeof(path))
			look_at(list, event, path, groups);
	}
	closedir(dir);
}

bool left_holds(const struct left_list *list, uint32_t vm_id)
{
	const struct left *left;

	SLIST_FOREACH(left, list, link)
		if (left->vm_id == vm_id)
			return true;
	return false;
}

void left_free(struct left_list *list)
{
	struct left *left;

	while ((left = SLIST_FIRST(list)) != NULL) {
		SLIST_REMOVE_HEAD(list, link);
		free_left(left);
	}
}
