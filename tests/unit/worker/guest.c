/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - plays a program of a guest against the worker's code, in one process */

#include "tests/unit/worker/guest.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATIENCE_MS 60000

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "guest: %s\n", what);
	abort();
}

void guest_pause(unsigned ms, const char *what)
{
	require(ms < PATIENCE_MS, what);
	poll(NULL, 0, 1);
}

int guest_window(void)
{
	int fd = memfd_create("window", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	require(fd >= 0 && ftruncate(fd, GUEST_WINDOW_BYTES) == 0, "no memory file");
	return fd;
}

static void open_window(struct guest *guest, const struct guest_place *place)
{
	guest->fd = dup(place->window);
	guest->view = mmap(NULL, GUEST_WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd,
			   0);
	require(guest->fd >= 0 && guest->view != MAP_FAILED, "the window cannot be mapped");
	guest->control_at = place->control_at;
	/* The programs of a VM all have it at one address, but here they share a process. */
	guest->address = VGPU_WINDOW_BAND_FIRST + place->channel * GUEST_WINDOW_BYTES;
	guest->control = (void *)(guest->view + guest->control_at);
	guest->replies = (void *)(guest->view + guest->control_at + VGPU_CHANNEL_REPLIES);
	guest->control->layout = VGPU_WINDOW_LAYOUT;
	guest->control->window_address = guest->address;
}

void guest_open(struct guest *guest, const char *spec, uint32_t helper_num)
{
	struct guest_place place = {
		.window = guest_window(),
		.control_at = GUEST_CONTROL_AT,
		.of_program = true,
	};

	guest_open_at(guest, spec, helper_num, &place);
	close(place.window);
}

void guest_open_at(struct guest *guest, const char *spec, uint32_t helper_num,
		   const struct guest_place *place)
{
	struct program_order order = {
		.what = PROGRAM_BIND,
		.window_bytes = GUEST_WINDOW_BYTES,
		.control_at = place->control_at,
		.channel = place->channel,
		.flags = place->of_program ? VGPU_WINDOW_OF_PROGRAM : 0,
	};
	struct serve_config config = { .helper_num = helper_num };
	struct window window;
	char why[WORKER_WHY_SIZE];

	memset(guest, 0, sizeof(*guest));
	pthread_mutex_init(&guest->lock, NULL);
	open_window(guest, place);
	guest->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	guest->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	output_init(&guest->output);
	require(gpu_open(&guest->gpu, spec, &guest->output, why, sizeof(why)) == 0, why);
	require(window_map(&window, guest->fd, &order, why, sizeof(why)) == VGPU_END_NONE, why);
	config.gpu = guest->gpu;
	config.output = &guest->output;
	config.window = &window;
	config.kick = guest->kick;
	config.broker = -1;
	config.call = guest->call;
	guest->program = aligned_alloc(64, (sizeof(*guest->program) + 63) / 64 * 64);
	require(guest->program != NULL, "out of memory");
	require(serve_start(guest->program, &config) == CUDA_SUCCESS, "the program cannot start");
}

static void *issue(void *argument)
{
	struct guest *guest = argument;

	guest->end = serve_run(guest->program);
	return NULL;
}

void guest_run(struct guest *guest, uint32_t poll_us)
{
	guest->program->poll_ns = poll_us * UINT64_C(1000);
	guest->runs = true;
	require(pthread_create(&guest->thread, NULL, issue, guest) == 0, "no thread");
}

void guest_close(struct guest *guest)
{
	const struct vgpu_command nonsense = { .bytes = sizeof(nonsense), .reply = VGPU_NO_REPLY };

	if (guest->runs) {
		guest_put(guest, &nonsense, sizeof(nonsense));
		pthread_join(guest->thread, NULL);
	}
	serve_end(guest->program);
	free(guest->program);
	guest->gpu->ops->close(guest->gpu);
	output_end(&guest->output);
	munmap(guest->view, GUEST_WINDOW_BYTES);
	close(guest->fd);
	close(guest->kick);
	close(guest->call);
	pthread_mutex_destroy(&guest->lock);
}

/* Under the lock. */
static void put(struct guest *guest, const void *bytes, uint32_t len)
{
	uint8_t *ring = guest->view + guest->control_at + VGPU_CHANNEL_RING;
	uint32_t at = guest->tail % VGPU_RING_UNITS * VGPU_RING_UNIT;
	uint32_t first = VGPU_RING_LEN - at < len ? VGPU_RING_LEN - at : len;
	uint32_t units = (len + VGPU_RING_UNIT - 1) / VGPU_RING_UNIT, old = guest->tail;
	const uint64_t one = 1;

	UNTIL(VGPU_RING_UNITS - (guest->tail - vgpu_ring_load(&guest->control->head)) >= units);
	memcpy(ring + at, bytes, first);
	memcpy(ring, (const uint8_t *)bytes + first, len - first);
	guest->tail += units;
	vgpu_ring_publish(&guest->control->tail, guest->tail);
	vgpu_ring_fence();
	if (vgpu_ring_passed(vgpu_ring_load(&guest->control->park), old, guest->tail))
		require(write(guest->kick, &one, sizeof(one)) == sizeof(one), "no kick");
}

void guest_put(struct guest *guest, const void *bytes, uint32_t len)
{
	pthread_mutex_lock(&guest->lock);
	put(guest, bytes, len);
	pthread_mutex_unlock(&guest->lock);
}

uint32_t guest_send(struct guest *guest, uint16_t op, uint16_t thread, uint32_t slot,
		    const void *args, uint32_t args_bytes, const void *tail, uint32_t tail_bytes)
{
	uint32_t bytes = (uint32_t)sizeof(struct vgpu_command) + args_bytes + tail_bytes;
	uint8_t *command = malloc(bytes);
	struct vgpu_command head = { op, thread, bytes, slot, 0 };

	require(command != NULL, "out of memory");
	pthread_mutex_lock(&guest->lock);
	if (slot != VGPU_NO_REPLY)
		head.sequence = ++guest->sequences[slot];
	memcpy(command, &head, sizeof(head));
	memcpy(command + sizeof(head), args, args_bytes);
	if (tail_bytes > 0)
		memcpy(command + sizeof(head) + args_bytes, tail, tail_bytes);
	put(guest, command, bytes);
	pthread_mutex_unlock(&guest->lock);
	free(command);
	return head.sequence;
}

bool guest_is_done(const struct guest *guest, uint32_t slot)
{
	return vgpu_ring_consume(&guest->replies[slot].done) == guest->sequences[slot];
}

int32_t guest_wait(struct guest *guest, uint32_t slot, struct vgpu_reply *reply)
{
	UNTIL(guest_is_done(guest, slot));
	if (reply != NULL)
		*reply = guest->replies[slot];
	return guest->replies[slot].result;
}

int32_t guest_ask(struct guest *guest, uint32_t slot, uint16_t op, const void *args,
		  uint32_t args_bytes, const void *tail, uint32_t tail_bytes,
		  struct vgpu_reply *reply)
{
	guest_send(guest, op, (uint16_t)slot, slot, args, args_bytes, tail, tail_bytes);
	return guest_wait(guest, slot, reply);
}

int32_t guest_load(struct guest *guest, uint32_t slot, uint32_t module, const char *text)
{
	uint64_t at = GUEST_BULK_AT + slot * (VGPU_PIECE / VGPU_REPLIES);

	memcpy(guest->view + at, text, strlen(text));
	return ASK(guest, slot, NULL, MODULE_LOAD, module_load, .at = at, .bytes = strlen(text),
		   .module = module);
}

int32_t guest_function(struct guest *guest, uint32_t slot, uint32_t module, uint32_t function,
		       const char *name)
{
	const struct vgpu_cmd_module_function args = {
		.at = GUEST_BULK_AT + slot * (VGPU_PIECE / VGPU_REPLIES),
		.bytes = VGPU_PIECE / VGPU_REPLIES,
		.module = module,
		.function = function,
	};

	return guest_ask(guest, slot, VGPU_CMD_MODULE_FUNCTION, &args, sizeof(args), name,
			 (uint32_t)strlen(name) + 1, NULL);
}

void guest_launch(struct guest *guest, uint32_t slot, uint32_t function, uint32_t stream,
		  uint32_t blocks, uint32_t threads, const void *parameters, uint32_t bytes)
{
	const struct vgpu_cmd_launch args = {
		.function = function,
		.stream = stream,
		.grid_x = blocks,
		.grid_y = 1,
		.grid_z = 1,
		.block_x = threads,
		.block_y = 1,
		.block_z = 1,
	};

	guest_send(guest, VGPU_CMD_LAUNCH, 0, slot, &args, sizeof(args), parameters, bytes);
}

void guest_start(struct guest *guest, const char *spec)
{
	guest_open(guest, spec, HELPERS_MOST);
	guest_run(guest, 50);
}

uint64_t guest_allocate(struct guest *guest, uint64_t bytes)
{
	struct vgpu_reply reply;

	require(ASK(guest, 0, &reply, MEMORY_ALLOC, memory_alloc, .bytes = bytes) == CUDA_SUCCESS,
		"no memory of the GPU");
	return reply.value[0];
}
