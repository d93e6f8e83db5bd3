/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window.c - judges the descriptor of a window */

#include "vgpud/programs/window.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/wire/vgpu_channel.h"

static bool size_ok(uint64_t size_bytes)
{
	return size_bytes >= VGPU_WINDOW_LEAST && size_bytes <= VGPU_WINDOW_MOST &&
	       (size_bytes & (size_bytes - 1)) == 0;
}

const char *window_refusal(int fd, uint64_t size_bytes)
{
	struct stat st;
	int seals;

	if (!size_ok(size_bytes))
		return "has a size that is no power of two from 16 MiB to 4 GiB";
	/*
	 * First: only shmem and hugetlbfs have seals, and the kernel answers without the file
	 * system. fstat() of another one (FUSE, NFS) may wait for its server for ever.
	 */
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0)
		return "is neither a memfd nor a file of hugetlbfs";
	if ((seals & F_SEAL_SHRINK) == 0)
		return "is not sealed against shrinking (F_SEAL_SHRINK)";
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "is no memory";
	if ((uint64_t)st.st_size != size_bytes)
		return "is not as large as it says";
	return NULL;
}
