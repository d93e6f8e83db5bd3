/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptors.h - who may take the last descriptors */

#ifndef VGPU_PROC_DESCRIPTORS_H
#define VGPU_PROC_DESCRIPTORS_H

#include <stdbool.h>

/*
 * Devices and workers must not take the last descriptors, or no administrator could connect and see
 * why. No bookkeeping is needed for that: the kernel gives a new descriptor the lowest free number,
 * so a user of descriptors that stops when this number is among the topmost `kept` below the limit
 * (RLIMIT_NOFILE) leaves those free for others. An administrator's connection takes one, and two
 * more while a query runs; a worker takes three. Where the limit is below 96, devices leave a third
 * of it, workers and readers a sixth.
 */
#define DESCRIPTORS_OF_ADMINS 16u /* no worker and no reader takes them */
#define DESCRIPTORS_OF_HOST 32u	  /* those, and 16 more that no device and no VM's socket takes */

/*
 * like: any open descriptor. kept: one of the numbers above. Return: whether one more may be
 * opened.
 */
bool descriptors_left(int like, unsigned kept);

/* The remedy in messages about a missing descriptor. */
#define DESCRIPTORS_REMEDY "no descriptors are left for it (raise LimitNOFILE= of the service)"

#endif
