/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checks_nvml.c - whether vgpud sees what programs hold of GPUs, and what NVML finds amiss with them */

#include <inttypes.h>
#include <stdio.h>

#include "vgpud/admin/checks.h"
#include "vgpud/daemon_private.h"
#include "vgpud/exec/nvml.h"

/* One program at a time, or none, gets a context there. */
static void check_mode(struct admin_call *call, const struct nvml_gpu *gpu)
{
	char text[NVML_NAME_SIZE + 80], remedy[80];

	if (!(gpu->known & NVML_KNOWS_COMPUTE_MODE) ||
	    (gpu->compute_mode != NVML_MODE_PROHIBITED && gpu->compute_mode != NVML_MODE_PROCESS))
		return;
	snprintf(text, sizeof(text), "GPU %" PRIu32 " (%s) lets %s use it", gpu->index, gpu->name,
		 gpu->compute_mode == NVML_MODE_PROHIBITED ? "no process" : "one process alone");
	snprintf(remedy, sizeof(remedy), "nvidia-smi -i %" PRIu32 " -c DEFAULT", gpu->index);
	checks_row(call, "compute mode", CHECK_WARNING, text, remedy);
}

static void check_unseen(struct admin_call *call)
{
	unsigned unseen = programs_unseen(call->daemon->programs);
	char text[120];

	if (unseen == 0)
		return;
	snprintf(text, sizeof(text), "it names none of the %u programs' workers that use a GPU",
		 unseen);
	checks_row(call, "NVML", CHECK_WARNING, text,
		   "run vgpud in the host's own pid namespace; until then what programs hold is "
		   "bounded by what their workers count alone");
}

void checks_nvml(struct admin_call *call)
{
	const struct nvml *nvml = programs_nvml(call->daemon->programs);
	char text[80];

	if (!nvml_wanted(nvml))
		return;
	if (nvml_trouble(nvml) != NULL) {
		checks_row(call, "NVML", CHECK_WARNING, nvml_trouble(nvml),
			   "see that nvidia-smi works on this host; until then what programs hold "
			   "of a GPU is bounded by what their workers count alone");
		return;
	}
	if (nvml_num(nvml) > 0)
		snprintf(text, sizeof(text), "tells of %" PRIu32 " GPUs", nvml_num(nvml));
	else
		snprintf(text, sizeof(text), "has not answered yet");
	checks_row(call, "NVML", CHECK_OK, text, NULL);
	check_unseen(call);
	for (uint32_t i = 0; i < nvml_num(nvml); i++)
		check_mode(call, nvml_gpu(nvml, i));
}
