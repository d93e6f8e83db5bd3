/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.h - the one part of JSON that printf() does not do */

#ifndef VGPU_GUEST_TOOL_JSON_H
#define VGPU_GUEST_TOOL_JSON_H

#include <stdio.h>

/* Writes text as a JSON string, quotes included; NULL becomes null. */
void json_string(FILE *out, const char *text);

#endif
