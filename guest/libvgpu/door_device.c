/* SPDX-License-Identifier: GPL-2.0-or-later */
/* door_device.c - the way to a worker by /dev/vgpuN, in a VM whose device has a window */

#include "guest/libvgpu/door_device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/util.h"
#include "common/wire/vgpu_channel.h"
#include "common/wire/vgpu_ioctl.h"
#include "common/wire/vgpu_proto.h"
#include "guest/libvgpu/descriptor.h"
#include "guest/libvgpu/missing.h"
#include "guest/libvgpu/window.h"

/*
 * Theory of operation. The addresses of the whole window are kept at door_device_open(): a mapping of
 * nothing, over which the head's pages come at once, and the pieces when the channel is there. vgpu.ko
 * shows the program its own pieces only, so one mapping serves for all that it takes later.
 *
 * An open file has one channel in its life, and START is for once. So after a failed start the file is
 * opened again, and its mappings replace those of the old one, which keep the old channel until then.
 */

#define HEAD_BYTES ((uint64_t)2 * VGPU_PAGE) /* what a program may read without a channel */
#define ANSWER_MS 60000			     /* the host may have to start a process first */
#define LOOK_AGAIN_MS 20

struct door_device {
	struct door door;
	int fd;
	bool used; /* the file had a channel, which has not started if hold() is called again */
	char path[80];
};

static struct door_device *of(struct door *door)
{
	return (struct door_device *)door; /* its first member */
}

static int64_t now_ms(void)
{
	return (int64_t)util_now_ns() / UTIL_NS_PER_MS;
}

/* --- file --- */

/* Return: why a call of the module failed. */
static enum vgpu_end call_end(int err)
{
	switch (err) {
	case EBUSY:
		return VGPU_END_NO_CHANNEL;
	case ENOSPC:
		return VGPU_END_WINDOW_FULL;
	case ENODEV:
		return VGPU_END_UNPLUGGED;
	case EINVAL: /* a number of pieces that no window has */
		return VGPU_END_WINDOW_FULL;
	case ENOMEM:
		return VGPU_END_NO_MEMORY;
	default: /* EBADF, EPERM: the module has ended the channel */
		return VGPU_END_HOST_LOST;
	}
}

static enum vgpu_end open_file(const char *path, int *fd, char *why)
{
	*fd = descriptor_keep(open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK));
	if (*fd >= 0)
		return VGPU_END_NONE;
	switch (errno) {
	case EACCES:
	case EPERM:
		snprintf(
			why, VGPU_WHY,
			"%s: %s (be a member of its group, vgpu by our udev rules, or root; in a container: "
			"--device %s)",
			path, strerror(errno), path);
		return VGPU_END_NO_PERMISSION;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return VGPU_END_NO_MEMORY;
	default:
		return missing_why("", path, errno, why);
	}
}

/* Return: what the device says of its window; NONE without `ready`: vgpud has yet to look at it. */
static enum vgpu_end ask_info(int fd, struct vgpu_ioctl_info *info)
{
	if (ioctl(fd, VGPU_IOCTL_INFO, info) < 0)
		return errno == ENODEV ? VGPU_END_UNPLUGGED : VGPU_END_NO_VGPU;
	if (info->window_status & VGPU_WINDOW_READY)
		return VGPU_END_NONE;
	return info->window_status >> VGPU_WINDOW_END_SHIFT & VGPU_END_MOST;
}

static enum vgpu_end wait_ready(int fd, struct vgpu_ioctl_info *info)
{
	const int64_t deadline_ms = now_ms() + ANSWER_MS;

	for (;;) {
		enum vgpu_end end = ask_info(fd, info);

		if (end != VGPU_END_NONE || (info->window_status & VGPU_WINDOW_READY))
			return end;
		if (now_ms() >= deadline_ms)
			return VGPU_END_NO_ANSWER;
		poll(NULL, 0, LOOK_AGAIN_MS);
	}
}

/* Puts a part of the window in place of what is mapped there. Return: 0, -1 with errno. */
static int map_over(const struct door *door, uint64_t at, uint64_t bytes, int protection, int flags,
		    int fd)
{
	return mmap(door->window + at, bytes, protection, flags | MAP_FIXED, fd,
		    fd < 0 ? 0 : (off_t)at) == MAP_FAILED
		       ? -1
		       : 0;
}

