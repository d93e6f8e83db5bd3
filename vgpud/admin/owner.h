/* SPDX-License-Identifier: GPL-2.0-or-later */
/* owner.h - looks up the owner that a command names, before the command does anything */

#ifndef VGPUD_ADMIN_OWNER_H
#define VGPUD_ADMIN_OWNER_H

#include "vgpud/admin/call.h"
#include "vgpud/vm/vm.h"

/*
 * Looks up what an argument "owner" names, beside the loop where it takes a look at all.
 * found: called with owner NULL where the argument is missing or of no right form, which is for the
 *	caller to judge; else with whom it names. It may be called before this returns.
 * An owner that this host does not have fails the call.
 */
void admin_owner_find(struct admin_call *call,
		      void (*found)(struct admin_call *call, const char *of,
				    const struct vm_owner *owner));

#endif
