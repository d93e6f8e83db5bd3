/* SPDX-License-Identifier: GPL-2.0-only */
/* vfile_ioctl.h - the calls of /dev/vgpuN, as common/wire/vgpu_ioctl.h has them */

#ifndef VGPU_KMOD_VFILE_IOCTL_H
#define VGPU_KMOD_VFILE_IOCTL_H

#include <linux/fs.h>

/* For struct file_operations; filp->private_data is a struct vfile. */
long vfile_ioctl(struct file *filp, unsigned int call, unsigned long value);

#endif
