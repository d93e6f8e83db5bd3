/* SPDX-License-Identifier: GPL-2.0-or-later */
/* harvest.h - what programs' workers say of their work, read from their pages */

#ifndef VGPUD_PROGRAMS_HARVEST_H
#define VGPUD_PROGRAMS_HARVEST_H

#include <stdbool.h>
#include <stdint.h>

#include "vgpud/ledger/ledger.h"

/* Claims: a worker belongs to its tenant. */
struct harvest {
	uint64_t submissions, commands, launches, copies, copy_bytes, refused;
	char refused_names[512]; /* "cuFoo 3, cuBar 1": some of them */
};

/*
 * Makes the page of a program. state_dir: NULL: none is kept, and the page lies in memory alone.
 * Return: its descriptor, or -errno.
 */
int harvest_make(const char *state_dir, uint64_t id);

/* Reads a page. Return: whether it is the page of that program; else nothing is known. */
bool harvest_read(int fd, uint64_t id, struct harvest *harvest);

/* Sets the figures of a program's record. */
void harvest_record(const struct harvest *harvest, struct ledger_program *program);

/* Removes the page's file. */
void harvest_remove(const char *state_dir, uint64_t id);

/*
 * Writes into the program's row what its page says, and removes the file once that is recorded. The
 * program's beginning was recorded before.
 */
void harvest_settle(struct ledger *ledger, const char *state_dir, uint64_t id,
		    const struct harvest *harvest);

/* The same with all pages that the last vgpud left: of programs that were lost with it. */
void harvest_rest(struct ledger *ledger, const char *state_dir);

#endif
