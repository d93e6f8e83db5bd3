/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell.h - reads commands one after another, from a person or from a file */

#ifndef VGPUADM_SHELL_H
#define VGPUADM_SHELL_H

#include "vgpuadm/options.h"

/*
 * Reads commands from standard input until it ends, and goes on after a failed one. On a terminal
 * with a prompt, history and completion.
 * options: the defaults for each command's own options.
 * Return: the exit status of the last command that failed; 0: none did, or it was a person's shell.
 */
int shell_run(const struct options *options);

#endif
