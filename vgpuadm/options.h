/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the options that every command takes */

#ifndef VGPUADM_OPTIONS_H
#define VGPUADM_OPTIONS_H

#include <stdbool.h>

#include "common/cmd/admin.h"
#include "vgpuadm/fail.h"
#include "vgpuadm/out/output.h"

#define OPTIONS_TIMEOUT_MS 10000 /* of silence, unless the user says otherwise */

/* In the order of the words of PATTERN_WHEN. */
enum options_colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

struct options {
	const char *socket;
	enum output_format format;
	enum options_colour colour;
	int timeout_ms;	    /* CLIENT_WAIT_FOR_EVER */
	bool timeout_given; /* it is the user's own */
	bool no_headings;
	const char *columns; /* or NULL */
	bool help, version;  /* to be printed in place of running the command */
};

/* The options as they are before any is read: from the environment. */
struct options options_default(void);

/*
 * Takes these options out of argv, wherever they stand before "--". One that the command has itself
 * (drain --timeout) is left to it where it stands behind the command's name.
 * argc, argv: without the program's name; what remains is moved together.
 * Return: 0, or fail's status.
 */
int options_take(struct options *options, int *argc, char **argv, struct fail *fail);

/* How to write to standard output, given what it is. */
struct output_style options_style(const struct options *options);

/* Whether to write to standard error in colours. */
bool options_error_colours(const struct options *options);

/* These options as a pattern, for completion; it has no name. */
extern const struct admin_cmd options_every;

/* For `vgpuadm help`. */
extern const char options_help[];

#endif
