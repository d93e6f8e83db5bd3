/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wait_list.h - the waits that are open: what waits.c keeps of them */

#ifndef VGPU_WORKER_WAIT_LIST_H
#define VGPU_WORKER_WAIT_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cuda/cuda_abi.h"
#include "common/wire/vgpu_channel.h"

struct waits_one {
	uint32_t slot, sequence;
	CUresult result; /* what its reply says */
	CUevent event;	 /* that the worker asks by itself; NULL: the GPU writes the end */
	CUstream stream; /* that the write was put on */
	/* Of that event or stream in the program; 0: the legacy stream, or one of ours. */
	uint32_t number;
	uint32_t generation;
	int ours;		   /* which of streams[] it is; -1: none */
	uint16_t op, thread;	   /* of its command */
	uint64_t bytes;		   /* that it copies first */
	uint64_t since_ns, ask_ns; /* when it began, when to ask the driver next */
};

struct waits {
	struct waits_one open[VGPU_REPLIES];
	uint32_t num;
	uint64_t look_ns; /* when to look next */
	/* Streams of ours: a wait for an event has one for itself. */
	CUstream streams[VGPU_REPLIES];
	bool streams_busy[VGPU_REPLIES];
	uint32_t stream_num;
};

#endif
