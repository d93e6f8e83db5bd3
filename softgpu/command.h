/* SPDX-License-Identifier: GPL-2.0-or-later */
/* command.h - one piece of work on a stream */

#ifndef SOFTGPU_COMMAND_H
#define SOFTGPU_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "softgpu/softgpu.h"
#include "softgpu/transfer.h"

struct sg_grid;
struct sg_mark;
struct sg_stream;

enum sg_command_kind {
	SG_COMMAND_LAUNCH,	  /* the engine's processors run it */
	SG_COMMAND_TRANSFER,	  /* a copier runs it, or the calling thread */
	SG_COMMAND_HOST_FUNCTION, /* the callback thread runs it */
	SG_COMMAND_WAIT_VALUE,	  /* the watch looks at its word */
	SG_COMMAND_WAIT_MARK,	  /* nothing to run: it cannot start before the mark is reached */
	SG_COMMAND_RECORD, /* this one and those below take no time and run when they start */
	SG_COMMAND_WRITE_VALUE,
	SG_COMMAND_FREE,
	SG_COMMAND_KIND_NUM,
};

struct sg_command_value {
	uint64_t address;
	uint64_t value;
	uint32_t bytes; /* 4 or 8 */
	enum softgpu_wait condition;
};

/* A calling thread that waits until it may run its own command; it owns this. */
struct sg_command_caller {
	bool started; /* run it and end it */
	bool dropped; /* the command is freed: the context has an error */
};

/*
 * Life: made by a call, appended to its stream, started once it is the first there and its
 * conditions hold, ended by sg_stream_command_ended, which frees it. A started command belongs to
 * the part that runs it; the device's lock guards its links.
 */
struct sg_command {
	TAILQ_ENTRY(sg_command) in_stream;
	TAILQ_ENTRY(sg_command) in_queue; /* of the part that runs it */
	struct sg_stream *stream;
	uint64_t number; /* counts all commands of the device in the order of their submission */
	enum sg_command_kind kind;
	bool started;
	struct sg_command_caller
		*caller; /* TRANSFER: the thread that runs it; NULL: a copier does */
	union {
		struct sg_grid *grid;
		struct sg_transfer transfer;
		struct {
			void (*function)(void *argument);
			void *argument;
		} host;
		struct sg_command_value value;
		struct sg_mark *mark; /* RECORD, WAIT_MARK: one reference */
		uint64_t address;     /* FREE */
	};
};

TAILQ_HEAD(sg_command_list, sg_command);

/* Return: a command of that kind with nothing in it, NULL no memory. */
struct sg_command *sg_command_new(enum sg_command_kind kind);
/* Frees a command with what belongs to it. The device's lock is held. */
void sg_command_free(struct softgpu *gpu, struct sg_command *command);

#endif
