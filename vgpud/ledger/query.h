/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query.h - reads the ledger's database while vgpud writes it */

#ifndef VGPUD_LEDGER_QUERY_H
#define VGPUD_LEDGER_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgpud/ledger/ledger.h"

/*
 * A read-only connection, for one thread of any process. It sees what the writer has committed;
 * after ledger_flush() that is all that has happened. Rows never change, so reading in pieces gives
 * a consistent answer, except for rows that come or expire meanwhile.
 *
 * All times are nanoseconds since the Unix epoch. A function that takes a callback stops when the
 * callback returns something else than 0, and returns that. Otherwise it returns 0, or -errno,
 * which ledger_query_error() puts into words. A callback's strings are valid until it returns.
 */

struct ledger_query;

/*
 * While a reader holds a snapshot, the log cannot begin anew and grows with every record. So most
 * is read in pieces; a piece that takes longer than this ends with -ETIME.
 */
#define LEDGER_QUERY_MOST_S 15

/* why: on failure, a sentence that names the file. Return: 0, -ENOENT: there is none, or -errno. */
int ledger_query_open(struct ledger_query **out, const char *db_path, char *why, size_t why_len);
void ledger_query_close(struct ledger_query *query);

/* Return: the last error in words. */
const char *ledger_query_error(const struct ledger_query *query);

/* Chooses requests: received from since_ns to before until_ns, equal in all fields but ANY. */
#define LEDGER_QUERY_ANY INT32_MIN
#define LEDGER_QUERY_OPCODE_UNKNOWN (-1) /* all opcodes without a name */
#define LEDGER_QUERY_STATUS_ERROR (-1)	 /* any but OK; statistics take no status but ANY */

struct ledger_query_filter {
	int64_t since_ns;
	int64_t until_ns; /* INT64_MAX: no end, which is faster than the present time */
	int64_t vm_id;
	int64_t pool; /* 'A' */
	int64_t priority;
	int64_t opcode;
	int64_t status;
};

#define LEDGER_QUERY_FILTER_ALL                                                     \
	{                                                                           \
		0, INT64_MAX, LEDGER_QUERY_ANY, LEDGER_QUERY_ANY, LEDGER_QUERY_ANY, \
			LEDGER_QUERY_ANY, LEDGER_QUERY_ANY                          \
	}

/* --- rows --- */

struct ledger_query_request {
	struct ledger_request request; /* received_ns since the Unix epoch */
	bool times_known;    /* false: lost with a vgpud that was killed; wait, exec, total are 0 */
	const char *vm_name; /* NULL: no VM has that number */
};

typedef int ledger_query_request_fn(void *arg, const struct ledger_query_request *request);

/* The newest requests, at most limit, newest first. */
int ledger_query_requests(struct ledger_query *query, const struct ledger_query_filter *filter,
			  uint64_t limit, ledger_query_request_fn *each, void *arg);

/* The oldest limit requests from after_id + 1 to last_id, oldest first; the filter's times do not
 * count. */
int ledger_query_requests_after(struct ledger_query *query,
				const struct ledger_query_filter *filter, uint64_t after_id,
				uint64_t last_id, uint64_t limit, ledger_query_request_fn *each,
				void *arg);

/*
 * Finds the highest id up to which every request has its row. A caller that follows new requests up
 * to this id misses none; rows with higher ids may still come in any order.
 */
int ledger_query_settled(struct ledger_query *query, uint64_t *id);

/* One request. Return: also -ENOENT. */
int ledger_query_request(struct ledger_query *query, uint64_t id, ledger_query_request_fn *each,
			 void *arg);

struct ledger_query_event {
	uint64_t id;
	int64_t time_ns;
	struct ledger_event event; /* uid -1: vgpud itself */
};

/*
 * The newest events, at most limit, newest first.
 * kind, subject: NULL: any. after_id, last_id: only events behind the one, up to the other.
 */
int ledger_query_events(struct ledger_query *query, int64_t since_ns, int64_t until_ns,
			const char *kind, const char *subject, uint64_t after_id, uint64_t last_id,
			uint64_t limit,
			int (*each)(void *arg, const struct ledger_query_event *event), void *arg);

