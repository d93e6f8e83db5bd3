/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_private.h - what the files of the daemon share */

#ifndef VGPUD_DAEMON_PRIVATE_H
#define VGPUD_DAEMON_PRIVATE_H

#include "vgpud/daemon.h"

/* daemon.c */

/* One line in the audit trail, in the daemon's own name. subject, text: may be NULL. */
void daemon_tell(struct daemon *daemon, const char *kind, const char *subject, const char *text);

/* daemon_vm.c */

/* Return: what to do about an error of sock_listen(). */
const char *daemon_port_error(int err);

/* The path of a file in the runtime directory. path: SOCK_PATH_SIZE bytes. */
void daemon_path(const struct daemon *daemon, const char *name, char *path);

/*
 * Opens the VMs of the database, then those of the command line.
 * Return: 0, or -errno after having said what is wrong.
 */
int daemon_add_vms(struct daemon *daemon);

/* daemon_clock.c */

/* Return: wall clock minus monotonic clock. */
int64_t daemon_wall_offset_ns(void);

/* Return: 0 or -errno. */
int daemon_watch_clock(struct daemon *daemon);

/* daemon_log.c */

/* Lets messages out that had to wait, from the loop. Return: 0 or -errno. */
int daemon_watch_log(struct daemon *daemon);

/* daemon_drain.c */

/* At the start: goes on with a drain that was not ended. */
void daemon_drain_load(struct daemon *daemon);

#endif
