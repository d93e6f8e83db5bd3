/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reload.c - which settings a reload changes while the daemon runs */

#include "vgpud/conf/reload.h"

#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "vgpud/conf/settings.h"

/* One setting at one place. Return: whether it differs. */
static bool diff_setting(const struct conf_setting *setting, unsigned place,
			 const struct conf *running, const struct conf *wanted,
			 conf_on_change *on_change, void *arg)
{
	char from[CONF_TEXT_SIZE], to[CONF_TEXT_SIZE], section[CONF_SECTION_SIZE];
	struct conf_change change = { .section = section,
				      .key = setting->key,
				      .from = from,
				      .to = to,
				      .live = setting->live };

	conf_setting_get(setting, running, place, from, sizeof(from));
	conf_setting_get(setting, wanted, place, to, sizeof(to));
	if (strcmp(from, to) == 0)
		return false;
	conf_setting_section(setting, place, section);
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

/* The settings of this scope at one place. Return: how many differ. */
static unsigned diff_place(enum conf_scope scope, unsigned place, const struct conf *running,
			   const struct conf *wanted, conf_on_change *on_change, void *arg)
{
	unsigned num = 0;

	for (unsigned i = 0; i < CONF_SETTING_NUM; i++)
		if (conf_setting_scope(&conf_settings[i]) == scope)
			num += diff_setting(&conf_settings[i], place, running, wanted, on_change,
					    arg);
	return num;
}

unsigned conf_reload_diff(const struct conf *running, const struct conf *wanted,
			  conf_on_change *on_change, void *arg)
{
	unsigned num = diff_place(CONF_ONCE, 0, running, wanted, on_change, arg);

	for (unsigned pool = 0; pool < SCHED_POOL_MAX; pool++) {
		num += diff_pool_exists(pool, running, wanted, on_change, arg);
		if (running->pool[pool].exists && wanted->pool[pool].exists)
			num += diff_place(CONF_OF_POOL, pool, running, wanted, on_change, arg);
	}
	/* A GPU that the file names no longer has the standard values again. */
	for (unsigned gpu = 0; gpu < CONF_GPU_NUM; gpu++)
		num += diff_place(CONF_OF_GPU, gpu, running, wanted, on_change, arg);
	return num;
}

static void apply_setting(const struct conf_setting *setting, unsigned place, struct conf *running,
			  const struct conf *wanted)
{
	char text[CONF_TEXT_SIZE], why[1];

	conf_setting_get(setting, wanted, place, text, sizeof(text));
	conf_setting_set(setting, running, place, text, why, sizeof(why)); /* it was right there */
}

void conf_reload_apply(struct conf *running, const struct conf *wanted)
{
	for (unsigned i = 0; i < CONF_SETTING_NUM; i++) {
		unsigned num = conf_setting_places(&conf_settings[i]);

		for (unsigned place = 0; conf_settings[i].live && place < num; place++)
			apply_setting(&conf_settings[i], place, running, wanted);
	}
	for (unsigned gpu = 0; gpu < CONF_GPU_NUM; gpu++)
		running->gpu[gpu].named = wanted->gpu[gpu].named;
}
