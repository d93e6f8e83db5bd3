/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_page.h - what a program's worker tells the broker of its work, in shared memory */

#ifndef VGPU_COMMON_REPORT_PAGE_H
#define VGPU_COMMON_REPORT_PAGE_H

#include <stdint.h>

#include "common/hist.h"
#include "common/wire/vgpu_cmds.h"

/*
 * A few pages of a file for each program. The broker makes it and fills in the head; the worker's
 * issuing thread alone writes the rest, a word at a time. The broker reads the file and never maps it:
 * the worker belongs to the tenant, and could cut it. What it says is a claim, shown and recorded, never
 * billed. The file survives a kill -9 of broker and worker, so the next broker finds the figures of
 * programs that were lost.
 *
 * Counters that stand alone are read at any time and only grow. A submission that ends changes
 * several words, which must be counted all or not at all. So the worker first writes to `closing`
 * what the words will be, then makes `turn` odd, sets the words (report_page_close()), and makes
 * `turn` even. A reader that finds the same `turn` before and after its copy has a copy of one
 * moment. If it is odd, because the worker was stopped in between, the reader sets the words of
 * its copy from `closing`.
 *
 * While the ring is full, the worker adds to the newest entry. Before it looks whether it is full, it
 * says so in `turn`, since it may be stopped after that look for any time. Thus `turn` has four
 * values, modulo 4, in a submission's end: 0, 2 (REPORT_PREPARES), 3, and 0 again.
 */
#define REPORT_PREPARES(turn) ((turn) % 4 == 2)
#define REPORT_MAGIC 0x50475652u /* "RVGP" */
#define REPORT_VERSION 2u
#define REPORT_BYTES 32768u
#define REPORT_RING 256u /* closed submissions that are kept until the broker has them */
#define REPORT_NAMES 16u
#define REPORT_NAME_SIZE 64u

/* A function that the program called and vgpu does not have. */
struct report_refused {
	uint64_t times; /* 0: the entry is free. The name is there before it */
	char name[REPORT_NAME_SIZE];
};

/*
 * A submission that has ended, or several that followed each other, added up. One lasts from the first
 * command that gives the GPU work until the next wait of any thread has ended, a query says that all is
 * done, 10,000 commands, or a second. Times are CLOCK_MONOTONIC.
 */
struct report_submission {
	uint64_t first;	   /* its number in the program, from 1 */
	uint64_t count;	   /* how many they are */
	uint64_t begun_ns; /* of the first one */
	uint64_t ended_ns; /* of the last one */
	uint64_t took_ns;  /* how long they took, added up */
	uint64_t most_ns;  /* the longest of them */
	uint64_t commands;
};

/* What the words below will be once a submission is closed. */
struct report_closing {
	struct report_submission entry;
	uint64_t slot; /* of the ring */
	uint64_t head;
	uint64_t submissions;
	uint64_t latency_sum_ns, latency_max_ns;
	uint64_t bucket; /* of latency */
	uint64_t bucket_count;
};

/* Memory of the GPU. */
struct report_memory {
	uint64_t bytes; /* held since since_ns, CLOCK_MONOTONIC */
	uint64_t since_ns;
	uint64_t peak_bytes;
	uint64_t byte_s; /* bytes held, times seconds, up to since_ns */
};

/*
 * Its figures belong together: a sum with the time of the one before counts that time twice. Any thread of
 * the worker writes them, one thread at a time: the state that does not hold, and then `turn`.
 */
struct report_memories {
	struct report_memory state[2];
	uint64_t turn; /* state[turn % 2] holds */
};

struct report_page {
	uint32_t magic;
	uint32_t version;
	uint64_t program_id;
	int64_t wall_offset_ns; /* wall clock = CLOCK_MONOTONIC + this, as the broker had it */
	/*
	 * The broker has the ring's entries before this one. It writes this word alone after the
	 * start. It leaves the newest entry while the worker may add to it.
	 */
	uint64_t taken;

	uint64_t turn;
	struct report_closing closing;
	uint64_t head; /* entries that the ring has had; entry n lies in slot n % REPORT_RING */
	uint64_t submissions; /* that are closed */
	uint64_t latency_sum_ns;
	uint64_t latency_max_ns;
	uint64_t open_since_ns; /* 0: none is open */
	uint64_t open_commands; /* that it has */

	uint64_t commands[VGPU_CMD_MOST]; /* that were taken, by number */
	uint64_t copy_bytes;
	uint64_t refused_times; /* calls of functions that vgpu does not have, named below or not */
	struct report_refused refused[REPORT_NAMES];

	uint64_t latency[HIST_BUCKET_NUM]; /* closed submissions, by hist_index() */
	struct report_submission ring[REPORT_RING];
	struct report_memories memory;
};

_Static_assert(sizeof(struct report_page) <= REPORT_BYTES, "it fits its pages");

/* The page's words are written by one thread and read by another process, each as a whole. */
static inline void report_page_set(uint64_t *word, uint64_t number)
{
	__atomic_store_n(word, number, __ATOMIC_RELAXED);
}

/* Sets the words that `closing` speaks of; to do it twice changes nothing. */
static inline void report_page_close(struct report_page *page)
{
	const struct report_closing *closing = &page->closing;
	struct report_submission *entry = &page->ring[closing->slot % REPORT_RING];

	report_page_set(&entry->first, closing->entry.first);
	report_page_set(&entry->count, closing->entry.count);
	report_page_set(&entry->begun_ns, closing->entry.begun_ns);
	report_page_set(&entry->ended_ns, closing->entry.ended_ns);
	report_page_set(&entry->took_ns, closing->entry.took_ns);
	report_page_set(&entry->most_ns, closing->entry.most_ns);
	report_page_set(&entry->commands, closing->entry.commands);
	report_page_set(&page->latency[closing->bucket % HIST_BUCKET_NUM], closing->bucket_count);
	report_page_set(&page->head, closing->head);
	report_page_set(&page->submissions, closing->submissions);
	report_page_set(&page->latency_sum_ns, closing->latency_sum_ns);
	report_page_set(&page->latency_max_ns, closing->latency_max_ns);
	report_page_set(&page->open_commands, 0);
	report_page_set(&page->open_since_ns, 0);
}

#endif
