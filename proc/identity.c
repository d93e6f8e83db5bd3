/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.c - whom the daemon runs as */

#include "proc/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

int identity_find(struct identity *who, const char *name)
{
	const struct passwd *user;

	*who = (struct identity){ .change = false };
	if (geteuid() != 0 || strcmp(name, "root") == 0)
		return 0;
	errno = 0;
	user = getpwnam(name);
	if (user == NULL && errno != 0 && errno != ENOENT && errno != ESRCH) {
		int err = errno;

		log_error("cannot look the user %s up: %s", name, strerror(err));
		return -err;
	}
	if (user == NULL) {
		log_error("there is no user %s to become, and root is not taken in its place "
			  "(systemd-sysusers creates vgpud; user = root says that root is meant)",
			  name);
		return -ENOENT;
	}
	*who = (struct identity){
		.change = user->pw_uid != 0,
		.uid = user->pw_uid,
		.gid = user->pw_gid,
		.name = name,
		.group_num = IDENTITY_GROUPS_MAX,
	};
	if (getgrouplist(name, who->gid, who->groups, &who->group_num) < 0) {
		log_error(
			"the user %s is in %d groups, and %d are all that vgpud can have; take it "
			"out of some, or name another",
			name, who->group_num, IDENTITY_GROUPS_MAX);
		return -E2BIG;
	}
	return 0;
}

/* For good. Return: 0, -1 and errno. */
static int take_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t group_num)
{
	if (setgroups(group_num, groups) < 0 || setresgid(gid, gid, gid) < 0)
		return -1;
	return setresuid(uid, uid, uid);
}

int identity_take(const struct identity *who)
{
	if (!who->change)
		return 0;
	if (take_ids(who->uid, who->gid, who->groups, (size_t)who->group_num) < 0) {
		int err = errno;

		log_error("cannot become the user %s: %s", who->name, strerror(err));
		return -err;
	}
	log_info("running as the user %s", who->name);
	return 0;
}

void identity_to_text(const struct identity *who, char *text)
{
	size_t len;

	text[0] = '\0';
	if (!who->change)
		return;
	len = (size_t)snprintf(text, IDENTITY_TEXT_SIZE, "%u %u", who->uid, who->gid);
	for (int i = 0; i < who->group_num; i++)
		len += (size_t)snprintf(text + len, IDENTITY_TEXT_SIZE - len, " %u",
					who->groups[i]);
}

int identity_take_text(const char *text)
{
	uint32_t ids[IDENTITY_GROUPS_MAX + 2];
	size_t num = 0;
	char *end;

	for (const char *at = text; *at != '\0'; at = end) {
		unsigned long id;

		errno = 0;
		id = strtoul(at, &end, 10);
		if (end == at || errno != 0 || id >= UINT32_MAX ||
		    num == sizeof(ids) / sizeof(ids[0])) {
			errno = EINVAL;
			return -1;
		}
		ids[num++] = (uint32_t)id;
	}
	if (num < 2) {
		errno = EINVAL;
		return -1;
	}
	return take_ids(ids[0], ids[1], ids + 2, num - 2);
}
