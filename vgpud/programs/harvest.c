/* SPDX-License-Identifier: GPL-2.0-or-later */
/* harvest.c - what programs' workers say of their work, read from their pages */

/*
 * Theory of operation. Each program has a file of a few pages, STATE_DIR/programs/ID, that its
 * worker maps and writes. The broker reads it with pread(), so a worker that cuts the file can do
 * no harm. harvest_now.c takes what is new of it into the ledger while the program runs. The file
 * goes once all of it is recorded, and with it its bill (bill.h). One that is there at a start is
 * of a program that was lost with the last vgpud: what it says is recorded then. So the file is the
 * log of what is not in the database yet. What is recorded twice, after another kill, changes
 * nothing (ledger/submissions.c).
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
#include "common/util.h"
#include "vgpud/programs/bill.h"
#include "vgpud/programs/held.h"

/* More than a worker can do, and little enough for sums. */
#define CLAIM_MOST (UINT64_C(1) << 53)
#define WAIT_MS 1000 /* for changes under way, at the start */
#define COPIES 8     /* that are tried, until one is of one moment */

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
static int fill(int fd, uint64_t id, int64_t wall_offset_ns)
{
	static union {
		struct report_page page;
		uint8_t bytes[REPORT_BYTES];
	} empty;

	empty.page.magic = REPORT_MAGIC;
	empty.page.version = REPORT_VERSION;
	empty.page.program_id = id;
	empty.page.wall_offset_ns = wall_offset_ns;
	return pwrite(fd, &empty, sizeof(empty), 0) == (ssize_t)sizeof(empty) ? 0 : -EIO;
}

