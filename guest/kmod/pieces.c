/* SPDX-License-Identifier: GPL-2.0-only */
/* pieces.c - whose each piece of a device's window is */

#include "guest/kmod/pieces.h"

#include <linux/errno.h>
#include <linux/string.h>

static void set_owner(struct pieces *pieces, u32 piece, u8 owner)
{
	pieces->owner[piece] = owner;
	WRITE_ONCE(pieces->window[VGPU_WINDOW_OWNERS + piece], owner);
}

void pieces_start(struct pieces *pieces, void *window, u64 window_bytes, u64 channels)
{
	u32 piece;

	memset(pieces, 0, sizeof(*pieces));
	pieces->window = window;
	pieces->num = window_bytes / VGPU_PIECE;
	for (piece = 1; piece < pieces->num; piece++) {
		u8 owner = READ_ONCE(pieces->window[VGPU_WINDOW_OWNERS + piece]);

		if (owner == 0 || owner > VGPU_CHANNELS || !(channels >> (owner - 1) & 1)) {
			set_owner(pieces, piece, 0);
			continue;
		}
		pieces->owner[piece] = owner;
		pieces->state[piece] = PIECE_TAKEN;
	}
}

static bool can_take(const struct pieces *pieces, u32 channel, u32 piece)
{
	return pieces->state[piece] == PIECE_FREE ||
	       (pieces->state[piece] == PIECE_GIVEN && pieces->owner[piece] == channel + 1);
}

int pieces_take(struct pieces *pieces, u32 channel, u32 count)
{
	u32 run = 0, piece;

	if (count == 0 || count >= pieces->num)
		return -EINVAL;
	for (piece = 1; piece < pieces->num && run < count; piece++)
		run = can_take(pieces, channel, piece) ? run + 1 : 0;
	if (run < count)
		return -ENOSPC;
	while (run-- > 0) {
		pieces->state[--piece] = PIECE_TAKEN;
		set_owner(pieces, piece, channel + 1);
	}
	return piece;
}

void pieces_clear(struct pieces *pieces, u32 piece)
{
	memset(pieces->window + piece * VGPU_PIECE, 0, VGPU_PIECE);
}

int pieces_check(const struct pieces *pieces, u32 channel, u32 first, u32 count,
		 enum piece_state state)
{
	u32 piece;

	if (first == 0 || first >= pieces->num || count == 0 || count > pieces->num - first)
		return -EINVAL;
	for (piece = first; piece < first + count; piece++) {
		if (pieces->owner[piece] != channel + 1 || pieces->state[piece] != state)
			return -EPERM;
	}
	return 0;
}

void pieces_set(struct pieces *pieces, u32 first, u32 count, enum piece_state state)
{
	memset(pieces->state + first, state, count);
}

void pieces_free(struct pieces *pieces, u32 channel)
{
	u32 piece;

	for (piece = 1; piece < pieces->num; piece++) {
		if (pieces->owner[piece] != channel + 1)
			continue;
		pieces->state[piece] = PIECE_FREE;
		set_owner(pieces, piece, 0);
	}
}

u32 pieces_count_free(const struct pieces *pieces)
{
	u32 count = 0, piece;

	for (piece = 1; piece < pieces->num; piece++)
		count += pieces->state[piece] == PIECE_FREE;
	return count;
}

u32 pieces_count_of(const struct pieces *pieces, u32 channel)
{
	u32 count = 0, piece;

	for (piece = 1; piece < pieces->num; piece++)
		count += pieces->owner[piece] == channel + 1;
	return count;
}
