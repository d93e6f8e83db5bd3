/* SPDX-License-Identifier: GPL-2.0-or-later */
/* missing.c - why a guest has no /dev/vgpuN: what is missing, and the remedy */

#include "guest/libvgpu/missing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/wire/vgpu_regs.h"
#include "guest/libvgpu/options.h"

/*
 * This is linked into libcuda.so.1, which has no libpci: it reads the small files of sysfs itself, all of
 * which every user may read.
 */
#define CONFIG_BAR2 0x18u /* in the configuration space: 0 where the device has none */
#define RESOURCE_BAR2 2	  /* line of the file `resource` */
#define PATH_SIZE 512

struct found {
	char slot[32]; /* as sysfs names it: 0000:00:10.0 */
	bool has_bar2, has_address;
};

/* Return: bytes read of a file of sysfs, ended with NUL; 0: it cannot be read. */
static size_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	text[0] = '\0';
	if (fd < 0)
		return 0;
	got = read(fd, text, size - 1);
	close(fd);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	return (size_t)got;
}

static size_t read_of_device(const char *devices, const char *slot, const char *name, char *text,
			     size_t size)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%.300s/%.64s/%s", devices, slot, name);
	return read_file(path, text, size);
}

static unsigned hex_of(const char *text)
{
	unsigned value = 0;

	return sscanf(text, "%x", &value) == 1 ? value : 0;
}

/* The address where the kernel has put BAR2. */
static bool has_address(const char *resource)
{
	unsigned long long start = 0;

	for (int line = 0; line < RESOURCE_BAR2 && resource; line++) {
		resource = strchr(resource, '\n');
		resource = resource ? resource + 1 : NULL;
	}
	return resource && sscanf(resource, "%llx", &start) == 1 && start != 0;
}

/* Return: whether it is one of ours, with what is to be seen of it. */
static bool look_at(const char *devices, const char *slot, struct found *found)
{
	char vendor[16], device[16], resource[1024];
	uint8_t config[64] = { 0 };
	size_t got;

	read_of_device(devices, slot, "vendor", vendor, sizeof(vendor));
	read_of_device(devices, slot, "device", device, sizeof(device));
	if (hex_of(vendor) != VGPU_PCI_VENDOR_ID || hex_of(device) != VGPU_PCI_DEVICE_ID)
		return false;
	*found = (struct found){ 0 };
	snprintf(found->slot, sizeof(found->slot), "%.31s", slot);
	got = read_of_device(devices, slot, "config", (char *)config, sizeof(config));
	found->has_bar2 = got > CONFIG_BAR2 && config[CONFIG_BAR2] != 0;
	read_of_device(devices, slot, "resource", resource, sizeof(resource));
	found->has_address = has_address(resource);
	return true;
}

/* Return: whether there is a device, the first that has a window if any has one. */
static bool find(const char *devices, struct found *found)
{
	DIR *directory = opendir(devices);
	bool any = false;

	if (!directory)
		return false;
	for (const struct dirent *entry; (entry = readdir(directory));) {
		struct found other;

		if (entry->d_name[0] == '.' || !look_at(devices, entry->d_name, &other))
			continue;
		if (!any || (other.has_bar2 && !found->has_bar2) ||
		    (other.has_bar2 == found->has_bar2 && strcmp(other.slot, found->slot) < 0))
			*found = other;
		any = true;
	}
	closedir(directory);
	return any;
}

/* The name of the driver that has the device, "" if none has. */
static void read_driver(const char *devices, const char *slot, char *name, size_t size)
{
	char path[PATH_SIZE], target[PATH_SIZE];
	const char *last;
	ssize_t length;

	snprintf(path, sizeof(path), "%.300s/%.64s/driver", devices, slot);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	last = strrchr(target, '/');
	snprintf(name, size, "%.63s", last ? last + 1 : target);
}

static enum vgpu_end say_driver(const char *root, const char *devices, const struct found *found,
				const char *path, char *why)
{
	char driver[64], module[PATH_SIZE];

	read_driver(devices, found->slot, driver, sizeof(driver));
	if (strcmp(driver, "vgpu") == 0) {
		snprintf(
			why, VGPU_WHY,
			"vgpu.ko drives %s, but %s is not here (VGPU_DEVICE names another /dev/vgpuN; "
			"in a container: --device /dev/vgpu0)",
			found->slot, path);
		return VGPU_END_NO_PERMISSION;
	}
	snprintf(module, sizeof(module), "%.200s/sys/module/vgpu", root);
	if (driver[0] != '\0')
		snprintf(why, VGPU_WHY,
			 "the driver %s has %s: unbind it, then load vgpu.ko (modprobe vgpu)",
			 driver, found->slot);
	else if (access(module, F_OK) == 0)
		snprintf(
			why, VGPU_WHY,
			"vgpu.ko is loaded, but refuses %s (dmesg says why; a newer one may be needed)",
			found->slot);
	else
		snprintf(
			why, VGPU_WHY,
			"%s has a window, but vgpu.ko is not loaded, so there is no %s (modprobe vgpu; "
			"docs/guest.md says how to install it)",
			found->slot, path);
	return VGPU_END_NO_MODULE;
}

enum vgpu_end missing_why(const char *root, const char *path, int err, char *why)
{
	char devices[PATH_SIZE];
	struct found found;

	snprintf(devices, sizeof(devices), "%.200s/sys/bus/pci/devices", root);
	if (!find(devices, &found)) {
		snprintf(why, VGPU_WHY,
			 "there is no vgpu here: %s: %s, no vgpu-stub among the PCI devices, and "
			 "VGPU_SOCKET names no socket of vgpud's",
			 path, strerror(err));
		return VGPU_END_NO_VGPU;
	}
	if (!found.has_bar2) {
		snprintf(
			why, VGPU_WHY,
			"%s has no window, so it runs requests only and no programs (QEMU: -device "
			"vgpu-stub,...,window=ID; on the host vgpuadm snippet HYPERVISOR VM prints it)",
			found.slot);
		return VGPU_END_NO_WINDOW;
	}
	if (!found.has_address) {
		snprintf(
			why, VGPU_WHY,
			"BAR2 of %s has no address: the firmware or the root port left no room for "
			"the window (pref64-reserve= of the root port, or a smaller window)",
			found.slot);
		return VGPU_END_NO_WINDOW;
	}
	return say_driver(root, devices, &found, path, why);
}
