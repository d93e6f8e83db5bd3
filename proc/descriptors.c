/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptors.c - who may take the last descriptors */

#include "proc/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

bool descriptors_left(int like, unsigned kept)
{
	int next = fcntl(like, F_DUPFD_CLOEXEC, 0);
	struct rlimit limit;

	if (next < 0)
		return false;
	close(next);
	/* Asked each time, since prlimit(1) can change the limit of a running process. */
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return false;
	if (limit.rlim_cur < 3 * DESCRIPTORS_OF_HOST)
		kept = (unsigned)(kept * limit.rlim_cur / (3 * DESCRIPTORS_OF_HOST));
	return (rlim_t)next + kept < limit.rlim_cur;
}
