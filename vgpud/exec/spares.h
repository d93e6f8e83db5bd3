/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spares.h - workers of programs that are ready before a program comes */

#ifndef VGPUD_EXEC_SPARES_H
#define VGPUD_EXEC_SPARES_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/wire/vgpu_ends.h"
#include "common/worker_wire.h"
#include "vgpud/exec/process.h"

/*
 * The spares of one executor. A spare has its GPU's context ready, so that a program which takes it
 * starts sooner than it would natively. They are started one after another; a program that finds
 * none starts a worker for itself, at once.
 *
 * An upgrade of the driver replaces the library that a spare has loaded. What the spare has still
 * fits the old kernel module alone, so such spares are replaced.
 */
struct spares;

/* What all spares have in common; the owner may change it at any time. */
struct spares_settings {
	unsigned num;		    /* to keep ready for each executor, at most SPARES_MAX */
	uint64_t start_deadline_ns; /* of a worker: until it is ready */
	uint64_t look_ns;	    /* how often to look whether the driver was replaced */
};

#define SPARES_MAX 16
#define SPARES_ARGUMENT_SIZE 256

/*
 * argument: of the workers' role; copied. settings: must outlive the spares.
 * Return: 0 or -ENOMEM. There are no spares before spares_want().
 */
int spares_new(struct spares **out, sd_event *event, const char *argument,
	       const struct spares_settings *settings);

/* Kills the spares, without waiting. */
void spares_free(struct spares *spares);

/* Says whether programs may come, so that spares are worth their memory; follows the settings. */
void spares_want(struct spares *spares, bool wanted);

/*
 * Return: a worker that is ready, which becomes the caller's (process_listen(), process_give());
 * NULL: there is none. Another one is started for it.
 */
struct process *spares_take(struct spares *spares);

/* A worker that was taken has died before its program came to it: it is the spares' again, to be buried. */
void spares_bury(struct spares *spares, struct process *process);

/* Return: whether a spare is ready that has this pid. */
bool spares_has(const struct spares *spares, pid_t pid);

/* Return: how many are ready; what to start a worker with; why none can start, NULL: one can. */
unsigned spares_ready(const struct spares *spares);
const char *spares_argument(const struct spares *spares);
const char *spares_trouble(const struct spares *spares);

/* Return: what the workers that start there say of themselves, NULL: nothing. */
const char *spares_remark(const struct spares *spares);

/* Return: what a program is told while there is such trouble. */
enum vgpu_end spares_trouble_end(const struct spares *spares);

#endif
