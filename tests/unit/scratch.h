/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scratch.h - directories that tests make for themselves */

#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>

/* Removes a directory of a test's and all that is in it. Return: 0, or what system() has. */
static inline int scratch_remove(const char *directory)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", directory);
	return system(command);
}

#endif
