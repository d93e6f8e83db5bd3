/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trial_private.h - a trial's state, for the files of trial*.c */

#ifndef PTX_TRIAL_PRIVATE_H
#define PTX_TRIAL_PRIVATE_H

#include <stdio.h>

#include "tests/ptx/trial.h"

enum { TRIAL_BUFFERS_MAX = 32, TRIAL_MODULES_MAX = 8, TRIAL_ARGS_MAX = 32, TRIAL_FAILS_SHOWN = 8 };

struct buffer {
	char name[64];
	unsigned char *host;
	uint64_t address;
	size_t bytes;
	bool varies;
};

struct trial {
	struct trial_options options;
	const char *name;
	const char *argument;
	size_t move_bytes_max;
	char *notes;
	size_t notes_bytes;
	FILE *notes_file;
	char log[2048];
	char first_entry[1024];
	struct buffer buffers[TRIAL_BUFFERS_MAX];
	unsigned buffer_count;
	void *modules[TRIAL_MODULES_MAX];
	unsigned module_count;
	unsigned fail_count;
	char output[65536];
};

/* Ends the suite. */
void trial_out_of_memory(void) __attribute__((noreturn));

/* Dumps or compares the buffers and notes, as the options say, and frees the notes. */
void trial_keep_all(struct trial *trial);

#endif
