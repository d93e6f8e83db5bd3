/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace_page.h - the memory by which a program's worker tells the broker all that it does, while asked to */

#ifndef VGPU_COMMON_TRACE_PAGE_H
#define VGPU_COMMON_TRACE_PAGE_H

#include <stdint.h>

#include "common/report_page.h"

/*
 * It lies in the file of the program's report. The switch is in the last words of the report's own
 * pages. The ring behind them does not exist until the first trace: the broker makes the file longer, and
 * writes all of it, so that its blocks are there; only then it sets the switch. The worker maps the whole
 * from the start and touches the ring while the switch is set, never before.
 *
 * The worker adds events under a lock of its own, since its helpers do too. While the ring is full it
 * counts what is lost. The broker reads the file, as it does the report: all that is in it is a claim.
 */
struct trace_switch {
	uint64_t until_ns; /* CLOCK_MONOTONIC; 0: nothing is traced. The broker writes it alone */
};

#define TRACE_SWITCH_AT (REPORT_BYTES - sizeof(struct trace_switch))
#define TRACE_RING_AT REPORT_BYTES
#define TRACE_EVENTS 8192u
#define TRACE_NAMES 256u /* of kernels; those of more have none */
#define TRACE_NAME_SIZE 128u

_Static_assert(sizeof(struct report_page) <= TRACE_SWITCH_AT, "the switch is behind the report");

enum trace_kind {
	TRACE_COMMAND =
		1, /* was run: from when the worker took it up until its driver's call returned */
	TRACE_WAIT, /* for the GPU, from when the wait was put behind its work until its end was seen */
	TRACE_SUBMISSION /* as common/report_page.h has it */
};

struct trace_event {
	uint64_t begun_ns, ended_ns; /* CLOCK_MONOTONIC */
	uint64_t number; /* bytes of a copy, the function of a launch, commands of a submission */
	uint32_t stream; /* of the program; 0: the legacy stream, or none */
	uint16_t kind;	 /* enum trace_kind */
	uint16_t op;	 /* enum vgpu_op; 0 of a submission */
	uint16_t thread; /* the program's number for its thread */
	uint16_t failed; /* 1: with an error */
	/* Of a launch: which of the ring's names its function has, from 1; 0: none. */
	uint32_t name;
};

struct trace_ring {
	uint64_t taken; /* events before this one may be overwritten. The broker writes it alone */
	uint64_t head;	/* events that the ring has had; event n lies in slot n % TRACE_EVENTS */
	uint64_t lost;	/* for which there was no room */
	/*
	 * Each is written once, before the first event that has its number, and cut where it is too
	 * long.
	 */
	char name[TRACE_NAMES][TRACE_NAME_SIZE];
	struct trace_event event[TRACE_EVENTS];
};

/* Bytes of the file with the ring, and of the worker's mapping. */
#define TRACE_FILE_BYTES (TRACE_RING_AT + sizeof(struct trace_ring))

_Static_assert(sizeof(struct trace_event) == 40, "no holes");

#endif
