/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c - how much memory a process of ours may take, and which the kernel ends first */

#include "proc/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

void memory_expendable(int score)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", score);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* Where this would lower the score it takes a privilege: without it the higher one may stay. */
	(void)!write(fd, text, (size_t)len);
	close(fd);
}

void memory_limit(uint64_t bytes)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which map terabytes */
	const struct rlimit limit = { bytes, bytes };

	setrlimit(RLIMIT_DATA, &limit);
#else
	(void)bytes;
#endif
}
