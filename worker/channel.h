/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.h - the worker's end of a channel: takes commands, writes replies, wakes the program */

#ifndef VGPU_WORKER_CHANNEL_H
#define VGPU_WORKER_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_channel.h"

/*
 * One thread takes commands; all of the worker's threads write replies. Nothing that lies in the
 * window is looked at twice: a command is copied out first, and only the copy counts.
 */
struct channel {
	struct vgpu_channel_control *control;
	const uint8_t *ring;
	struct vgpu_reply *replies;
	int kick; /* eventfd: the program wakes the worker */
	int call; /* eventfd: the worker wakes the program */

	/* Of the thread that takes. */
	uint32_t head;
	uint32_t tail;	    /* as it was seen last: up to there are commands */
	uint32_t head_told; /* the head that the program knows */
	uint32_t room_told; /* the head when an event was last counted for wants_room */
	uint64_t commands, sleeps;

	pthread_mutex_t lock; /* guards the fields below; nothing else is locked while it is held */
	uint32_t events;
	uint64_t wakes, marks;
	bool busy[VGPU_REPLIES]; /* slots of commands that were taken and not answered */
};

/* first_piece: where the channel begins. The descriptors stay the caller's. */
void channel_init(struct channel *channel, void *first_piece, int kick, int call);
void channel_end(struct channel *channel);

/*
 * Copies the next command into `to`, VGPU_COMMAND_MOST bytes.
 * Return: 1; 0: there is none; -EPROTO: what the ring says cannot be.
 */
int channel_take(struct channel *channel, struct vgpu_command *to);

/* Says that the worker sleeps. Return: whether it may: no command has come meanwhile. */
bool channel_park(struct channel *channel);

/* Takes back that it sleeps, and what kicks have come. */
void channel_unpark(struct channel *channel);

/*
 * A slot is busy from the command that names it until its reply is there.
 * Return: whether it was free.
 */
bool channel_claim(struct channel *channel, uint32_t slot);

/* values: 7 of them. Writes the reply, releases its slot, and wakes the program if it sleeps. */
void channel_reply(struct channel *channel, const struct vgpu_command *command, int32_t result,
		   const uint64_t *values);

/* Writes what the reply will say once the GPU has written its `done`. */
void channel_preset(struct channel *channel, const struct vgpu_command *command, int32_t result);

/* Writes once more what channel_preset() and the GPU wrote and the program has overwritten. */
void channel_mend(struct channel *channel, uint32_t slot, uint32_t sequence, int32_t result);

/* Return: whether the slot's reply is there. */
bool channel_is_done(const struct channel *channel, uint32_t slot, uint32_t sequence);

/* The GPU has written `done`: releases the slot, and wakes the program if it sleeps. */
void channel_done(struct channel *channel, uint32_t slot);

/* Each writes its word of the control page; the last three count an event. */
void channel_text(struct channel *channel, uint32_t bytes);
void channel_error(struct channel *channel, int32_t result);
void channel_sticky(struct channel *channel, int32_t result);
void channel_ended(struct channel *channel, uint32_t end);

#endif
