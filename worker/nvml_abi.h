/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nvml_abi.h - what we call of NVML, as NVIDIA's reference manual of it has it */

#ifndef VGPU_WORKER_NVML_ABI_H
#define VGPU_WORKER_NVML_ABI_H

/* Declared here, since hosts that build vgpu need no toolkit. The names are NVIDIA's. */
typedef int nvmlReturn_t;
typedef struct nvmlDevice_st *nvmlDevice_t;

#define NVML_SUCCESS 0
#define NVML_ERROR_NOT_FOUND 6
#define NVML_ERROR_INSUFFICIENT_SIZE 7
#define NVML_TEMPERATURE_GPU 0
#define NVML_VALUE_NOT_AVAILABLE (~0ull)

typedef struct {
	unsigned long long total, free, used; /* bytes; used: what the driver keeps back as well */
} nvmlMemory_t;

typedef struct {
	unsigned gpu, memory; /* percent */
} nvmlUtilization_t;

/* Of nvmlDeviceGetComputeRunningProcesses_v3. */
typedef struct {
	unsigned pid;
	unsigned long long usedGpuMemory; /* bytes, or NVML_VALUE_NOT_AVAILABLE */
	unsigned gpuInstanceId, computeInstanceId;
} nvmlProcessInfo_t;

/* Of nvmlDeviceGetProcessUtilization: of each process that was busy since a time. */
typedef struct {
	unsigned pid;
	unsigned long long timeStamp;		    /* microseconds of the processor's clock */
	unsigned smUtil, memUtil, encUtil, decUtil; /* percent */
} nvmlProcessUtilizationSample_t;

/* X(field, name, arguments): each returns an nvmlReturn_t. All are there since driver 510. */
#define NVML_CALLS(X)                                                                      \
	X(init, nvmlInit_v2, (void))                                                       \
	X(count, nvmlDeviceGetCount_v2, (unsigned *))                                      \
	X(handle, nvmlDeviceGetHandleByIndex_v2, (unsigned, nvmlDevice_t *))               \
	X(uuid, nvmlDeviceGetUUID, (nvmlDevice_t, char *, unsigned))                       \
	X(name, nvmlDeviceGetName, (nvmlDevice_t, char *, unsigned))                       \
	X(memory, nvmlDeviceGetMemoryInfo, (nvmlDevice_t, nvmlMemory_t *))                 \
	X(utilisation, nvmlDeviceGetUtilizationRates, (nvmlDevice_t, nvmlUtilization_t *)) \
	X(temperature, nvmlDeviceGetTemperature, (nvmlDevice_t, int, unsigned *))          \
	X(power, nvmlDeviceGetPowerUsage, (nvmlDevice_t, unsigned *))                      \
	X(compute_mode, nvmlDeviceGetComputeMode, (nvmlDevice_t, int *))                   \
	X(processes, nvmlDeviceGetComputeRunningProcesses_v3,                              \
	  (nvmlDevice_t, unsigned *, nvmlProcessInfo_t *))                                 \
	X(samples, nvmlDeviceGetProcessUtilization,                                        \
	  (nvmlDevice_t, nvmlProcessUtilizationSample_t *, unsigned *, unsigned long long))

#endif
