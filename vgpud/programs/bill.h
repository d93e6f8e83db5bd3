/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bill.h - a program's GPU time, kept where a kill -9 of vgpud cannot lose it */

#ifndef VGPUD_PROGRAMS_BILL_H
#define VGPUD_PROGRAMS_BILL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A file of one page for each program, STATE_DIR/programs/ID.bill, of vgpud's own: no worker has it. The
 * program's arbiter writes the time at each change of a lease. harvest.c settles it with the worker's page.
 */
struct bill_page {
	uint32_t magic;
	uint32_t version;
	uint64_t program_id;
	uint64_t billed_ns;
};

#define BILL_SUFFIX ".bill"

/* Makes the page of a program. Return: it, mapped; NULL: there is none, and the time dies with vgpud. */
struct bill_page *bill_make(const char *state_dir, uint64_t id);

/* Unmaps a page; NULL is none. The file stays. */
void bill_close(struct bill_page *page);

/*
 * Reads the bill that belongs to a worker's page. path: that page's file.
 * Return: the time in ns; LEDGER_UNKNOWN: there is none of that program.
 */
uint64_t bill_read(const char *path, uint64_t id);

/* Removes the bill that belongs to a worker's page, if there is one. */
void bill_remove(const char *path);

#endif
