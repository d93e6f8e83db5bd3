/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_nvml.c - a libnvidia-ml.so.1 that says what a file beside it says */

/*
 * "nvml.txt" in the library's own directory is read at each call. Its lines:
 *
 *   gpu TOTAL USED PERCENT CELSIUS MILLIWATTS MODE     a GPU, numbered from 0
 *   process GPU PID BYTES                              BYTES -1: not available
 *   busy GPU PID PERCENT MICROSECONDS                  a sample of that time
 *   no NAME                                            that function is not supported
 *   fail NAME CODE | hang NAME                         or returns an error, or does not return
 *
 * NAME is a field of NVML_CALLS.
 */

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker/nvml_abi.h"

#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define GPUS_MOST 64
#define PROCESSES_MOST 1024

struct nvmlDevice_st {
	long long total, used, milliwatts;
	int percent, celsius, mode;
};

static struct nvmlDevice_st gpus[GPUS_MOST];
static unsigned gpu_num;
static struct {
	unsigned gpu;
	nvmlProcessInfo_t info;
} processes[PROCESSES_MOST];
static unsigned process_num;
static struct {
	unsigned gpu;
	nvmlProcessUtilizationSample_t sample;
} samples[PROCESSES_MOST];
static unsigned sample_num;

/* One line that is about this call, or tells of GPUs and processes. Return: what the call returns. */
static int follow(const char *line, const char *call)
{
	struct nvmlDevice_st gpu = { 0 };
	char name[32] = "";
	unsigned number = 0, pid = 0, percent = 0;
	long long bytes = 0;
	int code = 0;

	if (sscanf(line, "gpu %lld %lld %d %d %lld %d", &gpu.total, &gpu.used, &gpu.percent,
		   &gpu.celsius, &gpu.milliwatts, &gpu.mode) == 6 &&
	    gpu_num < GPUS_MOST)
		gpus[gpu_num++] = gpu;
	if (sscanf(line, "process %u %u %lld", &number, &pid, &bytes) == 3 &&
	    process_num < PROCESSES_MOST) {
		processes[process_num].gpu = number;
		processes[process_num++].info = (nvmlProcessInfo_t){
			.pid = pid, .usedGpuMemory = (unsigned long long)bytes
		};
	}
	if (sscanf(line, "busy %u %u %u %lld", &number, &pid, &percent, &bytes) == 4 &&
	    sample_num < PROCESSES_MOST) {
		samples[sample_num].gpu = number;
		samples[sample_num++].sample = (nvmlProcessUtilizationSample_t){
			.pid = pid, .smUtil = percent, .timeStamp = (unsigned long long)bytes
		};
	}
	if (sscanf(line, "no %31s", name) == 1 && strcmp(name, call) == 0)
		return NOT_SUPPORTED;
	if (sscanf(line, "fail %31s %d", name, &code) == 2 && strcmp(name, call) == 0)
		return code;
	if (sscanf(line, "hang %31s", name) == 1 && strcmp(name, call) == 0)
		for (;;)
			pause();
	return NVML_SUCCESS;
}

/* Return: what the call returns. */
static nvmlReturn_t begin(const char *call)
{
	char path[4096], line[256];
	nvmlReturn_t result = NVML_SUCCESS;
	Dl_info self;
	FILE *file;

	gpu_num = process_num = sample_num = 0;
	if (dladdr(&gpu_num, &self) == 0)
		return NOT_FOUND;
	snprintf(path, sizeof(path), "%.*s/nvml.txt",
		 (int)(strrchr(self.dli_fname, '/') - self.dli_fname), self.dli_fname);
	file = fopen(path, "re");
	if (file == NULL)
		return NOT_FOUND;
	while (fgets(line, sizeof(line), file) != NULL) {
		nvmlReturn_t found = follow(line, call);

		result = found != NVML_SUCCESS ? found : result;
	}
	fclose(file);
	return result;
}

nvmlReturn_t nvmlInit_v2(void);
nvmlReturn_t nvmlInit_v2(void)
{
	return begin("init");
}

const char *nvmlErrorString(nvmlReturn_t result);
const char *nvmlErrorString(nvmlReturn_t result)
{
	return result == NOT_FOUND ? "Not Found" : "Unknown Error";
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *num);
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *num)
{
	nvmlReturn_t result = begin("count");

	*num = gpu_num;
	return result;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device);
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device)
{
	nvmlReturn_t result = begin("handle");

	if (index >= gpu_num)
		return NOT_FOUND;
	*device = &gpus[index];
	return result;
}

#define GETTER(function, field, type, name, ...)               \
	nvmlReturn_t function(nvmlDevice_t device, type name); \
	nvmlReturn_t function(nvmlDevice_t device, type name)  \
	{                                                      \
		nvmlReturn_t result = begin(#field);           \
                                                               \
		__VA_ARGS__;                                   \
		return result;                                 \
	}

GETTER(nvmlDeviceGetMemoryInfo, memory, nvmlMemory_t *, out,
       out->total = (unsigned long long)device->total, out->used = (unsigned long long)device->used,
       out->free = (unsigned long long)(device->total - device->used))
GETTER(nvmlDeviceGetUtilizationRates, utilisation, nvmlUtilization_t *, out,
       out->gpu = (unsigned)device->percent, out->memory = (unsigned)device->percent / 2)
GETTER(nvmlDeviceGetPowerUsage, power, unsigned *, out, *out = (unsigned)device->milliwatts)
GETTER(nvmlDeviceGetComputeMode, compute_mode, int *, out, *out = device->mode)

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned *out);
nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned *out)
{
	nvmlReturn_t result = begin("temperature");

	*out = sensor == NVML_TEMPERATURE_GPU ? (unsigned)device->celsius : 0;
	return result;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *out, unsigned size);
nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *out, unsigned size)
{
	nvmlReturn_t result = begin("uuid");

	snprintf(out, size, "GPU-0000-%02x", (unsigned)(device - gpus));
	return result;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *out, unsigned size);
nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *out, unsigned size)
{
	nvmlReturn_t result = begin("name");

	snprintf(out, size, "Fake \"GPU\" %u", (unsigned)(device - gpus));
	return result;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *num,
						     nvmlProcessInfo_t *out);
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *num,
						     nvmlProcessInfo_t *out)
{
	nvmlReturn_t result = begin("processes");
	unsigned room = *num;

	*num = 0;
	for (unsigned i = 0; i < process_num; i++) {
		if (processes[i].gpu != (unsigned)(device - gpus))
			continue;
		if (*num < room)
			out[*num] = processes[i].info;
		(*num)++;
	}
	return *num > room ? NVML_ERROR_INSUFFICIENT_SIZE : result;
}

nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
					     nvmlProcessUtilizationSample_t *out, unsigned *num,
					     unsigned long long since_us);
nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device,
					     nvmlProcessUtilizationSample_t *out, unsigned *num,
					     unsigned long long since_us)
{
	nvmlReturn_t result = begin("samples");
	unsigned room = *num;

	*num = 0;
	for (unsigned i = 0; i < sample_num; i++) {
		if (samples[i].gpu != (unsigned)(device - gpus) ||
		    samples[i].sample.timeStamp <= since_us)
			continue;
		if (*num < room)
			out[*num] = samples[i].sample;
		(*num)++;
	}
	if (*num > room)
		return NVML_ERROR_INSUFFICIENT_SIZE;
	return *num == 0 && result == NVML_SUCCESS ? NVML_ERROR_NOT_FOUND : result;
}
