/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h - counts what a program does, in the page that the broker reads */

#ifndef VGPU_WORKER_REPORT_H
#define VGPU_WORKER_REPORT_H

#include <stdint.h>

#include "common/report_page.h"
#include "common/wire/cmds_check.h"
#include "worker/trace.h"

#define REPORT_COMMANDS_MOST 10000u /* of one submission */
#define REPORT_OPEN_MOST_NS UINT64_C(1000000000)

/* Only the issuing thread uses it, but for report_waited() and the trace. */
struct report {
	struct report_page *page;
	/* When a helper's wait ended last; 0: none has since it was looked at. */
	uint64_t waited_ns;
	struct trace trace;
	struct report_page none; /* the page where the broker gave none */
};

/*
 * page: zeroed but for its head, TRACE_FILE_BYTES mapped, and there as long as the report is; NULL:
 * nothing is told.
 */
void report_begin(struct report *report, struct report_page *page);

/*
 * Return: the page in a descriptor that the broker sent, mapped, with room for its trace's ring behind it;
 * NULL: it is none. The descriptor is not needed any more.
 */
struct report_page *report_map(int fd);

/* What report_command() rarely does: opens a submission, or counts a copy's bytes. */
void report_work(struct report *report, const struct cmds_entry *entry,
		 const struct vgpu_command *command);

/* Closes the submission that is open, if one is. now_ns: CLOCK_MONOTONIC. */
void report_close(struct report *report, uint64_t now_ns);

/* Closes one that is open for too long. */
void report_look(struct report *report, uint64_t now_ns);

/* A wait has ended in a helper. */
void report_waited(struct report *report);

/* A function was called `times` times that vgpu does not have. */
void report_refused(struct report *report, const char *name, uint64_t times);

static inline void report_add(uint64_t *word, uint64_t number)
{
	report_page_set(word, *word + number);
}

/* A command that makes sense was taken. This runs for each: two additions for a launch. */
static inline void report_command(struct report *report, const struct cmds_entry *entry,
				  const struct vgpu_command *command)
{
	struct report_page *page = report->page;

	report_add(&page->commands[command->op], 1);
	if (entry->work == CMDS_IDLE)
		return;
	if (entry->work == CMDS_COPY || page->open_since_ns == 0 ||
	    page->open_commands >= REPORT_COMMANDS_MOST)
		report_work(report, entry, command);
	report_add(&page->open_commands, 1);
}

#endif
