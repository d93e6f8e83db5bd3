/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native.c - the other baseline: executors in this process, without VM and daemon */

#include <errno.h>
#include <string.h>

#include "bench/native_cuda.h"
#include "bench/samples.h"
#include "common/util.h"
#include "common/wire/proto_check.h"
#include "worker/exec_cpu.h"
#include "worker/exec_cuda.h"

#define WARM_UP 1000

static struct exec *open_executor(const char *name)
{
	struct exec *exec = NULL;
	char why[256];
	uint64_t device;

	if (strncmp(name, "cuda:", 5) == 0 && util_parse_u64(name + 5, 0, 1023, &device) == 0 &&
	    exec_cuda_open(&exec, (int)device, why, sizeof(why)) != 0)
		fprintf(stderr, "bench-native: %s: %s\n", name, why);
	if (strcmp(name, "cpu") == 0)
		exec = exec_cpu_open();
	return exec;
}

static struct worker_job make_job(enum vgpu_opcode opcode)
{
	uint8_t params[8];
	struct proto_request request = {
		.opcode = opcode,
		.param_count = opcode == VGPU_OP_CUDA_KERNEL ? 2 : 0,
		.params = params,
	};
	struct worker_job job = { .id = 1 };

	vgpu_put_le32(params, 100);
	vgpu_put_le32(params + 4, 200);
	job.len_bytes = proto_make_request(job.msg, &request);
	return job;
}

/* Return: 0, or the executor's error. */
static int measure(struct exec *exec, const char *name, enum vgpu_opcode opcode,
		   uint64_t *sample_ns, uint64_t rounds)
{
	struct worker_job job = make_job(opcode);
	struct worker_done done;
	int err = 0;

	for (uint64_t i = 0; err == 0 && i < rounds + WARM_UP; i++) {
		uint64_t before_ns = util_now_ns();

		err = exec->ops->submit(exec, &job);
		if (err == 0 && exec->ops->reap(exec, &done) != 1)
			err = -EIO;
		if (i >= WARM_UP)
			sample_ns[i - WARM_UP] = util_now_ns() - before_ns;
	}
	if (err == 0)
		samples_print(name, sample_ns, rounds);
	return err;
}

/* The ways that only a GPU has. Return: 0 or -errno. */
static int measure_others(const char *name, uint64_t *sample_ns, uint64_t rounds)
{
	uint64_t device;

	if (strncmp(name, "cuda:", 5) == 0 && util_parse_u64(name + 5, 0, 1023, &device) == 0)
		return native_cuda_measure((int)device, sample_ns, rounds);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t rounds = 20000, *sample_ns;
	struct exec *exec;

	if (argc < 2 || argc > 3 ||
	    (argc == 3 && util_parse_u64(argv[2], 1, 10000000, &rounds) != 0)) {
		fputs("usage: bench-native cpu|cuda:N [ROUNDS]\n", stderr);
		return 2;
	}
	exec = open_executor(argv[1]);
	if (exec == NULL) {
		fprintf(stderr, "bench-native: %s: cannot open it\n", argv[1]);
		return 1;
	}
	sample_ns = calloc(rounds, sizeof(*sample_ns));
	if (sample_ns == NULL || measure(exec, "native-nop", VGPU_OP_NOP, sample_ns, rounds) != 0 ||
	    measure(exec, "native-add", VGPU_OP_CUDA_KERNEL, sample_ns, rounds) != 0 ||
	    measure_others(argv[1], sample_ns, rounds) != 0) {
		fputs("bench-native: a job failed\n", stderr);
		return 1;
	}
	free(sample_ns);
	exec->ops->close(exec);
	return 0;
}
