/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger.h - the ledger's interface, for both of its instances */

#ifndef VGPUD_LEDGER_LEDGER_H
#define VGPUD_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hist.h"
#include "common/vm_settings.h"

/*
 * There are two instances: ledger_sqlite_open() keeps all in a ring file and a sqlite database,
 * ledger_null_open() keeps nothing. Both have every function, so no caller asks which one it has.
 *
 * Only the loop thread calls these functions. Only ledger_wait() and ledger_close() make it wait
 * for the disk.
 */

/* --- requests --- */

/*
 * One request's record. Times are CLOCK_MONOTONIC nanoseconds or differences of it.
 */
struct ledger_request {
	uint64_t id;	      /* ledger id: unique, and grows with received_ns */
	uint64_t received_ns; /* when its last byte came; never before that of a lower id */
	uint64_t wait_ns;     /* received to start of execution, or to its end if it never ran */
	uint64_t limited_ns;  /* of that, while its VM's limit had no token for it */
	uint64_t exec_ns;     /* on the executor; 0 if it never ran */
	uint64_t total_ns;    /* received to answered */
	uint32_t vm_id;
	uint32_t guest_request_id; /* REQUEST_ID of the guest */
	uint32_t opcode;
	uint32_t status; /* enum vgpu_error */
	uint16_t request_bytes;
	uint16_t response_bytes;
	uint8_t pool;	   /* 'A', 'B' */
	uint8_t priority;  /* enum vgpu_priority */
	uint8_t executor;  /* enum vgpu_executor: what ran it */
	uint8_t transport; /* enum ledger_transport */
};

/* X(value, NAME, "name") */
#define LEDGER_TRANSPORT_TABLE(X) X(0, DEVICE, "device") X(1, FILE, "file")
#define LEDGER_TRANSPORT_ENUM(value, name, text) LEDGER_TRANSPORT_##name = value,
enum ledger_transport { LEDGER_TRANSPORT_TABLE(LEDGER_TRANSPORT_ENUM) LEDGER_TRANSPORT_NUM };
#undef LEDGER_TRANSPORT_ENUM

/* Return: "device"; "?": this vgpud knows none of that number. */
static inline const char *ledger_transport_name(unsigned transport)
{
#define LEDGER_TRANSPORT_NAME(value, name, text) \
	if (transport == (value))                \
		return text;
	LEDGER_TRANSPORT_TABLE(LEDGER_TRANSPORT_NAME)
#undef LEDGER_TRANSPORT_NAME
	return "?";
}

/* --- programs --- */

#define LEDGER_PROGRAM_NAME_SIZE 64
#define LEDGER_UNKNOWN UINT64_MAX /* a figure that was not measured, or not told */

/*
 * One guest's program: a worker that runs its commands. Times are CLOCK_MONOTONIC nanoseconds. Name
 * and pid are what the program says of itself: shown, never a key.
 */
struct ledger_program {
	uint64_t id;	   /* unique over all starts of vgpud */
	uint64_t begun_ns; /* when its worker was bound to it */
	uint32_t vm_id;
	uint32_t uid;	  /* of the process that connected; UINT32_MAX: not known */
	uint32_t pid;	  /* in its guest */
	uint8_t pool;	  /* 'A', 'B' */
	uint8_t priority; /* enum vgpu_priority */
	uint8_t executor; /* enum vgpu_executor */
	uint8_t device;	  /* which GPU of the host; 0 without one */
	char name[LEDGER_PROGRAM_NAME_SIZE];
	/* Known at its end, each perhaps LEDGER_UNKNOWN. */
	uint64_t ended_ns;
	uint32_t why;		    /* enum vgpu_end */
	uint64_t billed_ns;	    /* GPU time, measured by vgpud */
	uint64_t memory_peak_bytes; /* of the GPU */
	uint64_t memory_byte_s;	    /* bytes held, times seconds */
	/* The worker's claims. */
	uint64_t submissions, commands, launches, copies, copy_bytes;
	uint64_t refused; /* at most UINT32_MAX - 1: calls of functions that vgpu does not have */
};

/* Initializes what a program held and what its worker counted: nothing is known of it. */
#define LEDGER_FIGURES_UNKNOWN                                                                 \
	.memory_peak_bytes = LEDGER_UNKNOWN, .memory_byte_s = LEDGER_UNKNOWN,                  \
	.submissions = LEDGER_UNKNOWN, .commands = LEDGER_UNKNOWN, .launches = LEDGER_UNKNOWN, \
	.copies = LEDGER_UNKNOWN, .copy_bytes = LEDGER_UNKNOWN, .refused = LEDGER_UNKNOWN

