/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device_double.c - plays vgpu.ko and what is behind it: the test is linked with --wrap of its system calls */

#include "tests/unit/libvgpu/device_double.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/wire/vgpu_ioctl.h"

struct device_double device;

static int file_fd = -1, call_fd = -1;

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_ioctl(int fd, unsigned long call, ...);
int __real_poll(struct pollfd *fds, nfds_t num, int timeout_ms);
ssize_t __real_read(int fd, void *to, size_t size);

int __wrap_open(const char *path, int flags, ...);
int __wrap_close(int fd);
int __wrap_ioctl(int fd, unsigned long call, ...);
int __wrap_poll(struct pollfd *fds, nfds_t num, int timeout_ms);
ssize_t __wrap_read(int fd, void *to, size_t size);

static bool is_device(int fd)
{
	return fd >= 0 && fd < DEVICE_FILES && device.files[fd];
}

int __wrap_open(const char *path, int flags, ...)
{
	bool ours = device.path[0] != '\0' && strcmp(path, device.path) == 0;
	int fd;

	if (ours && device.open_errno != 0) {
		errno = device.open_errno;
		return -1;
	}
	fd = __real_open(path, flags, 0600);
	if (!ours || fd < 0)
		return fd;
	assert(fd < DEVICE_FILES && (flags & O_CLOEXEC));
	device.files[fd] = true;
	device.holds[fd] = false;
	device.opens++;
	return fd;
}

int __wrap_close(int fd)
{
	if (is_device(fd))
		device.files[fd] = device.holds[fd] = false;
	return __real_close(fd);
}

/* --- calls --- */

static int fail(int err)
{
	errno = err;
	return -1;
}

static int call_info(struct vgpu_ioctl_info *info)
{
	*info = (struct vgpu_ioctl_info){ .window_bytes = device.window_bytes,
					  .window_status = device.window_status,
					  .channels = VGPU_CHANNELS,
					  .pci_domain = DEVICE_DOMAIN,
					  .pci_function = DEVICE_FUNCTION };
	if (device.silent_infos > 0) {
		device.silent_infos--;
		info->window_status = 0;
	}
	return 0;
}

static int call_open(int fd, struct vgpu_ioctl_open *opened)
{
	if (device.holds[fd])
		return fail(EBUSY);
	if (device.interrupts > 0) {
		device.interrupts--;
		return fail(EINTR);
	}
	if (device.hold_errno != 0)
		return fail(device.hold_errno);
	device.holds[fd] = true;
	*opened = (struct vgpu_ioctl_open){ .channel = 5, .piece = device.piece };
	memset(device.host.window + device.piece * VGPU_PIECE, 0, VGPU_PIECE);
	return 0;
}

static int call_start(void)
{
	if (device.start_errno != 0)
		return fail(device.start_errno);
	if (device.refusal != VGPU_END_NONE) {
		device.status = VGPU_CHANNEL_CLOSED;
		device.error = device.refusal;
		device.refusal = VGPU_END_NONE;
		device.piece++; /* the old one is given back later */
		return 0;
	}
	device.status = VGPU_CHANNEL_OPENING;
	device.error = VGPU_END_NONE;
	double_work(&device.host, device.piece * VGPU_PIECE, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		    dup(call_fd));
	device_lose(VGPU_CHANNEL_OPEN, VGPU_END_NONE);
	return 0;
}

static int call_kick(void)
{
	const uint64_t one = 1;

	__atomic_fetch_add(&device.kicks, 1, __ATOMIC_RELAXED);
	assert(write(device.host.kick_fd, &one, sizeof(one)) == sizeof(one));
	return 0;
}

static int call_state(struct vgpu_ioctl_state *state)
{
	__atomic_fetch_add(&device.states, 1, __ATOMIC_RELAXED);
	/* The error was written before the status. */
	*state = (struct vgpu_ioctl_state){
		.status = __atomic_load_n(&device.status, __ATOMIC_ACQUIRE),
		.error = __atomic_load_n(&device.error, __ATOMIC_RELAXED),
	};
	return 0;
}

