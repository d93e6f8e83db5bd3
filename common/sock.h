/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sock.h - Unix stream sockets by path */

#ifndef VGPU_SOCK_H
#define VGPU_SOCK_H

#include <sys/types.h>

#define SOCK_PATH_SIZE 108 /* bytes of a socket's path, end included: sockaddr_un has no more */

/*
 * Listens at path, close-on-exec and non-blocking. A socket file whose listener has gone is
 * replaced; anything else there is left alone.
 * mode: of the socket file.
 * Return: descriptor; -EADDRINUSE: a process listens there; -EEXIST: a file of another type is
 * there; -ENAMETOOLONG; else -errno.
 */
int sock_listen(const char *path, mode_t mode);

/* Connects to path, close-on-exec and non-blocking. Return: descriptor or -errno. */
int sock_connect(const char *path);

#endif
