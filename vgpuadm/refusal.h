/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal.h - why connecting to a socket failed, and the remedy */

#ifndef VGPUADM_REFUSAL_H
#define VGPUADM_REFUSAL_H

#include "vgpuadm/fail.h"

/*
 * error: the positive errno of connecting to path.
 * Return: fail's status: denied for a lack of rights, else unreachable.
 */
int refusal_explain(const char *path, int error, struct fail *fail);

#endif
