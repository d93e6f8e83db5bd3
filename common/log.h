/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - messages for people, on standard error */

#ifndef VGPU_LOG_H
#define VGPU_LOG_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers are syslog's. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* program: what each line begins with on a terminal. verbose: also print debug messages. */
void log_init(const char *program, bool verbose);

/*
 * For a process that must never wait for the reader of its messages. From now on a line that
 * standard error does not take at once is kept, up to a bound; lines beyond it are counted, and the
 * count is printed when there is room. Call it before the process gives up its rights: only its
 * user may open a terminal again.
 */
void log_never_wait(void);

/* Return: descriptor to wait for room at while log_flush() says that lines are kept; -1: none. */
int log_fd(void);

/* Writes what standard error takes now. Return: whether lines are still kept. */
bool log_flush(void);

/* The last call: writes the kept lines, waiting timeout_ms at most. */
void log_end(unsigned timeout_ms);

/*
 * One line each; errno stays as it was. Where systemd's journal reads them (JOURNAL_STREAM names
 * standard error), lines carry their level in the "<N>" form that it knows.
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For messages that a peer can provoke without end: at most one a second passes. */
struct log_limit {
	uint64_t next_ns;
	unsigned held_back; /* since the last that passed */
};

/*
 * held_back: how many were held back since the last that passed; put it in the message.
 * Return: whether to print now.
 */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, unsigned *held_back);

/*
 * For messages that matter one at a time, but can come in a flood: a few a minute pass, the others
 * are counted, and a summary line gives their number. All zero is a good start.
 */
struct log_flood {
	uint64_t quiet_ns; /* the flood is over if no message comes before this time */
	uint64_t since_ns; /* when the first was held back since the last summary */
	uint64_t pause_ns; /* from since_ns to the next summary: a second, growing to a minute */
	unsigned passed;
	unsigned held_back; /* since the last summary */
};

/* Return: whether to print now; else the message counts for the summary at log_flood_due_ns(). */
bool log_flood_pass(struct log_flood *flood, uint64_t now_ns);

/* Return: when a summary is due; UINT64_MAX: none is. */
uint64_t log_flood_due_ns(const struct log_flood *flood);

/* Return: how many were held back in the last *over_s seconds, for the summary; counts anew. */
unsigned log_flood_sum(struct log_flood *flood, uint64_t now_ns, unsigned *over_s);

#endif
