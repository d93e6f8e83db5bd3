/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu.h - a program's way to the GPU: channel, submit, wait, memory of the window */

#ifndef VGPU_GUEST_LIBVGPU_VGPU_H
#define VGPU_GUEST_LIBVGPU_VGPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire/vgpu_channel.h"
#include "common/wire/vgpu_ends.h"
#include "guest/libvgpu/options.h"
#include "guest/libvgpu/slot.h"

/* What libvgpu.so.0 shows; guest/libvgpu/exports names it once more, for the linker. */
#pragma GCC visibility push(default)

/*
 * Theory of operation. A program of a VM has /dev/vgpuN, which vgpu.ko makes of the VM's window;
 * any other one has a socket of vgpud, and makes a window for itself. Which of them carries it
 * shows nowhere else. vgpu_open() has the window: from then on the device's page can be read.
 * vgpu_start() opens the channel: the host gives the program a worker. Commands are bytes here:
 * what they mean is the caller's business (common/wire/vgpu_cmds.h).
 *
 * Every call may be made by any thread. Functions that return an enum vgpu_end return
 * VGPU_END_NONE when they did what they say. Once the channel is lost, each call returns why.
 *
 * After fork() the child's copy is dead: its descriptors are closed, the window is not mapped, and
 * every call returns VGPU_END_FORKED. The parent does not notice.
 */
struct vgpu;

/*
 * Has the window and the way to vgpud. *out stays valid until vgpu_close().
 * why: VGPU_WHY bytes: a sentence for the reader of "vgpu: ..." where it can say more than the table of
 * ends does, else empty.
 * Return: NONE; NO_VGPU, NO_MODULE, NO_WINDOW, NO_PERMISSION, NO_ADDRESSES, NO_MEMORY, LINK_OLD, LAYOUT,
 * NO_ANSWER, HOST_LOST, or why vgpud refuses.
 */
enum vgpu_end vgpu_open(const struct vgpu_options *options, struct vgpu **out, char *why);

/*
 * Opens the channel, if it is not open, and waits for the worker. Return: NONE, or why there is none;
 * unless vgpud is gone, a later call tries again.
 */
enum vgpu_end vgpu_start(struct vgpu *vgpu);

/* No other call may be running. The host ends the worker. */
void vgpu_close(struct vgpu *vgpu);

/* Return: why the program has lost its channel, NONE while it has not. Asks nobody, never waits. */
enum vgpu_end vgpu_ended(const struct vgpu *vgpu);

/* Return: CUresult of the error that lost the context, 0 while there is none. Never waits. */
int32_t vgpu_sticky(const struct vgpu *vgpu);

/* Return: whether kernels have printed what has not been fetched (TEXT_TAKE). Never waits. */
bool vgpu_text_waits(const struct vgpu *vgpu);

/* Copies what the host says of the GPU, as it is now. Before vgpu_start(), too. */
void vgpu_device(const struct vgpu *vgpu, struct vgpu_device_page *out);

/* Where the VM's device sits in the guest, as it was at vgpu_open(); zeros on a socket. */
void vgpu_slot(const struct vgpu *vgpu, struct slot *out);

/* How long waits poll from now on, in us; 0: they sleep at once. */
void vgpu_set_spin(struct vgpu *vgpu, uint32_t spin_us);

/* --- commands: after vgpu_start() --- */

/* A command as it goes into the ring. args and tail together: VGPU_COMMAND_MOST less its header. */
struct vgpu_order {
	uint16_t op;
	uint32_t args_bytes, tail_bytes;
	const void *args, *tail;
};

/* A reply that has not been taken. */
struct vgpu_ticket {
	uint32_t slot, sequence;
};

/* Puts a command without a reply into the ring; waits while the ring is full. */
enum vgpu_end vgpu_submit(struct vgpu *vgpu, const struct vgpu_order *order);

/*
 * Puts a command with a reply into the ring. Every ticket must be taken by vgpu_take(). Waits while
 * VGPU_REPLIES tickets are out.
 */
enum vgpu_end vgpu_ask(struct vgpu *vgpu, const struct vgpu_order *order,
		       struct vgpu_ticket *ticket);

/* Return: whether vgpu_take() would return at once. */
bool vgpu_answered(struct vgpu *vgpu, const struct vgpu_ticket *ticket);

/* Waits for the reply, copies it, and gives its slot back. The ticket is used up in any case. */
enum vgpu_end vgpu_take(struct vgpu *vgpu, const struct vgpu_ticket *ticket,
			struct vgpu_reply *reply);

/* vgpu_ask(), then vgpu_take(). */
enum vgpu_end vgpu_call(struct vgpu *vgpu, const struct vgpu_order *order,
			struct vgpu_reply *reply);

/* Figures, for tests: commands that were put into the ring, kicks of the worker, own sleeps. */
struct vgpu_figures {
	uint64_t commands, kicks, sleeps;
};
void vgpu_figures(struct vgpu *vgpu, struct vgpu_figures *out);

/* --- memory of the window: after vgpu_start() --- */

/*
 * Takes whole pieces that lie in a row. The GPU cannot use them before the caller has them mapped
 * (HOST_MAP). They read as zeros. at: byte offset in the window, bytes: rounded up to pieces.
 * Return: NONE, WINDOW_FULL.
 */
enum vgpu_end vgpu_pieces_take(struct vgpu *vgpu, uint64_t bytes, uint64_t *at);

/* Gives pieces back and their memory to the system. The GPU must not use them any more. */
void vgpu_pieces_give(struct vgpu *vgpu, uint64_t at, uint64_t bytes);

/* Return: the address of a byte of the window: the same for program, worker and GPU. */
void *vgpu_window_address(const struct vgpu *vgpu, uint64_t at);

/* Return: how large the window is. */
uint64_t vgpu_window_bytes(const struct vgpu *vgpu);

/* Return: whether all bytes lie in the window, with the offset of the first in *at. */
bool vgpu_window_has(const struct vgpu *vgpu, const void *address, uint64_t bytes, uint64_t *at);

/* The part of the first piece that is the program's: the worker has mapped it already. */
void vgpu_window_small(const struct vgpu *vgpu, uint64_t *at, uint64_t *bytes);

/* Return: a word that only the GPU writes, index below VGPU_WORDS. Its address: the GPU's, too. */
volatile uint32_t *vgpu_word(const struct vgpu *vgpu, uint32_t index);

/* --- device addresses --- */

/* A range of device addresses that the worker has handed out. */
struct vgpu_range {
	uint64_t address, bytes;
	uint64_t tag; /* the caller's */
};

/*
 * Keeps a range of device addresses free in the program, so that an address means one thing. Ranges
 * must not overlap; they may share pages.
 * Return: 0, -EEXIST the program has something mapped there, -EINVAL, -ENOMEM.
 */
int vgpu_reserve(struct vgpu *vgpu, const struct vgpu_range *range);

/* Forgets the range that begins at the address. Return: 0, -ENOENT. */
int vgpu_release(struct vgpu *vgpu, uint64_t address);

/* Finds the range that holds the address. Return: whether there is one. */
bool vgpu_reserved(struct vgpu *vgpu, uint64_t address, struct vgpu_range *out);

/* Finds the first range that begins at the address or above. Return: whether there is one. */
bool vgpu_reserved_from(struct vgpu *vgpu, uint64_t address, struct vgpu_range *out);

#pragma GCC visibility pop

#endif
