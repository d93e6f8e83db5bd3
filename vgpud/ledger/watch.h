/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - whether the ledger's files are still where readers and the next start look */

#ifndef VGPUD_LEDGER_WATCH_H
#define VGPUD_LEDGER_WATCH_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The database, its log, the log's index, the ring. */
#define LEDGER_WATCH_FILES 4

struct ledger_watch {
	struct {
		char path[PATH_MAX];
		dev_t device;
		ino_t inode;
	} file[LEDGER_WATCH_FILES];
	bool armed;
	uint64_t due_ns; /* CLOCK_MONOTONIC: of the next look */
	int last;	 /* how the last look ended */
};

/* Notes the files at these paths as the ones in use. To be called once all are open. */
void ledger_watch_arm(struct ledger_watch *watch, const char *db_path, const char *ring_path);

/*
 * Checks the files, if the last check was more than a second ago; else returns its result.
 * words: what is wrong, written after a check. Return: 0, or -ESTALE: a file was removed, renamed
 * or replaced, and records written to it now would be lost.
 */
int ledger_watch_look(struct ledger_watch *watch, uint64_t now_ns, char *words, size_t words_len);

#endif
