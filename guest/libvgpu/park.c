/* SPDX-License-Identifier: GPL-2.0-or-later */
/* park.c - how threads of a program wait for their worker */

#include "guest/libvgpu/park.h"

#include "common/util.h"
#include "guest/libvgpu/cancel.h"

/*
 * Theory of operation. A thread polls for a while, then it sleeps. Among the sleeping threads one is
 * the leader: it says to the worker behind which event it sleeps, looks once more, and sleeps on the
 * door (door.h). The others sleep on the condition `changed`. Each event wakes
 * the leader, which wakes all: each looks whether its own wait is over.
 *
 * No wake-up is lost: `events_told` is the last event of which all sleeping threads have been told.
 * A thread looks under park_lock before it sleeps, so it sees what was there at that event; and a
 * leader that finds a later event tells all before it sleeps itself.
 */

/* Looks again after so long without being woken: a worker is not trusted to keep its word. */
#define LOOK_AGAIN_MS 500

static void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static bool spin(struct vgpu *vgpu, park_ready *ready, const void *argument)
{
	uint64_t most_ns = atomic_load_explicit(&vgpu->spin_ns, memory_order_relaxed);
	uint64_t until_ns;

	if (ready(vgpu, argument))
		return true;
	if (most_ns == 0)
		return false;
	until_ns = util_now_ns() + most_ns;
	do {
		for (int i = 0; i < 32; i++) {
			if (ready(vgpu, argument))
				return true;
			relax();
		}
	} while (util_now_ns() < until_ns);
	return false;
}

/* Whether the worker or the host has said that it is over. Sets the end. ask: the host is asked, too. */
static bool look_for_end(struct vgpu *vgpu, bool ask)
{
	enum vgpu_end ended = (enum vgpu_end)vgpu_ring_consume(&vgpu->control->ended);
	enum vgpu_end end = VGPU_END_NONE;

	/* What the host says counts more: it knows why the worker ended. */
	if (ask || ended != VGPU_END_NONE)
		end = vgpu->door->kind->look(vgpu->door);
	if (end == VGPU_END_NONE)
		end = ended;
	if (end != VGPU_END_NONE)
		vgpu_set_end(vgpu, end);
	return end != VGPU_END_NONE;
}

/*
 * Sleeps until the worker or the host have something to say. To ask the host takes a system call, or reads
 * registers: not when the worker's count of events says that it was the worker.
 */
static void sleep_on_door(struct vgpu *vgpu, uint32_t events)
{
	vgpu->control->guest_sleeps++;
	vgpu->door->kind->sleep(vgpu->door, LOOK_AGAIN_MS);
	(void)look_for_end(vgpu, vgpu_ring_load(&vgpu->control->events) == events);
}

/* The leader's turn. The caller holds park_lock, which is open while it sleeps. */
static void lead(struct vgpu *vgpu, park_ready *ready, const void *argument)
{
	uint32_t events = vgpu_ring_load(&vgpu->control->events);

	vgpu->leader = true;
	vgpu_ring_store(&vgpu->control->events_park, events);
	vgpu_ring_fence();
	pthread_mutex_unlock(&vgpu->park_lock);
	/* An event that not all know of, or one's own wait over: do not sleep. */
	if (events == vgpu->events_told && !ready(vgpu, argument) &&
	    vgpu_ring_load(&vgpu->control->events) == events)
		sleep_on_door(vgpu, events);
	else
		(void)look_for_end(vgpu, false);
	pthread_mutex_lock(&vgpu->park_lock);
	vgpu->events_told = vgpu_ring_load(&vgpu->control->events);
	vgpu->leader = false;
	pthread_cond_broadcast(&vgpu->changed);
}

enum vgpu_end park_until(struct vgpu *vgpu, park_ready *ready, const void *argument)
{
	if (spin(vgpu, ready, argument))
		return VGPU_END_NONE;
	CANCEL_OFF();
	pthread_mutex_lock(&vgpu->park_lock);
	while (vgpu_ended(vgpu) == VGPU_END_NONE && !ready(vgpu, argument)) {
		if (vgpu->leader)
			pthread_cond_wait(&vgpu->changed, &vgpu->park_lock);
		else
			lead(vgpu, ready, argument);
	}
	pthread_mutex_unlock(&vgpu->park_lock);
	/* What came before the end still counts. */
	return ready(vgpu, argument) ? VGPU_END_NONE : vgpu_ended(vgpu);
}
