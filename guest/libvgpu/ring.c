/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.c - puts commands into the ring and takes replies */

#include <string.h>
#include <unistd.h>

#include "guest/libvgpu/park.h"
#include "guest/libvgpu/vgpu.h"
#include "guest/libvgpu/vgpu_private.h"

/* --- who asks --- */

/* A number for the calling thread: the worker keeps the order of its commands that block. */
static uint16_t thread_number(void)
{
	static VGPU_THREAD_FAST uint16_t mine;
	static atomic_uint last;

	if (mine == 0)
		mine = (uint16_t)(atomic_fetch_add(&last, 1) % UINT16_MAX + 1);
	return mine;
}

/* --- room --- */

static bool has_room(struct vgpu *vgpu, const void *argument)
{
	uint32_t units = *(const uint32_t *)argument;

	return VGPU_RING_UNITS - (vgpu->tail - vgpu->head) >= units ||
	       VGPU_RING_UNITS - (vgpu->tail - vgpu_ring_consume(&vgpu->control->head)) >= units;
}

/* Waits until so many units may be written. The caller holds ring_lock. */
static enum vgpu_end wait_room(struct vgpu *vgpu, uint32_t units)
{
	enum vgpu_end end = VGPU_END_NONE;

	if (VGPU_RING_UNITS - (vgpu->tail - vgpu->head) >= units)
		return VGPU_END_NONE;
	if (!has_room(vgpu, &units)) {
		vgpu_ring_store(&vgpu->control->wants_room, 1);
		vgpu_ring_fence();
		end = park_until(vgpu, has_room, &units);
		vgpu_ring_store(&vgpu->control->wants_room, 0);
	}
	vgpu->head = vgpu_ring_consume(&vgpu->control->head);
	/* A worker that claims to have taken what was never put there makes no sense. */
	if (end == VGPU_END_NONE && vgpu->tail - vgpu->head > VGPU_RING_UNITS)
		end = vgpu_set_end(vgpu, VGPU_END_WORKER_LOST);
	return end;
}

/* --- writing --- */

/* Writes bytes at a position of the ring, in bytes, round its end. Return: the position behind. */
static uint32_t put_bytes(struct vgpu *vgpu, uint32_t at, const void *bytes, uint32_t length)
{
	uint32_t first = VGPU_RING_LEN - at < length ? VGPU_RING_LEN - at : length;

	if (length == 0)
		return at;
	memcpy(vgpu->ring + at, bytes, first);
	memcpy(vgpu->ring, (const uint8_t *)bytes + first, length - first);
	return (at + length) % VGPU_RING_LEN;
}

/* Writes a command at a unit of the ring; one that does not go round its end, in three steps. */
static void put_command(struct vgpu *vgpu, uint32_t unit, const struct vgpu_command *head,
			const struct vgpu_order *order)
{
	uint32_t at = unit % VGPU_RING_UNITS * VGPU_RING_UNIT;
	uint8_t *to = vgpu->ring + at;

	if (head->bytes > VGPU_RING_LEN - at) {
		at = put_bytes(vgpu, at, head, sizeof(*head));
		at = put_bytes(vgpu, at, order->args, order->args_bytes);
		put_bytes(vgpu, at, order->tail, order->tail_bytes);
		return;
	}
	memcpy(to, head, sizeof(*head));
	if (order->args_bytes > 0)
		memcpy(to + sizeof(*head), order->args, order->args_bytes);
	if (order->tail_bytes > 0)
		memcpy(to + sizeof(*head) + order->args_bytes, order->tail, order->tail_bytes);
}

/* Wakes the worker if it sleeps behind what was put into the ring. */
static void kick(struct vgpu *vgpu, uint32_t old)
{
	vgpu_ring_fence();
	if (!vgpu_ring_passed(vgpu_ring_load(&vgpu->control->park), old, vgpu->tail))
		return;
	vgpu->control->kicks++;
	vgpu->door->kind->kick(vgpu->door);
}

/* Puts one command into the ring. head: all but its bytes is filled in. */
static enum vgpu_end put(struct vgpu *vgpu, struct vgpu_command *head,
			 const struct vgpu_order *order, bool asked)
{
	uint32_t units, old;
	enum vgpu_end end;

	head->bytes = (uint32_t)sizeof(*head) + order->args_bytes + order->tail_bytes;
	units = (head->bytes + VGPU_RING_UNIT - 1) / VGPU_RING_UNIT;
	pthread_mutex_lock(&vgpu->ring_lock);
	end = vgpu_ended(vgpu);
	if (end == VGPU_END_NONE)
		end = wait_room(vgpu, units);
	if (end != VGPU_END_NONE) {
		pthread_mutex_unlock(&vgpu->ring_lock);
		return end;
	}
	if (asked) {
		if (++vgpu->sequence == 0) /* what a fresh slot holds */
			vgpu->sequence = 1;
		head->sequence = vgpu->sequence;
	}
	old = vgpu->tail;
	put_command(vgpu, old, head, order);
	vgpu->tail = old + units;
	vgpu->commands++;
	vgpu_ring_publish(&vgpu->control->tail, vgpu->tail);
	kick(vgpu, old);
	pthread_mutex_unlock(&vgpu->ring_lock);
	return VGPU_END_NONE;
}

