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
 * For a process that must never wait for who reads its messages: from now on a line that standard
 * error does not take at once is kept, up to a bound; what is beyond is counted and told of once
 * there is room. Call it before rights are given up: a terminal may be opened only by its user.
 */
void log_never_wait(void);

/* Return: descriptor to wait for room at while log_flush() says that lines are kept; -1: none. */
int log_fd(void);

/* Lets out what can leave now. Return: whether lines are still kept. */
bool log_flush(void);

/* The last call: lets out what is kept, for at most so long. */
void log_end(unsigned timeout_ms);

/*
 * One line each; errno stays as it was. Where systemd's journal reads them (JOURNAL_STREAM names
 * standard error), lines carry their level in the "<N>" form that it knows.
 */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For messages that a peer could provoke without end: at most one a second passes. */
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
 * For messages that are news one at a time, and a flood of which is told of by a sum: a few a
 * minute pass, the others are counted. Zeroed at first.
 */
struct log_flood {
	uint64_t quiet_ns; /* when it is over if nothing comes until then */
	uint64_t since_ns; /* of the first that was held back since the last sum */
	uint64_t pause_ns; /* from that one to the next sum: a second, growing to a minute */
	unsigned passed;
	unsigned held_back; /* since the last sum */
};

/* Return: whether to print now; else there is a sum to be told at log_flood_due_ns(). */
bool log_flood_pass(struct log_flood *flood, uint64_t now_ns);

/* Return: when a sum is to be told; UINT64_MAX: there is none. */
uint64_t log_flood_due_ns(const struct log_flood *flood);

/* Return: how many were held back in the last over_s seconds; they are told of now. */
unsigned log_flood_sum(struct log_flood *flood, uint64_t now_ns, unsigned *over_s);

#endif
