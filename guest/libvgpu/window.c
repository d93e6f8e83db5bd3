/* SPDX-License-Identifier: GPL-2.0-or-later */
/* window.c - memory that a program makes to share it with its worker */

#include "guest/libvgpu/window.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/wire/vgpu_channel.h"
#include "guest/libvgpu/descriptor.h"

/* The worker has to map it at the same address: so it lies in a band that nothing else uses. */
void *window_map(uint64_t bytes, int protection, int flags, int fd)
{
	for (uint64_t at = VGPU_WINDOW_BAND_FIRST; at + bytes <= VGPU_WINDOW_BAND_END;
	     at += bytes) {
		void *wanted = (void *)(uintptr_t)at; /* NOLINT(performance-no-int-to-ptr) */
		void *got = mmap(wanted, bytes, protection, flags | MAP_FIXED_NOREPLACE, fd, 0);

		if (got == wanted) {
			madvise(got, bytes, MADV_DONTFORK);
			return got;
		}
		if (got != MAP_FAILED) /* a kernel before 4.17 takes the address as a hint */
			munmap(got, bytes);
	}
	return NULL;
}

/*
 * A bound on the size of files (RLIMIT_FSIZE) holds for this memory as well, and going beyond it sends
 * a signal that ends the program. Return: 0, -1.
 */
static int set_size(int fd, uint64_t bytes)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_FSIZE, &most) == 0 && most.rlim_cur < bytes)
		return -1;
	return ftruncate(fd, (off_t)bytes);
}

enum vgpu_end window_make(uint64_t bytes, int *fd, void **address)
{
	if (bytes < VGPU_WINDOW_LEAST || bytes > VGPU_WINDOW_MOST || (bytes & (bytes - 1)) != 0)
		return VGPU_END_WINDOW_BAD;
	*fd = descriptor_keep(memfd_create("vgpu-window", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	if (*fd < 0)
		return VGPU_END_NO_MEMORY;
	if (set_size(*fd, bytes) < 0 ||
	    fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		close(*fd);
		return VGPU_END_NO_MEMORY;
	}
	*address = window_map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd);
	if (!*address) {
		close(*fd);
		return VGPU_END_NO_ADDRESSES;
	}
	return VGPU_END_NONE;
}
