/* SPDX-License-Identifier: GPL-2.0-or-later */
/* say.c - what libcuda.so.1 tells people: on standard error, or into the file that VGPU_LOG names */

#include "guest/libcuda/say.h"
#include "guest/libvgpu/cancel.h"
#include "guest/libvgpu/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t read_once = PTHREAD_ONCE_INIT;
static int log_fd = STDERR_FILENO; /* -1: quiet */
static bool log_calls;

static void read_environment(void)
{
	const char *quiet = secure_getenv("VGPU_QUIET");
	const char *log = secure_getenv("VGPU_LOG");
	int fd;

	if (quiet && strcmp(quiet, "0") != 0 && *quiet != '\0')
		log_fd = -1;
	if (!log || *log == '\0' || strcmp(log, "warn") == 0)
		return;
	log_calls = true;
	if (strcmp(log, "call") == 0)
		return;
	fd = descriptor_keep(open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	if (fd < 0 && log_fd >= 0) {
		dprintf(log_fd, "vgpu: VGPU_LOG=%s: %s; warnings come here\n", log,
			strerror(errno));
		log_calls = false;
		return;
	}
	log_fd = fd;
}

void say(const char *format, ...)
{
	char text[1024] = "vgpu: ";
	va_list list;
	int n;

	CANCEL_OFF();
	pthread_once(&read_once, read_environment);
	if (log_fd < 0)
		return;
	va_start(list, format);
	n = vsnprintf(text + 6, sizeof(text) - 8, format, list);
	va_end(list);
	if (n < 0)
		return;
	text[strlen(text) + 1] = '\0';
	text[strlen(text)] = '\n'; /* there is room: see above */
	/* One write, so that lines of several threads and processes do not mix. */
	(void)!write(log_fd, text, strlen(text));
}

void say_end(enum vgpu_end end, const char *why)
{
	static atomic_ullong said; /* a bit for each end */
	unsigned long long bit = 1ull << ((unsigned)end % 64);

	if (end == VGPU_END_FORKED || (atomic_fetch_or(&said, bit) & bit) != 0)
		return;
	if (*why != '\0') {
		say("%s", why);
		return;
	}
	switch (end) {
#define SAY_END(value, NAME, name, result, words) \
	case VGPU_END_##NAME:                     \
		say("%s", words);                 \
		break;
		VGPU_END_TABLE(SAY_END)
#undef SAY_END
	default:
		say("the host ends this program for a reason that this version does not know (%u)",
		    (unsigned)end);
	}
}

void say_begin(void)
{
	CANCEL_OFF();
	pthread_once(&read_once, read_environment);
}

bool say_calls(void)
{
	return log_calls;
}

void say_call(const char *symbol)
{
	say("call %s", symbol);
}
