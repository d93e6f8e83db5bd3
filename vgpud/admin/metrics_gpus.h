/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics_gpus.h - what NVML says of the GPUs, in Prometheus's text format */

#ifndef VGPUD_ADMIN_METRICS_GPUS_H
#define VGPUD_ADMIN_METRICS_GPUS_H

#include "vgpud/admin/call.h"

/* Adds the families about GPUs to the answer, where a pool has one. */
void metrics_gpus(struct admin_call *call);

#endif
