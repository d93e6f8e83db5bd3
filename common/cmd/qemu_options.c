/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu_options.c - the options that give a QEMU its device, one home for all who print them */

#include "common/cmd/qemu_options.h"

#include <stdio.h>

void qemu_options_chardev(char *out, size_t size, const char *path, bool qemu_listens,
			  bool reconnect_ms)
{
	size_t len = (size_t)snprintf(out, size, "socket,id=vg0,path=");
	const char *end = ",reconnect=1";

	for (; *path != '\0' && len + 3 < size; path++) {
		out[len++] = *path;
		if (*path == ',')
			out[len++] = ',';
	}
	if (qemu_listens)
		end = ",server=on,wait=off";
	else if (reconnect_ms)
		end = ",reconnect-ms=1000";
	snprintf(out + len, size - len, "%s", end);
}