enum vgpu_end vgpu_submit(struct vgpu *vgpu, const struct vgpu_order *order)
{
	struct vgpu_command head = { .op = order->op, .reply = VGPU_NO_REPLY };
	enum vgpu_end end = vgpu_ended(vgpu);

	if (end != VGPU_END_NONE)
		return end;
	head.thread = thread_number();
	return put(vgpu, &head, order, false);
}

/* --- replies --- */

static void free_slot(struct vgpu *vgpu, uint32_t slot)
{
	pthread_mutex_lock(&vgpu->park_lock);
	vgpu->slots_used &= ~(UINT64_C(1) << slot);
	pthread_cond_broadcast(&vgpu->changed);
	pthread_mutex_unlock(&vgpu->park_lock);
}

static bool try_slot(struct vgpu *vgpu, uint32_t *slot)
{
	bool found;

	pthread_mutex_lock(&vgpu->park_lock);
	found = ~vgpu->slots_used != 0;
	if (found) {
		*slot = (uint32_t)__builtin_ctzll(~vgpu->slots_used);
		vgpu->slots_used |= UINT64_C(1) << *slot;
	}
	pthread_mutex_unlock(&vgpu->park_lock);
	return found;
}

static bool slot_free(struct vgpu *vgpu, const void *argument)
{
	(void)argument;
	return ~__atomic_load_n(&vgpu->slots_used, __ATOMIC_RELAXED) != 0;
}

static bool answered(struct vgpu *vgpu, const void *argument)
{
	const struct vgpu_ticket *ticket = argument;

	return vgpu_ring_load(&vgpu->replies[ticket->slot].done) == ticket->sequence;
}

enum vgpu_end vgpu_ask(struct vgpu *vgpu, const struct vgpu_order *order,
		       struct vgpu_ticket *ticket)
{
	struct vgpu_command head = { .op = order->op };
	enum vgpu_end end = vgpu_ended(vgpu);

	if (end != VGPU_END_NONE)
		return end;
	head.thread = thread_number();
	while (!try_slot(vgpu, &head.reply)) {
		end = park_until(vgpu, slot_free, NULL);
		if (end != VGPU_END_NONE)
			return end;
	}
	end = put(vgpu, &head, order, true);
	if (end != VGPU_END_NONE)
		free_slot(vgpu, head.reply);
	*ticket = (struct vgpu_ticket){ .slot = head.reply, .sequence = head.sequence };
	return end;
}

bool vgpu_answered(struct vgpu *vgpu, const struct vgpu_ticket *ticket)
{
	return vgpu_ended(vgpu) != VGPU_END_NONE || answered(vgpu, ticket);
}

enum vgpu_end vgpu_take(struct vgpu *vgpu, const struct vgpu_ticket *ticket,
			struct vgpu_reply *reply)
{
	enum vgpu_end end;

	*reply = (struct vgpu_reply){ 0 };
	if (vgpu_ended(vgpu) == VGPU_END_FORKED)
		return VGPU_END_FORKED;
	end = park_until(vgpu, answered, ticket);
	if (end == VGPU_END_NONE) {
		/* Orders the reply's bytes behind its `done`. */
		(void)vgpu_ring_consume(&vgpu->replies[ticket->slot].done);
		memcpy(reply, (const void *)&vgpu->replies[ticket->slot], sizeof(*reply));
	}
	/* Once the channel is lost the slot is nobody's business. */
	free_slot(vgpu, ticket->slot);
	return end;
}

enum vgpu_end vgpu_call(struct vgpu *vgpu, const struct vgpu_order *order, struct vgpu_reply *reply)
{
	struct vgpu_ticket ticket;
	enum vgpu_end end = vgpu_ask(vgpu, order, &ticket);

	if (end != VGPU_END_NONE) {
		*reply = (struct vgpu_reply){ 0 };
		return end;
	}
	return vgpu_take(vgpu, &ticket, reply);
}

void vgpu_figures(struct vgpu *vgpu, struct vgpu_figures *out)
{
	*out = (struct vgpu_figures){ 0 };
	if (vgpu_ended(vgpu) == VGPU_END_FORKED || !atomic_load(&vgpu->started))
		return;
	pthread_mutex_lock(&vgpu->ring_lock);
	out->commands = vgpu->commands;
	out->kicks = vgpu->control->kicks;
	out->sleeps = vgpu->control->guest_sleeps;
	pthread_mutex_unlock(&vgpu->ring_lock);
}
