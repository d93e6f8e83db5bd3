/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_options.h - the options that give a QEMU its device, one home for all who print them */

#ifndef VGPU_COMMON_CMD_QEMU_OPTIONS_H
#define VGPU_COMMON_CMD_QEMU_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* -device: with an id, which device_del and hypervisors need. Its slot comes behind. */
#define QEMU_OPTIONS_DEVICE "vgpu-stub,chardev=vg0,id=vgpu0"

/*
 * A PCI slot far from the first free one. QEMU would choose that first slot, but a hypervisor that
 * does not know of the device believes it free, and its next hotplug there would fail.
 */
#define QEMU_OPTIONS_SLOT ",addr=0x1e"

/*
 * For CUDA programs of the guest: memory that it shares with their workers, which -object makes before the
 * device is there, and what the device has to say of it.
 */
#define QEMU_OPTIONS_MEMORY "memory-backend-memfd,id=vgw0,size=1G,share=on,prealloc=on"
#define QEMU_OPTIONS_WINDOW ",window=vgw0"

#define QEMU_OPTIONS_SIZE 384 /* bytes of a -chardev for any socket's path */

/*
 * Writes the value of -chardev. A comma in the path is doubled, which is how QEMU escapes it.
 * qemu_listens: QEMU listens at path and vgpud connects; else the other way round.
 * reconnect_ms: QEMU is 9.2 or newer, whose option counts milliseconds.
 */
void qemu_options_chardev(char *out, size_t size, const char *path, bool qemu_listens,
			  bool reconnect_ms);

#endif
