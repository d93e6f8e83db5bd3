/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remains.c - no database where there should be one: what is left of it is kept */

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
 * An empty file counts as a new database, and sqlite then removes the log beside it. So what speaks
 * of an old one is seen to before: a log, a ring that was in use, or the empty file itself, unless
 * there is a ring that was not: that is a first start that was cut off.
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

/* A database whose tables were still in its log loses them with it. */
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
