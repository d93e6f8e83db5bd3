/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan.h - the process that reads and writes the files of the file transport */

#ifndef VGPUD_FILES_SCAN_H
#define VGPUD_FILES_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "vgpud/files/wire.h"

/*
 * It does all of the file transport's I/O, so that a file system that hangs holds up nobody else.
 * What it is told to do is one word, made and read by these two.
 */
struct file_scan_task {
	unsigned interval_ms; /* between two looks at everything */
	bool inotify;	      /* besides, look at once where something happens */
	const char *dir;
};

void file_scan_format(char *out, size_t size, const struct file_scan_task *task);

/* What the process does, from main(). Return: its exit status. */
int file_scan_main(const char *argument);

#endif
