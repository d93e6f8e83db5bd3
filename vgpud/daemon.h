/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon.h - puts the rooms together and runs them */

#ifndef VGPUD_DAEMON_H
#define VGPUD_DAEMON_H

#include "vgpud/conf.h"

/*
 * Runs until SIGTERM, SIGINT, or the end of the captive command.
 * Return: the process's exit status: 0, 1 when it could not start (and said why), or the captive
 * command's.
 */
int daemon_run(const struct conf *conf);

#endif
