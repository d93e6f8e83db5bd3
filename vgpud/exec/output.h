/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.h - what a worker writes to its standard error, as lines of our log */

#ifndef VGPUD_EXEC_OUTPUT_H
#define VGPUD_EXEC_OUTPUT_H

#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/log.h"

#define OUTPUT_LINE_SIZE 256 /* longer lines are cut */
#define OUTPUT_SPEC_SIZE 32

/*
 * A worker's standard error is a pipe of its own, so that the code in the worker cannot close our
 * log, forge lines in it or fill it. Each line is prefixed with the worker's name, unprintable
 * characters are escaped, and a few lines a minute pass while the others are counted.
 */
struct output {
	pid_t pid;
	char spec[OUTPUT_SPEC_SIZE];
	int fd; /* -1: closed */
	sd_event_source *io;
	char line[OUTPUT_LINE_SIZE];
	size_t len;
	struct log_flood flood;
};

/*
 * Reads from now on. fd: becomes the output's, also on failure.
 * spec: of the worker's executor. Return: 0 or -errno.
 */
int output_open(struct output *output, sd_event *event, int fd, pid_t pid, const char *spec);

/* Logs what is left in the pipe, and how many lines were held back. */
void output_close(struct output *output);

#endif
