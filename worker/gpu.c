/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu.c - chooses the GPU of a program's worker */

#include "worker/gpu.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"

#define CUDA_PREFIX "cuda:"
#define CPU_WORD "cpu"

/* Return: whether spec is "cpu", alone or with words behind it. */
static bool is_cpu(const char *spec)
{
	size_t len = strlen(CPU_WORD);

	return strncmp(spec, CPU_WORD, len) == 0 && (spec[len] == '\0' || spec[len] == ' ');
}

/* Return: whether spec is "cuda:N". */
static bool is_cuda(const char *spec, int *device)
{
	uint64_t number;

	if (strncmp(spec, CUDA_PREFIX, strlen(CUDA_PREFIX)) != 0 ||
	    util_parse_u64(spec + strlen(CUDA_PREFIX), 0, 1023, &number) != 0)
		return false;
	*device = (int)number;
	return true;
}

int gpu_open(struct gpu **out, const char *spec, struct output *output, char *why, size_t why_size)
{
	int device;

	if (is_cpu(spec))
		return gpu_soft_open(out, spec + strlen(CPU_WORD), output, why, why_size);
	if (is_cuda(spec, &device))
		return gpu_cuda_open(out, device, output, why, why_size);
	snprintf(why, why_size, "%s: no such GPU for programs (cpu, cuda:N)", spec);
	return -EINVAL;
}

int gpu_describe(const char *spec, struct vgpu_device_page *page, struct worker_info *info,
		 char *why, size_t why_size)
{
	int device;

	memset(page, 0, sizeof(*page));
	if (is_cpu(spec))
		return gpu_soft_describe(spec + strlen(CPU_WORD), page, info, why, why_size);
	if (is_cuda(spec, &device))
		return gpu_cuda_describe(device, page, info, why, why_size);
	snprintf(why, why_size, "%s: no such GPU for programs (cpu, cuda:N)", spec);
	return -EINVAL;
}

bool gpu_is_sticky(CUresult result)
{
	switch (result) {
	case CUDA_ERROR_DEINITIALIZED:
	case CUDA_ERROR_ECC_UNCORRECTABLE:
	case CUDA_ERROR_NVLINK_UNCORRECTABLE:
	case CUDA_ERROR_ILLEGAL_ADDRESS:
	case CUDA_ERROR_LAUNCH_TIMEOUT:
	case CUDA_ERROR_ASSERT:
	case CUDA_ERROR_HARDWARE_STACK_ERROR:
	case CUDA_ERROR_ILLEGAL_INSTRUCTION:
	case CUDA_ERROR_MISALIGNED_ADDRESS:
	case CUDA_ERROR_INVALID_ADDRESS_SPACE:
	case CUDA_ERROR_INVALID_PC:
	case CUDA_ERROR_LAUNCH_FAILED:
		return true;
	default:
		return false;
	}
}
