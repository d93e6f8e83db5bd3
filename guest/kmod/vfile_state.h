/* SPDX-License-Identifier: GPL-2.0-only */
/* vfile_state.h - an open descriptor of /dev/vgpuN, for the files that carry out what it is asked */

#ifndef VGPU_KMOD_VFILE_STATE_H
#define VGPU_KMOD_VFILE_STATE_H

#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/sched.h>

#include "guest/kmod/vdev.h"

/*
 * Theory of operation. A channel belongs to the address space that opened it, not to the descriptor:
 * a child of fork() holds the descriptor for as long as it likes. So the channel ends with the address
 * space (the notifier), or with the descriptor's last user, whichever comes first.
 *
 * The window's pages are put into a mapping when they are touched, after a look at whose they are:
 * that is the one place that decides it. Once the device is gone each file's mappings get one page of
 * zeros of its own, so that a program that is in the middle of its ring gets an error, not a signal.
 *
 * Locks: claiming, then mmap_lock, then the device's, then what the kernel takes to change mappings.
 */
struct vfile {
	struct vdev *dev;
	struct list_head entry; /* dev->files */
	struct address_space *mapping;
	struct page *blank; /* what all pages are once the device is gone */

	struct mutex claiming;	   /* one OPEN at a time */
	struct mmu_notifier space; /* of the address space that called OPEN */
	bool claimed;		   /* space is registered; it stays so until the release */

	/* Under the device's lock. */
	int channel; /* -1: none */
	u32 control_piece;
	bool waits_v1;
};

/* Return: the caller's channel, or -errno. With the device's lock. */
static inline int vfile_channel(const struct vfile *file)
{
	if (file->dev->gone)
		return -ENODEV;
	if (!smp_load_acquire(&file->claimed))
		return -EBADF;
	if (file->space.mm != current->mm)
		return -EPERM;
	return file->channel >= 0 ? file->channel : -EBADF;
}

/* Ties the file to the caller's address space. Return: 0, -EBUSY, -EPERM, -ENOMEM. */
int vfile_claim(struct vfile *file);

/*
 * Counts those who wait for completions; the interrupt is enabled while there are some. With the device's
 * lock for writing.
 */
void vfile_set_waits_v1(struct vfile *file, bool waits);

#endif