/* How long a program's submissions took that have ended; LEDGER_UNKNOWN: none has. */
struct ledger_latency {
	uint64_t p50_ns, p99_ns, max_ns;
};

/* Return: what a histogram says. max_ns: the longest that it has. */
static inline struct ledger_latency ledger_latency_of(const struct hist *hist, uint64_t max_ns)
{
	const struct ledger_latency none = { LEDGER_UNKNOWN, LEDGER_UNKNOWN, LEDGER_UNKNOWN };
	const uint32_t p50_ppm = 500000, p99_ppm = 990000;

	if (hist_total(hist) == 0)
		return none;
	return (struct ledger_latency){ hist_quantile(hist, p50_ppm, max_ns),
					hist_quantile(hist, p99_ppm, max_ns), max_ns };
}

/* --- submissions of programs --- */

/* One, or several that followed each other. Times are nanoseconds since the Unix epoch. */
struct ledger_submission {
	uint64_t first; /* its number in the program, from 1 */
	uint64_t count; /* how many they are */
	int64_t begun_ns, ended_ns;
	uint64_t took_ns; /* added up */
	uint64_t most_ns; /* the longest */
	uint64_t commands;
	bool open; /* it had not ended when its program did: ended, took and most are not known */
};

#define LEDGER_SUBMISSIONS_MOST 257 /* rows at once: a worker's ring, and one that is open */

/*
 * What a program's worker has counted: totals since the program's beginning, and the rows that are not
 * recorded yet. All of it are claims.
 */
struct ledger_submissions {
	uint64_t program_id;
	int64_t at_ns;		 /* since the Unix epoch: in its minute counts what is new */
	uint64_t sum_ns, max_ns; /* of what the ended ones took */
	const struct hist *latency;
	const struct ledger_submission *rows; /* by `first` */
	unsigned row_num;
};

/*
 * Return: whether a program can have done that in so long: its submissions come one after the other, and
 * each takes some time. Totals that are not possible are not recorded.
 */
static inline bool ledger_submissions_possible(const struct ledger_submissions *taken,
					       uint64_t lived_ns)
{
	const uint64_t least_ns = 100, slack = 1000, slack_ns = 1000000000;

	return hist_total(taken->latency) <= lived_ns / least_ns + slack &&
	       taken->sum_ns <= lived_ns + slack_ns && taken->max_ns <= taken->sum_ns;
}

/* --- waits of programs --- */

/* X(NAME, "word", "what it means"). Values are for ever, since the ledger has them: add at the end. */
#define LEDGER_WAIT_TABLE(X)                                                                   \
	X(VM, "vm", "another program had the GPU, of the VM that is named or of the same one") \
	X(OTHERS, "others", "another VM had it; too many to tell them apart")                  \
	X(CAP, "cap", "the VM had used what its cap lets it use")                              \
	X(PAUSED, "paused", "the VM was paused or stopped")
#define LEDGER_WAIT_ENUM(name, word, what) LEDGER_WAIT_##name,
enum ledger_wait_cause { LEDGER_WAIT_TABLE(LEDGER_WAIT_ENUM) LEDGER_WAIT_NUM };
#undef LEDGER_WAIT_ENUM

/* Time that programs of a VM waited for the GPU, added up. */
struct ledger_wait {
	uint32_t vm_id;
	enum ledger_wait_cause cause;
	uint32_t by_vm_id; /* for VM: which one had it */
	uint64_t ns;
	int64_t at_ns; /* when it ended, since the Unix epoch: its minute has all of it */
};

#define LEDGER_WAITS_MOST 16u /* at once */

/* --- events and VMs --- */

/* One line of the audit trail. Strings may be NULL: unknown. */
struct ledger_event {
	const char *kind;    /* a short fixed word: "start", "set-priority", "worker-died" */
	const char *subject; /* what it is about: a VM's or a pool's name */
	const char *old_value;
	const char *new_value;
	const char *text; /* one sentence for people */
	int64_t uid;	  /* who, -1: the daemon itself */
	int64_t pid;
};

/* A VM as the database keeps it. */
struct ledger_vm {
	uint32_t id;
	const char *name;
	bool removed;	    /* the VM was removed; its records are kept */
	int64_t created_ns; /* since the Unix epoch; 0: now. A later put does not change it */
	struct vm_settings settings;
};

