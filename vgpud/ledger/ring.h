/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring.h - the file that keeps each request from the moment it is accepted until the database has
 * it */

#ifndef VGPUD_LEDGER_RING_H
#define VGPUD_LEDGER_RING_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpud/ledger/ledger.h"

#define RING_RECORD_BYTES 128
#define RING_RECORDS_LEAST 16u
#define RING_RECORDS_MOST (1u << 24)
#define RING_RECORDS_DEFAULT 65536u /* 8 MiB */

/*
 * Positions count records from the ring's creation on, and never wrap. One thread produces
 * (accept, finish), one consumes (get, release); neither takes a lock.
 */

/* Kinds of records. The numbers are in files: never renumber. */
enum ring_kind {
	RING_REQUEST_ACCEPTED = 1, /* a request of version 1 is known, and will end */
	RING_REQUEST_FINISHED = 2, /* it has ended */
	/*
	 * Reserved for work that guests' programs submitted. This vgpud neither writes nor reads
	 * them. A newer vgpud wrote a ring that has some: it is set aside as a whole rather than
	 * read in part.
	 */
	RING_SUBMISSION_ACCEPTED = 3,
	RING_SUBMISSION_FINISHED = 4,
	RING_PROGRAM_BEGUN = 5, /* a guest's program runs, and will end */
	RING_PROGRAM_ENDED = 6, /* it has ended */
};

/* A record as it is read. */
struct ring_entry {
	enum ring_kind kind;
	union {
		struct ledger_request request; /* of the two kinds about requests */
		struct ledger_program program; /* of the two about programs; an end has no name */
	};
};

/* The highest ids in a ring, or in a batch of its records. */
struct ring_ids {
	uint64_t request, program;
};

/* Raises the id of the record's kind, if the record's is higher. */
void ring_ids_note(struct ring_ids *ids, const struct ring_entry *entry);

/* The session that wrote the records, with what turns their monotonic times into wall time. */
struct ring_session {
	uint64_t id;
	int64_t wall_ns;  /* start of the session, since the Unix epoch */
	uint64_t mono_ns; /* the same instant on CLOCK_MONOTONIC */
};

/* Tells what happened to an unusable file; set_aside is empty when the file was good. */
struct ring_report {
	char set_aside[PATH_MAX]; /* its new name */
	const char *reason;
	bool created; /* there was none */
};

struct ring;

/*
 * Opens the ring at path, or creates it. A file that is no ring is set aside and a new one made.
 * record_num: of a new ring; one that exists keeps its own.
 * why: on failure, a sentence that names the file and what to do.
 * Return: 0, -ENOSPC, -EFBIG, or what the system says.
 */
int ring_open(struct ring **out, const char *path, uint64_t record_num, struct ring_report *report,
	      char *why, size_t why_len);

/*
 * Replaces this ring by a new, empty one. All of its records must have been taken.
 * keep: set the old file aside instead of overwriting it, for a damaged one.
 * Return: 0; or -errno with why: *ring is as it was, and the call may be tried again.
 */
int ring_replace(struct ring **ring, uint64_t record_num, bool keep, struct ring_report *report,
		 char *why, size_t why_len);

/* The file stays, with all that is in it. */
void ring_close(struct ring *ring);

/*
 * Producer. Records that the request is known, and reserves the room for its end.
 * Return: 0, or -ENOSPC.
 */
int ring_accept(struct ring *ring, const struct ledger_request *request);

/* Producer. Return: records for which there is room, beside those reserved for ends. */
uint64_t ring_room(struct ring *ring);

/* Producer. Records the end of a request for which ring_accept() returned 0. */
void ring_finish(struct ring *ring, const struct ledger_request *request);

/* As ring_accept() and ring_finish(), for a guest's program. */
int ring_begin_program(struct ring *ring, const struct ledger_program *program);
void ring_end_program(struct ring *ring, const struct ledger_program *program);

/* Return: the position after the newest record; any thread may ask. */
uint64_t ring_head(const struct ring *ring);

/* Return: the position of the oldest record that has not been released; any thread may ask. */
uint64_t ring_tail(const struct ring *ring);

/* Return: the oldest position whose record may still be in the file, released or not. */
uint64_t ring_oldest(const struct ring *ring);

/*
 * Consumer. A copy of the record at a position from ring_oldest() to before ring_head().
 * Return: 0, or -EBADMSG: it is not whole.
 */
int ring_get(const struct ring *ring, uint64_t position, struct ring_entry *entry);

/* Consumer. All records before position are in the database: their room may be used again. */
void ring_release(struct ring *ring, uint64_t position);

/* Return: the highest ids in the whole records from a position to before ring_head(). */
struct ring_ids ring_ids_from(const struct ring *ring, uint64_t position);

uint64_t ring_records(const struct ring *ring);

/* Return: a number that no other ring has, below 2^63. */
uint64_t ring_id(const struct ring *ring);

/* Return: whether records were found damaged or missing between others when it was opened. */
bool ring_damaged(const struct ring *ring);

/*
 * Return: whether the ring has the format of an older vgpud. Such a ring can be read and released;
 * ring_replace() comes before the first record of this vgpud.
 */
bool ring_is_old(const struct ring *ring);

/* Only while the ring is empty: from here on its records are of this session. */
void ring_set_session(struct ring *ring, const struct ring_session *session);

/* Return: 0, or -ENOENT: none was set. */
int ring_get_session(const struct ring *ring, struct ring_session *session);

#endif
