/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq.c - waits for the device's interrupt, through vgpu.ko or uio_pci_generic */

#include "guest/libvgpu/irq.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pci/header.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/wire/vgpu_ioctl.h"
#include "common/wire/vgpu_regs.h"
#include "guest/libvgpu/sysfs.h"

/*
 * Theory of operation: vgpu.ko handles the interrupt of a device with a window, and says how many
 * completions there were: nothing here touches the interrupt's registers then.
 *
 * Else it is uio_pci_generic: the device keeps INTx asserted while INTERRUPT_STATUS has an enabled bit.
 * uio_pci_generic's handler does not know the device; it only sets the Interrupt Disable bit of the
 * command register and wakes the reader of /dev/uioN. So after each interrupt this side first
 * clears the cause in the device and then that bit: in the other order the interrupt would come
 * again at once.
 */

#define VGPU_DRIVER "vgpu"
#define DRIVER "uio_pci_generic"
#define DRIVER_DIR "/sys/bus/pci/drivers/" DRIVER

/*
 * driver_override, not the driver's new_id, which would bind every other device of this kind too.
 */
static int bind_driver(const char *slot)
{
	char path[SYSFS_PATH_LEN];
	int err;

	sysfs_path(path, slot, "driver_override");
	err = sysfs_write(path, DRIVER);
	if (err < 0)
		return err;
	err = sysfs_write(DRIVER_DIR "/bind", slot);
	if (err < 0)
		sysfs_write(path, "\n");
	return err;
}

static void unbind_driver(const char *slot)
{
	char path[SYSFS_PATH_LEN];

	sysfs_write(DRIVER_DIR "/unbind", slot);
	sysfs_path(path, slot, "driver_override");
	sysfs_write(path, "\n");
}

/* The device's node /dev/NAMEn of a class of drivers. Return: its descriptor, or -errno. */
static int open_node(const char *slot, const char *class, const char *name, int flags)
{
	char path[SYSFS_PATH_LEN];
	struct dirent *entry;
	int fd = -ENOENT;
	DIR *dir;

	sysfs_path(path, slot, class);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (fd == -ENOENT && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, name, strlen(name)) != 0)
			continue;
		snprintf(path, sizeof(path), "/dev/%.32s", entry->d_name);
		fd = open(path, flags | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	return fd;
}

/* Sleeps at most timeout_ms until there was a completion since the last call. Return: 0 or -errno. */
static int wait_vgpu(struct irq *irq, uint32_t timeout_ms)
{
	struct vgpu_ioctl_wait wait = { .count = irq->vgpu_count, .timeout_ms = timeout_ms };

	if (ioctl(irq->vgpu_fd, VGPU_IOCTL_WAIT_V1, &wait) < 0)
		return errno == EINTR ? 0 : -EIO;
	irq->count += wait.count - irq->vgpu_count;
	irq->vgpu_count = wait.count;
	return 0;
}

static int open_vgpu(struct irq *irq, struct fail *fail)
{
	const char *slot = irq->device->name;
	int err;

	irq->vgpu_fd = open_node(slot, "misc", "vgpu", O_RDWR);
	if (irq->vgpu_fd == -EACCES)
		return fail_set(
			fail, FAIL_PERMISSION, -EACCES,
			"%s: no permission to open its /dev/vgpu node; install the udev rule "
			"60-vgpu.rules and join the group vgpu, use --wait poll, or be root",
			slot);
	if (irq->vgpu_fd < 0)
		return fail_set(fail, FAIL_UNUSABLE, irq->vgpu_fd,
				"%s: cannot open its /dev/vgpu node: %s", slot,
				strerror(-irq->vgpu_fd));
	/* Enables the interrupt; completions of before do not count. */
	err = wait_vgpu(irq, 0);
	irq->count = 0;
	return err < 0 ? fail_set(fail, FAIL_UNUSABLE, err, "%s: vgpu.ko does not wait", slot) : 0;
}

static int ensure_driver(struct irq *irq, struct fail *fail)
{
	const char *slot = irq->device->name;
	char driver[64];
	int err;

	if (sysfs_driver(slot, driver, sizeof(driver)) == 0) {
		if (strcmp(driver, VGPU_DRIVER) == 0)
			return open_vgpu(irq, fail);
		if (strcmp(driver, DRIVER) == 0)
			return 0;
		return fail_set(fail, FAIL_UNUSABLE, -EBUSY,
				"%s: bound to the driver %s; waiting for interrupts needs " DRIVER,
				slot, driver);
	}
	if (access(DRIVER_DIR, F_OK) < 0)
		return fail_set(fail, FAIL_UNUSABLE, -ENOENT,
				"%s: no driver " DRIVER " to wait for interrupts with; as root: "
				"modprobe " DRIVER,
				slot);
	err = bind_driver(slot);
	if (err == -EACCES || err == -EPERM)
		return fail_set(fail, FAIL_PERMISSION, err,
				"%s: only root may bind " DRIVER "; use --wait poll, or be root",
				slot);
	if (err < 0)
		return fail_set(fail, FAIL_UNUSABLE, err, "%s: cannot bind " DRIVER ": %s (dmesg)",
				slot, strerror(-err));
	irq->bound = true;
	return 0;
}

