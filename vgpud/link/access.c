/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.c - which user and group may connect to a VM's socket */

#include "vgpud/link/access.h"

#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/accounts.h"
#include "common/util.h"

#define SOCKET_MODE 0660
#define ACL_NAME "system.posix_acl_access"
#define OWNER_SIZE VM_SETTING_TEXT_SIZE
#define MAY_CONNECT (ACL_READ | ACL_WRITE)
#define ENTRIES_MOST 6

/* All digits: a number, whatever users there are. */
static bool is_number(const char *name, uint32_t *number)
{
	uint64_t wide;

	if (util_parse_u64(name, 0, UINT32_MAX - 1, &wide) != 0)
		return false;
	*number = (uint32_t)wide;
	return true;
}

/* user: OWNER_SIZE bytes. Return: the group, NULL: there is none; user[0] is '\0' where none is. */
static const char *split(const char *owner, char *user)
{
	size_t len = strcspn(owner, ":");

	snprintf(user, OWNER_SIZE, "%.*s", (int)len, owner);
	return owner[len] == ':' ? owner + len + 1 : NULL;
}

int access_find(const char *owner, struct vm_owner *out)
{
	char user[OWNER_SIZE];
	const char *group = split(owner, user);
	int err = 0;

	*out = (struct vm_owner){ .user = user[0] != '\0', .group = group != NULL };
	if (strlen(owner) >= sizeof(user))
		return -ENOENT;
	if (out->user)
		err = is_number(user, &out->uid) ? 0 : accounts_uid(user, &out->uid);
	if (err == 0 && out->group)
		err = is_number(group, &out->gid) ? 0 : accounts_gid(group, &out->gid);
	return err;
}

bool access_number(const char *owner, struct vm_owner *out)
{
	char user[OWNER_SIZE];
	const char *group = split(owner, user);

	*out = (struct vm_owner){ .user = user[0] != '\0', .group = group != NULL };
	return strlen(owner) < sizeof(user) && (!out->user || is_number(user, &out->uid)) &&
	       (!out->group || is_number(group, &out->gid));
}

/* --- by ACL --- */

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entry[ENTRIES_MOST];
};

static void put_entry(struct acl *acl, size_t *num, unsigned tag, unsigned perm, uint32_t id)
{
	acl->entry[(*num)++] = (struct posix_acl_xattr_entry){
		.e_tag = htole16((uint16_t)tag),
		.e_perm = htole16((uint16_t)perm),
		.e_id = htole32(id),
	};
}

/* Entries must be sorted by tag. The mask allows what the named entries give: it limits them. */
static int give_by_acl(const char *path, const struct vm_owner *owner)
{
	struct acl acl = { .header.a_version = htole32(POSIX_ACL_XATTR_VERSION) };
	size_t num = 0;

	put_entry(&acl, &num, ACL_USER_OBJ, MAY_CONNECT, (uint32_t)ACL_UNDEFINED_ID);
	if (owner->user)
		put_entry(&acl, &num, ACL_USER, MAY_CONNECT, owner->uid);
	put_entry(&acl, &num, ACL_GROUP_OBJ, MAY_CONNECT, (uint32_t)ACL_UNDEFINED_ID);
	if (owner->group)
		put_entry(&acl, &num, ACL_GROUP, MAY_CONNECT, owner->gid);
	put_entry(&acl, &num, ACL_MASK, MAY_CONNECT, (uint32_t)ACL_UNDEFINED_ID);
	put_entry(&acl, &num, ACL_OTHER, 0, (uint32_t)ACL_UNDEFINED_ID);
	return setxattr(path, ACL_NAME, &acl, sizeof(acl.header) + num * sizeof(acl.entry[0]), 0) <
			       0
		       ? -errno
		       : 0;
}

/* --- --- */

static int reset(const char *path)
{
	if (removexattr(path, ACL_NAME) < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return -errno;
	/* EPERM: the file was given away before, and vgpud has no right to take it back. */
	if (chown(path, geteuid(), getegid()) < 0 && errno != EPERM)
		return -errno;
	return chmod(path, SOCKET_MODE) < 0 && errno != EPERM ? -errno : 0;
}

int access_give(const char *path, const struct vm_owner *owner)
{
	int err = reset(path);

	if (err != 0 || (!owner->user && !owner->group))
		return err;
	if (chown(path, owner->user ? owner->uid : (uid_t)-1,
		  owner->group ? owner->gid : (gid_t)-1) == 0)
		return 0;
	return errno == EPERM ? give_by_acl(path, owner) : -errno;
}
