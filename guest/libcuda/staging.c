/* SPDX-License-Identifier: GPL-2.0-or-later */
/* staging.c - memory of the window through which bytes of the program's own memory pass */

#include "guest/libcuda/staging.h"

#include <pthread.h>

#include "common/wire/vgpu_cmds.h"
#include "guest/libcuda/core.h"
#include "guest/libvgpu/cancel.h"

/*
 * Small buffers lie in the first piece behind the channel and are always there. Big ones are pieces
 * that are mapped when first asked for. A buffer whose copy has not ended is given to its next user
 * only after that, and an error of the copy is kept for the next call that waits.
 */

#define SMALL_MOST 32u
#define BIG_MOST 8u

struct buffer {
	uint64_t at;
	bool used;
	bool pending; /* a copy out of it may not have ended: ticket */
	struct vgpu_ticket ticket;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct buffer small[SMALL_MOST], big[BIG_MOST];
	uint32_t small_num, big_num;
	bool mapping;	/* a thread is about to map the big ones */
	bool run_waits; /* a thread waits for several at once: no other takes one before it */
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .given = PTHREAD_COND_INITIALIZER };

static void find_small(struct vgpu *vgpu)
{
	uint64_t at, bytes;

	vgpu_window_small(vgpu, &at, &bytes);
	while (pool.small_num < SMALL_MOST && bytes >= STAGING_SMALL) {
		pool.small[pool.small_num++].at = at;
		at += STAGING_SMALL;
		bytes -= STAGING_SMALL;
	}
}

/* Takes pieces for the big buffers: fewer where the window is small or full. Without the lock. */
static enum vgpu_end map_big(struct vgpu *vgpu, uint64_t *at, uint32_t *num)
{
	uint64_t most = vgpu_window_bytes(vgpu) / 4 / STAGING_BIG; /* a quarter of the window */
	enum vgpu_end end = VGPU_END_WINDOW_FULL;

	for (*num = most < BIG_MOST ? (uint32_t)most : BIG_MOST;
	     *num > 0 && end == VGPU_END_WINDOW_FULL; *num /= 2) {
		struct vgpu_cmd_host_map args = { .bytes = (uint64_t)*num * STAGING_BIG };
		struct vgpu_order order = { CORE_ORDER(HOST_MAP, args) };
		struct vgpu_reply reply;

		end = vgpu_pieces_take(vgpu, args.bytes, at);
		if (end != VGPU_END_NONE)
			continue;
		args.at = *at;
		end = vgpu_call(vgpu, &order, &reply);
		if (end != VGPU_END_NONE || reply.result == 0)
			return end;
		vgpu_pieces_give(vgpu, *at, args.bytes);
		end = VGPU_END_WINDOW_FULL;
	}
	return end;
}

/* Takes the lock, sees to it that there are big buffers. Return: with the lock, or an end without. */
static enum vgpu_end lock_with_big(struct vgpu *vgpu)
{
	enum vgpu_end end = VGPU_END_NONE;
	uint64_t at;
	uint32_t num;

	CANCEL_OFF();
	pthread_mutex_lock(&pool.lock);
	while (pool.mapping)
		pthread_cond_wait(&pool.given, &pool.lock);
	if (pool.big_num > 0)
		return VGPU_END_NONE;
	pool.mapping = true;
	pthread_mutex_unlock(&pool.lock);
	end = map_big(vgpu, &at, &num);
	pthread_mutex_lock(&pool.lock);
	pool.mapping = false;
	pthread_cond_broadcast(&pool.given);
	for (uint32_t i = 0; end == VGPU_END_NONE && i < num; i++)
		pool.big[pool.big_num++].at = at + (uint64_t)i * STAGING_BIG;
	if (end != VGPU_END_NONE)
		pthread_mutex_unlock(&pool.lock);
	return end;
}

/* Return: a buffer that is free, rather one whose copy has ended; NULL: all are in use. */
static struct buffer *find_free(struct vgpu *vgpu, struct buffer *buffers, uint32_t num)
{
	struct buffer *pending = NULL;

	for (uint32_t i = 0; i < num; i++) {
		if (buffers[i].used)
			continue;
		if (!buffers[i].pending || vgpu_answered(vgpu, &buffers[i].ticket))
			return &buffers[i];
		if (!pending ||
		    (int32_t)(buffers[i].ticket.sequence - pending->ticket.sequence) < 0)
			pending = &buffers[i];
	}
	return pending;
}

/* Return: where `count` buffers begin that no thread has, one behind the other; num: nowhere. */
static uint32_t find_run(const struct buffer *buffers, uint32_t num, uint32_t count)
{
	uint32_t run = 0, i;

	for (i = 0; i < num && run < count; i++)
		run = buffers[i].used ? 0 : run + 1;
	return run == count ? i - count : num;
}

static void give(struct buffer *buffers, uint32_t count)
{
	pthread_mutex_lock(&pool.lock);
	for (uint32_t i = 0; i < count; i++)
		buffers[i].used = false;
	pthread_cond_broadcast(&pool.given);
	pthread_mutex_unlock(&pool.lock);
}

/*
 * Makes buffers that are free the caller's, opens the lock, and waits for the copies out of them. Return:
 * NONE; or why the channel is lost, and they are given back.
 */
