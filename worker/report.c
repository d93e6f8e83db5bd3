/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c - counts what a program does, in the page that the broker reads */

#include "worker/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "common/util.h"

void report_begin(struct report *report, struct report_page *page)
{
	memset(report, 0, sizeof(*report));
	report->page = page != NULL ? page : &report->none;
	trace_init(&report->trace, page);
}

struct report_page *report_map(int fd)
{
	struct report_page *page = mmap(NULL, TRACE_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
					fd, 0);

	return page != MAP_FAILED ? page : NULL;
}

void report_work(struct report *report, const struct cmds_entry *entry,
		 const struct vgpu_command *command)
{
	struct report_page *page = report->page;

	if (entry->work == CMDS_COPY)
		report_add(&page->copy_bytes, cmds_copied(command));
	if (page->open_commands >= REPORT_COMMANDS_MOST)
		report_close(report, util_now_ns());
	if (page->open_since_ns == 0)
		report_page_set(&page->open_since_ns, util_now_ns());
}

/*
 * What the ring will have of the submission that ends now: an entry of its own, or, while the broker
 * has left no room, a part of the newest one.
 */
static void close_entry(struct report_page *page, uint64_t took_ns, uint64_t now_ns)
{
	struct report_closing *closing = &page->closing;
	uint64_t taken = __atomic_load_n(&page->taken, __ATOMIC_ACQUIRE);
	bool full = page->head - taken >= REPORT_RING;
	struct report_submission entry = {
		.first = page->submissions + 1,
		.begun_ns = page->open_since_ns,
	};

	closing->slot = (page->head - full) % REPORT_RING;
	closing->head = page->head + !full;
	if (full)
		entry = page->ring[closing->slot];
	entry.count++;
	entry.ended_ns = now_ns;
	entry.took_ns += took_ns;
	if (took_ns > entry.most_ns)
		entry.most_ns = took_ns;
	entry.commands += page->open_commands;
	closing->entry = entry;
}

static void trace_close(struct report *report, uint64_t now_ns)
{
	const struct trace_event event = {
		.begun_ns = report->page->open_since_ns,
		.ended_ns = now_ns,
		.number = report->page->open_commands,
		.kind = TRACE_SUBMISSION,
	};

	trace_add(&report->trace, &event);
}

void report_close(struct report *report, uint64_t now_ns)
{
	struct report_page *page = report->page;
	struct report_closing *closing = &page->closing;
	uint64_t took_ns;

	if (page->open_since_ns == 0)
		return;
	if (trace_is_on(&report->trace))
		trace_close(report, now_ns);
	took_ns = now_ns > page->open_since_ns ? now_ns - page->open_since_ns : 0;
	/* A broker that does not see this yet has written all that it took to where it is looked for now. */
	__atomic_store_n(&page->turn, page->turn + 2, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	close_entry(page, took_ns, page->open_since_ns + took_ns);
	closing->submissions = page->submissions + 1;
	closing->latency_sum_ns = page->latency_sum_ns + took_ns;
	closing->latency_max_ns = took_ns > page->latency_max_ns ? took_ns : page->latency_max_ns;
	closing->bucket = hist_index(took_ns);
	closing->bucket_count = page->latency[closing->bucket] + 1;
	/* The reader, or the broker after a kill, must see the stores in this order. */
	__atomic_store_n(&page->turn, page->turn + 1, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	report_page_close(page);
	__atomic_store_n(&page->turn, page->turn + 1, __ATOMIC_RELEASE);
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
