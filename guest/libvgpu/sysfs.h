/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysfs.h - the small files that the kernel keeps about a PCI device */

#ifndef VGPU_GUEST_LIBVGPU_SYSFS_H
#define VGPU_GUEST_LIBVGPU_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSFS_DEVICES "/sys/bus/pci/devices"
#define SYSFS_PATH_LEN 128

/* The path of a device's file; path has SYSFS_PATH_LEN bytes. */
void sysfs_path(char *path, const char *slot, const char *name);

/* Writes text to any sysfs file. Return: 0 or -errno. */
int sysfs_write(const char *path, const char *text);

/* The name of the driver bound to the device. Return: 0, or -ENOENT when none is. */
int sysfs_driver(const char *slot, char *name, size_t size_bytes);

/* The command register of the configuration space. Return: 0 or -errno. */
int sysfs_read_command(const char *slot, uint16_t *command);

/* Return: whether the kernel has given the device's BAR (0 to 5) an address. */
bool sysfs_has_address(const char *slot, unsigned bar);

#endif
