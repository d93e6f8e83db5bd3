/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nvml.c - NVML, loaded when it is wanted: figures of the host's GPUs */

#include "worker/nvml.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libnvidia-ml.so.1"

static const struct {
	const char *name;
	size_t offset; /* in struct nvml_library */
} symbols[] = {
#define SYMBOL(field, name, arguments) { #name, offsetof(struct nvml_library, field) },
	NVML_CALLS(SYMBOL)
#undef SYMBOL
		{ "nvmlErrorString", offsetof(struct nvml_library, error_text) },
};

static int load(struct nvml_library *nvml, char *why, size_t why_size)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		snprintf(why, why_size, "%s cannot be loaded (%s)", LIBRARY, dlerror());
		return -ENOENT;
	}
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *address = dlsym(library, symbols[i].name);

		if (address == NULL) {
			snprintf(why, why_size, "%s has no %s: the NVIDIA driver is too old",
				 LIBRARY, symbols[i].name);
			return -ENOENT;
		}
		*(void **)((char *)nvml + symbols[i].offset) = address;
	}
	return 0;
}

/* Return: 0, or -EIO with a sentence. */
static int judge(const struct nvml_library *nvml, nvmlReturn_t result, char *why, size_t why_size)
{
	const char *text;

	if (result == NVML_SUCCESS)
		return 0;
	text = nvml->error_text(result);
	snprintf(why, why_size, "NVML: %s (error %d)", text != NULL ? text : "?", result);
	return -EIO;
}

int nvml_open(struct nvml_library *nvml, char *why, size_t why_size)
{
	int err = load(nvml, why, why_size);

	return err == 0 ? judge(nvml, nvml->init(), why, why_size) : err;
}

int nvml_count(const struct nvml_library *nvml, uint32_t *num, char *why, size_t why_size)
{
	unsigned found = 0;
	int err = judge(nvml, nvml->count(&found), why, why_size);

	*num = found < NVML_GPUS_MOST ? found : NVML_GPUS_MOST;
	return err;
}

static void ask_memory(const struct nvml_library *nvml, nvmlDevice_t device, struct nvml_gpu *out)
{
	nvmlMemory_t memory;

	if (nvml->memory(device, &memory) != NVML_SUCCESS)
		return;
	out->total_bytes = memory.total;
	out->free_bytes = memory.free;
	out->used_bytes = memory.used;
	out->known |= NVML_KNOWS_MEMORY;
}

static void ask_state(const struct nvml_library *nvml, nvmlDevice_t device, struct nvml_gpu *out)
{
	nvmlUtilization_t busy;
	unsigned number;
	int mode;

	if (nvml->utilisation(device, &busy) == NVML_SUCCESS) {
		out->busy_percent = busy.gpu;
		out->copy_percent = busy.memory;
		out->known |= NVML_KNOWS_UTILISATION;
	}
	if (nvml->temperature(device, NVML_TEMPERATURE_GPU, &number) == NVML_SUCCESS) {
		out->celsius = number;
		out->known |= NVML_KNOWS_TEMPERATURE;
	}
	if (nvml->power(device, &number) == NVML_SUCCESS) {
		out->milliwatts = number;
		out->known |= NVML_KNOWS_POWER;
	}
	if (nvml->compute_mode(device, &mode) == NVML_SUCCESS && mode >= 0) {
		out->compute_mode = (uint32_t)mode;
		out->known |= NVML_KNOWS_COMPUTE_MODE;
	}
}

/* A list that has more than there is room for is not known: no sum can be made of it. */
static void ask_processes(const struct nvml_library *nvml, nvmlDevice_t device,
			  struct nvml_gpu *out)
{
	static nvmlProcessInfo_t found[NVML_PROCESSES_MOST];
	unsigned num = NVML_PROCESSES_MOST;

	if (nvml->processes(device, &num, found) != NVML_SUCCESS || num > NVML_PROCESSES_MOST)
		return;
	for (unsigned i = 0; i < num; i++)
		out->process[i] = (struct nvml_process){
			.pid = found[i].pid,
			.used_bytes = found[i].usedGpuMemory == NVML_VALUE_NOT_AVAILABLE
					      ? NVML_BYTES_UNKNOWN
					      : found[i].usedGpuMemory,
		};
	out->process_num = num;
	out->known |= NVML_KNOWS_PROCESSES;
}

static void set_busy(struct nvml_gpu *out, unsigned pid, unsigned percent)
{
	for (uint32_t i = 0; i < out->process_num; i++)
		if (out->process[i].pid == pid)
			out->process[i].busy_percent = percent < 100 ? percent : 100;
}

/*
 * How busy each process was since the last look. NVML leaves out those that were not, and has no
 * answer where none was. The first look learns the time alone.
 */
static void ask_busy(const struct nvml_library *nvml, nvmlDevice_t device, struct nvml_gpu *out)
{
	static nvmlProcessUtilizationSample_t found[NVML_PROCESSES_MOST];
	static unsigned long long seen_us[NVML_GPUS_MOST];
	unsigned long long *seen = &seen_us[out->index], newest_us = *seen;
	unsigned num = NVML_PROCESSES_MOST;
	nvmlReturn_t result = nvml->samples(device, found, &num, *seen);

	if (result == NVML_ERROR_NOT_FOUND)
		num = 0;
	else if (result != NVML_SUCCESS || num > NVML_PROCESSES_MOST)
		return;
	for (unsigned i = 0; i < num; i++) {
		if (found[i].timeStamp > newest_us)
			newest_us = found[i].timeStamp;
		if (*seen != 0 && found[i].timeStamp > *seen)
			set_busy(out, found[i].pid, found[i].smUtil);
	}
	if (*seen != 0)
		out->busy_period_us = newest_us - *seen;
	*seen = newest_us;
	out->known |= NVML_KNOWS_BUSY_PROCESSES;
}

void nvml_ask(const struct nvml_library *nvml, uint32_t index, struct nvml_gpu *out)
{
	nvmlDevice_t device;

	memset(out, 0, sizeof(*out));
	out->index = index;
	if (nvml->handle(index, &device) != NVML_SUCCESS)
		return;
	if (nvml->uuid(device, out->uuid, sizeof(out->uuid)) != NVML_SUCCESS)
		out->uuid[0] = '\0';
	if (nvml->name(device, out->name, sizeof(out->name)) != NVML_SUCCESS)
		out->name[0] = '\0';
	ask_memory(nvml, device, out);
	ask_state(nvml, device, out);
	ask_processes(nvml, device, out);
	ask_busy(nvml, device, out);
}
