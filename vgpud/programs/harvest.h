/* SPDX-License-Identifier: GPL-2.0-or-later */
/* harvest.h - what programs' workers say of their work, read from their pages */

#ifndef VGPUD_PROGRAMS_HARVEST_H
#define VGPUD_PROGRAMS_HARVEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/report_page.h"
#include "vgpud/ledger/ledger.h"

/* Claims: a worker belongs to its tenant. */
struct harvest {
	uint64_t submissions, commands, launches, copies, copy_bytes, refused;
	struct ledger_latency latency;
	char refused_names[512]; /* "cuFoo 3, cuBar 1": some of them */
};

/*
 * Makes the page of a program. state_dir: NULL: none is kept, and the page lies in memory alone.
 * wall_offset_ns: wall clock = CLOCK_MONOTONIC + this.
 * Return: its descriptor, or -errno.
 */
int harvest_make(const char *state_dir, uint64_t id, int64_t wall_offset_ns);

/*
 * Copies a page as it was at one moment. Return: 0; -EBADMSG: it is not the page of that program;
 * -EPROTO: a vgpud of another version made it; -EAGAIN: it changes all the time.
 */
int harvest_copy(int fd, uint64_t id, struct report_page *page);

/* Copies and adds up. Return: whether it is the page of that program; else nothing is known. */
bool harvest_read(int fd, uint64_t id, struct harvest *harvest);

/* Sets the figures of a program's record. */
void harvest_record(const struct harvest *harvest, struct ledger_program *program);

/* Removes the page's file, and its bill. */
void harvest_remove(const char *state_dir, uint64_t id);

/* --- submissions --- */

/* What a copy says of submissions, for the ledger. */
struct harvest_taken {
	struct ledger_submissions taken; /* points into this */
	struct ledger_submission rows[LEDGER_SUBMISSIONS_MOST];
	struct hist latency;
	uint64_t to; /* the ring's entries before this one are in it */
};

/* How a copy is taken. */
struct harvest_how {
	unsigned rows_most; /* the last one stands for all that are left; 0: no entry is taken */
	bool last;	    /* the worker is no more: all is taken, and what is open gets its row */
	bool past; /* it ended before this vgpud began: its submissions count when they ended */
	int64_t wall_offset_ns; /* wall clock = the worker's CLOCK_MONOTONIC + this */
	int64_t now_ns;		/* wall clock */
};

/* Makes rows of the ring's entries that the broker does not have yet. rows_most: up to REPORT_RING. */
void harvest_take(const struct report_page *page, uint64_t id, const struct harvest_how *how,
		  struct harvest_taken *out);

/* Tells the worker that the broker has the ring's entries before this one. */
void harvest_took(int fd, uint64_t to);

/*
 * Writes into the program's row and into the table of submissions what its page says and what was billed,
 * and removes the files of both once that is recorded. The program's beginning was recorded before, and
 * its worker is no more. page: NULL: not known. billed_ns: LEDGER_UNKNOWN: not known.
 */
void harvest_settle(struct ledger *ledger, const char *state_dir, uint64_t id,
		    const struct report_page *page, uint64_t billed_ns);

/* The same with all pages that the last vgpud left: of programs that were lost with it. */
void harvest_rest(struct ledger *ledger, const char *state_dir);

#endif
