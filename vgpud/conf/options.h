/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line, and the whole configuration that it asks for */

#ifndef VGPUD_CONF_OPTIONS_H
#define VGPUD_CONF_OPTIONS_H

#include "vgpud/conf/conf.h"
#include "vgpud/conf/file.h"

enum conf_action { CONF_RUN, CONF_CHECK, CONF_PRINT, CONF_HELP, CONF_VERSION };

extern const char conf_options_help[];

/*
 * Makes the configuration: standards, over them the file, over it the options. The daemon calls it
 * again with the same argv when it is told to read the file anew.
 * argv: may be put in another order; its strings must outlive conf.
 * Return: 0, or else everything that is wrong has been reported and conf is of no use.
 */
int conf_options_read(struct conf *conf, int argc, char **argv, enum conf_action *action,
		      conf_report *report, void *arg);

#endif
