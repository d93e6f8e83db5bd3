/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan.c - the process that reads and writes the files of the file transport */

#include "vgpud/files/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/util.h"
#include "proc/confine.h"
#include "proc/inherit.h"
#include "proc/spawn_wire.h"
#include "vgpud/files/dir.h"

/*
 * Theory of operation. vgpud sends the list of VMs; each has an entry, which is
 *
 *   idle -> (request.txt is whole or bad: taken, and told) -> busy -> (ANSWER: written) -> idle
 *
 * The directory of an idle entry is looked at in each interval, and with inotify also when a file
 * in it changes. A request that cannot be taken out of the directory is reported once and
 * remembered, so that it is not refused again and again.
 */

#define HALF_SCANS_LEAST 3 /* a line without an end is refused after so many looks, */
#define HALF_WAIT_MS 2000u /* and not before this time */
#define STRANGERS_EACH_NS UTIL_NS_PER_S
#define STRANGERS_MOST 64      /* directories without a VM that are reported */
#define ENTRIES_LOOKED_AT 4096 /* in the directory above, for strangers */
#define WATCHED (IN_CLOSE_WRITE | IN_MOVED_TO)

struct entry {
	char name[VM_NAME_SIZE];
	bool busy;
	bool known;	     /* leftovers of an earlier process have been handled */
	unsigned half_scans; /* looks at a line without an end */
	bool refused;	     /* the file with refused_id was refused and is still there */
	struct file_dir_id refused_id;
	int trouble; /* errno of opening the directory, as last told */
	int watch;   /* inotify's, or -1 */
};

struct scan {
	struct file_scan_task task;
	int top_fd;	 /* during a scan, or -1 */
	int inotify_fd;	 /* or -1 */
	bool look_now;	 /* the list of VMs has changed: look, and watch, at once */
	int top_trouble; /* errno as last told */
	bool told_vms;
	unsigned num;
	struct entry entry[FILE_VM_MAX];
	unsigned strangers;
	char stranger[STRANGERS_MOST][VM_NAME_SIZE];
	uint64_t strangers_ns; /* when to look for them again */
};

void file_scan_format(char *out, size_t size, const struct file_scan_task *task)
{
	snprintf(out, size, "%u:%c:%s", task->interval_ms, task->inotify ? 'i' : 'p', task->dir);
}

static int parse_task(const char *text, struct file_scan_task *task)
{
	char *end;
	unsigned long interval_ms = strtoul(text, &end, 10);

	if (end == text || interval_ms < 1 || interval_ms > 3600000 || end[0] != ':' ||
	    (end[1] != 'i' && end[1] != 'p') || end[2] != ':')
		return -EINVAL;
	*task = (struct file_scan_task){ .interval_ms = (unsigned)interval_ms,
					 .inotify = end[1] == 'i',
					 .dir = end + 3 };
	return 0;
}

/* --- to vgpud --- */

/* text: len_bytes of it. Return: false: vgpud has ended. */
static bool try_to_tell(enum file_note_kind kind, const char *name, uint32_t status,
			const char *text, size_t len_bytes)
{
	struct file_note note = { .kind = kind, .status = status };

	if (len_bytes >= sizeof(note.text))
		len_bytes = sizeof(note.text) - 1;
	snprintf(note.name, sizeof(note.name), "%s", name);
	memcpy(note.text, text, len_bytes);
	note.len_bytes = (uint32_t)len_bytes;
	return send(inherit_fd(FILE_SOCKET), &note, sizeof(note), MSG_NOSIGNAL) >= 0 ||
	       errno == EINTR;
}

/* As try_to_tell(), but ends the process if vgpud has ended. */
static void tell_text(enum file_note_kind kind, const char *name, uint32_t status, const char *text)
{
	if (!try_to_tell(kind, name, status, text, strlen(text)))
		_exit(0);
}

static const char *open_trouble(int err)
{
	if (err == 0)
		return "";
	if (err == ENOSYS)
		return "this kernel has no openat2(), which came with Linux 5.6";
	if (err == ELOOP)
		return "it is a symlink, which is not followed";
	return strerror(err);
}

/* Tells whether a directory can be opened, when that has changed. */
static void tell_trouble(const char *name, int *told, int err)
{
	if (err == *told)
		return;
	*told = err;
	tell_text(FILE_NOTE_TROUBLE, name, 0, open_trouble(err));
}

/* --- one VM --- */

