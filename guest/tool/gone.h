/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gone.h - a device that is unplugged while it is mapped */

#ifndef VGPU_GUEST_TOOL_GONE_H
#define VGPU_GUEST_TOOL_GONE_H

/*
 * Handles SIGBUS, which an access to an unplugged device raises: the program ends with a message
 * and EXIT_CODE_NO_DEVICE. program: a literal, with which the message begins.
 */
void gone_catch(const char *program);

#endif
