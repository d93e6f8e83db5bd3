/* SPDX-License-Identifier: GPL-2.0-only */
/* pieces.h - whose each piece of a device's window is */

#ifndef VGPU_KMOD_PIECES_H
#define VGPU_KMOD_PIECES_H

#include <linux/types.h>

#include "common/wire/vgpu_channel.h"

/*
 * A piece that was given back stays its channel's until the channel's worker is gone: the GPU may
 * still write to it, and only the host could say that it does not.
 */
enum piece_state {
	PIECE_FREE,
	PIECE_TAKEN, /* has an owner, is not cleared yet: cannot be mapped */
	PIECE_USABLE,
	PIECE_GIVEN /* its owner gave it back, and may take it again */
};

/* Piece 0 is the window's head. The device's lock guards all of it. */
struct pieces {
	u8 *window; /* all of it, mapped write-back */
	u32 num;
	u8 state[VGPU_PIECES_MOST]; /* enum piece_state */
	/*
	 * Channel + 1, 0 where free. The page in the window says the same, for the workers; it is written
	 * and never read, since the host could write there, too.
	 */
	u8 owner[VGPU_PIECES_MOST];
};

/*
 * Starts with pieces that channels of before still have: those of the bits in channels stay theirs, by
 * what the page in the window says, until pieces_free() of each.
 */
void pieces_start(struct pieces *pieces, void *window, u64 window_bytes, u64 channels);

/*
 * Takes the first run of count pieces that are free or that this channel gave back, in PIECE_TAKEN.
 * Return: its first piece, -EINVAL for a count that no window has, -ENOSPC.
 */
int pieces_take(struct pieces *pieces, u32 channel, u32 count);

/* Sets a piece that was taken to zeros. */
void pieces_clear(struct pieces *pieces, u32 piece);

/* Return: 0; -EINVAL: out of the window; -EPERM: not all are this channel's and in this state. */
int pieces_check(const struct pieces *pieces, u32 channel, u32 first, u32 count,
		 enum piece_state state);

/* After pieces_check() of the same range. */
void pieces_set(struct pieces *pieces, u32 first, u32 count, enum piece_state state);

/* All pieces of a channel, once its worker is gone. */
void pieces_free(struct pieces *pieces, u32 channel);

/* Return: how many a channel could take that has none. */
u32 pieces_count_free(const struct pieces *pieces);

/* Return: how many a channel has, those that it gave back included. */
u32 pieces_count_of(const struct pieces *pieces, u32 channel);

#endif