static bool same_file(const struct file_dir_id *a, const struct file_dir_id *b)
{
	return a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec &&
	       a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Takes a request, valid or not, and tells vgpud. */
static void take(struct entry *entry, int dir_fd, struct file_dir_look *look)
{
	char why[FILE_TEXT_SIZE];
	int err;

	entry->half_scans = 0;
	if (entry->refused && same_file(&entry->refused_id, &look->id))
		return;
	err = file_dir_take(dir_fd, look);
	if (err == -ENOENT)
		return; /* the client has removed it */
	entry->refused = err != 0;
	entry->refused_id = look->id;
	entry->busy = true;
	if (err == 0 && look->state == FILE_DIR_WHOLE) {
		if (try_to_tell(FILE_NOTE_REQUEST, entry->name, 0, look->text, look->len_bytes))
			return;
		file_dir_put_back(dir_fd); /* for the next vgpud */
		_exit(0);
	}
	if (look->state == FILE_DIR_BAD)
		snprintf(why, sizeof(why), "%s", look->why);
	else
		snprintf(why, sizeof(why), "it cannot be moved to " FILE_DIR_TAKEN ": %s",
			 strerror(-err));
	tell_text(FILE_NOTE_REFUSED, entry->name,
		  look->state == FILE_DIR_BAD ? look->status : VGPU_ERR_INTERNAL, why);
}

/* A line without an end: the client is still writing, or has given up. */
static void wait_half(const struct scan *scan, struct entry *entry, int dir_fd,
		      struct file_dir_look *look, bool periodic)
{
	if (periodic)
		entry->half_scans++;
	if (entry->half_scans < HALF_SCANS_LEAST ||
	    entry->half_scans < HALF_WAIT_MS / scan->task.interval_ms)
		return;
	look->state = FILE_DIR_BAD;
	look->status = VGPU_ERR_BAD_REQUEST;
	look->why = "its line has no end (newline), and none came";
	take(entry, dir_fd, look);
}

static void watch(const struct scan *scan, struct entry *entry, int dir_fd)
{
	char path[32];

	if (scan->inotify_fd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
	entry->watch = inotify_add_watch(scan->inotify_fd, path, WATCHED);
}

/* scan->top_fd is open. periodic: the look is due by time, not by an event. */
static void look_at(const struct scan *scan, struct entry *entry, bool periodic)
{
	struct file_dir_look look;
	int dir_fd;

	if (entry->busy)
		return;
	dir_fd = file_dir_open(scan->top_fd, entry->name);
	if (dir_fd < 0) {
		/* Not every VM needs a directory. */
		tell_trouble(entry->name, &entry->trouble, dir_fd == -ENOENT ? 0 : -dir_fd);
		return;
	}
	tell_trouble(entry->name, &entry->trouble, 0);
	watch(scan, entry, dir_fd);
	if (!entry->known && file_dir_left(dir_fd)) {
		entry->busy = true;
		tell_text(FILE_NOTE_LEFT, entry->name, 0, "");
	} else {
		file_dir_look(dir_fd, &look);
		if (look.state == FILE_DIR_HALF)
			wait_half(scan, entry, dir_fd, &look, periodic);
		else if (look.state != FILE_DIR_NONE)
			take(entry, dir_fd, &look);
		else
			entry->half_scans = 0;
	}
	entry->known = true;
	close(dir_fd);
}

/* --- all of them --- */

static struct entry *find(struct scan *scan, const char *name)
{
	for (unsigned i = 0; i < scan->num; i++)
		if (strcmp(scan->entry[i].name, name) == 0)
			return &scan->entry[i];
	return NULL;
}

static bool is_told(const struct scan *scan, const char *name)
{
	for (unsigned i = 0; i < scan->strangers; i++)
		if (strcmp(scan->stranger[i], name) == 0)
			return true;
	return false;
}

static void look_at_stranger(struct scan *scan, const char *name)
{
	int dir_fd;

	if (scan->strangers == STRANGERS_MOST || !vm_name_ok(name) || find(scan, name) != NULL ||
	    is_told(scan, name))
		return;
	dir_fd = file_dir_open(scan->top_fd, name);
	if (dir_fd < 0)
		return;
	if (file_dir_has_request(dir_fd)) {
		memcpy(scan->stranger[scan->strangers++], name, strlen(name) + 1); /* it fits */
		tell_text(FILE_NOTE_STRANGER, name, 0, "");
	}
	close(dir_fd);
}

/* Looks for directories with requests whose name is no VM's. */
static void look_for_strangers(struct scan *scan)
{
	int fd = openat(scan->top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *found;

	scan->strangers_ns = util_now_ns() + STRANGERS_EACH_NS;
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (int i = 0; i < ENTRIES_LOOKED_AT && (found = readdir(dir)) != NULL; i++)
		look_at_stranger(scan, found->d_name);
	closedir(dir);
}

/* Opened anew each time, so that a later mount is found. Return: whether it is open. */
static bool open_top(struct scan *scan)
{
	scan->top_fd = open(scan->task.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tell_trouble("", &scan->top_trouble, scan->top_fd < 0 ? errno : 0);
	return scan->top_fd >= 0;
}

static void close_top(struct scan *scan)
{
	close(scan->top_fd);
	scan->top_fd = -1;
}

static void scan_all(struct scan *scan)
{
	if (!scan->told_vms)
		return; /* without the list of VMs all would be strangers */
	if (open_top(scan)) {
		for (unsigned i = 0; i < scan->num; i++)
			look_at(scan, &scan->entry[i], true);
		if (util_now_ns() >= scan->strangers_ns)
			look_for_strangers(scan);
		close_top(scan);
	}
	tell_text(FILE_NOTE_SCANNED, "", 0, "");
}

/* --- orders of vgpud --- */

/* Takes a new list of VMs; VMs that stay keep their state. */
static void take_vms(struct scan *scan, const struct file_order_vms *vms)
{
	static struct entry entry[FILE_VM_MAX];

	for (uint32_t i = 0; i < vms->num; i++) {
		struct entry *old = find(scan, vms->vm[i].name);

		if (old != NULL) {
			entry[i] = *old;
			continue;
		}
		entry[i] = (struct entry){ .busy = vms->vm[i].busy, .watch = -1 };
		/* A busy VM's taken request is no leftover: vgpud will answer it. */
		entry[i].known = entry[i].busy;
		memcpy(entry[i].name, vms->vm[i].name, VM_NAME_SIZE);
	}
	memcpy(scan->entry, entry, vms->num * sizeof(entry[0]));
	scan->num = vms->num;
	scan->told_vms = true;
}

static int write_answer(const struct scan *scan, const struct file_order_answer *answer)
{
	int dir_fd = file_dir_open(scan->top_fd, answer->name), err;

	if (dir_fd < 0)
		return dir_fd;
	/* The client may have the answer already and have written its next request. */
	if (answer->again && !file_dir_is_taken(dir_fd))
		err = 0;
	else
		err = file_dir_answer(dir_fd, answer->text, answer->len_bytes);
	close(dir_fd);
	return err;
}

static void take_answer(struct scan *scan, const struct file_order_answer *answer)
{
	struct entry *entry = find(scan, answer->name);
	int err = -EIO;

	if (open_top(scan))
		err = write_answer(scan, answer);
	tell_text(FILE_NOTE_ANSWERED, answer->name, 0, err == 0 ? "" : strerror(-err));
	if (entry != NULL) {
		entry->busy = false;
		/* The event of the next request may have come already: look at once. */
		if (scan->top_fd >= 0 && scan->inotify_fd >= 0)
			look_at(scan, entry, false);
	}
	if (scan->top_fd >= 0)
		close_top(scan);
}

/* Return: false: vgpud has ended. */
static bool take_order(struct scan *scan)
{
	static union {
		uint32_t kind;
		struct file_order_vms vms;
		struct file_order_answer answer;
	} order;
	ssize_t len = recv(inherit_fd(FILE_SOCKET), &order, sizeof(order), MSG_DONTWAIT);

	/* ECONNRESET is reported before the messages that came earlier: read those. */
	if (len < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNRESET;
	if (len < (ssize_t)sizeof(order.kind))
		return false;
	if (order.kind == FILE_ORDER_VMS) {
		take_vms(scan, &order.vms);
		scan->look_now = true;
	} else {
		take_answer(scan, &order.answer);
	}
	return true;
}

/* --- the process --- */

static void look_at_watch(struct scan *scan, int watched)
{
	for (unsigned i = 0; i < scan->num; i++) {
		if (scan->entry[i].watch == watched) {
			look_at(scan, &scan->entry[i], false);
			return;
		}
	}
}

static void take_events(struct scan *scan)
{
	union {
		struct inotify_event first; /* for its alignment */
		char bytes[16384];
	} buffer;
	ssize_t len = read(scan->inotify_fd, &buffer, sizeof(buffer));

	if (len <= 0 || !open_top(scan))
		return;
	for (ssize_t at = 0; at < len;) {
		const struct inotify_event *event = (const void *)(buffer.bytes + at);

		if (event->len > 0 && strcmp(event->name, FILE_DIR_REQUEST) == 0)
			look_at_watch(scan, event->wd);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	close_top(scan);
}

/* The process ends when vgpud does, and not before: vgpud handles a signal to the whole group. */
static void ignore_signals(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static void run(struct scan *scan)
{
	uint64_t next_ns = util_now_ns();
	bool goes_on = true;

	while (goes_on) {
		struct pollfd ready[] = { { .fd = inherit_fd(FILE_SOCKET), .events = POLLIN },
					  { .fd = scan->inotify_fd, .events = POLLIN } };
		uint64_t now_ns = util_now_ns();
		int wait_ms = next_ns > now_ns ? (int)((next_ns - now_ns) / UTIL_NS_PER_MS) + 1 : 0;

		if (poll(ready, 2, wait_ms) < 0 && errno != EINTR)
			return;
		if (ready[0].revents != 0)
			goes_on = take_order(scan);
		if (goes_on && ready[1].revents != 0)
			take_events(scan);
		if (goes_on && (scan->look_now || util_now_ns() >= next_ns)) {
			scan->look_now = false;
			scan_all(scan);
			next_ns = util_now_ns() + scan->task.interval_ms * UTIL_NS_PER_MS;
		}
	}
}

int file_scan_main(const char *argument)
{
	static struct scan scan = { .top_fd = -1, .inotify_fd = -1 };

	if (parse_task(argument, &scan.task) != 0)
		return 2;
	log_init(spawn_name[SPAWN_FILES], false);
	log_never_wait();
	ignore_signals();
	umask(0); /* files are created with their final modes */
	if (scan.task.inotify) {
		scan.inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (scan.inotify_fd < 0)
			log_warning("no inotify: %s; looking at each interval", strerror(errno));
	}
	confine(CONFINE_FILES);
	run(&scan);
	return 0;
}
