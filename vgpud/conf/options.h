/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line, and the whole configuration that it asks for */

#ifndef VGPUD_CONF_OPTIONS_H
#define VGPUD_CONF_OPTIONS_H

#include "vgpud/conf/conf.h"
#include "vgpud/conf/file.h"

enum conf_action { CONF_RUN, CONF_CHECK, CONF_PRINT, CONF_HELP, CONF_VERSION };

extern const char conf_options_help[];

/*
 * Makes the configuration: the file overrides the standards, and options override the file. The
 * daemon calls it again with the same argv when it reloads.
 * argv: may be reordered; its strings must outlive conf.
 * Return: 0; else every mistake has been reported and conf is not usable.
 */
int conf_options_read(struct conf *conf, int argc, char **argv, enum conf_action *action,
		      conf_report *report, void *arg);

#endif