static int map_head(const struct door *door, int fd)
{
	return map_over(door, 0, HEAD_BYTES, PROT_READ, MAP_SHARED, fd);
}

static int map_pieces(const struct door *door, int fd)
{
	return map_over(door, VGPU_PIECE, door->window_bytes - VGPU_PIECE, PROT_READ | PROT_WRITE,
			MAP_SHARED, fd);
}

static int map_no_pieces(const struct door *door)
{
	return map_over(door, VGPU_PIECE, door->window_bytes - VGPU_PIECE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

/* Leaves a file whose channel did not start for a fresh one. */
static enum vgpu_end open_again(struct door_device *own)
{
	char why[VGPU_WHY];
	struct vgpu_ioctl_info info = { 0 };
	int fd;
	enum vgpu_end end = open_file(own->path, &fd, why);

	if (end != VGPU_END_NONE)
		return end;
	end = wait_ready(fd, &info);
	if (end == VGPU_END_NONE && info.window_bytes != own->door.window_bytes)
		end = VGPU_END_UNPLUGGED; /* another device has its name */
	if (end == VGPU_END_NONE && (map_no_pieces(&own->door) < 0 || map_head(&own->door, fd) < 0))
		end = VGPU_END_NO_MEMORY;
	if (end != VGPU_END_NONE) {
		close(fd);
		return end;
	}
	close(own->fd);
	own->fd = fd;
	own->used = false;
	return VGPU_END_NONE;
}

/* --- channel --- */

/*
 * OPEN takes all locks of the address space, which the kernel gives up on when a signal comes. A
 * quick timer's come again and again, so they have to wait meanwhile. Return: 0, or -1 with errno.
 */
static int call_open(int fd, struct vgpu_ioctl_open *opened)
{
	sigset_t all, before;
	int result, err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	do
		result = ioctl(fd, VGPU_IOCTL_OPEN, opened);
	while (result < 0 && errno == EINTR);
	err = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = err;
	return result;
}

static enum vgpu_end hold(struct door *door, uint64_t *at)
{
	struct door_device *own = of(door);
	struct vgpu_ioctl_open opened;
	struct vgpu_ioctl_info info;
	enum vgpu_end end = own->used ? open_again(own) : wait_ready(own->fd, &info);

	if (end != VGPU_END_NONE)
		return end;
	if (call_open(own->fd, &opened) < 0)
		return call_end(errno);
	own->used = true;
	if (map_pieces(door, own->fd) < 0)
		return VGPU_END_NO_MEMORY;
	*at = opened.piece * VGPU_PIECE;
	return VGPU_END_NONE;
}

/* Return: why the channel is not open, NONE while it is, or is about to be: *status says which. */
static enum vgpu_end ask_state(const struct door_device *own, uint32_t *status)
{
	struct vgpu_ioctl_state state;

	*status = VGPU_CHANNEL_CLOSED;
	if (ioctl(own->fd, VGPU_IOCTL_STATE, &state) < 0)
		return call_end(errno);
	*status = state.status;
	if (state.status == VGPU_CHANNEL_OPENING || state.status == VGPU_CHANNEL_OPEN)
		return VGPU_END_NONE;
	return state.error != VGPU_END_NONE ? (enum vgpu_end)state.error : VGPU_END_WORKER_LOST;
}

static void sleep_on(struct door *door, int wait_ms)
{
	const struct door_device *own = of(door);
	struct pollfd p = { .fd = own->fd, .events = POLLIN };
	uint64_t count;

	/* What is wrong with the file, look() says. */
	if (poll(&p, 1, wait_ms) > 0 && (p.revents & POLLIN))
		(void)!read(own->fd, &count, sizeof(count));
}

static enum vgpu_end look(struct door *door)
{
	uint32_t status;

	return ask_state(of(door), &status);
}

/*
 * Waits for as long as the channel is opening: while the VM is paused, say. A vgpud that hangs is
 * ended by its service's watchdog, and then the channel is lost.
 */
static enum vgpu_end start(struct door *door, uint64_t at)
{
	struct door_device *own = of(door);

	(void)at; /* the module knows it */
	if (ioctl(own->fd, VGPU_IOCTL_START) < 0)
		return call_end(errno);
	for (;;) {
		uint32_t status;
		enum vgpu_end end = ask_state(own, &status);

		if (end != VGPU_END_NONE || status == VGPU_CHANNEL_OPEN)
			return end;
		sleep_on(door, LOOK_AGAIN_MS * 10);
	}
}

static void kick(struct door *door)
{
	(void)ioctl(of(door)->fd, VGPU_IOCTL_KICK);
}

/* --- pieces --- */

static enum vgpu_end take(struct door *door, uint64_t num, uint64_t *first)
{
	struct vgpu_ioctl_pieces pieces = { .count = (uint32_t)num };

	if (ioctl(of(door)->fd, VGPU_IOCTL_TAKE, &pieces) < 0)
		return call_end(errno);
	*first = pieces.first;
	return VGPU_END_NONE;
}

static void give(struct door *door, uint64_t first, uint64_t num)
{
	struct vgpu_ioctl_pieces pieces = { .first = (uint32_t)first, .count = (uint32_t)num };

	(void)ioctl(of(door)->fd, VGPU_IOCTL_GIVE, &pieces);
}

/* --- life --- */

static void forked(struct door *door)
{
	struct door_device *own = of(door);

	if (own->fd >= 0)
		close(own->fd);
	own->fd = -1;
	door->window = NULL;
}

static void close_door(struct door *door)
{
	if (door->window)
		munmap(door->window, door->window_bytes);
	forked(door);
	free(of(door));
}

static const struct door_kind kind = { .hold = hold,
				       .start = start,
				       .kick = kick,
				       .sleep = sleep_on,
				       .look = look,
				       .take = take,
				       .give = give,
				       .forked = forked,
				       .close = close_door };

/* Says more of some ends than their own words, which are about programs that ran already. */
static void explain(enum vgpu_end end, const char *path, char *why)
{
	if (end == VGPU_END_NO_VGPU)
		snprintf(why, VGPU_WHY, "%s is no device of vgpu.ko", path);
	if (end == VGPU_END_HOST_LOST)
		snprintf(why, VGPU_WHY,
			 "%s: no vgpud is connected to this VM's device (on the host: systemctl "
			 "status vgpud, vgpuadm list)",
			 path);
	if (end == VGPU_END_NO_ANSWER)
		snprintf(why, VGPU_WHY,
			 "%s: vgpud has not looked at the window for %d s (on the host: vgpuadm "
			 "status, vgpuadm doctor)",
			 path, ANSWER_MS / 1000);
}

static enum vgpu_end open_window(struct door_device *own, char *why)
{
	struct vgpu_ioctl_info info = { 0 };
	enum vgpu_end end = open_file(own->path, &own->fd, why);

	if (end != VGPU_END_NONE)
		return end;
	end = wait_ready(own->fd, &info);
	if (end != VGPU_END_NONE) {
		explain(end, own->path, why);
		return end;
	}
	own->door.window_bytes = info.window_bytes;
	own->door.slot = (struct slot){ .domain = info.pci_domain,
					.bus = info.pci_function >> 8,
					.device = info.pci_function >> 3 & 0x1f,
					.function = info.pci_function & 7 };
	own->door.window = window_map(info.window_bytes, PROT_NONE,
				      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	if (!own->door.window)
		return VGPU_END_NO_ADDRESSES;
	return map_head(&own->door, own->fd) < 0 ? call_end(errno) : VGPU_END_NONE;
}

enum vgpu_end door_device_open(const char *path, struct door **out, char *why)
{
	struct door_device *own = calloc(1, sizeof(*own));
	enum vgpu_end end;

	if (!own)
		return VGPU_END_NO_MEMORY;
	own->door.kind = &kind;
	own->fd = -1;
	snprintf(own->path, sizeof(own->path), "%s", path);
	end = open_window(own, why);
	if (end != VGPU_END_NONE) {
		close_door(&own->door);
		return end;
	}
	*out = &own->door;
	return VGPU_END_NONE;
}
