/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - messages for people, on standard error */

#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/util.h"

#define LINE_MAX_BYTES 1024
#define FLOOD_PASS 8 /* messages in a minute that are none */
#define FLOOD_MINUTE_NS (60 * UTIL_NS_PER_S)

static const char *log_program = "vgpu";
static bool log_verbose;
static bool log_to_journal;

void log_init(const char *program, bool verbose)
{
	log_program = program;
	log_verbose = verbose;
	log_to_journal = getenv("JOURNAL_STREAM") != NULL;
}

/* One write for each line, so that lines of several processes do not mix. */
__attribute__((format(printf, 2, 0))) static void put(enum log_level level, const char *format,
						      va_list args)
{
	int saved_errno = errno;
	char line[LINE_MAX_BYTES];
	int len, n;

	if (log_to_journal)
		len = snprintf(line, sizeof(line), "<%d>", level);
	else
		len = snprintf(line, sizeof(line), "%s: ", log_program);
	n = vsnprintf(line + len, sizeof(line) - 1 - (size_t)len, format, args);
	len += n < 0 ? 0 : n;
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)len) < 0)
		errno = 0; /* nobody is left to tell */
	errno = saved_errno;
}

#define DEFINE_LOG(name, level)            \
	void name(const char *format, ...) \
	{                                  \
		va_list args;              \
                                           \
		va_start(args, format);    \
		put(level, format, args);  \
		va_end(args);              \
	}

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)

void log_debug(const char *format, ...)
{
	va_list args;

	if (!log_verbose)
		return;
	va_start(args, format);
	put(LOG_LEVEL_DEBUG, format, args);
	va_end(args);
}

bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, unsigned *held_back)
{
	if (now_ns < limit->next_ns) {
		limit->held_back++;
		return false;
	}
	*held_back = limit->held_back;
	*limit = (struct log_limit){ .next_ns = now_ns + UTIL_NS_PER_S };
	return true;
}

bool log_flood_pass(struct log_flood *flood, uint64_t now_ns)
{
	if (flood->held_back == 0 && now_ns >= flood->quiet_ns)
		*flood = (struct log_flood){
			.quiet_ns = now_ns + FLOOD_MINUTE_NS,
			.pause_ns = UTIL_NS_PER_S,
		};
	if (flood->held_back == 0 && flood->passed < FLOOD_PASS) {
		flood->passed++;
		return true;
	}
	if (flood->held_back++ == 0)
		flood->since_ns = now_ns;
	flood->quiet_ns = now_ns + FLOOD_MINUTE_NS;
	return false;
}

uint64_t log_flood_due_ns(const struct log_flood *flood)
{
	return flood->held_back > 0 ? flood->since_ns + flood->pause_ns : UINT64_MAX;
}

unsigned log_flood_sum(struct log_flood *flood, uint64_t now_ns, unsigned *over_s)
{
	unsigned held_back = flood->held_back;

	*over_s = (unsigned)((now_ns - flood->since_ns + UTIL_NS_PER_S - 1) / UTIL_NS_PER_S);
	flood->held_back = 0;
	flood->pause_ns *= 2;
	if (flood->pause_ns > FLOOD_MINUTE_NS)
		flood->pause_ns = FLOOD_MINUTE_NS;
	return held_back;
}
