/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.h - one program of a guest, as its worker keeps it */

#ifndef VGPU_WORKER_PROGRAM_H
#define VGPU_WORKER_PROGRAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_cmds.h"
#include "worker/channel.h"
#include "worker/gpu.h"
#include "worker/handles.h"
#include "worker/helpers.h"
#include "worker/lease_state.h"
#include "worker/memory.h"
#include "worker/module_client.h"
#include "worker/output.h"
#include "worker/quota.h"
#include "worker/report.h"
#include "worker/wait_list.h"
#include "worker/window.h"

/*
 * Theory of operation. The issuing thread takes commands from the ring and runs those that never
 * wait; helpers run those that may. A command that only waits for a stream or an event is answered by
 * the GPU itself: the issuing thread has it write the reply's `done` behind the stream's work, and
 * looks from time to time whether it came or the context is lost (waits.h). serve.h has the loop.
 *
 * Locks: each of lock, channel.lock, helpers.lock and output.lock is taken last, and none is held
 * while the GPU's driver is called. Before them come quota.limit_lock, quota.pool_lock and quota.lock,
 * in this order; the first two are held while the driver is called. module_client.turn is taken where no
 * other is held, and not while the driver is called.
 */
struct program {
	struct gpu *gpu;
	struct output *output;	       /* of the GPU */
	struct module_client *modules; /* NULL: no code is kept */
	struct window window;
	struct channel channel;
	struct helpers helpers;
	struct waits waits;   /* of the issuing thread */
	struct report report; /* of the issuing thread, too */
	struct quota quota;   /* charge.h */
	struct lease lease;   /* of the issuing thread, too */
	uint64_t poll_ns;
	int broker; /* see struct serve_config */

	/*
	 * Held while names are read that belong to a module, and while a module's number is taken away:
	 * so no thread unloads what another reads. It is taken before `lock`, and never for long.
	 */
	pthread_mutex_t names_lock;

	pthread_mutex_t lock; /* guards the fields below */
	struct handles handles;
	struct memory memory;
	int32_t error; /* CUresult: control page's `error` */

	/* Read without the lock, atomically, since each command has to look. */
	int32_t sticky; /* CUresult: control page's `sticky` */
	bool prints;	/* a module may print or assert: then waits go by the driver's own calls */

	_Alignas(16) uint8_t command[VGPU_COMMAND_MOST + 8]; /* the one that is issued */
};

/* Looks whether the context is lost, and tells the program. Return: the result. */
CUresult program_note(struct program *program, CUresult result);

/* Return: the context's error, CUDA_SUCCESS while there is none. */
CUresult program_sticky(struct program *program);

/* The first error of commands without a slot, which is then told. Return: it, or CUDA_SUCCESS. */
CUresult program_take_error(struct program *program);

/* Return: whether waits have to go by the driver's own calls. */
bool program_prints(struct program *program);

/* Fetches what kernels printed and tells the program of it, before a wait's reply. */
void program_drain(struct program *program);

/*
 * Finds what a handle stands for. number: 0 is the legacy stream, the default pool.
 * Return: whether there is such an object.
 */
bool program_stream(struct program *program, uint32_t number, CUstream *stream);
bool program_pool(struct program *program, uint32_t number, CUmemoryPool *pool);
bool program_find(struct program *program, enum handles_kind kind, uint32_t number,
		  struct handles_entry *found);

/* Both at once, for launches. */
bool program_find_launch(struct program *program, uint32_t function_number, uint32_t stream_number,
			 struct handles_entry *function, CUstream *stream);

/* Gives an object its number. Return: CUDA_SUCCESS, INVALID_HANDLE, OUT_OF_MEMORY. */
CUresult program_add(struct program *program, enum handles_kind kind, uint32_t number, void *object,
		     uint32_t owner, uint32_t value);

/* The same with the entry's `bytes`. */
CUresult program_add_sized(struct program *program, enum handles_kind kind, uint32_t number,
			   void *object, uint32_t owner, uint32_t value, uint64_t bytes);

/* Changes `bytes` of an object's entry, if there is such an object. */
void program_set_bytes(struct program *program, enum handles_kind kind, uint32_t number,
		       uint64_t bytes);

/* Return: whether a command may read or write that memory, of the device or of the window. */
bool program_may_use(struct program *program, uint64_t address, uint64_t bytes);

/* The same of memory in the window alone. */
bool program_is_mapped(struct program *program, uint64_t address, uint64_t bytes);

#endif
