/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nvml_wire.h - what broker and NVML's process say to each other */

#ifndef VGPU_COMMON_NVML_WIRE_H
#define VGPU_COMMON_NVML_WIRE_H

#include <stdint.h>

/*
 * NVML is the driver's library of figures about a host's GPUs. It can hang inside the kernel, so a
 * process of its own calls it, one that the broker may kill.
 *
 * The process says hello (worker_wire.h), once it has looked at all GPUs. Then the broker sends
 * nvml_order, and the process answers each with one nvml_gpu for each GPU, in the order of NVML's
 * numbers; with a single one whose `num` is 0 where NVML fails. Structures travel as they lie in
 * memory, one to a message of a SOCK_SEQPACKET pair.
 */
#define NVML_GPUS_MOST 32u
#define NVML_PROCESSES_MOST 512u
#define NVML_UUID_SIZE 96
#define NVML_NAME_SIZE 96

struct nvml_order {
	uint32_t look; /* a number, which the answers bear */
	uint32_t unused;
};

/* What NVML could tell of a GPU. */
enum nvml_known {
	NVML_KNOWS_MEMORY = 1,
	NVML_KNOWS_UTILISATION = 2,
	NVML_KNOWS_TEMPERATURE = 4,
	NVML_KNOWS_POWER = 8,
	NVML_KNOWS_COMPUTE_MODE = 16,
	NVML_KNOWS_PROCESSES = 32,
	NVML_KNOWS_BUSY_PROCESSES = 64
};

enum nvml_compute_mode {
	NVML_MODE_DEFAULT,
	NVML_MODE_THREAD,
	NVML_MODE_PROHIBITED,
	NVML_MODE_PROCESS
};

#define NVML_BYTES_UNKNOWN UINT64_MAX

/* A process that has a context on the GPU. */
struct nvml_process {
	uint32_t pid;	       /* as the process that asks sees it */
	uint32_t busy_percent; /* of busy_period_us, in which its kernels ran: 0 to 100 */
	uint64_t used_bytes;   /* of the GPU's memory, its context's included; NVML_BYTES_UNKNOWN */
};

struct nvml_gpu {
	uint32_t look;		   /* of the order */
	uint32_t index;		   /* NVML's number, from 0 */
	uint32_t num;		   /* of all GPUs; 0: `why` says why there is no answer */
	uint32_t known;		   /* set of enum nvml_known */
	char uuid[NVML_UUID_SIZE]; /* "GPU-" and the number, as CUDA has it */
	char name[NVML_NAME_SIZE];
	char why[NVML_NAME_SIZE];
	uint64_t total_bytes, free_bytes, used_bytes;
	uint32_t busy_percent; /* of the last second or less, in which a kernel ran */
	uint32_t copy_percent; /* in which its memory was read or written */
	uint32_t celsius;
	uint32_t milliwatts;
	uint32_t compute_mode; /* enum nvml_compute_mode */
	uint32_t process_num;
	uint64_t busy_period_us; /* since the look before; 0: NVML has nothing newer */
	struct nvml_process process[NVML_PROCESSES_MOST];
};

#endif
