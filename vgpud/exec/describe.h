/* SPDX-License-Identifier: GPL-2.0-or-later */
/* describe.h - has the first pages of windows filled in */

#ifndef VGPUD_EXEC_DESCRIBE_H
#define VGPUD_EXEC_DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "common/wire/vgpu_ends.h"
#include "common/worker_wire.h"

/*
 * vgpud never maps a window: reading or writing one may fault. A process for each executor does it,
 * which is started when the first window comes, and again when it has died. It has one window at a
 * time; others wait. If it dies or hangs with one, that window gets a second try, and then is
 * refused: it may be what kills the process.
 */
struct describe;

/* A window that waits; its owner embeds it. */
struct describe_job {
	TAILQ_ENTRY(describe_job) link;
	struct describe *describe;  /* where it waits; NULL: nowhere */
	int window;		    /* its descriptor, the owner's, open until done() or cancel */
	struct program_order order; /* DESCRIBE */
	unsigned tries;
	/* end: NONE: its pages are filled in. Called from the loop. */
	void (*done)(struct describe_job *job, enum vgpu_end end);
};

struct describe_settings {
	uint64_t start_deadline_ns; /* until the process is ready */
	uint64_t deadline_ns;	    /* of one window */
};

/* argument: of the process's role; copied. settings: must outlive it. Return: 0 or -ENOMEM. */
int describe_new(struct describe **out, sd_event *event, const char *argument,
		 const struct describe_settings *settings);

/* Kills the process; jobs are forgotten, without a call. */
void describe_free(struct describe *describe);

/* Has a window described. order, window and done are filled in. */
void describe_begin(struct describe *describe, struct describe_job *job);

/* Forgets a job, if it waits. */
void describe_cancel(struct describe_job *job);

/* Return: why the process cannot start, NULL: it can. */
const char *describe_trouble(const struct describe *describe);

/* Return: what a program is told while there is such trouble. */
enum vgpu_end describe_trouble_end(const struct describe *describe);

#endif