struct ledger_query_session {
	uint64_t id;
	int64_t started_ns;
	int64_t ended_ns;		      /* 0: it runs, or did not end cleanly */
	const char *boot_id, *version, *host; /* NULL: unknown */
};

/* All starts of vgpud, newest first. */
int ledger_query_sessions(struct ledger_query *query,
			  int (*each)(void *arg, const struct ledger_query_session *session),
			  void *arg);

struct ledger_query_vm {
	uint32_t id;
	const char *name;
	bool removed;
};

/* All VMs that ever were, by id. */
int ledger_query_vms(struct ledger_query *query,
		     int (*each)(void *arg, const struct ledger_query_vm *vm), void *arg);

enum ledger_query_by {
	LEDGER_QUERY_BY_NOTHING, /* one group of all */
	LEDGER_QUERY_BY_VM,
	LEDGER_QUERY_BY_POOL,
	LEDGER_QUERY_BY_PRIORITY,
	LEDGER_QUERY_BY_OPCODE,
	LEDGER_QUERY_BY_PROGRAM /* of ledger_query_used() alone */
};

/* --- programs --- */

struct ledger_query_program {
	struct ledger_program program; /* its name is empty; times since the Unix epoch */
	bool runs;		       /* it has no end yet */
	const char *name;	       /* as it says; NULL: not known */
	const char *refused_names;     /* of functions that it called in vain; NULL: not known */
	const char *vm_name;	       /* NULL: no VM has that number */
	struct ledger_latency latency; /* of its submissions, as they were recorded */
	int64_t seen_to_ns; /* its end; of one that was lost with vgpud, when it was seen last */
};

typedef int ledger_query_program_fn(void *arg, const struct ledger_query_program *program);

/*
 * The newest programs that ran in the filter's window, at most limit, newest first. Of the filter,
 * vm_id and pool count.
 */
int ledger_query_programs(struct ledger_query *query, const struct ledger_query_filter *filter,
			  uint64_t limit, ledger_query_program_fn *each, void *arg);

/* One program. Return: also -ENOENT. */
int ledger_query_program(struct ledger_query *query, uint64_t id, ledger_query_program_fn *each,
			 void *arg);

/* Programs that ran in a window. */
struct ledger_query_lived {
	int64_t key;	    /* as in ledger_query_stats */
	uint64_t programs;  /* how many */
	int64_t program_ns; /* for how long, added up */
};

/*
 * Adds up programs by NOTHING, VM or POOL, exactly for the window. Of the filter, times, vm_id and pool
 * count. now_ns: until when those that run count. each: by ascending key; NOTHING always gives one.
 */
int ledger_query_lived(struct ledger_query *query, const struct ledger_query_filter *filter,
		       enum ledger_query_by by, int64_t now_ns,
		       int (*each)(void *arg, const struct ledger_query_lived *lived), void *arg);

/* What programs used; LEDGER_UNKNOWN: that figure is known of none. */
struct ledger_query_used {
	int64_t key;	    /* as in ledger_query_stats; by PROGRAM its id */
	uint64_t billed_ns; /* GPU time */
	uint64_t memory_byte_s, submissions, commands, launches, copies, copy_bytes, refused;
};

/*
 * Adds up what programs used in all minutes that the filter's window touches, by anything but opcode, for which
 * there is nothing. Of the filter, times, vm_id, pool and priority count; of pool and priority a program has
 * those of its beginning. each: by ascending key; where nothing was used, not at all.
 */
int ledger_query_used(struct ledger_query *query, const struct ledger_query_filter *filter,
		      enum ledger_query_by by,
		      int (*each)(void *arg, const struct ledger_query_used *used), void *arg);

/* --- statistics --- */

struct ledger_query_times {
	uint64_t count; /* of requests whose time is known */
	int64_t sum_ns;
	int64_t max_ns;
	int64_t p50_ns, p90_ns, p99_ns, p999_ns;
};

struct ledger_query_stats {
	int64_t key; /* the group: id, letter, number; 0 for all */
	uint64_t count;
	uint64_t errors;
	struct ledger_query_times wait, total;
	struct ledger_query_times exec; /* of those that ran; sum_ns is the GPU time used */
};

