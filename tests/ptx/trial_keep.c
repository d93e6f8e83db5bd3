/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trial_keep.c - what a trial left in memory: dumped, or compared with another GPU's dump */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ptx/trial_file.h"
#include "tests/ptx/trial_private.h"

/* Writes bytes for a later comparison, or compares them with what another GPU wrote. */
static void keep_or_compare(struct trial *trial, const char *what, const void *bytes, size_t count)
{
	char why[256];

	if (trial->options.dump_dir &&
	    trial_file_write(trial->options.dump_dir, trial->name, what, bytes, count) != 0)
		trial_fail(trial, "%s: not dumped: %s", what, strerror(errno));
	if (trial->options.compare_dir &&
	    trial_file_compare(trial->options.compare_dir, trial->name, what, bytes, count, why,
			       sizeof(why)) != 0)
		trial_fail(trial, "%s", why);
}

/* One line of notes: a name and two numbers in hexadecimal. */
static void compare_note(struct trial *trial, const char *line, const char *others,
			 unsigned *details)
{
	size_t name_bytes = strcspn(line, " ");
	const char *at = others;

	for (; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		if (strncmp(at, line, name_bytes + 1) != 0)
			continue;
		if (strncmp(at + name_bytes, line + name_bytes, 17) != 0)
			trial_fail(trial, "%.*s differs from the other GPU's", (int)name_bytes,
				   line);
		else if (strncmp(at, line, strlen(line)) != 0)
			(*details)++;
		return;
	}
}

static void keep_or_compare_notes(struct trial *trial)
{
	char *rest = NULL, *others, name[256];
	size_t bytes = 0;
	unsigned details = 0;

	fclose(trial->notes_file);
	if (trial->options.dump_dir &&
	    trial_file_write(trial->options.dump_dir, trial->name, "notes", trial->notes,
			     trial->notes_bytes) != 0)
		trial_fail(trial, "notes: not dumped: %s", strerror(errno));
	if (trial->options.compare_dir) {
		snprintf(name, sizeof(name), "%s.notes", trial->name);
		others = trial_file_read(trial->options.compare_dir, name, &bytes);
		if (!others)
			trial_fail(trial, "%s/%s: %s", trial->options.compare_dir, name,
				   strerror(errno));
		for (char *line = strtok_r(trial->notes, "\n", &rest); others && line;
		     line = strtok_r(NULL, "\n", &rest))
			compare_note(trial, line, others, &details);
		if (details)
			printf("# %s: %u forms differ in the payload of a NaN\n", trial->name,
			       details);
		free(others);
	}
	free(trial->notes);
}

void trial_keep_all(struct trial *trial)
{
	if (trial->notes_file)
		keep_or_compare_notes(trial);
	for (unsigned i = 0; i < trial->buffer_count; i++) {
		const struct buffer *buffer = &trial->buffers[i];

		if (!buffer->varies)
			keep_or_compare(trial, buffer->name, buffer->host, buffer->bytes);
	}
}

void trial_note(struct trial *trial, const char *name, uint64_t number, uint64_t detail)
{
	if (!trial->notes_file)
		trial->notes_file = open_memstream(&trial->notes, &trial->notes_bytes);
	if (!trial->notes_file)
		trial_out_of_memory();
	fprintf(trial->notes_file, "%s %016llx %016llx\n", name, (unsigned long long)number,
		(unsigned long long)detail);
}
