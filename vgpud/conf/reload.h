/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reload.h - which settings a reload changes while the daemon runs */

#ifndef VGPUD_CONF_RELOAD_H
#define VGPUD_CONF_RELOAD_H

#include <stdbool.h>

#include "vgpud/conf/conf.h"

struct conf_change {
	const char *section; /* "vgpud", "pool C", "gpu 0" */
	const char *key;     /* "pool": the pool itself, which comes (from "no") or goes */
	const char *from, *to;
	bool live; /* true: it takes effect at once; false: with the next start */
};

typedef void conf_on_change(void *arg, const struct conf_change *change);

/*
 * Calls on_change for each setting that differs, those of pools and GPUs last; the strings are valid during
 * the call.
 * Return: how many differ.
 */
unsigned conf_reload_diff(const struct conf *running, const struct conf *wanted,
			  conf_on_change *on_change, void *arg);

/* Takes over the settings that can take effect at once. */
void conf_reload_apply(struct conf *running, const struct conf *wanted);

#endif
