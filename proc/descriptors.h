/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptors.h - who may take the last descriptors */

#ifndef VGPU_PROC_DESCRIPTORS_H
#define VGPU_PROC_DESCRIPTORS_H

#include <stdbool.h>

/*
 * A new descriptor gets the lowest number that is free. So whoever looks whether that one is among
 * the topmost below the limit (RLIMIT_NOFILE), and then goes without, never has any of those,
 * whatever there comes and goes: they are there for others. An administrator's connection takes
 * one, and two more while a query runs; a worker takes three. Of a limit below 96, devices leave a
 * third, and workers and readers a sixth.
 */
#define DESCRIPTORS_OF_ADMINS 16u /* no worker and no reader takes them */
#define DESCRIPTORS_OF_HOST 32u	  /* those, and 16 more that no device and no VM's socket takes */

/* like: any open descriptor. kept: from above. Return: whether there is one besides those. */
bool descriptors_left(int like, unsigned kept);

/* For messages about what had none: what to do. */
#define DESCRIPTORS_REMEDY "no descriptors are left for it (raise LimitNOFILE= of the service)"

#endif
