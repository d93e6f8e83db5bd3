/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storm.h - what the guest's half and the daemon's half of the storm share */

#ifndef STORM_H
#define STORM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire/vgpu_ends.h"
#include "common/wire/vgpu_frame.h"
#include "common/wire/vgpu_regs.h"

/* Marks a word of what the device must never show: second answers, late ones, broken ones. */
#define STORM_POISON 0x80000000u

/* A stream of numbers that the seed alone decides (splitmix64). */
struct chance {
	uint64_t state;
};

static inline uint64_t chance_next(struct chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Return: 0 to below - 1. */
static inline uint32_t chance_below(struct chance *c, uint32_t below)
{
	return (uint32_t)((chance_next(c) >> 32) * below >> 32);
}

/* Word i of the data of the answer with this tag. */
static inline uint32_t storm_word(uint32_t tag, uint32_t i)
{
	return (tag ^ i << 24) * 0x9e3779b1u + i;
}

/* Ends the program, which prints what was found and how to see it again. */
__attribute__((noreturn, format(printf, 1, 2))) void storm_fault(const char *format, ...);

/* ---- qtest.c: QEMU's qtest socket ---- */

extern uint64_t qtest_commands;

void qtest_open(int fd);
/* Puts a command into the buffer; qtest_flush() sends it, and its answer comes in order. */
__attribute__((format(printf, 1, 2))) void qtest_put(const char *format, ...);
void qtest_flush(void);
/* Return: the next line that answers a command, "" or what follows OK; NULL: not there yet. */
const char *qtest_line(void);
/* Reads what is there. wait_ms: how long to wait for a byte; other_fd: ends the wait too, or -1. */
void qtest_read(int wait_ms, int other_fd);
/* One command and its answer, when nothing else is under way. Return: the answer's number. */
__attribute__((format(printf, 1, 2))) uint64_t qtest_ask(const char *format, ...);

/* ---- model.c: what accesses must answer ---- */

enum mood {
	MOOD_EXACT, /* everything is foretold */
	MOOD_SELF,  /* the device's messages go into the device: its registers change by themselves
		     */
	MOOD_WILD,  /* anything in configuration space: only that QEMU lives is told */
};

enum kind {
	KIND_PLAIN,
	KIND_LEN_BEFORE, /* these five read one response: its length and STATUS before and after it
			  */
	KIND_STATUS_BEFORE,
	KIND_RESPONSE,
	KIND_LEN_AFTER,
	KIND_STATUS_AFTER,
};

struct access {
	uint8_t kind;
	bool write;
	uint16_t offset;
	uint16_t len;	/* bytes */
	uint64_t value; /* of a single access; of a block, what its bytes are made from */
};

static inline bool access_is_single(const struct access *a)
{
	return a->len <= 8 && (a->len & (a->len - 1)) == 0;
}

/* The bytes that a block access with this value writes. */
void access_fill(uint64_t value, uint8_t *bytes, uint32_t len);
/* How many bytes of an access the device gets next: the largest power of 2, at most 8, at any
 * address. */
uint32_t access_piece(uint32_t left);
/* The device has a window of VGPU_WINDOW_LEAST. */
void model_has_window(void);
/* The device is as after a reset, and in this mood until the next. */
void model_forget(enum mood next);
/* line: what QEMU answered. Ends the program when that cannot be. */
void model_judge(const struct access *access, const char *line);

/* ---- guest.c: makes accesses ---- */

struct guest_counts {
	uint64_t accesses; /* as the device gets them */
	uint64_t checked;  /* reads whose every bit was foretold */
	uint64_t responses;
	uint64_t resets;
};
extern struct guest_counts guest_counts;

void guest_open(uint64_t seed);
/* Puts accesses into qtest's buffer until enough are under way. */
void guest_put_accesses(void);
/* Judges the answers that are there. Return: whether nothing is under way. */
bool guest_take_answers(void);
/* Now and then, between accesses: a reset, another mood. */
void guest_maybe_disturb(void);

/* ---- peer.c: a daemon that answers well, badly, late, twice or not at all ---- */

struct peer_counts {
	uint64_t connects;
	uint64_t requests;
	uint64_t answers;
	uint64_t malformed;
	uint64_t poisoned; /* answers that the device must drop */
	uint64_t windows;
	uint64_t opens; /* of channels */
	uint64_t closes;
	uint64_t calls; /* of workers to the guest */
};
extern struct peer_counts peer_counts;

void peer_open(const char *path, uint64_t seed);
int peer_fd(void);
/* Does what there is to do, without waiting. */
void peer_serve(void);
/* Sends a frame on the current connection, if there is one. */
void peer_put(uint8_t type, const uint8_t *payload, uint32_t len);
void peer_hang_up(void);

/* ---- channels.c: the peer's half of channels ---- */

void channels_open(uint64_t seed);
/* The connection is new: no window, no channel. */
void channels_forget(void);
/* A frame of link version 2, with fd_num descriptors, which are its own from now on. */
void channels_take(const struct vgpu_frame_header *h, const uint8_t *payload, const int *fds,
		   uint32_t fd_num);
/* What workers do by themselves. */
void channels_stir(void);

#endif
