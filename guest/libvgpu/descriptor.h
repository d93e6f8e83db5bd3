/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptor.h - the library's descriptors are none of the program's standard ones */

#ifndef VGPU_GUEST_LIBVGPU_DESCRIPTOR_H
#define VGPU_GUEST_LIBVGPU_DESCRIPTOR_H

#include <fcntl.h>
#include <unistd.h>

/*
 * A program that has closed its standard descriptors may print all the same. What it prints must not get into
 * the connection or an eventfd that was given one of these numbers.
 * fd: a new descriptor, or below 0. Return: it, or a duplicate of it above 2; -1 with errno.
 */
static inline int descriptor_keep(int fd)
{
	int above;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return above;
}

#endif
