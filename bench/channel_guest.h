/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel_guest.h - a program's end of a channel, as short as it can be */

#ifndef BENCH_CHANNEL_GUEST_H
#define BENCH_CHANNEL_GUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/wire/vgpu_cmds.h"

#define CHANNEL_GUEST_WINDOW (UINT64_C(1) << 30)
#define CHANNEL_GUEST_BULK (2 * VGPU_PIECE) /* position of the first piece behind the channel's */

struct channel_guest {
	pid_t worker;
	int socket, kick, call;
	uint8_t *window;
	struct vgpu_channel_control *control;
	struct vgpu_reply *replies;
	uint32_t tail, sequence;
};

/*
 * Starts a worker with its role's own code, and becomes its program. Call it before there are threads.
 * Return: whether it runs; else a message was printed.
 */
bool channel_guest_open(struct channel_guest *guest, const char *spec, bool confined,
			uint32_t poll_us);
void channel_guest_close(struct channel_guest *guest);

/* args: of the command, without its header. slot: VGPU_NO_REPLY, or 0. */
void channel_guest_put(struct channel_guest *guest, uint16_t op, uint32_t slot, const void *args,
		       uint32_t args_bytes, const void *tail, uint32_t tail_bytes);

/* Waits for the reply of the last command that has slot 0. Return: its result. */
int32_t channel_guest_wait(struct channel_guest *guest);

#define CHANNEL_GUEST_PUT(guest, slot, NAME, name, ...)                                           \
	channel_guest_put(guest, VGPU_CMD_##NAME, slot, &(struct vgpu_cmd_##name){ __VA_ARGS__ }, \
			  sizeof(struct vgpu_cmd_##name), NULL, 0)

#endif
