/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel_guest.h - the program that fuzz_channel tries, kept from input to input */

#ifndef TESTS_FUZZ_CHANNEL_GUEST_H
#define TESTS_FUZZ_CHANNEL_GUEST_H

#include <stdint.h>

#include "tests/unit/worker/guest.h"

/*
 * A program of several in its window, on a softgpu of its own. Making both takes 1,000 times as long as a
 * short input, so they are kept: channel_guest_end() puts all back as it was, and makes new ones only after
 * an input that lost the context or left something that never ends.
 *
 * The worker's mapping of what belongs to others has no access at all: the first read or write kills the
 * process.
 */

/* Pieces of the window, by number. */
enum {
	CHANNEL_PIECE_FIRST,   /* page 2 of it may be read */
	CHANNEL_PIECE_CONTROL, /* the channel's */
	CHANNEL_PIECE_BULK,    /* its own from here on */
	CHANNEL_PIECE_MORE,
	CHANNEL_PIECE_OTHER,   /* of another program */
	CHANNEL_PIECE_NOBODY,  /* given back */
	CHANNEL_PIECE_CHANGES, /* own, until the input says otherwise */
	CHANNEL_PIECE_LAST,    /* of another program */
};

#define CHANNEL_AT(piece) ((piece)*VGPU_PIECE)
#define CHANNEL_NUMBER 5u /* of the program's channel */

/* Texts in the bulk piece: of the module that is loaded already, of one that prints, of nonsense. */
#define CHANNEL_TEXT_AT (CHANNEL_AT(CHANNEL_PIECE_BULK) + 65536)
#define CHANNEL_PRINTING_AT (CHANNEL_TEXT_AT + 4096)
#define CHANNEL_NONSENSE_AT (CHANNEL_TEXT_AT + 8192)
extern const char channel_ptx[], channel_ptx_printing[];
#define CHANNEL_DEVICE_BYTES 4096u

/* Return: the program: stream 1, event 1, pool 1, module 1 with function 1, device memory. */
struct guest *channel_guest_begin(void);

/* Its CHANNEL_DEVICE_BYTES of device memory. */
uint64_t channel_guest_device(void);

/* Waits for what the input began, and checks that all it made can be taken away. */
void channel_guest_end(void);

#endif
