/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_gpu.c - a worker whose GPU is an array: what libcuda's commands do, done at once */

#include "tests/unit/libcuda/fake_gpu.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/cuda/cuda_abi.h"

/* Where bytes that the program names lie in this process, from the host's side. */
static uint8_t *at(struct double_host *host, uint64_t address, uint64_t bytes)
{
	struct fake_gpu *gpu = host->owner;

	if (address >= FAKE_BASE && address + bytes <= FAKE_BASE + FAKE_BYTES)
		return gpu->memory + (address - FAKE_BASE);
	assert(address >= host->program_window);
	assert(address + bytes <= host->program_window + host->window_bytes);
	return host->window + (address - host->program_window);
}

static void alloc(struct double_host *host, uint64_t bytes, struct vgpu_reply *reply)
{
	struct fake_gpu *gpu = host->owner;

	if (gpu->bad_num > 0) {
		gpu->bad_num--;
		reply->value[0] = gpu->bad_address;
		gpu->bad_address += VGPU_PAGE;
		return;
	}
	if (bytes > FAKE_BYTES - gpu->next) {
		reply->result = CUDA_ERROR_OUT_OF_MEMORY;
		return;
	}
	reply->value[0] = FAKE_BASE + gpu->next;
	gpu->next += (bytes + 511) & ~511ull;
}

/* A function of two parameters: a pointer and an int. */
static void describe_function(struct double_host *host, const uint8_t *args, const char *name,
			      struct vgpu_reply *reply)
{
	struct vgpu_function_info info = { .attributes = { 1024 },
					   .parameter_num = 2,
					   .parameter_bytes = 12 };
	const uint32_t parameters[4] = { 0, 8, 8, 4 };
	struct vgpu_cmd_module_function get;

	memcpy(&get, args, sizeof(get));
	if (strcmp(name, "missing") == 0) {
		reply->result = CUDA_ERROR_NOT_FOUND;
		return;
	}
	memcpy(host->window + get.at, &info, sizeof(info));
	memcpy(host->window + get.at + sizeof(info), parameters, sizeof(parameters));
}

static void copy(struct double_host *host, const uint8_t *args)
{
	struct vgpu_cmd_copy c;

	memcpy(&c, args, sizeof(c));
	memmove(at(host, c.to, c.bytes), at(host, c.from, c.bytes), c.bytes);
}

static void copy_in(struct double_host *host, const uint8_t *args, uint32_t bytes)
{
	struct vgpu_cmd_copy_in c;

	memcpy(&c, args, sizeof(c));
	memcpy(at(host, c.to, bytes), args + sizeof(c), bytes);
}

static void copy_box(struct double_host *host, const uint8_t *args)
{
	struct vgpu_cmd_copy_box c;

	memcpy(&c, args, sizeof(c));
	for (uint64_t z = 0; z < c.planes; z++)
		for (uint64_t y = 0; y < c.rows; y++)
			memmove(at(host, c.to + (z * c.to_height + y) * c.to_pitch_bytes,
				   c.width_bytes),
				at(host, c.from + (z * c.from_height + y) * c.from_pitch_bytes,
				   c.width_bytes),
				c.width_bytes);
}

static void write_value(struct double_host *host, const uint8_t *args)
{
	struct vgpu_cmd_stream_write_value w;

	memcpy(&w, args, sizeof(w));
	memcpy(at(host, w.address, w.bytes), &w.value, w.bytes);
}

static void load(struct double_host *host, const struct vgpu_command *head, const uint8_t *args)
{
	struct fake_gpu *gpu = host->owner;
	struct vgpu_cmd_module_load wanted;
	uint32_t bytes = head->bytes - (uint32_t)(sizeof(*head) + sizeof(wanted));

	memcpy(&wanted, args, sizeof(wanted));
	memcpy(&gpu->image_magic, host->window + wanted.at, sizeof(gpu->image_magic));
	gpu->option_num = bytes / (uint32_t)sizeof(gpu->options[0]);
	assert(bytes <= sizeof(gpu->options));
	memcpy(gpu->options, args + sizeof(wanted), bytes);
}

static void launch(struct fake_gpu *gpu, const struct vgpu_command *head, const uint8_t *args,
		   struct vgpu_reply *reply)
{
	memcpy(&gpu->launch, args, sizeof(gpu->launch));
	gpu->parameter_bytes = head->bytes - (uint32_t)(sizeof(*head) + sizeof(gpu->launch));
	if (gpu->parameter_bytes <= sizeof(gpu->parameters))
		memcpy(gpu->parameters, args + sizeof(gpu->launch), gpu->parameter_bytes);
	reply->result = gpu->launch_result;
}

