/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - the users and groups that a configuration names */

#include "vgpud/conf/names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/accounts.h"
#include "vgpud/conf/settings.h"

/*
 * The standard names may be missing: a host that never ran systemd-sysusers has none of them. Then
 * `vgpuadm doctor` reports the groups, and a start as root refuses the user.
 */
static bool is_usual(const char *section, const char *key, const char *name)
{
	const struct conf_setting *setting = conf_setting_find(section, key);

	return setting != NULL && strcmp(setting->standard, name) == 0;
}

static bool has_user(const char *name)
{
	uid_t uid;

	return accounts_uid(name, &uid) == 0;
}

static bool has_group(const char *name)
{
	gid_t gid;

	return accounts_gid(name, &gid) == 0;
}

static int check_user(const struct conf *conf, conf_report *report, void *arg)
{
	char sentence[256];

	/* In captive mode the daemon keeps its caller's user. */
	if (conf->run != NULL || strcmp(conf->user, "root") == 0 ||
	    is_usual("vgpud", "user", conf->user) || has_user(conf->user))
		return 0;
	snprintf(sentence, sizeof(sentence),
		 "user = %s: this host has no such user (useradd --system %s, or name another)",
		 conf->user, conf->user);
	report(arg, sentence);
	return -ENOENT;
}

/* name: "": no group is given. */
static int check_group(const char *key, const char *name, conf_report *report, void *arg)
{
	char sentence[256];

	if (name[0] == '\0' || is_usual("admin", key, name) || has_group(name))
		return 0;
	snprintf(sentence, sizeof(sentence),
		 "[admin] %s = %s: this host has no such group (groupadd --system %s, or name "
		 "another)",
		 key, name, name);
	report(arg, sentence);
	return -ENOENT;
}

int conf_names_check(const struct conf *conf, conf_report *report, void *arg)
{
	int user = check_user(conf, report, arg);
	int admins = check_group("group", conf->admin_group, report, arg);
	int readers = check_group("read_group", conf->read_group, report, arg);

	return user != 0 || admins != 0 || readers != 0 ? -ENOENT : 0;
}
