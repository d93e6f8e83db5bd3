/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list.h - the devices of this machine, a line each */

#ifndef PROBE_LIST_H
#define PROBE_LIST_H

#include <stdbool.h>

#include "guest/libvgpu/fail.h"

/* Return: 0; or -errno with fail, having none included. */
int list_devices(bool json, struct fail *fail);

#endif