static int call_take(struct vgpu_ioctl_pieces *pieces)
{
	if (device.take_errno != 0)
		return fail(device.take_errno);
	pieces->first = 6;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long call, ...)
{
	va_list list;
	void *argument;

	va_start(list, call);
	argument = va_arg(list, void *);
	va_end(list);
	if (!is_device(fd))
		return __real_ioctl(fd, call, argument);
	if (__atomic_load_n(&device.unplugged, __ATOMIC_ACQUIRE))
		return fail(ENODEV);
	if (call == VGPU_IOCTL_INFO)
		return call_info(argument);
	if (call == VGPU_IOCTL_OPEN)
		return call_open(fd, argument);
	if (!device.holds[fd])
		return fail(EBADF);
	if (call == VGPU_IOCTL_START)
		return call_start();
	if (call == VGPU_IOCTL_KICK)
		return call_kick();
	if (call == VGPU_IOCTL_STATE)
		return call_state(argument);
	if (call == VGPU_IOCTL_TAKE)
		return call_take(argument);
	assert(call == VGPU_IOCTL_GIVE);
	device.given_first = ((struct vgpu_ioctl_pieces *)argument)->first;
	device.given_count = ((struct vgpu_ioctl_pieces *)argument)->count;
	return 0;
}

/* --- waiting --- */

int __wrap_poll(struct pollfd *fds, nfds_t num, int timeout_ms)
{
	struct pollfd own;
	int n;

	if (num != 1 || !is_device(fds->fd))
		return __real_poll(fds, num, timeout_ms);
	if (__atomic_load_n(&device.unplugged, __ATOMIC_ACQUIRE)) {
		fds->revents = POLLHUP | POLLERR;
		return 1;
	}
	own = (struct pollfd){ .fd = call_fd, .events = fds->events };
	n = __real_poll(&own, 1, timeout_ms);
	fds->revents = own.revents;
	return n;
}

ssize_t __wrap_read(int fd, void *to, size_t size)
{
	return __real_read(is_device(fd) ? call_fd : fd, to, size);
}

/* --- life --- */

void device_lose(uint32_t status, enum vgpu_end error)
{
	const uint64_t one = 1;

	__atomic_store_n(&device.error, error, __ATOMIC_RELAXED);
	__atomic_store_n(&device.status, status, __ATOMIC_RELEASE);
	assert(write(call_fd, &one, sizeof(one)) == sizeof(one));
}

void device_start(void)
{
	struct vgpu_window_head head = { .magic = VGPU_WINDOW_MAGIC,
					 .layout = VGPU_WINDOW_LAYOUT,
					 .piece_len = VGPU_PIECE };
	uint8_t *window;

	if (device.layout != 0)
		head.layout = device.layout;
	device.window_bytes = head.size_bytes = VGPU_WINDOW_LEAST;
	device.window_status |= device.window_status == 0 ? VGPU_WINDOW_READY : 0;
	device.piece = device.piece ? device.piece : 3;
	file_fd = memfd_create("device", MFD_CLOEXEC);
	assert(file_fd >= 0 && ftruncate(file_fd, (off_t)device.window_bytes) == 0);
	window = mmap(NULL, device.window_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_fd, 0);
	assert(window != MAP_FAILED);
	device.host.window = window;
	device.host.window_bytes = device.window_bytes;
	memcpy(window, &head, sizeof(head));
	memcpy(window + VGPU_WINDOW_DEVICE, &device.host.device, sizeof(device.host.device));
	call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	snprintf(device.path, sizeof(device.path), "/proc/self/fd/%d", file_fd);
}

void device_stop(void)
{
	if (device.host.worker_runs)
		double_stop(&device.host);
	else
		munmap(device.host.window, device.window_bytes);
	for (int fd = 0; fd < DEVICE_FILES; fd++)
		assert(!device.files[fd]); /* all were closed */
	__real_close(file_fd);
	__real_close(call_fd);
	device = (struct device_double){ 0 };
}
