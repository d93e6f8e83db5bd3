/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics_daemon.h - the daemon's own counters in Prometheus's text format */

#ifndef VGPUD_ADMIN_METRICS_DAEMON_H
#define VGPUD_ADMIN_METRICS_DAEMON_H

#include "vgpud/admin/call.h"

/* Adds the families about the daemon, its pools, workers, programs and ledger to the answer. */
void metrics_daemon(struct admin_call *call);

#endif
