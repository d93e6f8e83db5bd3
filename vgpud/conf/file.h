/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.h - the configuration file */

#ifndef VGPUD_CONF_FILE_H
#define VGPUD_CONF_FILE_H

#include <stddef.h>

#include "vgpud/conf/conf.h"

#ifndef VGPU_SYSCONFDIR
#define VGPU_SYSCONFDIR "/etc" /* the Makefile's SYSCONFDIR */
#endif
#define CONF_FILE_DEFAULT VGPU_SYSCONFDIR "/vgpud/vgpud.conf"
#define CONF_FILE_MAX (1024 * 1024) /* bytes */

/* Takes a sentence about one mistake: thing and remedy, with file and line if it has them. */
typedef void conf_report(void *arg, const char *sentence);

/*
 * Reads settings over those that conf has. Every mistake is reported, and if there is one, conf
 * stays as it was.
 * name: of the file, for the sentences.
 * Return: 0, -EINVAL or -ENOMEM, reported.
 */
int conf_file_parse(struct conf *conf, const char *name, const char *text, size_t len_bytes,
		    conf_report *report, void *arg);

/*
 * The same from a file.
 * Return: also -ENOENT: there is no such file, which is not reported; or another -errno of reading
 * it, which is.
 */
int conf_file_load(struct conf *conf, const char *path, conf_report *report, void *arg);

#endif
