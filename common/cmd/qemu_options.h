/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_options.h - the options that give a QEMU its device, one home for all who print them */

#ifndef VGPU_COMMON_CMD_QEMU_OPTIONS_H
#define VGPU_COMMON_CMD_QEMU_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* -device: with an id, which device_del and hypervisors need. Its slot comes behind. */
#define QEMU_OPTIONS_DEVICE "vgpu-stub,chardev=vg0,id=vgpu0"

/*
 * A slot where no one looks for a free one: QEMU would take the first, which a hypervisor has in its
 * own books as free, so that its next hotplug would fail.
 */
#define QEMU_OPTIONS_SLOT ",addr=0x1e"

#define QEMU_OPTIONS_SIZE 384 /* bytes of a -chardev for any socket's path */

/*
 * -chardev. A comma in the path is doubled: so QEMU takes it for a part of the path.
 * qemu_listens: QEMU does, and vgpud connects. reconnect_ms: QEMU is one from 9.2 on.
 */
void qemu_options_chardev(char *out, size_t size, const char *path, bool qemu_listens,
			  bool reconnect_ms);

#endif
