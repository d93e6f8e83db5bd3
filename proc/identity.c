/* SPDX-License-Identifier: GPL-2.0-or-later */
/* identity.c - whom the daemon runs as */

#include "proc/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
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
	};
	return 0;
}

int identity_take(const struct identity *who)
{
	if (!who->change)
		return 0;
	if (initgroups(who->name, who->gid) < 0 || setresgid(who->gid, who->gid, who->gid) < 0 ||
	    setresuid(who->uid, who->uid, who->uid) < 0) {
		int err = errno;

		log_error("cannot become the user %s: %s", who->name, strerror(err));
		return -err;
	}
	log_info("running as the user %s", who->name);
	return 0;
}
