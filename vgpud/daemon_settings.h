/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon_settings.h - what each setting of a VM means */

#ifndef VGPUD_DAEMON_SETTINGS_H
#define VGPUD_DAEMON_SETTINGS_H

#include <stddef.h>

#include "vgpud/daemon.h"

/*
 * Judges values beyond their form: whether the pool exists. Owners are looked up before (admin/owner.h).
 * why: on failure a sentence.
 * Return: 0; -ENOENT: a value names something that does not exist; -EINVAL: it makes no sense.
 */
int daemon_settings_check(const struct daemon *daemon, const struct vm_settings *settings,
			  char *why, size_t why_size);

/* Applies the VM's settings. old: the settings applied before; NULL: the VM is new. */
void daemon_settings_apply(struct daemon *daemon, struct vm *vm, const struct vm_settings *old);

#endif