/* The time that the figures cover. */
struct ledger_query_window {
	int64_t since_ns, until_ns;
	bool widened; /* to a whole minute, whose rows are expired */
};

/*
 * Counts, sums and maxima are exact; quantiles are within 1.6 %, from histograms.
 * exact: read every row instead, quantiles too are then exact; expired rows are not counted.
 * each: by ascending key; groups without requests are left out.
 */
int ledger_query_stats(struct ledger_query *query, const struct ledger_query_filter *filter,
		       enum ledger_query_by by, bool exact, struct ledger_query_window *window,
		       int (*each)(void *arg, const struct ledger_query_stats *stats), void *arg);

/* Submissions of programs. */
struct ledger_query_submissions {
	int64_t key;	/* as in ledger_query_stats */
	uint64_t count; /* that have ended */
	uint64_t open;	/* that were open when their programs ended */
	struct ledger_query_times latency;
};

/*
 * Adds up the submissions of all minutes that the filter's window touches, by anything but opcode, for
 * which there is none. Of the filter, times, vm_id, pool and priority count. Counts and sums are exact, quantiles
 * as in ledger_query_stats(), maxima at most a thirtieth too high. each: by ascending key.
 */
int ledger_query_submissions(struct ledger_query *query, const struct ledger_query_filter *filter,
			     enum ledger_query_by by,
			     int (*each)(void *arg,
					 const struct ledger_query_submissions *submissions),
			     void *arg);

/* A row of submissions: one, or some that followed each other. */
struct ledger_query_submission {
	uint64_t id, program_id;
	uint32_t vm_id;
	struct ledger_submission submission; /* times since the Unix epoch */
	const char *vm_name;		     /* NULL: no VM has that number */
	const char *program_name; /* as it says; NULL: not known, or its row has expired */
};

typedef int ledger_query_submission_fn(void *arg, const struct ledger_query_submission *submission);

/*
 * The newest rows of submissions that began in the filter's window, at most limit, newest first. Of the filter, times
 * and vm_id count. program_id: 0: of any. after_id, last_id: only rows behind the one, up to the other.
 */
int ledger_query_submission_rows(struct ledger_query *query,
				 const struct ledger_query_filter *filter, uint64_t program_id,
				 uint64_t after_id, uint64_t last_id, uint64_t limit,
				 ledger_query_submission_fn *each, void *arg);

/* One row. Return: also -ENOENT. */
int ledger_query_submission(struct ledger_query *query, uint64_t id,
			    ledger_query_submission_fn *each, void *arg);

/*
 * For what the programs of the filter's VM waited, in all minutes that the filter's window touches. each: by
 * descending time; the wait's vm_id and at_ns are not set, by_vm_id counts for cause VM alone.
 */
int ledger_query_waits(struct ledger_query *query, const struct ledger_query_filter *filter,
		       int (*each)(void *arg, const struct ledger_wait *wait), void *arg);

/* --- blame --- */

#define LEDGER_QUERY_NOBODY (-1)

struct ledger_query_share {
	int64_t vm_id; /* whose requests ran; LEDGER_QUERY_NOBODY: none did */
	int64_t ns;
};

struct ledger_query_blame {
	uint64_t waited;    /* requests of the VM that waited */
	int64_t wait_ns;    /* their waits added up; shares and limited_ns add up to it exactly */
	int64_t limited_ns; /* of that, while the VM's limit had no token for them */
};

/*
 * Tells which VMs' requests ran while those of one VM waited. Where n requests run at the same
 * time, each gets 1/n of it; where m wait, the time counts m times. filter: its vm_id is the VM
 * that waited; times and priority choose among its requests. pools: letters of the pools that share
 * its GPU; NULL: all do. each: by descending share. Return: also -E2BIG: too many requests, take a
 * shorter window.
 */
int ledger_query_blame(struct ledger_query *query, const struct ledger_query_filter *filter,
		       const char *pools, struct ledger_query_blame *blame,
		       int (*each)(void *arg, const struct ledger_query_share *share), void *arg);

#endif
