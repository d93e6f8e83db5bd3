/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.h - one command, from its words to what is shown */

#ifndef VGPUADM_VIEW_VIEW_H
#define VGPUADM_VIEW_VIEW_H

#include "vgpuadm/options.h"

/*
 * Runs one command and reports its failure.
 * given: options that argv may override.
 * wake_fd: readable when the command shall end; -1: there is none.
 * argc, argv: the command's name and what follows it, options_take()'s options among them; changed.
 * Return: the exit status.
 */
int view_run(const struct options *given, int wake_fd, int argc, char **argv);

/* Prints a failure on standard error. */
void view_report(const struct options *options, const struct fail *fail);

#endif
