/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report_page.h - what a program's worker tells the broker of its work, in shared memory */

#ifndef VGPU_COMMON_REPORT_PAGE_H
#define VGPU_COMMON_REPORT_PAGE_H

#include <stdint.h>

#include "common/wire/vgpu_cmds.h"

/*
 * One page of a file for each program. The broker makes it and fills in the head; the worker's issuing
 * thread alone writes the rest, a word at a time, so each word can be read at any time and only grows.
 * The broker reads the file and never maps it: the worker belongs to the tenant, and could cut it. What
 * it says is a claim, shown and recorded, never billed. The file survives a kill -9 of the broker, so
 * the next one finds the figures of programs that were lost.
 */
#define REPORT_MAGIC 0x50475652u /* "RVGP" */
#define REPORT_VERSION 1u
#define REPORT_BYTES 4096u
#define REPORT_LATENCIES 40u
#define REPORT_NAMES 16u
#define REPORT_NAME_SIZE 64u

/* A function that the program called and vgpu does not have. */
struct report_refused {
	uint64_t times; /* 0: the entry is free. The name is there before it */
	char name[REPORT_NAME_SIZE];
};

struct report_page {
	uint32_t magic;
	uint32_t version;
	uint64_t program_id;

	uint64_t commands[VGPU_CMD_MOST]; /* that were taken, by number */
	uint64_t copy_bytes;
	uint64_t refused_times; /* calls of functions that vgpu does not have, named below or not */
	/*
	 * Submissions: from the first command that gives the GPU work until the next wait of any
	 * thread has ended, a query says that all is done, 10,000 commands, or a second.
	 */
	uint64_t submissions; /* that are closed */
	uint64_t latency_sum_ns;
	uint64_t latency_max_ns;
	uint64_t open_since_ns;		    /* CLOCK_MONOTONIC; 0: none is open */
	uint64_t open_commands;		    /* that it has */
	uint64_t latency[REPORT_LATENCIES]; /* submissions that took 2^n to before 2^(n + 1) ns */
	struct report_refused refused[REPORT_NAMES];
};

_Static_assert(sizeof(struct report_page) <= REPORT_BYTES, "it fits its page");

#endif
