/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.c - one vgpu device, opened: found, checked, locked and mapped */

#include "guest/libvgpu/device.h"

#include <errno.h>
#include <fcntl.h>
#include <pci/header.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/wire/vgpu_regs.h"
#include "guest/libvgpu/find.h"
#include "guest/libvgpu/lock.h"
#include "guest/libvgpu/sysfs.h"

int device_fail_none(struct fail *fail)
{
	return fail_set(fail, FAIL_NO_DEVICE, -ENODEV,
			"no vgpu device in this machine (lspci -d %04x:%04x shows none; QEMU "
			"needs -device vgpu-stub)",
			VGPU_PCI_VENDOR_ID, VGPU_PCI_DEVICE_ID);
}

static int choose_slot(const char *wanted, char *name, struct fail *fail)
{
	struct slot slots[FIND_MAX], slot;
	size_t count;
	int err;

	if (wanted && slot_parse(wanted, &slot) < 0)
		return fail_set(fail, FAIL_NO_DEVICE, -ENODEV,
				"%s: not a PCI slot (they look like 0000:00:04.0)", wanted);
	err = find_devices(slots, &count, fail);
	if (err < 0)
		return err;
	if (count == 0)
		return device_fail_none(fail);
	if (!wanted)
		slot = slots[0];
	for (size_t i = 0; i < count; i++) {
		if (slot_compare(&slot, &slots[i]) == 0) {
			slot_format(&slot, name);
			return 0;
		}
	}
	return fail_set(fail, FAIL_NO_DEVICE, -ENODEV,
			"%s: no vgpu device at this slot (vgpu-probe --list shows them)", wanted);
}

/* Return: whether kernel lockdown forbids mapping: its file then marks another word than none. */
static bool locked_down(void)
{
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char line[64] = "";

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return line[0] != '\0' && !strstr(line, "[none]");
}

/* Says in fail why opening or mapping resource0 failed with err. Return: err. */
static int refused(const struct vgpu_device *device, int err, struct fail *fail)
{
	const char *name = device->name;

	if (device->bar.is_file)
		return fail_set(fail, FAIL_NO_DEVICE, -err, "%s: cannot map the device file: %s",
				name, strerror(err));
	if ((err == EPERM || err == EACCES) && locked_down())
		return fail_set(fail, FAIL_LOCKDOWN, -err,
				"%s: kernel lockdown forbids programs to map PCI devices, root "
				"included; boot without lockdown (secure boot switches it on)",
				name);
	if (err == EPERM || err == EACCES)
		return fail_set(fail, FAIL_PERMISSION, -err,
				"%s: no permission to open resource0; install the udev rule "
				"60-vgpu.rules and join the group vgpu, or be root",
				name);
	if (err == ENOENT)
		return fail_set(fail, FAIL_UNUSABLE, -err,
				"%s: it has no resource0: the kernel gave BAR0 no address (dmesg)",
				name);
	if (err == EINVAL)
		return fail_set(fail, FAIL_UNUSABLE, -err,
				"%s: the kernel refuses to map resource0; a driver may have "
				"claimed it (lspci -k)",
				name);
	return fail_set(fail, FAIL_UNUSABLE, -err, "%s: cannot map resource0: %s", name,
			strerror(err));
}

/* A device without a driver may have its memory decoding off; then it reads as all ones. */
static int enable_decoding(struct vgpu_device *device, struct fail *fail)
{
	char path[SYSFS_PATH_LEN];
	uint16_t command;
	int err = sysfs_read_command(device->name, &command);

	if (err < 0 || (command & PCI_COMMAND_MEMORY))
		return 0;
	sysfs_path(path, device->name, "enable");
	err = sysfs_write(path, "1");
	if (err < 0)
		return fail_set(fail, FAIL_PERMISSION, err,
				"%s: its memory decoding is off; as root: echo 1 > %s",
				device->name, path);
	device->decoding_enabled = true;
	return 0;
}

static int map_bar(struct vgpu_device *device, const char *path, const struct device_where *where,
		   bool writable, struct fail *fail)
{
	struct stat st;
	void *base;
	int err;

	device->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (device->fd < 0)
		return refused(device, errno, fail);
	if (fstat(device->fd, &st) < 0 || st.st_size < (off_t)VGPU_BAR0_LEN) {
		close(device->fd);
		return fail_set(fail, FAIL_UNUSABLE, -EINVAL, "%s: it has not the %u bytes of BAR0",
				device->name, VGPU_BAR0_LEN);
	}
	err = writable ? lock_take(device->fd, device->name, where->turn_ns, where->stop, fail) : 0;
	if (err < 0) {
		close(device->fd);
		return err;
	}
	base = mmap(NULL, VGPU_BAR0_LEN, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED,
		    device->fd, 0);
	if (base == MAP_FAILED) {
		err = errno;
		close(device->fd);
		return refused(device, err, fail);
	}
	device->bar.base = base;
	return 0;
}

static int check_version(struct vgpu_device *device, enum device_access access, struct fail *fail)
{
	uint32_t version = bar_read(&device->bar, VGPU_REG_PROTOCOL_VER);

	if (version == UINT32_MAX)
		return fail_set(fail, FAIL_FOREIGN, -ENXIO,
				"%s: does not answer (all bits read as ones): its power or its "
				"memory decoding is off",
				device->name);
	if (version == VGPU_PROTOCOL_VERSION || access != DEVICE_SUBMIT)
		return 0;
	return fail_set(fail, FAIL_FOREIGN, -EPROTO,
			"%s: speaks version 0x%08x, these tools 0x%08x; install the tools that "
			"belong to the host's QEMU",
			device->name, version, VGPU_PROTOCOL_VERSION);
}

int device_open(struct vgpu_device *device, const struct device_where *where,
		enum device_access access, struct fail *fail)
{
	const bool writable = access != DEVICE_READ;
	char path[SYSFS_PATH_LEN];
	int err;

	*device = (struct vgpu_device){ .fd = -1, .bar.is_file = where->file != NULL };
	if (where->file) {
		snprintf(device->name, sizeof(device->name), "%s", where->file);
		err = map_bar(device, where->file, where, writable, fail);
	} else {
		err = choose_slot(where->slot, device->name, fail);
		if (err < 0)
			return err;
		err = enable_decoding(device, fail);
		if (err < 0)
			return err;
		sysfs_path(path, device->name, "resource0");
		err = map_bar(device, path, where, writable, fail);
	}
	if (err < 0)
		return err;
	err = check_version(device, access, fail);
	if (err < 0)
		device_close(device);
	return err;
}

bool device_is_gone(struct vgpu_device *device)
{
	uint32_t version = bar_read(&device->bar, VGPU_REG_PROTOCOL_VER);

	return version == 0 || version == UINT32_MAX;
}

int device_fail_gone(const struct vgpu_device *device, struct fail *fail)
{
	return fail_set(fail, FAIL_GONE, -ENODEV, "%s: is gone: it was unplugged", device->name);
}

void device_close(struct vgpu_device *device)
{
	munmap((void *)device->bar.base, VGPU_BAR0_LEN);
	close(device->fd);
	device->fd = -1;
}
