/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gone.h - a device that is unplugged while it is mapped */

#ifndef VGPU_GUEST_TOOL_GONE_H
#define VGPU_GUEST_TOOL_GONE_H

/*
 * From now on an access to a device that the kernel has taken away, which is a SIGBUS, ends the
 * program with EXIT_CODE_NO_DEVICE and words. program: a literal, what the message begins with.
 */
void gone_catch(const char *program);

#endif