/* Clears Interrupt Disable, which the driver's handler sets. */
static int unmask(int config_fd)
{
	uint8_t bytes[2];
	uint16_t command;

	if (pread(config_fd, bytes, sizeof(bytes), PCI_COMMAND) != (ssize_t)sizeof(bytes))
		return -EIO;
	command = (uint16_t)(bytes[0] | bytes[1] << 8);
	if (!(command & PCI_COMMAND_DISABLE_INTx))
		return 0;
	bytes[1] = (uint8_t)((command & ~PCI_COMMAND_DISABLE_INTx) >> 8);
	if (pwrite(config_fd, bytes, sizeof(bytes), PCI_COMMAND) != (ssize_t)sizeof(bytes))
		return -EIO;
	return 0;
}

static int open_files(struct irq *irq, struct fail *fail)
{
	const char *slot = irq->device->name;
	char path[SYSFS_PATH_LEN];

	irq->uio_fd = open_node(slot, "uio", "uio", O_RDONLY);
	if (irq->uio_fd < 0)
		return fail_set(fail, irq->uio_fd == -EACCES ? FAIL_PERMISSION : FAIL_UNUSABLE,
				irq->uio_fd, "%s: cannot open its /dev/uio node: %s", slot,
				strerror(-irq->uio_fd));
	sysfs_path(path, slot, "config");
	irq->config_fd = open(path, O_RDWR | O_CLOEXEC);
	if (irq->config_fd < 0)
		return fail_set(fail, FAIL_PERMISSION, -errno,
				"%s: cannot write its configuration space, as --wait irq must: %s",
				slot, strerror(errno));
	return 0;
}

static void close_files(struct irq *irq)
{
	if (irq->vgpu_fd >= 0)
		close(irq->vgpu_fd);
	if (irq->config_fd >= 0)
		close(irq->config_fd);
	if (irq->uio_fd >= 0)
		close(irq->uio_fd);
	if (irq->bound)
		unbind_driver(irq->device->name);
}

int irq_open(struct irq *irq, struct vgpu_device *device, struct fail *fail)
{
	struct bar *bar = &device->bar;
	int err;

	*irq = (struct irq){ .device = device, .vgpu_fd = -1, .uio_fd = -1, .config_fd = -1 };
	if (bar->is_file || !(bar_read(bar, VGPU_REG_CAPABILITIES) & VGPU_CAP_INTERRUPT))
		return fail_set(fail, FAIL_UNUSABLE, -ENOTSUP,
				"%s: has no interrupt; use --wait poll", device->name);
	irq->ctrl_before = bar_read(bar, VGPU_REG_INTERRUPT_CTRL);
	err = ensure_driver(irq, fail);
	if (irq->vgpu_fd >= 0 && err == 0)
		return 0;
	if (err == 0)
		err = open_files(irq, fail);
	if (err < 0) {
		close_files(irq);
		return err;
	}
	bar_write(bar, VGPU_REG_INTERRUPT_STATUS, VGPU_IRQ_MASK);
	unmask(irq->config_fd);
	bar_write(bar, VGPU_REG_INTERRUPT_CTRL, VGPU_IRQ_COMPLETION);
	return 0;
}

int irq_wait(struct irq *irq, int timeout_ms)
{
	struct pollfd wait = { .fd = irq->uio_fd, .events = POLLIN };
	uint32_t total;

	if (irq->vgpu_fd >= 0)
		return wait_vgpu(irq, timeout_ms < 0 ? VGPU_WAIT_MOST_MS : (uint32_t)timeout_ms);
	if (poll(&wait, 1, timeout_ms) <= 0)
		return 0;
	if (read(irq->uio_fd, &total, sizeof(total)) != (ssize_t)sizeof(total))
		return -EIO;
	irq->count++;
	bar_write(&irq->device->bar, VGPU_REG_INTERRUPT_STATUS, VGPU_IRQ_COMPLETION);
	return unmask(irq->config_fd);
}

void irq_close(struct irq *irq)
{
	struct bar *bar = &irq->device->bar;

	if (irq->vgpu_fd < 0) {
		bar_write(bar, VGPU_REG_INTERRUPT_CTRL, irq->ctrl_before);
		bar_write(bar, VGPU_REG_INTERRUPT_STATUS, VGPU_IRQ_COMPLETION);
	}
	close_files(irq);
}