static enum vgpu_end use(struct vgpu *vgpu, struct buffer *buffers, uint32_t count)
{
	enum vgpu_end end = VGPU_END_NONE;
	struct vgpu_reply reply;

	for (uint32_t i = 0; i < count; i++)
		buffers[i].used = true;
	pthread_mutex_unlock(&pool.lock);
	for (uint32_t i = 0; i < count && end == VGPU_END_NONE; i++) {
		if (!buffers[i].pending)
			continue;
		buffers[i].pending = false;
		end = vgpu_take(vgpu, &buffers[i].ticket, &reply);
		if (end == VGPU_END_NONE)
			core_keep_error((CUresult)reply.result);
	}
	if (end != VGPU_END_NONE)
		give(buffers, count);
	return end;
}

/* Takes one of the buffers. The caller holds the lock, which is open afterwards. */
static enum vgpu_end take(struct vgpu *vgpu, struct buffer *buffers, uint32_t num, bool wait,
			  uint32_t *index)
{
	struct buffer *buffer;

	CANCEL_OFF();
	while (pool.run_waits || !(buffer = find_free(vgpu, buffers, num))) {
		if (!wait) {
			pthread_mutex_unlock(&pool.lock);
			return VGPU_END_WINDOW_FULL;
		}
		pthread_cond_wait(&pool.given, &pool.lock);
	}
	*index = (uint32_t)(buffer - buffers);
	return use(vgpu, buffer, 1);
}

/* The same for several that lie one behind the other. */
static enum vgpu_end take_run(struct vgpu *vgpu, struct buffer *buffers, uint32_t num,
			      uint32_t count, uint32_t *index)
{
	CANCEL_OFF();
	while (pool.run_waits)
		pthread_cond_wait(&pool.given, &pool.lock);
	/* Else those who take one at a time could keep it waiting for ever. */
	pool.run_waits = true;
	while ((*index = find_run(buffers, num, count)) == num)
		pthread_cond_wait(&pool.given, &pool.lock);
	pool.run_waits = false;
	pthread_cond_broadcast(&pool.given);
	return use(vgpu, &buffers[*index], count);
}

enum vgpu_end staging_take_small(struct vgpu *vgpu, struct staging *staging)
{
	enum vgpu_end end;

	*staging = (struct staging){ .bytes = STAGING_SMALL };
	pthread_mutex_lock(&pool.lock);
	if (pool.small_num == 0)
		find_small(vgpu);
	end = take(vgpu, pool.small, pool.small_num, true, &staging->index);
	if (end == VGPU_END_NONE)
		staging->at = pool.small[staging->index].at;
	return end;
}

static enum vgpu_end take_big(struct vgpu *vgpu, bool wait, struct staging *staging)
{
	enum vgpu_end end;

	*staging = (struct staging){ .bytes = STAGING_BIG, .big = true };
	end = lock_with_big(vgpu);
	if (end == VGPU_END_NONE)
		end = take(vgpu, pool.big, pool.big_num, wait, &staging->index);
	if (end == VGPU_END_NONE)
		staging->at = pool.big[staging->index].at;
	return end;
}

enum vgpu_end staging_take_big(struct vgpu *vgpu, struct staging *staging)
{
	return take_big(vgpu, true, staging);
}

enum vgpu_end staging_try_big(struct vgpu *vgpu, struct staging *staging)
{
	return take_big(vgpu, false, staging);
}

/* Return: how many buffers of so many bytes a run takes. */
static uint64_t count_of(uint64_t bytes, bool big)
{
	const uint64_t each = big ? STAGING_BIG : STAGING_SMALL;

	return bytes / each + (bytes % each != 0);
}

enum vgpu_end staging_take_run(struct vgpu *vgpu, uint64_t bytes, struct staging *staging)
{
	struct buffer *buffers;
	enum vgpu_end end;
	uint32_t num;

	*staging = (struct staging){ .bytes = bytes };
	pthread_mutex_lock(&pool.lock);
	if (pool.small_num == 0)
		find_small(vgpu);
	staging->big = count_of(bytes, false) > pool.small_num;
	buffers = staging->big ? pool.big : pool.small;
	num = staging->big ? pool.big_num : pool.small_num;
	if (count_of(bytes, staging->big) > num) {
		pthread_mutex_unlock(&pool.lock);
		return VGPU_END_WINDOW_FULL;
	}
	end = take_run(vgpu, buffers, num, (uint32_t)count_of(bytes, staging->big),
		       &staging->index);
	if (end == VGPU_END_NONE)
		staging->at = buffers[staging->index].at;
	return end;
}

static struct buffer *buffer_of(const struct staging *staging)
{
	return staging->big ? &pool.big[staging->index] : &pool.small[staging->index];
}

void staging_give(struct vgpu *vgpu, const struct staging *staging)
{
	(void)vgpu;
	give(buffer_of(staging), (uint32_t)count_of(staging->bytes, staging->big));
}

void staging_give_later(const struct staging *staging, const struct vgpu_ticket *ticket)
{
	struct buffer *buffer = buffer_of(staging);

	pthread_mutex_lock(&pool.lock);
	buffer->pending = true;
	buffer->ticket = *ticket;
	buffer->used = false;
	pthread_cond_broadcast(&pool.given);
	pthread_mutex_unlock(&pool.lock);
}
