/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nvml.h - NVML, loaded when it is wanted: figures of the host's GPUs */

#ifndef VGPU_WORKER_NVML_H
#define VGPU_WORKER_NVML_H

#include <stddef.h>
#include <stdint.h>

#include "common/nvml_wire.h"
#include "worker/nvml_abi.h"

struct nvml_library {
#define NVML_FIELD(field, name, arguments) nvmlReturn_t(*field) arguments;
	NVML_CALLS(NVML_FIELD)
#undef NVML_FIELD
	const char *(*error_text)(nvmlReturn_t result);
};

/*
 * Loads libnvidia-ml.so.1 into this process, for good, and starts it. Any call of NVML may hang.
 * why: on failure a sentence for people. Return: 0; -ENOENT: there is none, or it is too old; -EIO.
 */
int nvml_open(struct nvml_library *nvml, char *why, size_t why_size);

/*
 * Counts the GPUs, of which those from NVML_GPUS_MOST on are left out. why: as above.
 * Return: 0 or -EIO.
 */
int nvml_count(const struct nvml_library *nvml, uint32_t *num, char *why, size_t why_size);

/* Fills in all that NVML tells of a GPU; of what it does not, `known` has no bit. */
void nvml_ask(const struct nvml_library *nvml, uint32_t index, struct nvml_gpu *out);

#endif
