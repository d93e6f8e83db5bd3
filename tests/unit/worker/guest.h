/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.h - plays a program of a guest against the worker's code, in one process */

#ifndef TESTS_UNIT_WORKER_GUEST_H
#define TESTS_UNIT_WORKER_GUEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/vgpu_cmds.h"
#include "common/wire/vgpu_ends.h"
#include "worker/serve.h"

#define GUEST_WINDOW_BYTES VGPU_WINDOW_LEAST
#define GUEST_CONTROL_AT VGPU_PIECE
#define GUEST_BULK_AT (2 * VGPU_PIECE) /* the piece behind the channel's */

/*
 * The worker maps the window where the program says; the test looks at the same memory elsewhere.
 * Several threads of a test may make calls: each takes slots of its own.
 */
struct guest {
	int fd, kick, call;
	uint8_t *view;	  /* of the window */
	uint64_t address; /* of the window, as program, worker and GPU know it */
	uint64_t control_at;
	struct vgpu_channel_control *control;
	struct vgpu_reply *replies;
	uint32_t tail;
	pthread_mutex_t lock; /* of the ring: producers take turns */
	struct output output;
	struct gpu *gpu;
	struct program *program;
	pthread_t thread; /* of serve_run(), where it runs */
	bool runs;
	enum vgpu_end end;
	uint32_t sequences[VGPU_REPLIES];
};

/* spec: of gpu_open(). Aborts the test when something fails. */
void guest_open(struct guest *guest, const char *spec, uint32_t helper_num);

/* Where a program of several has its channel; its pieces are those that the window's owners say. */
struct guest_place {
	int window;	     /* from guest_window(); it stays the caller's */
	uint64_t control_at; /* position of the first piece */
	uint32_t channel;
	bool of_program; /* the window is this program's alone */
};

/* Return: the descriptor of a new window of GUEST_WINDOW_BYTES. */
int guest_window(void);

void guest_open_at(struct guest *guest, const char *spec, uint32_t helper_num,
		   const struct guest_place *place);

/* Starts the worker's issuing thread. */
void guest_run(struct guest *guest, uint32_t poll_us);

/* Has the worker end, by a command that makes no sense if it runs, and frees all. */
void guest_close(struct guest *guest);

/* Puts raw bytes into the ring, and moves its tail by whole units. */
void guest_put(struct guest *guest, const void *bytes, uint32_t len);

/*
 * Puts a command into the ring. slot: below VGPU_REPLIES or VGPU_NO_REPLY. Return: its sequence.
 */
uint32_t guest_send(struct guest *guest, uint16_t op, uint16_t thread, uint32_t slot,
		    const void *args, uint32_t args_bytes, const void *tail, uint32_t tail_bytes);

/* Waits for a slot's reply, at most a minute. Return: its result. */
int32_t guest_wait(struct guest *guest, uint32_t slot, struct vgpu_reply *reply);

/* Return: whether the slot's reply is there. */
bool guest_is_done(const struct guest *guest, uint32_t slot);

/* Both in one, with slot and thread of the same number. reply: may be NULL. */
int32_t guest_ask(struct guest *guest, uint32_t slot, uint16_t op, const void *args,
		  uint32_t args_bytes, const void *tail, uint32_t tail_bytes,
		  struct vgpu_reply *reply);

/* guest_ask() with the arguments of a command by name: ASK(guest, 0, reply, MEMORY_ALLOC, memory_alloc,
 * .bytes = 4). */
#define ASK(guest, slot, reply, NAME, name, ...)                                          \
	guest_ask(guest, slot, VGPU_CMD_##NAME, &(struct vgpu_cmd_##name){ __VA_ARGS__ }, \
		  sizeof(struct vgpu_cmd_##name), NULL, 0, reply)
#define SEND(guest, slot, NAME, name, ...)                                                    \
	guest_send(guest, VGPU_CMD_##NAME, 0, slot, &(struct vgpu_cmd_##name){ __VA_ARGS__ }, \
		   sizeof(struct vgpu_cmd_##name), NULL, 0)

/* Opens and runs, as a program has it. */
void guest_start(struct guest *guest, const char *spec);

/* Return: the address of new device memory. */
uint64_t guest_allocate(struct guest *guest, uint64_t bytes);

/* Loads PTX text as this module. Return: the result. */
int32_t guest_load(struct guest *guest, uint32_t slot, uint32_t module, const char *text);

/* Makes a module's kernel this function. Return: the result. */
int32_t guest_function(struct guest *guest, uint32_t slot, uint32_t module, uint32_t function,
		       const char *name);

/* Launches blocks of threads, without a reply unless slot is one. */
void guest_launch(struct guest *guest, uint32_t slot, uint32_t function, uint32_t stream,
		  uint32_t blocks, uint32_t threads, const void *parameters, uint32_t bytes);

/* Waits until a condition holds, at most a minute. */
#define UNTIL(condition)                                    \
	do {                                                \
		for (unsigned ms_ = 0; !(condition); ms_++) \
			guest_pause(ms_, #condition);       \
	} while (0)
void guest_pause(unsigned ms, const char *what);

#endif
