/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nvml.h - what NVML says of the host's GPUs, through a process that may hang */

#ifndef VGPUD_EXEC_NVML_H
#define VGPUD_EXEC_NVML_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/nvml_wire.h"

/*
 * The broker never loads NVML, which can hang in the kernel. A process of its own does, while
 * figures are wanted. One that does not answer in time is killed, and started again with growing pauses.
 */
struct nvml;

struct nvml_settings {
	uint64_t start_deadline_ns; /* until the process is ready */
	uint64_t deadline_ns;	    /* of one look at all GPUs */
	uint64_t pause_ns;	    /* between two looks */
};

/* Called from the loop: there are new figures. */
typedef void nvml_looked(void *arg);

/*
 * argument: of the process's role, which needs none; settings: may change. Both must outlive it.
 * Return: 0 or -ENOMEM. There is no process before nvml_want().
 */
int nvml_new(struct nvml **out, sd_event *event, const char *argument,
	     const struct nvml_settings *settings, nvml_looked *looked, void *arg);

/* Kills the process. NULL: does nothing. */
void nvml_free(struct nvml *nvml);

/* Whether figures are wanted: else there is no process. */
void nvml_want(struct nvml *nvml, bool wanted);
bool nvml_wanted(const struct nvml *nvml);

/* The settings have changed: a shorter pause holds at once. */
void nvml_follow(struct nvml *nvml);

/* Return: how many GPUs the last look saw; 0: there was none, or it is out of date. */
uint32_t nvml_num(const struct nvml *nvml);

/* Return: what the last look says of a GPU. index: below nvml_num(). */
const struct nvml_gpu *nvml_gpu(const struct nvml *nvml, uint32_t index);

/* Return: why there are no figures, though they are wanted; NULL: there are, or may yet be. */
const char *nvml_trouble(const struct nvml *nvml);

/* How the process ended against the broker's will, since the start. */
#define NVML_END_TABLE(X)                                                         \
	X(HUNG, "hung")		    /* killed: it did not answer in time */       \
	X(DIED, "died")		    /* by itself, or from outside */              \
	X(FAILED, "failed")	    /* NVML is not there, or returned an error */ \
	X(MISBEHAVED, "misbehaved") /* killed for what it answered */
#define NVML_END_ENUM(NAME, word) NVML_END_##NAME,
enum nvml_end { NVML_END_TABLE(NVML_END_ENUM) NVML_END_NUM };
#undef NVML_END_ENUM

/* Return: "hung". end: below NVML_END_NUM. */
const char *nvml_end_name(enum nvml_end end);
uint64_t nvml_ends(const struct nvml *nvml, enum nvml_end end);

#endif
