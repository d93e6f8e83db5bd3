/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core.h - the process's one connection: when it begins, how calls reach the worker, its errors */

#ifndef VGPU_GUEST_LIBCUDA_CORE_H
#define VGPU_GUEST_LIBCUDA_CORE_H

#include <stdbool.h>

#include "common/cuda/cuda_export.h"
#include "common/wire/vgpu_cmds.h"
#include "guest/libvgpu/vgpu.h"

/* Connects, once; a failed attempt may be made again. Return: SUCCESS, or why there is no GPU. */
CUresult core_init(void);

/*
 * What every call asks first. symbol: of the call, for the log.
 * Return: SUCCESS; NOT_INITIALIZED before cuInit and in a child of fork().
 */
CUresult core_check(const char *symbol);
#define CORE_CHECK()                                      \
	do {                                              \
		CUresult checked_ = core_check(__func__); \
		if (checked_ != CUDA_SUCCESS)             \
			return checked_;                  \
	} while (0)

/* Opens the channel. Return: SUCCESS, why there is none, or as core_lost(). */
CUresult core_start(void);

/* Return: whether the channel was opened. */
bool core_has_started(void);

/* Return: the error that lost the context or the channel, SUCCESS while there is none. */
CUresult core_lost(void);

/* The connection. It is there once core_check() succeeded. */
struct vgpu *core_vgpu(void);

/* What the host says of the GPU, as it was at cuInit. */
const struct vgpu_device_page *core_device(void);

/* Where the VM's device sits in the guest; zeros on a socket. */
const struct slot *core_slot(void);

/* How long waits poll from now on, in us; 0: never. */
void core_set_spin(uint32_t given_us);

/* Return: whether a wait may poll: the program has a second processor, and has not asked to sleep. */
bool core_may_spin(void);

/* Whether CUDA_LAUNCH_BLOCKING asks every call to wait for what it submitted. */
bool core_blocking(void);

/* The members of a struct vgpu_order for a command without a tail. */
#define CORE_ORDER(NAME, arguments) \
	.op = VGPU_CMD_##NAME, .args = &(arguments), .args_bytes = sizeof(arguments)

/* Puts a command without a reply into the ring. Return: SUCCESS, or why the channel is lost. */
CUresult core_send(const struct vgpu_order *order);

/*
 * Runs a command and waits for its reply. Return: its result, why the channel is lost, or
 * NOT_PERMITTED for a command that waits for the GPU, in a thread that may not.
 */
CUresult core_call(const struct vgpu_order *order, struct vgpu_reply *reply);

/* Both halves of core_call(): every ticket must be taken. */
CUresult core_ask(const struct vgpu_order *order, struct vgpu_ticket *ticket);
CUresult core_take(const struct vgpu_ticket *ticket, struct vgpu_reply *reply);

/*
 * Says whether the calling thread may wait for the GPU. It must not within a function that a stream
 * calls: the stream, and so the wait, would wait for that function.
 */
void core_allow_waits(bool allowed);
bool core_may_wait(void);

/* Keeps an error of work whose call has returned; the next call that waits returns it. */
void core_keep_error(CUresult result);

/* Return: the error that was kept, which is forgotten then. */
CUresult core_take_error(void);

/* What an end means to the call that finds it; says it once. NONE: SUCCESS. */
CUresult core_end(enum vgpu_end end);

#endif