/* The end of a change. err: 0: it is on the disk; else -errno and nothing has changed. */
typedef void ledger_done(void *arg, int err);

/* --- how it is --- */

/* X(NAME, "word") */
#define LEDGER_STATE_TABLE(X)                                                                \
	X(OK, "ok")                                                                          \
	X(FULL, "full")	      /* no space for the database: the ring takes what it can */    \
	X(FAILING, "failing") /* another error, see the text; tried again each second */     \
	X(MISSING, "missing") /* a file of it was removed or renamed: nothing is recorded */ \
	X(DAMAGED, "damaged") /* the database is corrupt; the next start begins a new one */ \
	X(OFF, "off")	      /* nothing is kept */
#define LEDGER_STATE_ENUM(name, text) LEDGER_##name,
enum ledger_state { LEDGER_STATE_TABLE(LEDGER_STATE_ENUM) LEDGER_STATE_NUM };
#undef LEDGER_STATE_ENUM

/* Return: "ok" */
static inline const char *ledger_state_name(enum ledger_state state)
{
#define LEDGER_STATE_NAME(name, text) [LEDGER_##name] = text,
	static const char *const names[] = { LEDGER_STATE_TABLE(LEDGER_STATE_NAME) };
#undef LEDGER_STATE_NAME

	return state < LEDGER_STATE_NUM ? names[state] : "?";
}

/* Numbers since the start. */
struct ledger_stats {
	enum ledger_state state;
	uint64_t rows;
	uint64_t batches;
	uint64_t lost;		/* requests that died with the last vgpud, found at the start */
	uint64_t programs_lost; /* the same of programs */
	uint64_t duplicates; /* ends of requests that had one already: 0, or something is wrong */
	uint64_t damaged;    /* records of the ring that were not whole */
	uint64_t dropped;    /* requests not recorded for want of room, when lossy */
	uint64_t refused;    /* requests refused for want of room, when strict */
	uint64_t events_dropped;
	uint64_t expired;	/* rows removed by retention */
	uint64_t db_bytes;	/* in use, as of the last look; 0: not looked yet */
	uint64_t free_bytes;	/* on its disk, as of the last look; UINT64_MAX: not known */
	uint32_t ring_used;	/* records */
	uint32_t ring_records;	/* its size; 0: not known yet, or there is none */
	int64_t ahead_until_ns; /* entries are dated up to then, after now; 0: none is */
	const char *path;	/* of the database, valid until close; NULL: there is none */
	char error[200];	/* the last one, in words; stays when the state is OK again */
};

/* --- the interface --- */

struct ledger;

struct ledger_ops {
	int (*accepted)(struct ledger *ledger, const struct ledger_request *request);
	void (*finished)(struct ledger *ledger, const struct ledger_request *request);
	int (*program_begun)(struct ledger *ledger, const struct ledger_program *program);
	void (*program_ended)(struct ledger *ledger, const struct ledger_program *program);
	int (*program_claims)(struct ledger *ledger, const struct ledger_program *program,
			      const char *names, ledger_done *done, void *arg);
	int (*program_used)(struct ledger *ledger, const struct ledger_program *program,
			    uint64_t at_ns);
	int (*submissions)(struct ledger *ledger, const struct ledger_submissions *taken,
			   ledger_done *done, void *arg);
	int (*waits)(struct ledger *ledger, const struct ledger_wait *waits, unsigned num);
	void (*event)(struct ledger *ledger, const struct ledger_event *event);
	void (*clock_stepped)(struct ledger *ledger, int64_t step_ns);
	int (*vm_put)(struct ledger *ledger, const struct ledger_vm *vm,
		      const struct ledger_event *event, ledger_done *done, void *arg);
	int (*vm_delete)(struct ledger *ledger, uint32_t id, const struct ledger_event *event,
			 ledger_done *done, void *arg);
	void (*vm_each)(const struct ledger *ledger,
			void (*each)(void *arg, const struct ledger_vm *vm), void *arg);
	int (*flush)(struct ledger *ledger, ledger_done *done, void *arg);
	int (*fd)(const struct ledger *ledger);
	bool (*dispatch)(struct ledger *ledger);
	int (*wait)(struct ledger *ledger, int timeout_ms);
	void (*stats)(const struct ledger *ledger, struct ledger_stats *stats);
	void (*close)(struct ledger *ledger);
};

