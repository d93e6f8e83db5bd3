/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qtest.c - many commands at a time over QEMU's qtest socket */

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/device/storm/storm.h"

#define HANGS_MS 60000 /* QEMU answers nothing for so long: it hangs */

uint64_t qtest_commands;

static int qtest_fd;
static char out[1 << 18];
static size_t out_len;
static char in[1 << 18];
static size_t in_at, in_len;

void qtest_open(int fd)
{
	qtest_fd = fd;
}

void qtest_put(const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(out + out_len, sizeof(out) - out_len, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(out) - out_len - 1)
		storm_fault("the buffer for commands is too small");
	out_len += (size_t)len;
	out[out_len++] = '\n';
	qtest_commands++;
}

/* QEMU reads while it can write: both must be served, or both sides wait for each other. */
void qtest_flush(void)
{
	size_t at = 0;

	while (at < out_len) {
		ssize_t sent = send(qtest_fd, out + at, out_len - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			at += (size_t)sent;
		} else if (errno == EAGAIN) {
			struct pollfd p = { .fd = qtest_fd, .events = POLLIN | POLLOUT };

			if (poll(&p, 1, HANGS_MS) == 0)
				storm_fault("QEMU takes no command for %d s", HANGS_MS / 1000);
			if (p.revents & POLLIN)
				qtest_read(0, -1);
		} else {
			storm_fault("QEMU is gone: %s", strerror(errno));
		}
	}
	out_len = 0;
}

void qtest_read(int wait_ms, int other_fd)
{
	struct pollfd p[2] = {
		{ .fd = qtest_fd, .events = POLLIN },
		{ .fd = other_fd, .events = POLLIN },
	};
	ssize_t got;

	if (wait_ms > 0 && poll(p, 2, wait_ms) == 0)
		storm_fault("QEMU answers nothing for %d s", wait_ms / 1000);
	if (in_at > 0) {
		memmove(in, in + in_at, in_len - in_at);
		in_len -= in_at;
		in_at = 0;
	}
	if (in_len == sizeof(in))
		storm_fault("the buffer for answers is too small");
	got = recv(qtest_fd, in + in_len, sizeof(in) - in_len, MSG_DONTWAIT);
	if (got == 0 || (got < 0 && errno != EAGAIN))
		storm_fault("QEMU is gone");
	if (got > 0)
		in_len += (size_t)got;
}

const char *qtest_line(void)
{
	for (;;) {
		char *line = in + in_at;
		char *end = memchr(line, '\n', in_len - in_at);

		if (!end)
			return NULL;
		*end = '\0';
		in_at = (size_t)(end - in) + 1;
		if (strncmp(line, "IRQ ", 4) == 0)
			continue;
		if (strncmp(line, "OK", 2) != 0)
			storm_fault("qtest answers: %s", line);
		return line[2] ? line + 3 : line + 2;
	}
}

uint64_t qtest_ask(const char *format, ...)
{
	char command[256];
	const char *line;
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	qtest_put("%s", command);
	qtest_flush();
	while (!(line = qtest_line()))
		qtest_read(HANGS_MS, -1);
	return strtoull(line, NULL, 16);
}
