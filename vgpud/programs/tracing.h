/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracing.h - has a program's worker tell all that it does, for some seconds */

#ifndef VGPUD_PROGRAMS_TRACING_H
#define VGPUD_PROGRAMS_TRACING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/trace_page.h"
#include "vgpud/programs/programs.h"

#define TRACING_MOST 8u /* programs that are traced at the same time */

/* Called from the loop. The trace goes on when its program ends: what its worker told can be read. */
struct tracing;

/*
 * Begins a trace, which ends by itself after for_ns.
 * Return: 0; -ENODATA: no worker runs the program yet, or not any more; -EBUSY: it is traced
 * already; -EUSERS: TRACING_MOST programs are; -ENOSPC and other -errno: there is no room for what
 * it tells.
 */
int tracing_begin(struct tracing **out, struct channel *channel, uint64_t for_ns);

/* When it began and ends, CLOCK_MONOTONIC. */
uint64_t tracing_begun_ns(const struct tracing *tracing);
uint64_t tracing_until_ns(const struct tracing *tracing);

/*
 * Takes the oldest events that have not been taken, claims all. most: at most.
 * Return: how many; 0: there are none now; -EPROTO: its worker says what cannot be.
 */
int tracing_take(struct tracing *tracing, struct trace_event *events, unsigned most);

/*
 * The name of a launch's function, by the event's `name`: the worker's claim, made printable. It is
 * read once, and stays. Return: NULL: it has none.
 */
const char *tracing_name(struct tracing *tracing, uint32_t number);

/*
 * Takes the oldest change of the program's lease that has not been taken. Return: false: there is
 * none now.
 */
bool tracing_lease(struct tracing *tracing, struct arbiter_note *note);

/* Return: events for which there was no room, as the worker claims. */
uint64_t tracing_lost(const struct tracing *tracing);

/* Ends the trace, and frees it. channel: NULL: its program has gone. */
void tracing_end(struct tracing *tracing, struct channel *channel);

#endif