int harvest_make(const char *state_dir, uint64_t id, int64_t wall_offset_ns)
{
	int fd = state_dir != NULL ? open_file(state_dir, id) : -ENOENT;

	if (fd >= 0 && fill(fd, id, wall_offset_ns) == 0)
		return fd;
	if (fd >= 0) {
		close(fd);
		harvest_remove(state_dir, id);
	}
	/* On a full disk programs run all the same; their figures then die with vgpud. */
	fd = memfd_create("program", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fill(fd, id, wall_offset_ns) == 0)
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

/* Return: whether it could be read. */
static bool read_turn(int fd, uint64_t *turn)
{
	return pread(fd, turn, sizeof(*turn), offsetof(struct report_page, turn)) ==
	       (ssize_t)sizeof(*turn);
}

int harvest_copy(int fd, uint64_t id, struct report_page *page)
{
	uint64_t before = 0, after = 1;

	/* What harvest_took() wrote is there before `turn` is read: report_close() has the other half. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < COPIES && before != after; i++)
		if (!read_turn(fd, &before) ||
		    pread(fd, page, sizeof(*page), 0) != (ssize_t)sizeof(*page) ||
		    !read_turn(fd, &after))
			return -EBADMSG;
	if (page->magic != REPORT_MAGIC || page->program_id != id)
		return -EBADMSG;
	if (page->version != REPORT_VERSION)
		return -EPROTO;
	if (before != after)
		return -EAGAIN;
	if (after % 2 != 0)
		report_page_close(page);
	return 0;
}

static struct ledger_latency latency_of(const struct report_page *page)
{
	struct hist hist;

	for (uint32_t i = 0; i < HIST_BUCKET_NUM; i++)
		hist.count[i] = bounded(page->latency[i]);
	return ledger_latency_of(&hist, bounded(page->latency_max_ns));
}

static void sum(const struct report_page *page, struct harvest *harvest)
{
	uint64_t commands = 0, copies;

	*harvest = (struct harvest){ 0 };
	for (unsigned i = 0; i < VGPU_CMD_MOST; i++)
		commands += bounded(page->commands[i]);
	copies = bounded(page->commands[VGPU_CMD_COPY_IN]) +
		 bounded(page->commands[VGPU_CMD_COPY]) +
		 bounded(page->commands[VGPU_CMD_COPY_WAIT]) +
		 bounded(page->commands[VGPU_CMD_COPY_BOX]);
	harvest->commands = bounded(commands);
	harvest->launches = bounded(page->commands[VGPU_CMD_LAUNCH]);
	harvest->copies = bounded(copies);
	harvest->copy_bytes = bounded(page->copy_bytes);
	harvest->refused = bounded(page->refused_times);
	/* One that is open counts: it is under way, or its program ended in the middle of it. */
	harvest->submissions = bounded(bounded(page->submissions) + (page->open_since_ns != 0));
	harvest->latency = latency_of(page);
	list_names(page, harvest->refused_names, sizeof(harvest->refused_names));
}

bool harvest_read(int fd, uint64_t id, struct harvest *harvest)
{
	struct report_page page;
	int err = harvest_copy(fd, id, &page);

	*harvest = (struct harvest){ 0 };
	/* Counters that stand alone can be read at any time. */
	if (err == 0 || err == -EAGAIN)
		sum(&page, harvest);
	return err == 0 || err == -EAGAIN;
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

/* --- submissions --- */

/* The claimed time on the wall clock, which is not after now. */
static int64_t wall_of(const struct harvest_how *how, uint64_t mono_ns)
{
	int64_t wall_ns;

	if (__builtin_add_overflow((int64_t)bounded(mono_ns), how->wall_offset_ns, &wall_ns) ||
	    wall_ns > how->now_ns)
		return how->now_ns;
	return wall_ns > 0 ? wall_ns : 0;
}

static struct ledger_submission row_of(const struct report_submission *entry,
				       const struct harvest_how *how)
{
	return (struct ledger_submission){
		.first = bounded(entry->first),
		.count = bounded(entry->count),
		.begun_ns = wall_of(how, entry->begun_ns),
		.ended_ns = wall_of(how, entry->ended_ns),
		.took_ns = bounded(entry->took_ns),
		.most_ns = bounded(entry->most_ns),
		.commands = bounded(entry->commands),
	};
}

/* Makes one row of two that followed each other. */
static void join(struct ledger_submission *row, const struct ledger_submission *next)
{
	row->count = bounded(row->count + next->count);
	row->ended_ns = next->ended_ns;
	row->took_ns = bounded(row->took_ns + next->took_ns);
	if (next->most_ns > row->most_ns)
		row->most_ns = next->most_ns;
	row->commands = bounded(row->commands + next->commands);
}

static void take_rows(const struct report_page *page, const struct harvest_how *how,
		      struct harvest_taken *out)
{
	struct ledger_submission *last = NULL;

	for (uint64_t i = page->taken; i != out->to; i++) {
		struct ledger_submission row = row_of(&page->ring[i % REPORT_RING], how);

		if (out->taken.row_num < how->rows_most) {
			last = &out->rows[out->taken.row_num++];
			*last = row;
		} else if (last != NULL) {
			join(last, &row);
		}
	}
}

/* The one that its program left open. */
static void take_open(const struct report_page *page, const struct harvest_how *how,
		      struct harvest_taken *out)
{
	if (page->open_since_ns == 0)
		return;
	out->rows[out->taken.row_num++] = (struct ledger_submission){
		.first = bounded(bounded(page->submissions) + 1),
		.count = 1,
		.begun_ns = wall_of(how, page->open_since_ns),
		.commands = bounded(page->open_commands),
		.open = true,
	};
}

/* Return: how many of the ring's entries may be taken. */
static uint64_t entries_of(const struct report_page *page, const struct harvest_how *how)
{
	uint64_t num = page->head - page->taken;
	bool grows;

	if (num == 0 || num > REPORT_RING || how->rows_most == 0)
		return 0;
	/* The worker adds to the newest entry while the ring is full, or was when it looked. */
	grows = !how->last && (num == REPORT_RING || REPORT_PREPARES(page->turn));
	return grows ? num - 1 : num;
}

void harvest_take(const struct report_page *page, uint64_t id, const struct harvest_how *how,
		  struct harvest_taken *out)
{
	const struct ledger_submission *newest;

	out->taken = (struct ledger_submissions){
		.program_id = id,
		.at_ns = how->now_ns,
		.sum_ns = bounded(page->latency_sum_ns),
		.max_ns = bounded(page->latency_max_ns),
		.latency = &out->latency,
		.rows = out->rows,
	};
	for (uint32_t i = 0; i < HIST_BUCKET_NUM; i++)
		out->latency.count[i] = bounded(page->latency[i]);
	out->to = page->taken + entries_of(page, how);
	take_rows(page, how, out);
	if (how->last)
		take_open(page, how, out);
	if (!how->past || out->taken.row_num == 0)
		return;
	newest = &out->rows[out->taken.row_num - 1];
	out->taken.at_ns = newest->open ? newest->begun_ns : newest->ended_ns;
}

void harvest_took(int fd, uint64_t to)
{
	/* If the file was cut, its worker did that, and there is nothing to tell it. */
	(void)!pwrite(fd, &to, sizeof(to), offsetof(struct report_page, taken));
}

/* --- into the row --- */

void harvest_remove(const char *state_dir, uint64_t id)
{
	char path[PATH_MAX];

	if (state_dir != NULL && name_file(path, sizeof(path), state_dir, id) == 0) {
		bill_remove(path);
		unlink(path);
	}
}

/* For ledger_program_claims(). arg: the file's path, allocated. */
static void on_recorded(void *arg, int err)
{
	/* Else it stays for the next start. */
	if (err == 0) {
		bill_remove(arg);
		unlink(arg);
	}
	free(arg);
}

/*
 * page: NULL: not known. past: its worker ended before this vgpud began.
 * Return: 0 or -errno; then the files stay.
 */
static int settle(struct ledger *ledger, const char *path, uint64_t id,
		  const struct report_page *page, uint64_t billed_ns, bool past)
{
	static struct harvest_taken taken;
	struct ledger_program program = {
		.id = id,
		.billed_ns = billed_ns,
		.ended_ns = (uint64_t)ledger_wall_ns(ledger, util_now_ns()),
		LEDGER_FIGURES_UNKNOWN,
	};
	struct harvest harvest = { 0 };
	char *copy;
	int err;

	if (page != NULL) {
		const struct harvest_how how = {
			.rows_most = REPORT_RING,
			.last = true,
			.past = past,
			.wall_offset_ns = past ? page->wall_offset_ns : ledger->wall_offset_ns,
			.now_ns = ledger_wall_ns(ledger, util_now_ns()),
		};

		harvest_take(page, id, &how, &taken);
		/* They are before the claims on the ledger's list: once those are recorded, so are they. */
		err = ledger_submissions(ledger, &taken.taken, NULL, NULL);
		if (err != 0)
			return err;
		sum(page, &harvest);
		harvest_record(&harvest, &program);
		if (past)
			held_left(page, &program);
	}
	copy = strdup(path);
	if (copy == NULL)
		return -ENOMEM;
	err = ledger_program_claims(ledger, &program,
				    harvest.refused_names[0] != '\0' ? harvest.refused_names : NULL,
				    on_recorded, copy);
	if (err != 0)
		free(copy);
	return err;
}

void harvest_settle(struct ledger *ledger, const char *state_dir, uint64_t id,
		    const struct report_page *page, uint64_t billed_ns)
{
	char path[PATH_MAX] = "";

	if (state_dir != NULL && name_file(path, sizeof(path), state_dir, id) != 0)
		return;
	settle(ledger, path, id, page, billed_ns, false);
}

/* A page that this vgpud cannot read stays, under a name that no program has. */
static void keep_other(const char *path)
{
	char other[PATH_MAX];

	if (snprintf(other, sizeof(other), "%s.other-version", path) >= (int)sizeof(other) ||
	    rename(path, other) != 0)
		return;
	log_warning("%s: another version of vgpud made it, and it cannot be read; it is kept as %s",
		    path, other);
}

/* waits: whether the ledger is waited for where its list is full; false once that was in vain. */
static void take_rest(struct ledger *ledger, const char *path, uint64_t id, bool *waits)
{
	static struct report_page page;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), err = -ENOENT;
	uint64_t billed_ns = bill_read(path, id);
	const struct report_page *known;

	if (fd >= 0) {
		err = harvest_copy(fd, id, &page);
		close(fd);
	}
	if (err == -EPROTO)
		keep_other(path);
	if (err == -EAGAIN) {
		log_warning("%s: its worker still writes it; it stays for the next start", path);
		return;
	}
	known = err == 0 ? &page : NULL;
	if (known == NULL && billed_ns == LEDGER_UNKNOWN) {
		bill_remove(path); /* a kill left them before they were filled in */
		if (err == -EBADMSG)
			unlink(path);
		return;
	}
	err = settle(ledger, path, id, known, billed_ns, true);
	if (err == -ENOBUFS && *waits) {
		*waits = ledger_wait(ledger, WAIT_MS) == 0;
		if (*waits)
			err = settle(ledger, path, id, known, billed_ns, true);
	}
	if (err != 0)
		log_warning("%s: cannot be recorded: %s; it stays for the next start", path,
			    strerror(-err));
}

/* Return: whether the file is a program's page or its bill; then path is the page's and *id its number. */
static bool is_rest(const char *state_dir, const char *file, char *path, size_t size, uint64_t *id)
{
	size_t len = strlen(file), suffix = strlen(BILL_SUFFIX);
	bool is_bill = len > suffix && strcmp(file + len - suffix, BILL_SUFFIX) == 0;
	char number[NAME_MAX + 1];

	snprintf(number, sizeof(number), "%.*s", (int)(is_bill ? len - suffix : len), file);
	return util_parse_u64(number, 1, UINT64_MAX, id) == 0 &&
	       name_file(path, size, state_dir, *id) == 0 &&
	       /* Where both are there, the page comes with its bill. */
	       (!is_bill || access(path, F_OK) != 0);
}

void harvest_rest(struct ledger *ledger, const char *state_dir)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool waits = true;
	uint64_t id;
	DIR *dir;

	if (state_dir == NULL)
		return;
	snprintf(path, sizeof(path), "%s/programs", state_dir);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (is_rest(state_dir, entry->d_name, path, sizeof(path), &id))
			take_rest(ledger, path, id, &waits);
	closedir(dir);
}
