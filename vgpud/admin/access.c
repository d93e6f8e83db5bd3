/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.c - which users may use the admin socket, and in which role */

#include "vgpud/admin/access.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/accounts.h"

#define GROUPS_MAX 256

/* name: "": no group. Return: ADMIN_ACCESS_NO_GROUP: there is no such group. */
static gid_t find_group(const char *name)
{
	gid_t gid;

	return name[0] != '\0' && accounts_gid(name, &gid) == 0 ? gid : ADMIN_ACCESS_NO_GROUP;
}

void admin_access_find(struct admin_access *access, const struct conf *conf)
{
	access->admin_gid = find_group(conf->admin_group);
	access->read_gid = find_group(conf->read_group);
}

/* --- who is it --- */

static bool in_group(gid_t group, gid_t primary, const gid_t *groups, size_t groups_num)
{
	if (group == ADMIN_ACCESS_NO_GROUP)
		return false;
	if (group == primary)
		return true;
	for (size_t i = 0; i < groups_num; i++)
		if (groups[i] == group)
			return true;
	return false;
}

int admin_access_identify(const struct admin_access *access, int fd, struct ucred *peer,
			  enum admin_role *role)
{
	gid_t groups[GROUPS_MAX];
	socklen_t size = sizeof(*peer);
	size_t groups_num = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) < 0)
		return -errno;
	size = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
		groups_num = size / sizeof(groups[0]);
	*role = ADMIN_ROLE_NONE;
	if (peer->uid == 0 || peer->uid == geteuid() ||
	    in_group(access->admin_gid, peer->gid, groups, groups_num))
		*role = ADMIN_ROLE_CHANGE;
	else if (in_group(access->read_gid, peer->gid, groups, groups_num))
		*role = ADMIN_ROLE_READ;
	return 0;
}

/* " (usermod -aG GROUP USER, then log in again)"; nothing if the group does not exist. */
static void describe_group(const char *group, char *out, size_t size)
{
	out[0] = '\0';
	if (group[0] != '\0')
		snprintf(out, size, " (usermod -aG %s USER, then log in again)", group);
}

void admin_access_turned_away(const struct conf *conf, uid_t uid, char *text, size_t size)
{
	char help[160], reads[80] = "";

	if (conf->read_group[0] != '\0')
		snprintf(reads, sizeof(reads), ", or to read, the group %s", conf->read_group);
	describe_group(conf->read_group[0] != '\0' ? conf->read_group : conf->admin_group, help,
		       sizeof(help));
	snprintf(text, size, "uid %u may not talk to vgpud: it takes root%s%s%s%s", uid,
		 conf->admin_group[0] != '\0' ? ", the group " : "", conf->admin_group, reads,
		 help);
}

void admin_access_takes(const struct conf *conf, enum admin_role role, char *text, size_t size)
{
	const char *group = role == ADMIN_ROLE_CHANGE ? conf->admin_group : conf->read_group;
	char help[160];

	describe_group(group, help, sizeof(help));
	snprintf(text, size, "it takes root%s%s%s", group[0] != '\0' ? " or the group " : "", group,
		 help);
}
