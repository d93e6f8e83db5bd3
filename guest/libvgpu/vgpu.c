/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu.c - the life of a program's connection: open, start, fork, close */

#include "guest/libvgpu/vgpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/libvgpu/door_device.h"
#include "guest/libvgpu/door_socket.h"
#include "guest/libvgpu/vgpu_private.h"

/* By this vgpu-probe knows the libcuda.so.1 that it finds for ours. */
static const char mark[] __attribute__((used)) = "vgpu libcuda.so.1 version " VGPU_VERSION;

/* --- fork() --- */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct vgpu *all;
static pthread_once_t watch_fork_once = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
	pthread_mutex_lock(&all_lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&all_lock);
}

/* The window is not mapped in the child, and its descriptors are closed. */
static void in_child(void)
{
	for (struct vgpu *vgpu = all; vgpu; vgpu = vgpu->next) {
		atomic_store(&vgpu->end, VGPU_END_FORKED);
		vgpu->door->kind->forked(vgpu->door);
	}
	pthread_mutex_unlock(&all_lock);
}

static void watch_fork(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

static void list_add(struct vgpu *vgpu)
{
	pthread_once(&watch_fork_once, watch_fork);
	pthread_mutex_lock(&all_lock);
	vgpu->next = all;
	all = vgpu;
	pthread_mutex_unlock(&all_lock);
}

static void list_remove(const struct vgpu *vgpu)
{
	struct vgpu **at = &all;

	pthread_mutex_lock(&all_lock);
	while (*at && *at != vgpu)
		at = &(*at)->next;
	if (*at)
		*at = vgpu->next;
	pthread_mutex_unlock(&all_lock);
}

/* --- open and close --- */

static void init_state(struct vgpu *vgpu, const struct vgpu_options *options)
{
	vgpu->options = *options;
	strncpy(vgpu->name, options->name ? options->name : "", sizeof(vgpu->name) - 1);
	atomic_init(&vgpu->end, VGPU_END_NONE);
	atomic_init(&vgpu->started, false);
	atomic_init(&vgpu->spin_ns, options->spin_us * 1000);
	pthread_mutex_init(&vgpu->start_lock, NULL);
	pthread_mutex_init(&vgpu->ring_lock, NULL);
	pthread_mutex_init(&vgpu->park_lock, NULL);
	pthread_mutex_init(&vgpu->memory_lock, NULL);
	pthread_cond_init(&vgpu->changed, NULL);
}

/* What vgpud wrote into the window must be laid out as this library reads it. */
static enum vgpu_end check_head(const struct door *door, char *why)
{
	const volatile struct vgpu_window_head *head = (const void *)door->window;

	if (head->magic == VGPU_WINDOW_MAGIC && head->layout == VGPU_WINDOW_LAYOUT &&
	    head->piece_len == VGPU_PIECE)
		return VGPU_END_NONE;
	snprintf(why, VGPU_WHY,
		 "the host lays the window out as version 0x%x, this library reads version 0x%x: "
		 "install the libcuda.so.1 that belongs to the host's vgpud",
		 head->layout, VGPU_WINDOW_LAYOUT);
	return VGPU_END_LAYOUT;
}

enum vgpu_end vgpu_open(const struct vgpu_options *options, struct vgpu **out, char *why)
{
	struct vgpu *vgpu = calloc(1, sizeof(*vgpu));
	enum vgpu_end end;

	*why = '\0';
	if (!vgpu)
		return VGPU_END_NO_MEMORY;
	init_state(vgpu, options);
	end = options->socket ? door_socket_open(options, &vgpu->door, why)
			      : door_device_open(options->device, &vgpu->door, why);
	if (end != VGPU_END_NONE) {
		free(vgpu);
		return end;
	}
	vgpu->window = vgpu->door->window;
	vgpu->window_bytes = vgpu->door->window_bytes;
	list_add(vgpu);
	end = check_head(vgpu->door, why);
	if (end != VGPU_END_NONE) {
		vgpu_close(vgpu);
		return end;
	}
	*out = vgpu;
	return VGPU_END_NONE;
}

void vgpu_close(struct vgpu *vgpu)
{
	list_remove(vgpu);
	if (atomic_load(&vgpu->end) != VGPU_END_FORKED) {
		while (vgpu->range_num > 0)
			(void)vgpu_release(vgpu, vgpu->ranges[vgpu->range_num - 1].address);
	}
	free(vgpu->ranges);
	vgpu->door->kind->close(vgpu->door);
	free(vgpu);
}

/* --- the channel --- */

static void lay_out_channel(struct vgpu *vgpu)
{
	uint8_t *first = vgpu->window + vgpu->first_at;
	struct vgpu_channel_control *control = (void *)(first + VGPU_CHANNEL_CONTROL);

	control->layout = VGPU_WINDOW_LAYOUT;
	control->pid = (uint32_t)getpid();
	control->window_address = (uintptr_t)vgpu->window;
	memcpy(control->name, vgpu->name, sizeof(control->name));
	vgpu->control = control;
	vgpu->ring = first + VGPU_CHANNEL_RING;
	vgpu->replies = (void *)(first + VGPU_CHANNEL_REPLIES);
}

static enum vgpu_end start_locked(struct vgpu *vgpu)
{
	struct door *door = vgpu->door;
	enum vgpu_end end = door->kind->hold(door, &vgpu->first_at);

	if (end == VGPU_END_NONE) {
		lay_out_channel(vgpu);
		end = door->kind->start(door, vgpu->first_at);
	}
	if (end == VGPU_END_NONE)
		atomic_store(&vgpu->started, true);
	else if (end == VGPU_END_UNPLUGGED || (end == VGPU_END_HOST_LOST && vgpu->options.socket))
		vgpu_set_end(vgpu,
			     end); /* a new vgpud finds the device again, but no socket's peer */
	return end;
}

enum vgpu_end vgpu_start(struct vgpu *vgpu)
{
	enum vgpu_end end = vgpu_ended(vgpu);

	if (end != VGPU_END_NONE || atomic_load(&vgpu->started))
		return end;
	pthread_mutex_lock(&vgpu->start_lock);
	end = vgpu_ended(vgpu);
	if (end == VGPU_END_NONE && !atomic_load(&vgpu->started))
		end = start_locked(vgpu);
	pthread_mutex_unlock(&vgpu->start_lock);
	return end;
}

/* --- what others ask --- */

enum vgpu_end vgpu_ended(const struct vgpu *vgpu)
{
	return (enum vgpu_end)atomic_load(&vgpu->end);
}

enum vgpu_end vgpu_set_end(struct vgpu *vgpu, enum vgpu_end end)
{
	int none = VGPU_END_NONE;

	if (!atomic_compare_exchange_strong(&vgpu->end, &none, (int)end))
		return (enum vgpu_end)none;
	pthread_mutex_lock(&vgpu->park_lock);
	pthread_cond_broadcast(&vgpu->changed);
	pthread_mutex_unlock(&vgpu->park_lock);
	return end;
}

int32_t vgpu_sticky(const struct vgpu *vgpu)
{
	if (vgpu_ended(vgpu) != VGPU_END_NONE || !atomic_load(&vgpu->started))
		return 0;
	return (int32_t)vgpu_ring_load(&vgpu->control->sticky);
}

bool vgpu_text_waits(const struct vgpu *vgpu)
{
	return vgpu_ended(vgpu) == VGPU_END_NONE && atomic_load(&vgpu->started) &&
	       vgpu_ring_load(&vgpu->control->text) != 0;
}

void vgpu_device(const struct vgpu *vgpu, struct vgpu_device_page *out)
{
	const struct vgpu_device_page *page = (const void *)(vgpu->window + VGPU_WINDOW_DEVICE);

	*out = (struct vgpu_device_page){ 0 };
	if (vgpu_ended(vgpu) == VGPU_END_FORKED)
		return;
	/* The host changes it within microseconds: a page that stays odd is its loss, not ours. */
	for (int tries = 0; tries < 100000; tries++) {
		uint32_t before = vgpu_ring_consume(&page->sequence);

		memcpy(out, page, sizeof(*out));
		if (before % 2 == 0 && vgpu_ring_consume(&page->sequence) == before)
			break;
	}
	out->name[sizeof(out->name) - 1] = '\0';
}

void vgpu_slot(const struct vgpu *vgpu, struct slot *out)
{
	*out = vgpu->door->slot;
}

void vgpu_set_spin(struct vgpu *vgpu, uint32_t spin_us)
{
	atomic_store(&vgpu->spin_ns, spin_us * 1000);
}

/* --- memory of the window --- */

enum vgpu_end vgpu_pieces_take(struct vgpu *vgpu, uint64_t bytes, uint64_t *at)
{
	uint64_t first;
	enum vgpu_end end;

	if (vgpu_ended(vgpu) == VGPU_END_FORKED)
		return VGPU_END_FORKED;
	if (bytes == 0 || bytes > vgpu->window_bytes)
		return VGPU_END_WINDOW_FULL;
	end = vgpu->door->kind->take(vgpu->door, (bytes + VGPU_PIECE - 1) / VGPU_PIECE, &first);
	if (end == VGPU_END_NONE)
		*at = first * VGPU_PIECE;
	return end;
}

void vgpu_pieces_give(struct vgpu *vgpu, uint64_t at, uint64_t bytes)
{
	if (vgpu_ended(vgpu) == VGPU_END_FORKED)
		return;
	vgpu->door->kind->give(vgpu->door, at / VGPU_PIECE, (bytes + VGPU_PIECE - 1) / VGPU_PIECE);
}

void *vgpu_window_address(const struct vgpu *vgpu, uint64_t at)
{
	return vgpu->window + at;
}

uint64_t vgpu_window_bytes(const struct vgpu *vgpu)
{
	return vgpu->window_bytes;
}

bool vgpu_window_has(const struct vgpu *vgpu, const void *address, uint64_t bytes, uint64_t *at)
{
	uint64_t offset = (uintptr_t)address - (uintptr_t)vgpu->window;

	if ((uintptr_t)address < (uintptr_t)vgpu->window || offset >= vgpu->window_bytes ||
	    bytes > vgpu->window_bytes - offset)
		return false;
	*at = offset;
	return true;
}

void vgpu_window_small(const struct vgpu *vgpu, uint64_t *at, uint64_t *bytes)
{
	*at = vgpu->first_at + VGPU_CHANNEL_FREE;
	*bytes = VGPU_PIECE - VGPU_CHANNEL_FREE;
}

volatile uint32_t *vgpu_word(const struct vgpu *vgpu, uint32_t index)
{
	return (volatile uint32_t *)(vgpu->window + vgpu->first_at + VGPU_CHANNEL_WORDS) + index;
}
