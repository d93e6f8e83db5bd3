/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c - counts what a program does, in the page that the broker reads */

#include "worker/report.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "common/util.h"

void report_begin(struct report *report, struct report_page *page)
{
	memset(report, 0, sizeof(*report));
	report->page = page != NULL ? page : &report->none;
}

struct report_page *report_map(int fd)
{
	struct report_page *page = mmap(NULL, REPORT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
					0);

	return page != MAP_FAILED ? page : NULL;
}

static void set(uint64_t *word, uint64_t number)
{
	__atomic_store_n(word, number, __ATOMIC_RELAXED);
}

/* Return: bytes that a copy moves; 0: more than there can be. */
static uint64_t copied(const struct vgpu_command *command)
{
	const void *args = command + 1;
	uint64_t bytes;

	if (command->op == VGPU_CMD_COPY_IN)
		return command->bytes - sizeof(*command) - sizeof(struct vgpu_cmd_copy_in);
	if (command->op == VGPU_CMD_COPY)
		return ((const struct vgpu_cmd_copy *)args)->bytes;
	if (command->op == VGPU_CMD_COPY_WAIT)
		return ((const struct vgpu_cmd_copy_wait *)args)->bytes;
	if (command->op == VGPU_CMD_COPY_BOX) {
		const struct vgpu_cmd_copy_box *box = args;

		if (__builtin_mul_overflow(box->width_bytes, box->rows, &bytes) ||
		    __builtin_mul_overflow(bytes, box->planes, &bytes))
			return 0;
		return bytes;
	}
	return 0;
}

void report_work(struct report *report, const struct cmds_entry *entry,
		 const struct vgpu_command *command)
{
	struct report_page *page = report->page;

	if (entry->work == CMDS_COPY)
		report_add(&page->copy_bytes, copied(command));
	if (page->open_commands >= REPORT_COMMANDS_MOST)
		report_close(report, util_now_ns());
	if (page->open_since_ns == 0)
		set(&page->open_since_ns, util_now_ns());
}

static unsigned bucket(uint64_t ns)
{
	unsigned n = ns > 1 ? 63 - (unsigned)__builtin_clzll(ns) : 0;

	return n < REPORT_LATENCIES ? n : REPORT_LATENCIES - 1;
}

void report_close(struct report *report, uint64_t now_ns)
{
	struct report_page *page = report->page;
	uint64_t took_ns;

	if (page->open_since_ns == 0)
		return;
	took_ns = now_ns > page->open_since_ns ? now_ns - page->open_since_ns : 0;
	report_add(&page->submissions, 1);
	report_add(&page->latency_sum_ns, took_ns);
	report_add(&page->latency[bucket(took_ns)], 1);
	if (took_ns > page->latency_max_ns)
		set(&page->latency_max_ns, took_ns);
	set(&page->open_commands, 0);
	set(&page->open_since_ns, 0);
}

void report_look(struct report *report, uint64_t now_ns)
{
	uint64_t waited_ns = __atomic_load_n(&report->waited_ns, __ATOMIC_RELAXED);
	uint64_t since_ns = report->page->open_since_ns;

	if (waited_ns != 0) {
		__atomic_store_n(&report->waited_ns, 0, __ATOMIC_RELAXED);
		/* One that began after that wait's end goes on. */
		if (waited_ns >= since_ns)
			report_close(report, waited_ns);
	} else if (since_ns != 0 && now_ns - since_ns >= REPORT_OPEN_MOST_NS) {
		report_close(report,
			     since_ns + REPORT_OPEN_MOST_NS); /* the worker may have slept */
	}
}

void report_waited(struct report *report)
{
	__atomic_store_n(&report->waited_ns, util_now_ns(), __ATOMIC_RELAXED);
}

void report_refused(struct report *report, const char *name, uint64_t times)
{
	struct report_page *page = report->page;

	report_add(&page->refused_times, times);
	for (unsigned i = 0; i < REPORT_NAMES; i++) {
		struct report_refused *one = &page->refused[i];

		if (one->times == 0) {
			strncpy(one->name, name, sizeof(one->name) - 1);
			__atomic_store_n(&one->times, times, __ATOMIC_RELEASE);
			return;
		}
		if (strncmp(one->name, name, sizeof(one->name) - 1) == 0) {
			report_add(&one->times, times);
			return;
		}
	}
}
