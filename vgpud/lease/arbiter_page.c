/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter_page.c - the two pages that the arbiter shares with a worker */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/util.h"
#include "vgpud/lease/arbiter_private.h"

/* Makes a page of shared memory. Return: its descriptor or -errno. */
static int make_page(void **page, int protection, int seals)
{
	int fd = memfd_create("vgpu-lease", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	*page = MAP_FAILED;
	if (ftruncate(fd, LEASE_PAGE_BYTES) == 0)
		*page = mmap(NULL, LEASE_PAGE_BYTES, protection, MAP_SHARED, fd, 0);
	/* From now on the mapping of ours may be the last one that can be written. */
	if (*page != MAP_FAILED &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | seals) == 0)
		return fd;
	err = errno;
	if (*page != MAP_FAILED)
		munmap(*page, LEASE_PAGE_BYTES);
	close(fd);
	return -err;
}

void arbiter_unmap(struct arbiter_program *program)
{
	arbiter_close_fds(program);
	if (program->page != NULL)
		munmap(program->page, LEASE_PAGE_BYTES);
	if (program->claims != NULL)
		munmap((void *)program->claims, LEASE_PAGE_BYTES);
	program->page = NULL;
	program->claims = NULL;
}

int arbiter_map(struct arbiter_program *program)
{
	void *page = NULL, *claims = NULL;

	program->fds[0] = program->fds[1] = -1;
	program->fds[0] = make_page(&page, PROT_READ | PROT_WRITE, F_SEAL_FUTURE_WRITE);
	if (program->fds[0] < 0)
		return program->fds[0];
	program->page = page;
	program->fds[1] = make_page(&claims, PROT_READ, 0);
	if (program->fds[1] < 0)
		return program->fds[1];
	program->claims = claims;
	return 0;
}

void arbiter_close_fds(struct arbiter_program *program)
{
	for (unsigned i = 0; i < 2; i++) {
		if (program->fds[i] >= 0)
			close(program->fds[i]);
		program->fds[i] = -1;
	}
}

bool arbiter_is_busy(const struct arbiter_program *program)
{
	lease_page_fence();
	return __atomic_load_n(&program->claims->busy, __ATOMIC_ACQUIRE) != 0;
}

uint64_t arbiter_claimed_idle_ns(const struct arbiter_program *program, uint64_t now_ns)
{
	const volatile struct lease_claims *claims = program->claims;
	uint64_t since_ns = __atomic_load_n(&claims->idle_since_ns, __ATOMIC_ACQUIRE);
	uint64_t idle_ns = __atomic_load_n(&claims->idle_ns, __ATOMIC_ACQUIRE);

	if (arbiter_is_busy(program) || since_ns >= now_ns)
		return idle_ns;
	/* It went on and came to rest again: the sum may have the rest that began then. */
	if (__atomic_load_n(&claims->idle_since_ns, __ATOMIC_ACQUIRE) != since_ns)
		return idle_ns;
	return util_add_saturated(idle_ns, now_ns - since_ns);
}
