/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan.h - the process that reads and writes the files of the file transport */

#ifndef VGPUD_FILES_SCAN_H
#define VGPUD_FILES_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "vgpud/files/wire.h"

/*
 * A process of its own does all of the file transport's I/O, so that a hanging file system does not
 * hold up the broker. Its task is one argument word, which the functions below write and read.
 */
struct file_scan_task {
	unsigned interval_ms; /* between two looks at everything */
	bool inotify;	      /* besides, look at once where something happens */
	const char *dir;
};

void file_scan_format(char *out, size_t size, const struct file_scan_task *task);

/* The process's main function. Return: its exit status. */
int file_scan_main(const char *argument);

#endif
