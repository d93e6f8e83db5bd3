/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel.c - the worker's end of a channel: takes commands, writes replies, wakes the program */

#include "worker/channel.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/*
 * Two pairs of a store and a load must each see the other side's store if the other side misses ours:
 * - the worker writes `park`, then looks at `tail`; the program moves `tail`, then looks at `park`;
 * - the program writes `events_park`, then looks at `events`; the worker moves `events`, then looks at
 *   `events_park`.
 * vgpu_ring_fence() stands between store and load in each of the four places.
 */

#define RING_QUARTER (VGPU_RING_UNITS / 4)
/* Each store to a line that the program reads takes it away from there: the head is told seldom. */
#define HEAD_UNITS 32u

/* Of 64-bit figures: the program may see half of a change, which does no harm. */
static void show(uint64_t *at, uint64_t figure)
{
	vgpu_ring_store((uint32_t *)at, (uint32_t)figure);
	vgpu_ring_store((uint32_t *)at + 1, (uint32_t)(figure >> 32));
}

void channel_init(struct channel *channel, void *first_piece, int kick, int call)
{
	uint8_t *base = first_piece;

	memset(channel, 0, sizeof(*channel));
	pthread_mutex_init(&channel->lock, NULL);
	channel->control = (struct vgpu_channel_control *)(base + VGPU_CHANNEL_CONTROL);
	channel->ring = base + VGPU_CHANNEL_RING;
	channel->replies = (struct vgpu_reply *)(base + VGPU_CHANNEL_REPLIES);
	channel->kick = kick;
	channel->call = call;
	channel->head = vgpu_ring_load(&channel->control->head);
	channel->tail = channel->head;
	channel->head_told = channel->head;
	channel->room_told = channel->head;
	channel->events = vgpu_ring_load(&channel->control->events);
}

void channel_end(struct channel *channel)
{
	pthread_mutex_destroy(&channel->lock);
}

/* Wakes the program if it sleeps at an earlier event. Under the lock. */
static void count_event(struct channel *channel)
{
	struct vgpu_channel_control *control = channel->control;
	uint32_t old = channel->events++;
	const uint64_t one = 1;

	vgpu_ring_publish(&control->events, channel->events);
	vgpu_ring_fence();
	if (!vgpu_ring_passed(vgpu_ring_load(&control->events_park), old, channel->events))
		return;
	/* A counter that is full already has woken the program. */
	(void)!write(channel->call, &one, sizeof(one));
	show(&control->wakes, ++channel->wakes);
}

/* Copies bytes of the ring from a unit on, around its end. */
static void copy_out(const struct channel *channel, uint32_t unit, void *to, uint32_t bytes)
{
	uint32_t at = unit % VGPU_RING_UNITS * VGPU_RING_UNIT;
	uint32_t first = VGPU_RING_LEN - at < bytes ? VGPU_RING_LEN - at : bytes;

	memcpy(to, channel->ring + at, first);
	memcpy((uint8_t *)to + first, channel->ring, bytes - first);
	/* What is read afterwards is the copy: the compiler must not go back to the ring. */
	__asm__ volatile("" ::: "memory");
}

/* Gives units back to the program, which may wait for them. */
static void give_room(struct channel *channel, bool empty)
{
	struct vgpu_channel_control *control = channel->control;

	vgpu_ring_publish(&control->head, channel->head);
	channel->head_told = channel->head;
	show(&control->commands, channel->commands);
	if (channel->head - channel->room_told < RING_QUARTER && !empty)
		return;
	vgpu_ring_fence();
	channel->room_told = channel->head;
	if (vgpu_ring_load(&control->wants_room) == 0)
		return;
	pthread_mutex_lock(&channel->lock);
	count_event(channel);
	pthread_mutex_unlock(&channel->lock);
}