struct ledger {
	const struct ledger_ops *ops; /* all of them */
	uint64_t next_id; /* the first ledger id that is free, set at open; the caller counts on */
	uint64_t next_program_id; /* the first free id of a program; the caller counts on */
	int64_t wall_offset_ns;	  /* wall clock of the session = CLOCK_MONOTONIC + this */
};

/*
 * Records that a request was accepted, and reserves room for its one end. While room is scarce, a
 * request that is going to be refused takes none of it, and no VM takes more than it leaves to the
 * others: request->status says what the end will be, OK if that is open.
 * Return: 0, or -ENOSPC: there is no room to record its end too: answer LEDGER_FULL.
 */
static inline int ledger_accepted(struct ledger *ledger, const struct ledger_request *request)
{
	return ledger->ops->accepted(ledger, request);
}

/*
 * Records the end of an accepted request; its room was reserved, so this cannot fail. Once it has
 * returned, the record survives a kill -9 of the daemon.
 */
static inline void ledger_finished(struct ledger *ledger, const struct ledger_request *request)
{
	ledger->ops->finished(ledger, request);
}

/*
 * Records that a program began, and reserves room for its one end.
 * Return: 0; 1: it runs without a record, since there is no room and the ledger is lossy: tell no
 * end of it; -ENOSPC: there is no room: it may not run.
 */
static inline int ledger_program_begun(struct ledger *ledger, const struct ledger_program *program)
{
	return ledger->ops->program_begun(ledger, program);
}

/*
 * Records the end of a program whose beginning was recorded. As with ledger_finished(), this cannot
 * fail and survives a kill -9. A program without an end when vgpud dies gets one at the next start:
 * HOST_LOST, at an unknown time.
 */
static inline void ledger_program_ended(struct ledger *ledger, const struct ledger_program *program)
{
	ledger->ops->program_ended(ledger, program);
}

/*
 * Sets what a worker claims (submissions to refused), and the time that vgpud has billed, in the row of
 * a program whose beginning was recorded; a row that has gone is no error. What is LEDGER_UNKNOWN stays as
 * it is, and so does what is less than the row has, but for GPU time. Memory's sum is bounded to the
 * time from its beginning to ended_ns, which is by the wall clock here. names: of refused functions;
 * NULL: none that were not there before. What cannot be written now is tried again; done() is told of a
 * failure when the ledger is closed.
 * Return: as ledger_vm_put().
 */
static inline int ledger_program_claims(struct ledger *ledger, const struct ledger_program *program,
					const char *names, ledger_done *done, void *arg)
{
	return ledger->ops->program_claims(ledger, program, names, done, arg);
}

/*
 * Brings the figures of a program that runs up to date; what grew counts in the minute of at_ns
 * (CLOCK_MONOTONIC). One may be lost, since the next one, or the end, says all. Return: 0; -ENOBUFS,
 * -ENOMEM: it was not taken.
 */
static inline int ledger_program_used(struct ledger *ledger, const struct ledger_program *program,
				      uint64_t at_ns)
{
	return ledger->ops->program_used(ledger, program, at_ns);
}

/*
 * Records what is new in a worker's totals, and its rows. What comes twice is recorded once, and what was
 * never recorded is in the next totals. Without done, it is tried until it is recorded.
 * Return: as ledger_vm_put(); -ENOBUFS comes earlier, so that there is room for changes of VMs.
 */
static inline int ledger_submissions(struct ledger *ledger, const struct ledger_submissions *taken,
				     ledger_done *done, void *arg)
{
	return ledger->ops->submissions(ledger, taken, done, arg);
}

/*
 * Adds waits to their minutes, once; they are tried until they are recorded. num: up to LEDGER_WAITS_MOST.
 * Return: 0, -ENOBUFS, -ENOMEM: they were not taken.
 */
static inline int ledger_waits(struct ledger *ledger, const struct ledger_wait *waits, unsigned num)
{
	return ledger->ops->waits(ledger, waits, num);
}

/* Best effort: an event that finds no room is counted as dropped. */
static inline void ledger_event(struct ledger *ledger, const struct ledger_event *event)
{
	ledger->ops->event(ledger, event);
}

/* The wall clock was set while the session runs, forward when step_ns > 0. Best effort. */
static inline void ledger_clock_stepped(struct ledger *ledger, int64_t step_ns)
{
	ledger->ops->clock_stepped(ledger, step_ns);
}

