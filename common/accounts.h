/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accounts.h - the host's users and groups by name */

#ifndef VGPU_COMMON_ACCOUNTS_H
#define VGPU_COMMON_ACCOUNTS_H

#include <sys/types.h>

/*
 * Both ask the host's name service, which may be on the network and need not answer: not for the
 * loop. Any thread may ask.
 * Return: 0; -ENOENT: there is none of that name; another -errno: it could not be asked.
 */
int accounts_uid(const char *name, uid_t *uid);
int accounts_gid(const char *name, gid_t *gid);

#endif
