/* SPDX-License-Identifier: GPL-2.0-or-later */
/* times.h - turns times in the user's zone into times that vgpud understands */

#ifndef VGPUADM_TIMES_H
#define VGPUADM_TIMES_H

#include <stddef.h>

#define TIMES_SIZE 48

/*
 * vgpud would read "2026-11-21 07:30" and "today" in its own zone, but the user means the zone of
 * this process. So such a time becomes a number of seconds. "1h", "boot" and "start" stay as they
 * are: they refer to vgpud's clock.
 * out: TIMES_SIZE bytes. Return: out, or text.
 */
const char *times_resolve(const char *text, char *out);

/* "CET": the zone that times are shown in just now. */
const char *times_zone(void);

#endif
