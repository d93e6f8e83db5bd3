/* SPDX-License-Identifier: MIT */
/* vgpu_channel.h - the memory that a program and its worker share: window, channel, ring */

#ifndef VGPU_CHANNEL_H
#define VGPU_CHANNEL_H

#include <stdint.h>

#include "vgpu_regs.h"
#include "vgpu_ring.h"

/*
 * Theory of operation. A window is shared memory of one VM (BAR2 in the guest), or of one program
 * that speaks to vgpud over a socket. Its first piece holds pages that vgpud has filled in: what the
 * window is, what GPU the VM has, whose each piece is. All other pieces belong to programs.
 *
 * A program is one process that uses CUDA. It has a channel: at the start of its first piece a
 * control page, a ring of commands and reply slots. The program puts commands into the ring and a
 * worker process on the host runs them in that order. Bulk data lies in the program's pieces.
 *
 * Neither side trusts the other. The worker copies a command out of the ring before it looks at it,
 * and whatever a command names (handles, offsets, lengths) it bounds on that copy. The program loses
 * no more than its own CUDA context if its worker writes nonsense.
 *
 * All numbers are little endian; both sides are x86-64. Positions in the window are byte offsets from
 * its start.
 */

/* --- window --- */

/* Magic, layout version and sizes are in vgpu_regs.h: the device's registers show them, too. */
#define VGPU_PAGE 4096u		       /* bytes */
#define VGPU_PIECE ((uint64_t)2 << 20) /* bytes: what one program gets at a time */
#define VGPU_PIECES_MOST 2048u	       /* of the largest window */

/*
 * Where a window lies in the program and in its worker: at the same address, a multiple of its size,
 * in this band. No sanitizer and no library uses it, so host memory in the window has one address
 * for the program, the worker and the GPU.
 */
#define VGPU_WINDOW_BAND_FIRST 0x566000000000ull
#define VGPU_WINDOW_BAND_END 0x568000000000ull

/* Page 0. */
struct vgpu_window_head {
	uint32_t magic;
	uint32_t layout;
	uint32_t generation; /* counts up whenever the host's side was lost */
	uint32_t piece_len;
	uint64_t size_bytes;
};

/* Page 1: the one GPU that programs of this VM see. Zeros where the VM has none. */
#define VGPU_WINDOW_DEVICE VGPU_PAGE
#define VGPU_DEVICE_ATTRIBUTES 160u
#define VGPU_DEVICE_NAME 256u

/* Written under its sequence: odd while it changes; a reader copies it between two equal even ones. */
struct vgpu_device_page {
	uint32_t sequence;
	uint32_t executor;	 /* enum vgpu_executor */
	uint32_t driver_version; /* CUDA's number, 13000 for 13.0 */
	uint32_t attribute_num;	 /* how many of attributes[] the host's driver knows */
	uint64_t memory_bytes;
	uint8_t uuid[16];
	char name[VGPU_DEVICE_NAME];		    /* ends in NUL */
	int32_t attributes[VGPU_DEVICE_ATTRIBUTES]; /* indexed by CUdevice_attribute */
	int32_t priority_least;			    /* of streams: 0 */
	int32_t priority_greatest;		    /* -5 or so */
};

/*
 * Page 2: a byte for each piece, 0 or channel + 1. Only vgpu.ko writes it, in a VM. In a window that
 * a program made for itself every piece but the first is its own, and nothing is written here.
 */
#define VGPU_WINDOW_OWNERS (2 * VGPU_PAGE)

/* --- channel: offsets in a program's first piece --- */

#define VGPU_CHANNEL_CONTROL 0u
#define VGPU_CHANNEL_RING VGPU_PAGE
#define VGPU_RING_UNIT 64u	   /* bytes: a command takes whole units */
#define VGPU_RING_LEN (256u << 10) /* bytes */
#define VGPU_RING_UNITS (VGPU_RING_LEN / VGPU_RING_UNIT)
#define VGPU_CHANNEL_REPLIES (VGPU_CHANNEL_RING + VGPU_RING_LEN)
#define VGPU_REPLIES 64u /* slots */
/* A page of words for marks: see below. */
#define VGPU_CHANNEL_WORDS (VGPU_CHANNEL_REPLIES + VGPU_PAGE)
#define VGPU_CHANNEL_FREE (VGPU_CHANNEL_WORDS + VGPU_PAGE) /* the rest is the program's */

