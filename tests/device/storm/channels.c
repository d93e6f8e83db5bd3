/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channels.c - the peer's half of channels in the storm: opens, refuses, loses and closes them, or
 * says what makes no sense */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/device/storm/storm.h"

static struct chance chance;
static bool windowed, ready;

static struct {
	bool open;    /* CHANNEL_OPEN came, and no CLOSED was said to it */
	bool closing; /* CHANNEL_CLOSE came */
	int call;
} channels[VGPU_CHANNELS];

void channels_open(uint64_t seed)
{
	chance.state = seed ^ 0x6368616e00000000u;
}

static void drop(uint32_t n)
{
	if (channels[n].open)
		close(channels[n].call);
	channels[n].open = channels[n].closing = false;
}

void channels_forget(void)
{
	windowed = ready = false;
	for (uint32_t n = 0; n < VGPU_CHANNELS; n++)
		drop(n);
}

static void say(uint32_t n, uint32_t state, uint32_t end)
{
	uint8_t payload[VGPU_CHANNEL_STATUS_LEN] = { 0 };

	vgpu_put_le32(payload, n);
	vgpu_put_le32(payload + 4, state);
	vgpu_put_le32(payload + 8, end);
	peer_put(VGPU_FRAME_CHANNEL_STATUS, payload, sizeof(payload));
}

static void say_closed(uint32_t n)
{
	drop(n);
	say(n, VGPU_CHANNEL_CLOSED, VGPU_END_NONE);
}

static void say_window(void)
{
	uint8_t payload[VGPU_WINDOW_STATUS_LEN] = { 0 };

	ready = chance_below(&chance, 10) != 0;
	vgpu_put_le32(payload, ready);
	vgpu_put_le32(payload + 4, ready ? VGPU_END_NONE : VGPU_END_PROGRAMS_OFF);
	peer_put(VGPU_FRAME_WINDOW_STATUS, payload, sizeof(payload));
}

static void take_window(const uint8_t *payload)
{
	if (vgpu_get_le64(payload) != VGPU_WINDOW_LEAST || vgpu_get_le32(payload + 12) != 0)
		storm_fault("the device gives a window that it does not have");
	for (uint32_t n = 0; n < VGPU_CHANNELS; n++)
		if (channels[n].open)
			storm_fault("a window comes while channel %u is open", n);
	windowed = true;
	peer_counts.windows++;
	if (chance_below(&chance, 30))
		say_window();
}

static void take_open(const uint8_t *payload, int call)
{
	uint32_t n = vgpu_get_le32(payload);

	if (n >= VGPU_CHANNELS || channels[n].open || !windowed)
		storm_fault("the device opens channel %u, which is not closed", n);
	if (vgpu_get_le32(payload + 4) >= VGPU_WINDOW_LEAST / 4096)
		storm_fault("a control page outside of the window: %u", vgpu_get_le32(payload + 4));
	channels[n].open = true;
	channels[n].call = call;
	peer_counts.opens++;
	say(n, VGPU_CHANNEL_OPENING, VGPU_END_NONE);
	if (chance_below(&chance, 4) == 0)
		say(n, VGPU_CHANNEL_LOST, VGPU_END_TOO_MANY_PROGRAMS);
	else if (chance_below(&chance, 8))
		say(n, VGPU_CHANNEL_OPEN, VGPU_END_NONE);
}

static void take_close(const uint8_t *payload)
{
	uint32_t n = vgpu_get_le32(payload);

	if (n >= VGPU_CHANNELS || !channels[n].open || channels[n].closing)
		storm_fault("the device closes channel %u, which is not open", n);
	channels[n].closing = true;
	peer_counts.closes++;
	if (chance_below(&chance, 3))
		say_closed(n);
}

void channels_take(const struct vgpu_frame_header *h, const uint8_t *payload, const int *fds,
		   uint32_t fd_num)
{
	uint32_t wanted = h->type == VGPU_FRAME_WINDOW	       ? 1
			  : h->type == VGPU_FRAME_CHANNEL_OPEN ? 2
							       : 0;

	if (fd_num != wanted)
		storm_fault("%u descriptors come with a frame of type %u", fd_num, h->type);
	if (fd_num > 0)
		close(fds[0]); /* the window, or a kick */
	if (h->type == VGPU_FRAME_WINDOW)
		take_window(payload);
	else if (h->type == VGPU_FRAME_CHANNEL_OPEN)
		take_open(payload, fds[1]);
	else if (h->type == VGPU_FRAME_CHANNEL_CLOSE)
		take_close(payload);
	else if (h->type != VGPU_FRAME_RUNSTATE)
		storm_fault("the device sends a frame of type %u", h->type);
}

static void talk_nonsense(void)
{
	uint32_t n = chance_below(&chance, VGPU_CHANNELS);

	peer_counts.malformed++;
	switch (chance_below(&chance, 4)) {
	case 0:
		say(VGPU_CHANNELS + n, VGPU_CHANNEL_OPEN, 0);
		break;
	case 1:
		say(n, VGPU_CHANNEL_CLOSING + 1 + n, 0);
		break;
	case 2:
		say(n, VGPU_CHANNEL_LOST, VGPU_END_MOST + 1 + n);
		break;
	default:
		peer_put(VGPU_FRAME_CHANNEL_OPEN, (const uint8_t[VGPU_CHANNEL_OPEN_LEN]){ 0 },
			 VGPU_CHANNEL_OPEN_LEN);
		break;
	}
	peer_hang_up();
}

static void stir(uint32_t n)
{
	uint64_t one = 1;

	if (channels[n].closing) {
		say_closed(n);
		return;
	}
	switch (chance_below(&chance, 8)) {
	case 0:
		say(n, VGPU_CHANNEL_LOST, VGPU_END_WORKER_LOST);
		break;
	case 1:
		say(n, chance_below(&chance, VGPU_CHANNEL_CLOSING) + 1, VGPU_END_KILLED);
		break;
	default:
		if (write(channels[n].call, &one, sizeof(one)) == sizeof(one))
			peer_counts.calls++;
		break;
	}
}

void channels_stir(void)
{
	uint32_t n = chance_below(&chance, chance_below(&chance, 4) ? 3 : VGPU_CHANNELS);

	if (!windowed)
		return;
	if (chance_below(&chance, 2000) == 0)
		talk_nonsense();
	else if (chance_below(&chance, 200) == 0 || !ready)
		say_window();
	else if (channels[n].open)
		stir(n);
	else if (chance_below(&chance, 50) == 0)
		/* Of one that is not open, but may be meanwhile: CLOSED would be an answer to that. */
		say(n, 1 + chance_below(&chance, VGPU_CHANNEL_CLOSING), VGPU_END_KILLED);
}
