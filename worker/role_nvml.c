/* SPDX-License-Identifier: GPL-2.0-or-later */
/* role_nvml.c - the process that asks NVML about the host's GPUs, since NVML may hang */

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/worker_wire.h"
#include "proc/confine.h"
#include "proc/role.h"
#include "proc/spawn_wire.h"
#include "worker/nvml.h"
#include "worker/orders.h"

/*
 * It runs beside vgpud, not in a worker's sandbox: NVML names processes by the pids of whom it tells,
 * and the workers' namespaces have none but their own. No guest has a word here.
 */

static struct nvml_library nvml;

/* NVML opens its devices and loads its tables now, before files cannot be written any more. */
static int open_all(char *why, size_t why_size)
{
	static struct nvml_gpu gpu;
	uint32_t num = 0;
	int err = nvml_open(&nvml, why, why_size);

	if (err == 0)
		err = nvml_count(&nvml, &num, why, why_size);
	for (uint32_t i = 0; err == 0 && i < num; i++)
		nvml_ask(&nvml, i, &gpu);
	return err;
}

/* Return: whether the broker still listens. */
static bool answer(int fd, uint32_t look)
{
	static struct nvml_gpu gpu;
	char why[sizeof(gpu.why)];
	uint32_t num = 0, i = 0;

	if (nvml_count(&nvml, &num, why, sizeof(why)) != 0 || num == 0) {
		gpu = (struct nvml_gpu){ .look = look };
		snprintf(gpu.why, sizeof(gpu.why), "%s", num == 0 ? "NVML sees no GPU" : why);
		return send(fd, &gpu, sizeof(gpu), MSG_NOSIGNAL) == sizeof(gpu);
	}
	do {
		nvml_ask(&nvml, i, &gpu);
		gpu.look = look;
		gpu.num = num;
		if (send(fd, &gpu, sizeof(gpu), MSG_NOSIGNAL) != sizeof(gpu))
			return false;
	} while (++i < num);
	return true;
}

int role_nvml(const char *spec)
{
	struct worker_hello hello = { .error = 0 };
	struct nvml_order order;
	int fd = orders_begin(spawn_name[SPAWN_NVML]);
	ssize_t len;

	(void)spec;
	hello.error = open_all(hello.why, sizeof(hello.why));
	if (hello.error == 0) {
		confine_no_changes();
		confine(CONFINE_NVML);
	}
	if (!orders_greet(fd, &hello) || hello.error != 0)
		return hello.error != 0;
	for (;;) {
		len = recv(fd, &order, sizeof(order), 0);
		if (len < 0 && errno == EINTR)
			continue;
		if (len != sizeof(order))
			return len != 0;
		if (!answer(fd, order.look))
			return 0;
	}
}
