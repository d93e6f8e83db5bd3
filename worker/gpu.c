/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu.c - chooses the GPU of a program's worker */

#include "worker/gpu.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"

#define CUDA_PREFIX "cuda:"
#define CPU_WORD "cpu"
#define SPEC_SIZE 512

bool gpu_is_soft(const char *spec)
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

/* Copies spec, without the last word if that is GPU_ALLOW_HMM. Return: whether it was. */
static bool take_allow(const char *spec, char *out, size_t size)
{
	static const char word[] = " " GPU_ALLOW_HMM;
	size_t len;

	snprintf(out, size, "%s", spec);
	len = strlen(out);
	if (len < sizeof(word) - 1 || strcmp(out + len - (sizeof(word) - 1), word) != 0)
		return false;
	out[len - (sizeof(word) - 1)] = '\0';
	return true;
}

int gpu_refuse_hmm(char *why, size_t why_size)
{
	snprintf(why, why_size,
		 "kernels can reach all memory of their process here (set uvm_disable_hmm=1 for "
		 "nvidia_uvm)");
	return -EPERM;
}

int gpu_open(struct gpu **out, const char *whole_spec, struct output *output, char *why,
	     size_t why_size)
{
	char spec[SPEC_SIZE];
	bool allow_hmm = take_allow(whole_spec, spec, sizeof(spec));
	int device;

	if (gpu_is_soft(spec))
		return gpu_soft_open(out, spec + strlen(CPU_WORD), allow_hmm, output, why,
				     why_size);
	if (is_cuda(spec, &device))
		return gpu_cuda_open(out, device, allow_hmm, output, why, why_size);
	snprintf(why, why_size, "%s: no such GPU for programs (cpu, cuda:N)", spec);
	return -EINVAL;
}

int gpu_describe(const char *whole_spec, struct vgpu_device_page *page, struct worker_info *info,
		 char *why, size_t why_size)
{
	char spec[SPEC_SIZE];
	bool allow_hmm = take_allow(whole_spec, spec, sizeof(spec));
	int device, err;

	memset(page, 0, sizeof(*page));
	if (gpu_is_soft(spec)) {
		err = gpu_soft_describe(spec + strlen(CPU_WORD), page, info, why, why_size);
	} else if (is_cuda(spec, &device)) {
		err = gpu_cuda_describe(device, page, info, why, why_size);
	} else {
		snprintf(why, why_size, "%s: no such GPU for programs (cpu, cuda:N)", spec);
		err = -EINVAL;
	}
	/* The window is refused already: the program need not get as far as a channel. */
	if (err == 0 && page->attributes[GPU_ATTRIBUTE_PAGEABLE_ACCESS] != 0 && !allow_hmm)
		err = gpu_refuse_hmm(why, why_size);
	return err;
}

bool gpu_option_is_log(uint32_t option)
{
	return option >= CU_JIT_INFO_LOG_BUFFER && option <= CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES;
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
