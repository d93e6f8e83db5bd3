/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu_private.h - what a program's connection is made of */

#ifndef VGPU_GUEST_LIBVGPU_VGPU_PRIVATE_H
#define VGPU_GUEST_LIBVGPU_VGPU_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "guest/libvgpu/door.h"
#include "guest/libvgpu/vgpu.h"

/*
 * Order of locks: start_lock, ring_lock, park_lock, the door's own. memory_lock is taken alone. No lock
 * is taken once `end` is set in a child of fork(): the thread that held it does not exist there.
 */
struct vgpu {
	struct vgpu_options options;
	char name[64];
	struct vgpu *next; /* of all that are open: for fork() */

	struct door *door;
	uint8_t *window;
	uint64_t window_bytes;

	atomic_int end; /* enum vgpu_end: why the channel is lost */
	atomic_uint spin_ns;
	pthread_mutex_t start_lock;
	atomic_bool started;

	/* The channel: the program's first piece. The worker writes its lines of it at any time. */
	uint64_t first_at; /* byte offset in the window */
	struct vgpu_channel_control *control;
	uint8_t *ring;
	volatile struct vgpu_reply *replies;

	pthread_mutex_t ring_lock; /* one producer at a time */
	uint32_t tail;		   /* units put into the ring */
	uint32_t head;		   /* units that the worker had taken when we last looked */
	uint32_t sequence;	   /* of the last command that asked for a reply */
	uint64_t commands;

	/*
	 * Waiting. One waiting thread, the leader, sleeps on descriptors; the others on `changed`.
	 * slots_used has a bit for each reply slot whose ticket is out.
	 */
	pthread_mutex_t park_lock;
	pthread_cond_t changed;
	bool leader;
	uint32_t events_told; /* the value of control->events that all waiting threads know of */
	uint64_t slots_used;

	pthread_mutex_t memory_lock;
	struct vgpu_range *ranges; /* by address */
	size_t range_num, range_room;
};

/*
 * A thread's own variable that is looked at in every call: found without a call of the loader. The room
 * for such variables is small, so only a few bytes are.
 */
#define VGPU_THREAD_FAST _Thread_local __attribute__((tls_model("initial-exec")))

/* Sets why the channel is lost, if nothing is set, and wakes all that wait. Return: what is set. */
enum vgpu_end vgpu_set_end(struct vgpu *vgpu, enum vgpu_end end);

#endif