int channel_take(struct channel *channel, struct vgpu_command *to)
{
	struct vgpu_command head;
	uint32_t units, units_there;

	if (channel->tail == channel->head)
		channel->tail = vgpu_ring_consume(&channel->control->tail);
	units_there = channel->tail - channel->head;
	if (units_there == 0)
		return 0;
	if (units_there > VGPU_RING_UNITS)
		return -EPROTO;
	copy_out(channel, channel->head, &head, sizeof(head));
	units = (uint32_t)(((uint64_t)head.bytes + VGPU_RING_UNIT - 1) / VGPU_RING_UNIT);
	if (head.bytes < sizeof(head) || head.bytes > VGPU_COMMAND_MOST || units > units_there)
		return -EPROTO;
	copy_out(channel, channel->head, to, head.bytes);
	*to = head; /* the one that was judged, whatever the second copy brought */
	channel->head += units;
	channel->commands++;
	if (units == units_there || channel->head - channel->head_told >= HEAD_UNITS)
		give_room(channel, units == units_there);
	return 1;
}

bool channel_park(struct channel *channel)
{
	struct vgpu_channel_control *control = channel->control;

	vgpu_ring_store(&control->park, channel->head);
	vgpu_ring_fence();
	if (vgpu_ring_load(&control->tail) != channel->head)
		return false;
	show(&control->sleeps, ++channel->sleeps);
	return true;
}

void channel_unpark(struct channel *channel)
{
	uint64_t kicks;

	(void)!read(channel->kick, &kicks, sizeof(kicks));
}

bool channel_claim(struct channel *channel, uint32_t slot)
{
	bool was_free;

	pthread_mutex_lock(&channel->lock);
	was_free = !channel->busy[slot];
	channel->busy[slot] = true;
	pthread_mutex_unlock(&channel->lock);
	return was_free;
}

void channel_reply(struct channel *channel, const struct vgpu_command *command, int32_t result,
		   const uint64_t *values)
{
	struct vgpu_reply *reply = &channel->replies[command->reply];

	pthread_mutex_lock(&channel->lock);
	/* Before `done`: the program may use the slot again as soon as it sees that. */
	channel->busy[command->reply] = false;
	vgpu_ring_store((uint32_t *)&reply->result, (uint32_t)result);
	memcpy(reply->value, values, sizeof(reply->value));
	vgpu_ring_publish(&reply->done, command->sequence);
	count_event(channel);
	pthread_mutex_unlock(&channel->lock);
}

void channel_preset(struct channel *channel, const struct vgpu_command *command, int32_t result)
{
	struct vgpu_reply *reply = &channel->replies[command->reply];

	vgpu_ring_store((uint32_t *)&reply->result, (uint32_t)result);
}

void channel_mend(struct channel *channel, uint32_t slot, uint32_t sequence, int32_t result)
{
	struct vgpu_reply *reply = &channel->replies[slot];

	vgpu_ring_store((uint32_t *)&reply->result, (uint32_t)result);
	vgpu_ring_publish(&reply->done, sequence);
}

bool channel_is_done(const struct channel *channel, uint32_t slot, uint32_t sequence)
{
	return vgpu_ring_consume(&channel->replies[slot].done) == sequence;
}

void channel_done(struct channel *channel, uint32_t slot)
{
	pthread_mutex_lock(&channel->lock);
	channel->busy[slot] = false;
	show(&channel->control->marks, ++channel->marks);
	count_event(channel);
	pthread_mutex_unlock(&channel->lock);
}

void channel_text(struct channel *channel, uint32_t bytes)
{
	vgpu_ring_store(&channel->control->text, bytes);
}

static void tell(struct channel *channel, uint32_t *at, uint32_t value)
{
	pthread_mutex_lock(&channel->lock);
	vgpu_ring_publish(at, value);
	count_event(channel);
	pthread_mutex_unlock(&channel->lock);
}

void channel_error(struct channel *channel, int32_t result)
{
	tell(channel, &channel->control->error, (uint32_t)result);
}

void channel_sticky(struct channel *channel, int32_t result)
{
	tell(channel, &channel->control->sticky, (uint32_t)result);
}

void channel_ended(struct channel *channel, uint32_t end)
{
	tell(channel, &channel->control->ended, end);
}
