/* SPDX-License-Identifier: GPL-2.0-or-later */
/* double.h - plays vgpud and a program's worker, in the test's own process */

#ifndef VGPU_TESTS_UNIT_LIBVGPU_DOUBLE_H
#define VGPU_TESTS_UNIT_LIBVGPU_DOUBLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_channel.h"
#include "common/wire/vgpu_cmds.h"
#include "common/wire/vgpu_ends.h"
#include "common/wire/vgpu_proto.h"

struct double_host;

/*
 * Runs one command, a private copy. args: behind the header. reply: result and values go there; it is
 * written into the slot afterwards, if the command names one, unless the function returns false.
 */
typedef bool double_run(struct double_host *host, const struct vgpu_command *head,
			const uint8_t *args, struct vgpu_reply *reply);

struct double_host {
	double_run *run; /* by the worker's thread */
	void *owner;
	uint32_t link_version;	   /* what its HELLO says; 0: VGPU_LINK_VERSION_PROGRAMS */
	enum vgpu_end window_end;  /* NONE: the window is ready */
	enum vgpu_end channel_end; /* NONE: the channel opens */
	bool bad_layout;	   /* writes another layout into the window */
	bool lazy;		   /* the worker sleeps after each command */
	struct vgpu_device_page device;

	char path[108];
	int listen_fd, peer_fd, kick_fd, call_fd, stop_fd;
	uint8_t *window; /* its own mapping of the same memory */
	uint64_t window_bytes, program_window, control_at;
	struct vgpu_channel_control *control;
	pthread_t host_thread, worker_thread;
	bool worker_runs;
	int stop;
	uint64_t counts[VGPU_CMD_MOST]; /* commands that came, by number */
};

/* Listens in a directory of its own and answers one program. */
void double_start(struct double_host *host);
void double_stop(struct double_host *host);

/*
 * Runs the worker alone: the test has mapped the window, and plays what opens channels. control_at: of the
 * program's first piece. Both descriptors become the double's. double_stop() ends it, too.
 */
void double_work(struct double_host *host, uint64_t control_at, int kick_fd, int call_fd);

/* Writes a reply and wakes the program if it sleeps. By the worker's thread. */
void double_reply(struct double_host *host, uint32_t slot, uint32_t sequence,
		  const struct vgpu_reply *reply);

/* Tells the program that its channel is lost, as vgpud does when a worker dies. */
void double_lose(struct double_host *host, enum vgpu_end end);

#endif
