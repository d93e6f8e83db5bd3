/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics_gpus.c - what NVML says of the GPUs, in Prometheus's text format */

#include "vgpud/admin/metrics_gpus.h"

#include <inttypes.h>

#include "vgpud/admin/metrics_text.h"
#include "vgpud/daemon_private.h"
#include "vgpud/exec/nvml.h"

/*
 * Where a figure means what NVIDIA's DCGM exporter means by it, it has that one's name, unit and
 * labels, so that dashboards for it work. Names and UUIDs hold no character that a label would have to
 * escape: exec/nvml.c saw to it.
 */

static double busy(const struct nvml_gpu *gpu)
{
	return gpu->busy_percent;
}

static double copying(const struct nvml_gpu *gpu)
{
	return gpu->copy_percent;
}

static double temperature(const struct nvml_gpu *gpu)
{
	return gpu->celsius;
}

static double power(const struct nvml_gpu *gpu)
{
	return gpu->milliwatts / 1000.0;
}

static double total(const struct nvml_gpu *gpu)
{
	return (double)gpu->total_bytes;
}

static double used(const struct nvml_gpu *gpu)
{
	return (double)gpu->used_bytes;
}

static double unused(const struct nvml_gpu *gpu)
{
	return (double)gpu->free_bytes;
}

static const struct family {
	const char *name, *help;
	enum nvml_known known;
	double (*value)(const struct nvml_gpu *gpu);
} families[] = {
	{ "DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).", NVML_KNOWS_UTILISATION, busy },
	{ "DCGM_FI_DEV_MEM_COPY_UTIL", "Memory utilization (in %).", NVML_KNOWS_UTILISATION,
	  copying },
	{ "DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C).", NVML_KNOWS_TEMPERATURE, temperature },
	{ "DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).", NVML_KNOWS_POWER, power },
	{ "vgpu_gpu_memory_total_bytes", "Memory of the GPU.", NVML_KNOWS_MEMORY, total },
	{ "vgpu_gpu_memory_used_bytes",
	  "Memory of the GPU in use by any process, and what the driver keeps back.",
	  NVML_KNOWS_MEMORY, used },
	{ "vgpu_gpu_memory_free_bytes", "Memory of the GPU that is free.", NVML_KNOWS_MEMORY,
	  unused },
};

/* Prometheus wants no family without a sample. */
static void emit(struct admin_call *call, const struct nvml *nvml, const struct family *family)
{
	bool any = false;

	for (uint32_t i = 0; i < nvml_num(nvml); i++) {
		const struct nvml_gpu *gpu = nvml_gpu(nvml, i);

		if (!(gpu->known & family->known))
			continue;
		if (!any)
			metrics_text_head(call, family->name, "gauge", family->help);
		any = true;
		metrics_text_line(
			call, "%s{gpu=\"%" PRIu32 "\",UUID=\"%s\",modelName=\"%s\"} %.15g",
			family->name, gpu->index, gpu->uuid, gpu->name, family->value(gpu));
	}
}

void metrics_gpus(struct admin_call *call)
{
	const struct nvml *nvml = programs_nvml(call->daemon->programs);

	if (!nvml_wanted(nvml))
		return;
	metrics_text_head(call, "vgpu_nvml_up", "gauge", "Whether NVML answers.");
	metrics_text_line(call, "vgpu_nvml_up %d", nvml_num(nvml) > 0);
	metrics_text_head(call, "vgpu_nvml_ends_total", "counter",
			  "Ends of the process that asks NVML which vgpud did not want, by why.");
	for (unsigned i = 0; i < NVML_END_NUM; i++)
		metrics_text_line(call, "vgpu_nvml_ends_total{reason=\"%s\"} %" PRIu64,
				  nvml_end_name((enum nvml_end)i),
				  nvml_ends(nvml, (enum nvml_end)i));
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		emit(call, nvml, &families[i]);
}
