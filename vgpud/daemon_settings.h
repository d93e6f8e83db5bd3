/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_settings.h - what each setting of a VM means */

#ifndef VGPUD_DAEMON_SETTINGS_H
#define VGPUD_DAEMON_SETTINGS_H

#include <stddef.h>

#include "vgpud/daemon.h"

/*
 * Judges what the form of a value does not tell: whether there is such a pool, such a user.
 * why: on failure a sentence.
 * Return: 0; -ENOENT: it names what does not exist; -EINVAL: it makes no sense.
 */
int daemon_settings_check(const struct daemon *daemon, const struct vm_settings *settings,
			  char *why, size_t why_size);

/* Makes the VM's settings count; old: those that count by now, NULL: none, the VM is new. */
void daemon_settings_apply(struct daemon *daemon, struct vm *vm, const struct vm_settings *old);

#endif
