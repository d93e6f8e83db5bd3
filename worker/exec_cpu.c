/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec_cpu.c - runs requests on the processor: where there is no GPU, and as a baseline */

#include "worker/exec_cpu.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/util.h"

struct exec_cpu {
	struct exec exec;
	bool full; /* done waits to be reaped */
	struct worker_done done;
};

/* Sums as the GPU does: modulo 2^32, which is what int32 in two's complement wraps to. */
static uint32_t vector_add(const struct proto_request *request, uint8_t *sums)
{
	uint32_t half_bytes = request->data_bytes / 2;

	for (uint32_t at = 0; at < half_bytes; at += 4)
		vgpu_put_le32(sums + at, vgpu_get_le32(request->data + at) +
						 vgpu_get_le32(request->data + half_bytes + at));
	return half_bytes;
}

/* Ends the process, which is what a kernel with an illegal address does on a GPU. */
static void __attribute__((noreturn)) die_of_address(void)
{
	static char *volatile nowhere = (char *)16;

	signal(SIGSEGV, SIG_DFL); /* a sanitizer would rather explain it */
	*(volatile char *)nowhere = 1;
	abort();
}

static int cpu_submit(struct exec *exec, const struct worker_job *job)
{
	struct exec_cpu *cpu = (struct exec_cpu *)exec;
	uint64_t started_ns = util_now_ns();
	struct proto_response response = { .status = VGPU_ERR_OK };
	struct proto_request request;
	uint8_t sums[PROTO_DATA_MAX];

	if (cpu->full)
		return -EAGAIN;
	if (proto_check_request(job->msg, job->len_bytes, &request) != VGPU_ERR_OK)
		return -EPROTO;
	switch ((enum vgpu_opcode)request.opcode) {
	case VGPU_OP_NOP:
		break;
	case VGPU_OP_CUDA_KERNEL:
		response.result_count = 1;
		response.results[0] = proto_param(&request, 0) + proto_param(&request, 1);
		break;
	case VGPU_OP_VECTOR_ADD:
		response.data_bytes = vector_add(&request, sums);
		response.data = sums;
		break;
	case VGPU_OP_DEVICE_INFO:
		exec_respond_info(&exec->info, &response);
		break;
	case VGPU_OP_TEST_FAULT:
		die_of_address();
	case VGPU_OP_TEST_HANG:
		for (;;)
			; /* the broker's deadline ends it */
	}
	cpu->done.id = job->id;
	exec_complete(&cpu->done, &request, &response, util_now_ns() - started_ns);
	cpu->full = true;
	return 0;
}

static int cpu_reap(struct exec *exec, struct worker_done *done)
{
	struct exec_cpu *cpu = (struct exec_cpu *)exec;

	if (!cpu->full)
		return 0;
	*done = cpu->done;
	cpu->full = false;
	return 1;
}

/* Jobs end within submit, so there is never one to stop. */
static void cpu_cancel(struct exec *exec, uint64_t id)
{
	(void)exec;
	(void)id;
}

static void cpu_close(struct exec *exec)
{
	free(exec);
}

static const struct exec_ops cpu_ops = {
	.submit = cpu_submit,
	.reap = cpu_reap,
	.cancel = cpu_cancel,
	.close = cpu_close,
};

/* The processor's name as /proc/cpuinfo has it (x86); elsewhere just "CPU". */
static void read_cpu_name(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(name, size, "CPU");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		const char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || colon == NULL)
			continue;
		colon += strspn(colon, ": \t");
		snprintf(name, size, "%.*s", (int)strcspn(colon, "\n"), colon);
		break;
	}
	if (file != NULL)
		fclose(file);
}

struct exec *exec_cpu_open(void)
{
	struct exec_cpu *cpu = calloc(1, sizeof(*cpu));
	uint64_t page_kib = (uint64_t)sysconf(_SC_PAGESIZE) / 1024;

	if (cpu == NULL)
		return NULL;
	cpu->exec.ops = &cpu_ops;
	cpu->exec.info = (struct worker_info){
		.executor = VGPU_EXECUTOR_CPU,
		.memory_mib = (uint32_t)((uint64_t)sysconf(_SC_PHYS_PAGES) * page_kib / 1024),
		.multiprocessors = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
	};
	read_cpu_name(cpu->exec.info.name, sizeof(cpu->exec.info.name));
	return &cpu->exec;
}
