/* SPDX-License-Identifier: MIT */
/* vgpu_ioctl.h - what a program may ask of /dev/vgpuN, the device of vgpu.ko */

#ifndef VGPU_IOCTL_H
#define VGPU_IOCTL_H

#include <linux/ioctl.h>
#include <stdint.h>

/*
 * Theory of operation. An open descriptor of /dev/vgpuN carries one channel at most (vgpu_channel.h):
 *
 *   open(O_RDWR | O_CLOEXEC)
 *   INFO                      how large the window is; its first two pages can be mapped, read-only
 *   OPEN                      a channel, and its first piece, which reads as zeros
 *   mmap                      of any part of the window from VGPU_PIECE on; the offset is the window's
 *   (fill in the control page, which is the first page of the first piece)
 *   START                     the host gives the channel a worker; STATE says how that goes
 *   KICK, TAKE, GIVE, poll    as often as needed
 *   close, exit, exec, kill   the channel is closed, and its pieces are free once its worker is gone
 *
 * The channel belongs to the address space that called OPEN: neither a child of fork() nor another
 * process that inherits the descriptor can use it, and the mappings do not come along with fork().
 * The channel ends with that address space, whoever else still holds the descriptor.
 *
 * A mapping may cover pieces that the program does not own: touching one of those raises SIGBUS. After
 * the device was unplugged all mappings read as zeros, no access raises a signal, poll() says POLLHUP
 * and every call returns ENODEV.
 *
 * poll() says POLLIN when the worker has woken the program since the last read(), or the channel's
 * state has changed: read() of 8 bytes returns how often, as from an eventfd (EAGAIN for O_NONBLOCK).
 *
 * Every call returns 0, or -1 with errno:
 *   EBADF   no channel: OPEN comes first (before KICK, START, too), or the channel has ended
 *   EBUSY   OPEN: all channels are in use, or the descriptor has one; START: it was started
 *   EINTR   a signal came
 *   EFAULT  the argument cannot be read or written
 *   EINVAL  a number out of range
 *   ENODEV  the device was unplugged, or its driver unbound
 *   ENOSPC  OPEN, TAKE: the window has no such run of free pieces
 *   ENOTTY  no such call
 *   EPERM   another process's channel or piece
 */

/* INFO: needs no channel. */
struct vgpu_ioctl_info {
	uint64_t window_bytes;
	uint32_t generation;	/* register GENERATION */
	uint32_t window_status; /* register WINDOW_STATUS */
	uint32_t channels;	/* of the device */
	uint32_t pieces_free;
	uint32_t pci_domain;
	uint32_t pci_function; /* bus << 8 | device << 3 | function */
};

/* OPEN answers these. */
struct vgpu_ioctl_open {
	uint32_t channel;
	uint32_t piece; /* its number: VGPU_PIECE * piece is its place in the window */
};

/* STATE */
struct vgpu_ioctl_state {
	uint32_t status;     /* register CHANNEL_STATUS: enum vgpu_channel_state */
	uint32_t error;	     /* register CHANNEL_ERROR: enum vgpu_end */
	uint32_t generation; /* register GENERATION */
	uint32_t window_status;
};

/* TAKE: count in, first out. The pieces lie in a row and read as zeros. GIVE: both in. */
struct vgpu_ioctl_pieces {
	uint32_t first;
	uint32_t count;
};

/*
 * WAIT_V1 waits for the completion interrupt of a request by the sixteen registers. count: how many
 * interrupts the caller has seen; it returns at once with the number of now when that differs. The
 * interrupt is enabled from a descriptor's first WAIT_V1 until its close.
 */
struct vgpu_ioctl_wait {
	uint32_t count;	     /* in and out; wraps */
	uint32_t timeout_ms; /* 0: does not wait; when it is over, the call returns 0, too */
};
#define VGPU_WAIT_MOST_MS 60000u /* a longer time-out is cut to this */

#define VGPU_IOCTL_MAGIC 0xe7
#define VGPU_IOCTL_INFO _IOR(VGPU_IOCTL_MAGIC, 0, struct vgpu_ioctl_info)
#define VGPU_IOCTL_OPEN _IOR(VGPU_IOCTL_MAGIC, 1, struct vgpu_ioctl_open)
#define VGPU_IOCTL_START _IO(VGPU_IOCTL_MAGIC, 2)
#define VGPU_IOCTL_KICK _IO(VGPU_IOCTL_MAGIC, 3)
#define VGPU_IOCTL_STATE _IOR(VGPU_IOCTL_MAGIC, 4, struct vgpu_ioctl_state)
#define VGPU_IOCTL_TAKE _IOWR(VGPU_IOCTL_MAGIC, 5, struct vgpu_ioctl_pieces)
#define VGPU_IOCTL_GIVE _IOW(VGPU_IOCTL_MAGIC, 6, struct vgpu_ioctl_pieces)
#define VGPU_IOCTL_WAIT_V1 _IOWR(VGPU_IOCTL_MAGIC, 7, struct vgpu_ioctl_wait)

_Static_assert(sizeof(struct vgpu_ioctl_info) == 32, "the same for 32-bit programs");

#endif
