/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - whether the ledger's files are still where readers and the next start look */

/*
 * A file that is removed or renamed while it is open can still be written, without an error, though
 * no reader will find it. So the paths are checked every second by stat(). Opening and closing the
 * database a second time is no option: POSIX locks belong to the process, so the close would drop
 * those that sqlite holds.
 */

#include "vgpud/ledger/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/util.h"

void ledger_watch_arm(struct ledger_watch *watch, const char *db_path, const char *ring_path)
{
	const struct {
		const char *path, *suffix;
	} names[LEDGER_WATCH_FILES] = {
		{ db_path, "" },
		{ db_path, "-wal" },
		{ db_path, "-shm" },
		{ ring_path, "" },
	};

	*watch = (struct ledger_watch){ .armed = true };
	for (int i = 0; i < LEDGER_WATCH_FILES; i++) {
		struct stat st = { 0 }; /* of one that is gone already, so that each look says it */

		snprintf(watch->file[i].path, sizeof(watch->file[i].path), "%s%s", names[i].path,
			 names[i].suffix);
		if (stat(watch->file[i].path, &st) != 0)
			continue;
		watch->file[i].device = st.st_dev;
		watch->file[i].inode = st.st_ino;
	}
}

int ledger_watch_look(struct ledger_watch *watch, uint64_t now_ns, char *words, size_t words_len)
{
	if (!watch->armed || now_ns < watch->due_ns)
		return watch->last;
	watch->due_ns = now_ns + (uint64_t)UTIL_NS_PER_S;
	watch->last = 0;
	for (int i = 0; i < LEDGER_WATCH_FILES && watch->last == 0; i++) {
		const char *path = watch->file[i].path;
		struct stat st;

		if (stat(path, &st) != 0)
			snprintf(words, words_len, "%s was removed or renamed: %s", path,
				 strerror(errno));
		else if (st.st_dev != watch->file[i].device || st.st_ino != watch->file[i].inode)
			snprintf(words, words_len, "%s is another file now", path);
		else
			continue;
		watch->last = -ESTALE;
	}
	return watch->last;
}
