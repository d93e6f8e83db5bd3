/* SPDX-License-Identifier: GPL-2.0-or-later */
/* change.h - what the commands that change VMs share */

#ifndef VGPUD_ADMIN_CHANGE_H
#define VGPUD_ADMIN_CHANGE_H

#include "vgpud/admin/server.h"

/* Fails the call with the error of a change. err: not 0, as recording_change() lists them. */
void admin_change_refuse(struct admin_call *call, int err);

/*
 * Reads a setting's value as the administrator gave it, and judges it.
 * Return: 0, or -errno after the call was failed.
 */
int admin_setting_arg(struct admin_call *call, const struct vm_setting *setting, const char *text,
		      struct vm_settings *settings);

#endif
