/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - messages for people, on standard error */

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"

#define LINE_MAX_BYTES 1024
#define KEPT_MAX_BYTES (64u * 1024)
#define POLLED_MAX_BYTES 256 /* what poll() promises room for, on a pipe as on a terminal */
#define FLOOD_PASS 8	     /* so many messages in a minute are no flood */

static const char *log_program = "vgpu";
static bool log_verbose;
static bool log_to_journal;

/*
 * How a line is written without blocking. O_NONBLOCK belongs to the open file, which we share with
 * the process that started us and with our children, so we must not set it. A socket takes
 * MSG_DONTWAIT instead; a pipe or a terminal is opened once more, which gives flags of its own.
 */
enum out_way {
	OUT_WAITS,  /* write() to standard error, however long that takes */
	OUT_SOCKET, /* send() to it */
	OUT_OWN,    /* write() to a descriptor of ours */
	OUT_POLLED  /* it could not be opened again: write() once poll() sees room */
};

/* Lines that could not be written yet, in order. The ledger's writer logs too, hence the lock. */
static struct {
	pthread_mutex_t lock;
	enum out_way way;
	int fd;
	unsigned lost; /* messages, since a line last reported them */
	size_t len_bytes;
	char bytes[KEPT_MAX_BYTES];
} out = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO };

/* Whether systemd's journal reads standard error: then JOURNAL_STREAM names that very file. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;
	char end;

	return stream != NULL && sscanf(stream, "%llu:%llu%c", &device, &inode, &end) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == (dev_t)device &&
	       st.st_ino == (ino_t)inode;
}

void log_init(const char *program, bool verbose)
{
	log_program = program;
	log_verbose = verbose;
	log_to_journal = is_journal();
}

/* --- leaving --- */

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool has_room(void)
{
	struct pollfd ready = { .fd = out.fd, .events = POLLOUT };

	return poll(&ready, 1, 0) == 1;
}

/* Return: how many bytes are done with: written, or given up because no reader is left. */
static size_t leave(const char *bytes, size_t len)
{
	ssize_t n;

	if (out.way == OUT_SOCKET)
		n = send(out.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (out.way == OUT_POLLED && !has_room())
		return 0;
	else
		n = write(out.fd, bytes,
			  out.way == OUT_POLLED ? min_size(len, POLLED_MAX_BYTES) : len);
	if (n >= 0)
		return (size_t)n;
	return errno == EAGAIN || errno == EINTR ? 0 : len; /* else no reader is left */
}

static bool keep(const char *line, size_t len)
{
	if (len > sizeof(out.bytes) - out.len_bytes)
		return false;
	memcpy(out.bytes + out.len_bytes, line, len);
	out.len_bytes += len;
	return true;
}

/* line: LINE_MAX_BYTES. Return: bytes, newline included. */
__attribute__((format(printf, 3, 0))) static size_t make_line(char *line, enum log_level level,
							      const char *format, va_list args)
{
	int len, n;

	if (log_to_journal)
		len = snprintf(line, LINE_MAX_BYTES, "<%d>", level);
	else
		len = snprintf(line, LINE_MAX_BYTES, "%s: ", log_program);
	n = vsnprintf(line + len, LINE_MAX_BYTES - 1 - (size_t)len, format, args);
	len += n < 0 ? 0 : n;
	if (len > LINE_MAX_BYTES - 2)
		len = LINE_MAX_BYTES - 2;
	line[len++] = '\n';
	return (size_t)len;
}

/* Keeps a line that reports the lost messages, at the place in the log where they are missing. */
__attribute__((format(printf, 1, 2))) static bool keep_note(const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	size_t len;

	va_start(args, format);
	len = make_line(line, LOG_LEVEL_WARNING, format, args);
	va_end(args);
	return keep(line, len);
}

static void tell_lost(void)
{
	if (out.lost > 0 &&
	    keep_note("%u messages are lost here: standard error was not read", out.lost))
		out.lost = 0;
}

static void flush(void)
{
	size_t left = leave(out.bytes, out.len_bytes);

	out.len_bytes -= left;
	memmove(out.bytes, out.bytes + left, out.len_bytes);
	if (out.len_bytes == 0)
		tell_lost();
}

/* One write for each line, so that lines of several processes do not mix. */
static void put_line(const char *line, size_t len)
{
	size_t left = 0;

	if (out.len_bytes > 0)
		flush();
	if (out.len_bytes == 0)
		left = leave(line, len);
	if (left == len || out.way == OUT_WAITS)
		return;
	tell_lost();
	if (out.lost > 0 || !keep(line + left, len - left))
		out.lost++;
}

__attribute__((format(printf, 2, 0))) static void put(enum log_level level, const char *format,
						      va_list args)
{
	int saved_errno = errno;
	char line[LINE_MAX_BYTES];
	size_t len = make_line(line, level, format, args);

	pthread_mutex_lock(&out.lock);
	put_line(line, len);
	pthread_mutex_unlock(&out.lock);
	errno = saved_errno;
}

void log_never_wait(void)
{
	struct stat st;
	int fd = -1;

	if (out.fd != STDERR_FILENO)
		close(out.fd);
	out.fd = STDERR_FILENO;
	out.way = OUT_WAITS; /* as a file does not, for long */
	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	if (S_ISSOCK(st.st_mode)) {
		out.way = OUT_SOCKET;
	} else if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		out.way = fd >= 0 ? OUT_OWN : OUT_POLLED;
	}
	if (fd >= 0)
		out.fd = fd;
}

int log_fd(void)
{
	return out.way == OUT_WAITS ? -1 : out.fd;
}

bool log_flush(void)
{
	bool pending;

	pthread_mutex_lock(&out.lock);
	if (out.len_bytes > 0)
		flush();
	pending = out.len_bytes > 0;
	pthread_mutex_unlock(&out.lock);
	return pending;
}

void log_end(unsigned timeout_ms)
{
	const uint64_t until_ns = util_now_ns() + timeout_ms * (uint64_t)UTIL_NS_PER_MS;
	uint64_t now_ns;

	while (log_flush() && (now_ns = util_now_ns()) < until_ns) {
		struct pollfd ready = { .fd = out.fd, .events = POLLOUT };

		poll(&ready, 1, (int)((until_ns - now_ns) / UTIL_NS_PER_MS) + 1);
	}
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
			.quiet_ns = now_ns + UTIL_NS_PER_MINUTE,
			.pause_ns = UTIL_NS_PER_S,
		};
	if (flood->held_back == 0 && flood->passed < FLOOD_PASS) {
		flood->passed++;
		return true;
	}
	if (flood->held_back++ == 0)
		flood->since_ns = now_ns;
	flood->quiet_ns = now_ns + UTIL_NS_PER_MINUTE;
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
	if (flood->pause_ns > UTIL_NS_PER_MINUTE)
		flood->pause_ns = UTIL_NS_PER_MINUTE;
	return held_back;
}