/*
 * Adds a VM, or changes the one with that id. event: NULL, or the event that tells of it: both are
 * recorded, or neither. done, if not NULL, is called by ledger_dispatch(), or at the latest by
 * ledger_close().
 * Return: 0: the change is under way; -ENOBUFS: too many are; -ENOMEM.
 */
static inline int ledger_vm_put(struct ledger *ledger, const struct ledger_vm *vm,
				const struct ledger_event *event, ledger_done *done, void *arg)
{
	return ledger->ops->vm_put(ledger, vm, event, done, arg);
}

/*
 * Takes a VM out; its requests keep its name. done gets -ENOENT when there was none.
 * Return: as ledger_vm_put().
 */
static inline int ledger_vm_delete(struct ledger *ledger, uint32_t id,
				   const struct ledger_event *event, ledger_done *done, void *arg)
{
	return ledger->ops->vm_delete(ledger, id, event, done, arg);
}

/* Calls each for all VMs as they were at the start, removed ones too, by ascending id. */
static inline void ledger_vm_each(const struct ledger *ledger,
				  void (*each)(void *arg, const struct ledger_vm *vm), void *arg)
{
	ledger->ops->vm_each(ledger, each, arg);
}

/*
 * Calls done once readers can see every request, end and event recorded before this call.
 * Return: as ledger_vm_put(), and -EOPNOTSUPP: this ledger keeps nothing to read.
 */
static inline int ledger_flush(struct ledger *ledger, ledger_done *done, void *arg)
{
	return ledger->ops->flush(ledger, done, arg);
}

/*
 * Return: a descriptor that is readable when there is something for ledger_dispatch(): changes that
 * are done, or a new state. Level-triggered; the ledger closes it.
 */
static inline int ledger_fd(const struct ledger *ledger)
{
	return ledger->ops->fd(ledger);
}

/* Calls the functions of the changes that are done. Return: whether the state may have changed. */
static inline bool ledger_dispatch(struct ledger *ledger)
{
	return ledger->ops->dispatch(ledger);
}

/*
 * Waits for all changes under way and dispatches them. Only for the daemon's start and end: it
 * blocks the loop. Return: 0, or -ETIMEDOUT.
 */
static inline int ledger_wait(struct ledger *ledger, int timeout_ms)
{
	return ledger->ops->wait(ledger, timeout_ms);
}

static inline void ledger_stats(const struct ledger *ledger, struct ledger_stats *stats)
{
	ledger->ops->stats(ledger, stats);
}

/* Return: a monotonic time on the wall clock of this session, as the ledger records it. */
static inline int64_t ledger_wall_ns(const struct ledger *ledger, uint64_t mono_ns)
{
	return (int64_t)mono_ns + ledger->wall_offset_ns;
}

/* Writes what is pending, ends all changes, and frees the ledger. */
static inline void ledger_close(struct ledger *ledger)
{
	ledger->ops->close(ledger);
}

/* --- the two instances --- */

/* Strings are copied. A field that is 0 gets its default, unless 0 has a meaning of its own. */
struct ledger_config {
	const char *db_path; /* the lock lies beside it, as PATH.lock */
	const char *ring_path;
	uint32_t ring_records;	 /* 0: 65,536, which are 8 MiB */
	uint32_t batch_ms;	 /* longest that a record waits for its transaction; 0: 50 */
	uint32_t retention_days; /* of requests, programs, submissions and events; 0: for ever */
	uint32_t minute_days;	 /* of the minutes' statistics; 0: for ever */
	uint64_t max_bytes;	 /* of the database; 0: no bound */
	bool lossy;		 /* full: go on without recording, instead of refusing requests */
	const char *version;	 /* of vgpud */
	const char *host;	 /* NULL: the machine's name */
	/* Called with a sentence for each fault that the start found and mended; or NULL. */
	void (*say)(const char *sentence);
};

/*
 * Opens the ledger, which one vgpud at a time may have open. Records that an earlier vgpud left in
 * the ring are taken first, and its open requests end as lost.
 * why: on failure, a sentence that names the file and what to do.
 * Return: 0, -EBUSY: another vgpud has it, or what went wrong.
 */
int ledger_sqlite_open(struct ledger **out, const struct ledger_config *config, char *why,
		       size_t why_len);

/*
 * A ledger that keeps nothing: changes of VMs succeed, and are forgotten with it.
 * Return: NULL: no memory, or no descriptor.
 */
struct ledger *ledger_null_open(void);

/* Return: the version of the sqlite library, 3040001 for 3.40.1. */
int ledger_sqlite_version(void);

#endif
