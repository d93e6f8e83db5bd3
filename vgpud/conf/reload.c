/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reload.c - which settings a reload changes while the daemon runs */

#include "vgpud/conf/reload.h"

#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "vgpud/conf/settings.h"

/* One setting, of one pool if it is a pool's. Return: whether it differs. */
static bool diff_setting(const struct conf_setting *setting, unsigned pool,
			 const struct conf *running, const struct conf *wanted,
			 conf_on_change *on_change, void *arg)
{
	char from[CONF_TEXT_SIZE], to[CONF_TEXT_SIZE], section[16];
	struct conf_change change = { .section = section,
				      .key = setting->key,
				      .from = from,
				      .to = to,
				      .live = setting->live };

	conf_setting_get(setting, running, pool, from, sizeof(from));
	conf_setting_get(setting, wanted, pool, to, sizeof(to));
	if (strcmp(from, to) == 0)
		return false;
	if (conf_setting_of_pool(setting))
		snprintf(section, sizeof(section), "pool %c", name_pool(pool));
	else
		snprintf(section, sizeof(section), "%s", setting->section);
	on_change(arg, &change);
	return true;
}

/* A new or removed pool is one change: its settings are not listed. */
static bool diff_pool_exists(unsigned pool, const struct conf *running, const struct conf *wanted,
			     conf_on_change *on_change, void *arg)
{
	bool exists = running->pool[pool].exists;
	char section[16];
	struct conf_change change = { .section = section,
				      .key = "pool",
				      .from = exists ? "yes" : "no",
				      .to = exists ? "no" : "yes" };

	if (exists == wanted->pool[pool].exists)
		return false;
	snprintf(section, sizeof(section), "pool %c", name_pool(pool));
	on_change(arg, &change);
	return true;
}

unsigned conf_reload_diff(const struct conf *running, const struct conf *wanted,
			  conf_on_change *on_change, void *arg)
{
	unsigned num = 0;

	for (unsigned i = 0; i < CONF_SETTING_NUM; i++)
		if (!conf_setting_of_pool(&conf_settings[i]))
			num += diff_setting(&conf_settings[i], 0, running, wanted, on_change, arg);
	for (unsigned pool = 0; pool < SCHED_POOL_MAX; pool++) {
		num += diff_pool_exists(pool, running, wanted, on_change, arg);
		if (!running->pool[pool].exists || !wanted->pool[pool].exists)
			continue;
		for (unsigned i = 0; i < CONF_SETTING_NUM; i++)
			if (conf_setting_of_pool(&conf_settings[i]))
				num += diff_setting(&conf_settings[i], pool, running, wanted,
						    on_change, arg);
	}
	return num;
}

static void apply_setting(const struct conf_setting *setting, unsigned pool, struct conf *running,
			  const struct conf *wanted)
{
	char text[CONF_TEXT_SIZE], why[1];

	conf_setting_get(setting, wanted, pool, text, sizeof(text));
	conf_setting_set(setting, running, pool, text, why, sizeof(why)); /* it was right there */
}

void conf_reload_apply(struct conf *running, const struct conf *wanted)
{
	for (unsigned i = 0; i < CONF_SETTING_NUM; i++) {
		unsigned num = conf_setting_of_pool(&conf_settings[i]) ? SCHED_POOL_MAX : 1;

		for (unsigned pool = 0; conf_settings[i].live && pool < num; pool++)
			apply_setting(&conf_settings[i], pool, running, wanted);
	}
}