/*
 * The control page. Each line has one writer. Indices run freely and wrap at 2^32; ring indices count
 * units. `park` of a side is the index behind which it sleeps: the other side, once it moved its
 * index from `old` to `new`, wakes it if vgpu_ring_passed(park, old, new).
 */
struct vgpu_channel_control {
	/* Lines 0 to 1, by the program, before it opens the channel. */
	uint32_t layout;	 /* VGPU_WINDOW_LAYOUT */
	uint32_t pid;		 /* of the program, as it sees itself: shown, never believed */
	uint64_t window_address; /* where the program has mapped the window */
	uint64_t reserved0[6];
	char name[64]; /* of the program: shown, never believed; ends in NUL */

	/* Line 2, by the program. */
	uint32_t tail; /* units that were put into the ring */
	uint32_t reserved1[15];

	/* Line 3, by the program. */
	uint32_t events_park; /* wake me when events passes this */
	uint32_t wants_room;  /* 1: count an event up once the ring has been emptied by a quarter */
	uint32_t reserved2[14];

	/* Line 4, by the worker. */
	uint32_t head; /* units that were taken from the ring: their bytes may be overwritten */
	uint32_t reserved3[15];

	/* Line 5, by the worker. */
	uint32_t park; /* kick me when tail passes this */
	uint32_t reserved4[15];

	/* Line 6, by the worker. */
	uint32_t events; /* counts up when replies were written, room was made or an error came */
	/*
	 * CUresult: the first error of a command without a reply slot that no reply has borne. The next
	 * CONTEXT_SYNCHRONIZE, STREAM_SYNCHRONIZE, EVENT_SYNCHRONIZE or COPY_WAIT that is taken from the
	 * ring is answered with it, and this is 0 again before that reply is there.
	 */
	uint32_t error;
	/* CUresult: the context is lost; every later command is answered with this. */
	uint32_t sticky;
	uint32_t ended; /* enum vgpu_end: the worker has ended; no byte is written any more */
	/*
	 * Bytes that kernels printed and TEXT_TAKE can fetch. Written before the reply of the command that
	 * waited for those kernels; the program looks at it after each reply of a wait.
	 */
	uint32_t text;
	uint32_t reserved5[11];

	/* Line 7, by the worker: figures, for its user and for tests. */
	uint64_t commands; /* taken */
	uint64_t sleeps;   /* of the worker */
	uint64_t wakes;	   /* it gave to the program */
	uint64_t marks;	   /* completions that the GPU wrote */
	uint64_t reserved6[4];

	/* Line 8, by the program: the same. */
	uint64_t kicks; /* it gave to the worker */
	uint64_t guest_sleeps;
	uint64_t reserved7[6];
};

/*
 * A reply slot. A command names the slot and the sequence that its reply shall bear; the program
 * chooses both, and does not use a slot again before the reply has come. `done` is written last: by
 * the worker, or by the GPU itself for a command that waits.
 */
struct vgpu_reply {
	uint32_t done;	   /* sequence of the command that this answers */
	int32_t result;	   /* CUresult */
	uint64_t value[7]; /* what the command answers: vgpu_cmds.h */
};

/*
 * The page of words: a program has the GPU write into them how far a stream has come
 * (STREAM_WRITE_VALUE), and so bounds how much is in flight before it puts more into the ring.
 */
#define VGPU_WORDS (VGPU_PAGE / 4)

/* --- command --- */

/* Before each command's arguments. */
struct vgpu_command {
	uint16_t op; /* enum vgpu_op */
	/* The program's number for its thread: its order among commands that block. */
	uint16_t thread;
	uint32_t bytes;	   /* of the command: this header, arguments, tail */
	uint32_t reply;	   /* slot, or VGPU_NO_REPLY */
	uint32_t sequence; /* what the reply's `done` shall be */
};

#define VGPU_NO_REPLY UINT32_MAX
#define VGPU_COMMAND_MOST (64u << 10) /* bytes; a kernel's 32,764 bytes of parameters fit */

_Static_assert(sizeof(struct vgpu_command) == 16, "as documented");
_Static_assert(sizeof(struct vgpu_reply) == 64, "one line");
_Static_assert(sizeof(struct vgpu_channel_control) == 9 * 64, "nine lines");
_Static_assert(sizeof(struct vgpu_device_page) <= VGPU_PAGE, "one page");
_Static_assert(VGPU_CHANNEL_FREE < VGPU_PIECE, "in the first piece");

#endif
