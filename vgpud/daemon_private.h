/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_private.h - what the files of the daemon share */

#ifndef VGPUD_DAEMON_PRIVATE_H
#define VGPUD_DAEMON_PRIVATE_H

#include "vgpud/daemon.h"

/* daemon.c */

/* One line in the audit trail, in the daemon's own name. subject, text: may be NULL. */
void daemon_tell(struct daemon *daemon, const char *kind, const char *subject, const char *text);

/* One of daemon->lookups has ended. */
void daemon_looked_up(struct daemon *daemon);

/* daemon_process.c */

/*
 * Makes the directories, starts the process that starts all others, and becomes the user that vgpud
 * runs as: in this order, and before there is a thread or a socket.
 * Return: 0, or -EIO after having said what is wrong.
 */
int daemon_become(struct daemon *daemon);

/*
 * Gives up the rights that vgpud does not need any more. Call it before the loop reads any input of
 * guests, devices and administrators.
 */
void daemon_confine(const struct conf *conf);

/* daemon_ledger.c */

/* Return: 0, or -errno after having said what is wrong. */
int daemon_open_ledger(const struct conf *conf, struct ledger **ledger);

/* Follows the state of the broker's ledger. Return: 0 or -errno. */
int daemon_watch_ledger(struct daemon *daemon);

/* daemon_reload.c */

/* Begins to look up the groups of [admin], for the first time. */
void daemon_find_groups(struct daemon *daemon);

/* SIGHUP. All or nothing: a configuration with a mistake in it changes nothing. arg: the daemon. */
int daemon_on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *arg);

/* Warns when guests may make the GPU fault, so that a forgotten switch stands in the log. */
void daemon_say_test_opcodes(const struct conf *conf);

/* daemon_owner.c */

/* Lets the VM's owner, and no one else, connect to its socket; later, where it must be looked up. */
void daemon_owner_apply(struct daemon *daemon, struct vm *vm);

/* Looks up again the owners that were not found. */
void daemon_owner_again(struct daemon *daemon);

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

/* Has the loop write messages that had to wait. Return: 0 or -errno. */
int daemon_watch_log(struct daemon *daemon);

/* daemon_drain.c */

/* At the start: goes on with a drain that was not ended. */
void daemon_drain_load(struct daemon *daemon);

#endif
