/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remains.c - keeps what is left of a database that is missing or empty */

#include "vgpud/ledger/remains.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vgpud/ledger/set_aside.h"

bool ledger_remains_empty(const char *path, const char *suffix)
{
	char name[PATH_MAX];
	struct stat st;

	return snprintf(name, sizeof(name), "%s%s", path, suffix) >= (int)sizeof(name) ||
	       stat(name, &st) != 0 || st.st_size == 0;
}

/*
 * sqlite takes an empty file for a new database and removes the log beside it. So this looks first
 * for signs of an older database: a log, a ring that was in use, or the empty file itself. An empty
 * file beside an unused ring is no sign: a first start was interrupted.
 */
int ledger_remains_look(const struct ledger_book *book, struct ledger_notes *notes, char *why,
			size_t why_len)
{
	static const char *const companions[] = { "-wal", "-shm", NULL };
	const char *path = book->config->db_path;
	bool log = !ledger_remains_empty(path, "-wal"), there = access(path, F_OK) == 0;
	bool ring_lost = notes->ring.set_aside[0] != '\0' || (there && notes->ring.created);
	struct ring_session session;
	int err;

	if (!ledger_remains_empty(path, "") ||
	    (!log && !ring_lost && ring_get_session(book->ring, &session) != 0))
		return 0;
	snprintf(notes->remains, sizeof(notes->remains),
		 "%s %s%s; a new database is begun, without the old one's VMs and records", path,
		 there ? "is empty" : "is missing",
		 log	     ? ", but its log is there"
		 : ring_lost ? ""
			     : ", but a ring that belonged to one is there");
	if (!there && !log)
		return 0;
	err = set_aside(path, companions, notes->remains_aside, sizeof(notes->remains_aside));
	if (err == -ENOENT && !there) {
		strncat(notes->remains_aside, "-wal",
			sizeof(notes->remains_aside) - strlen(notes->remains_aside) - 1);
		return 0;
	}
	if (err == 0)
		return 0;
	snprintf(why, why_len, "%s: empty, and cannot be moved aside: %s", path, strerror(-err));
	return err;
}

/* A database without tables has lost its log: tables are in the log until a checkpoint. */
void ledger_remains_no_tables(const struct ledger_book *book, struct ledger_notes *notes)
{
	struct ring_session session;

	if (notes->remains[0] == '\0' &&
	    (notes->no_ring || ring_get_session(book->ring, &session) == 0))
		snprintf(
			notes->remains, sizeof(notes->remains),
			"%s has no tables, as if its log had been lost; a new database is begun in "
			"it, without the old one's VMs and records",
			book->config->db_path);
}
