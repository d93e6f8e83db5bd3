/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doubles.h - what stands around vgpud/programs in its test: workers, the describer, peers, the host */

#ifndef TESTS_UNIT_PROGRAMS_DOUBLES_H
#define TESTS_UNIT_PROGRAMS_DOUBLES_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/nvml_wire.h"
#include "vgpud/exec/program.h"
#include "vgpud/programs/programs.h"

#define WORKERS_MAX 128
#define TOLD_MAX 512

/* A worker as program_start() would have started it; the test says what becomes of it. */
struct program {
	struct program_config config;
	pid_t pid;
	bool ended; /* program_end() was called, or worker_fails(): it is to be reaped */
	bool in_use;
	unsigned num; /* of the start */
};

/* The worker says BOUND; ends by itself for this reason; has been reaped. */
void worker_binds(struct program *worker);
void worker_fails(struct program *worker, enum vgpu_end why);
void worker_is_reaped(struct program *worker);

/* Return: the worker that was started last and has not been reaped; NULL: there is none. */
struct program *worker_last(void);

/* The describer has done its oldest job, or failed. */
void describer_ends(enum vgpu_end end);

/* NVML was asked: doubles.nvml has what it says. */
void nvml_answers(void);

/* Something that a peer was told. */
struct told {
	const struct peer *peer;
	bool window; /* else of a channel */
	uint32_t channel, state, end;
};

struct peer {
	unsigned num;
	struct ucred who;
	const char *broke; /* peer_break()'s, or NULL */
};

/* The world, as the doubles see it. All is reset by doubles_reset(). */
struct doubles {
	struct program worker[WORKERS_MAX];
	unsigned started, reaped;
	bool reaped_at_once; /* a killed worker is gone when program_end() returns */
	int start_error;     /* of program_start(), 0: it works */
	unsigned jobs;	     /* that the describer has */
	struct told told[TOLD_MAX];
	unsigned told_num;
	unsigned events;
	char last_event[32];
	unsigned sandbox_parts; /* that the host has */
	const char *sandbox_why;
	const char *confine_state;
	bool descriptors_short;
	bool spares_wanted; /* the last word about it */
	uint32_t executor;  /* VGPU_EXECUTOR_*: what `auto` is; NONE: it is not known yet */
	const char *executor_trouble;
	sd_event_time_handler_t
		tick; /* what is called when the time has come; NULL: no timer runs */
	void *tick_arg;
	uint64_t tick_us;	/* after this, again */
	bool nvml_wanted;	/* the last word about it */
	uint64_t nvml_pause_ns; /* between two looks */
	struct nvml_gpu nvml[2];
	uint32_t nvml_num;
	pid_t spare_pid; /* of the one spare; 0: there is none */
};

/* The time that the timer waits for has come. */
void tick_comes(void);

extern struct doubles doubles;

void doubles_reset(void);

#endif
