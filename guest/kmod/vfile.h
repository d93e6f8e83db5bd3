/* SPDX-License-Identifier: GPL-2.0-only */
/* vfile.h - the device file /dev/vgpuN: what each open descriptor of it may do */

#ifndef VGPU_KMOD_VFILE_H
#define VGPU_KMOD_VFILE_H

#include <linux/fs.h>

#include "guest/kmod/vdev.h"

extern const struct file_operations vfile_operations;

/*
 * Takes the window's pages out of all mappings: those of each file, since a device node may have several
 * inodes (a container has its own), each with its own mappings. With the device's lock for writing, after
 * vdev_stop(), so that none comes back.
 */
void vfile_zap_all(struct vdev *dev);

#endif
