/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chrome.h - writes a program's trace as Chrome's trace viewer and Perfetto read it */

#ifndef VGPUADM_OUT_CHROME_H
#define VGPUADM_OUT_CHROME_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * The JSON object form of the Trace Event Format: "traceEvents" has complete events (ph X: name,
 * cat, ts, dur, pid, tid) and metadata that names the tracks (ph M). ts and dur are microseconds
 * with three decimals. The program is the format's process; submissions, the gaps between them, its
 * lease of the GPU, each thread's commands and each thread's waits are its tracks.
 */
#define CHROME_THREADS 4096u /* tracks; threads of higher numbers share them */

struct chrome {
	FILE *out;
	json_int_t program;
	bool any;		/* an event is written */
	int64_t submitted_ns;	/* when the last submission ended; -1: none has */
	int64_t lease_ended_ns; /* and the last state of the lease */
	uint64_t gaps;
	/* Events of a track may not overlap: when its last one ended; -1: there is none yet. */
	int64_t *ended_ns; /* 2 * CHROME_THREADS */
};

/* Begins the file. program: its number. Return: 0 or -ENOMEM. */
int chrome_begin(struct chrome *chrome, FILE *out, json_int_t program);

/* Adds a row of the daemon's trace, from another process and judged here; one that is none is left out. */
void chrome_row(struct chrome *chrome, const json_t *row);

/* Ends the file. about: the daemon's "end" object, as the file's otherData; NULL: it did not come. */
void chrome_end(struct chrome *chrome, const json_t *about);

#endif