static void refused(struct fake_gpu *gpu, const uint8_t *args)
{
	struct vgpu_cmd_refused r;

	memcpy(&r, args, sizeof(r));
	strncpy(gpu->refused, (const char *)args + sizeof(r), sizeof(gpu->refused) - 1);
	gpu->refused_times += r.times;
}

static void run_locked(struct double_host *host, const struct vgpu_command *head,
		       const uint8_t *args, struct vgpu_reply *reply)
{
	struct fake_gpu *gpu = host->owner;
	struct vgpu_cmd_memory_alloc wanted;

	switch (head->op) {
	case VGPU_CMD_MEMORY_ALLOC:
	case VGPU_CMD_MEMORY_ALLOC_ASYNC: /* bytes come first in both */
		memcpy(&wanted, args, sizeof(wanted));
		alloc(host, wanted.bytes, reply);
		break;
	case VGPU_CMD_MEMORY_FREE:
		gpu->frees++;
		break;
	case VGPU_CMD_HOST_MAP:
		if (gpu->maps_refused > 0) {
			gpu->maps_refused--;
			reply->result = CUDA_ERROR_OUT_OF_MEMORY;
		}
		break;
	case VGPU_CMD_MODULE_LOAD:
		load(host, head, args);
		reply->value[0] = 2;
		break;
	case VGPU_CMD_MODULE_FUNCTION:
		describe_function(host, args,
				  (const char *)args + sizeof(struct vgpu_cmd_module_function),
				  reply);
		break;
	case VGPU_CMD_COPY:
	case VGPU_CMD_COPY_WAIT:
		copy(host, args);
		break;
	case VGPU_CMD_COPY_IN:
		copy_in(host, args,
			head->bytes - (uint32_t)(sizeof(*head) + sizeof(struct vgpu_cmd_copy_in)));
		break;
	case VGPU_CMD_COPY_BOX:
		copy_box(host, args);
		break;
	case VGPU_CMD_STREAM_WRITE_VALUE:
		write_value(host, args);
		break;
	case VGPU_CMD_OCCUPANCY:
		reply->value[0] = 4;
		break;
	case VGPU_CMD_REFUSED:
		refused(gpu, args);
		break;
	case VGPU_CMD_LAUNCH:
		launch(gpu, head, args, reply);
		break;
	default:
		break;
	}
}

static bool run(struct double_host *host, const struct vgpu_command *head, const uint8_t *args,
		struct vgpu_reply *reply)
{
	struct fake_gpu *gpu = host->owner;

	pthread_mutex_lock(&gpu->lock);
	run_locked(host, head, args, reply);
	pthread_mutex_unlock(&gpu->lock);
	return true;
}

struct fake_gpu fake_gpu_see(struct fake_gpu *gpu)
{
	struct fake_gpu copy;

	pthread_mutex_lock(&gpu->lock);
	copy = *gpu;
	pthread_mutex_unlock(&gpu->lock);
	return copy;
}

void fake_gpu_settle(struct fake_gpu *gpu)
{
	pthread_mutex_lock(&gpu->lock);
	pthread_mutex_unlock(&gpu->lock);
}

void fake_gpu_start(struct double_host *host, struct fake_gpu *gpu)
{
	struct vgpu_device_page *device = &host->device;

	*gpu = (struct fake_gpu){ .lock = PTHREAD_MUTEX_INITIALIZER,
				  .memory = calloc(1, FAKE_BYTES) };
	*host = (struct double_host){ .run = run, .owner = gpu };
	device->driver_version = 13000;
	device->memory_bytes = FAKE_BYTES;
	device->uuid[0] = 0xab;
	device->priority_greatest = -5;
	strncpy(device->name, "fake", sizeof(device->name) - 1);
	/* Limits of blocks and grids, and the multiprocessors, by CUdevice_attribute. */
	for (int i = 1; i <= 4; i++)
		device->attributes[i] = i == 4 ? 64 : 1024;
	device->attributes[5] = INT32_MAX;
	device->attributes[6] = device->attributes[7] = 65535;
	device->attributes[16] = 8;
	device->attributes[39] = 2048;
	double_start(host);
	setenv("VGPU_SOCKET", host->path, 1);
	setenv("VGPU_WINDOW_SIZE", "16M", 1);
	setenv("VGPU_QUIET", "1", 1);
}

void fake_gpu_stop(struct double_host *host, struct fake_gpu *gpu)
{
	double_stop(host);
	free(gpu->memory);
}
