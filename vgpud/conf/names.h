/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h - the users and groups that a configuration names */

#ifndef VGPUD_CONF_NAMES_H
#define VGPUD_CONF_NAMES_H

#include "vgpud/conf/file.h"

/*
 * Looks up each user and group that the configuration names instead of the standard one. A wrong
 * name must not make vgpud run as root or give rights to the wrong users.
 * report: called with a sentence for each that this host does not have.
 * Return: 0, or -ENOENT after such a sentence.
 */
int conf_names_check(const struct conf *conf, conf_report *report, void *arg);

#endif
