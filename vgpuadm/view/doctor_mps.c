/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_mps.c - whether NVIDIA's multi-process service runs on this host */

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "vgpuadm/view/doctor.h"

/* Of its control daemon and of its servers, as far as the kernel keeps it. */
#define NAME "nvidia-cuda-mps"

/* Return: whether a process is one of the service's. */
static bool is_mps(uint64_t pid)
{
	char path[64], name[32] = "";
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/comm", pid);
	comm = fopen(path, "re");
	if (comm == NULL)
		return false;
	if (fgets(name, sizeof(name), comm) == NULL)
		name[0] = '\0';
	fclose(comm);
	name[strcspn(name, "\n")] = '\0';
	return strcmp(name, NAME) == 0;
}

/* Return: the number of one of its processes; 0: there is none. */
static uint64_t find_mps(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	uint64_t found = 0, pid;

	while (proc != NULL && found == 0 && (entry = readdir(proc)) != NULL)
		if (util_parse_u64(entry->d_name, 1, INT32_MAX, &pid) == 0 && is_mps(pid))
			found = pid;
	if (proc != NULL)
		closedir(proc);
	return found;
}

void doctor_mps(struct doctor *doctor)
{
	uint64_t pid = find_mps();

	if (pid != 0)
		doctor_add(
			doctor, DOCTOR_WARNING, "MPS",
			"echo quit | nvidia-cuda-mps-control ends it, if nothing else on this host "
			"needs it",
			NAME " runs (process %" PRIu64
			     "): programs of guests do not use it, and its "
			     "clients take GPU time that vgpud neither gives nor counts",
			pid);
}
