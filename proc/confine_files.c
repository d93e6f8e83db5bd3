/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine_files.c - where a process of ours may change files, which no filter of system calls sees
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/confine.h"

/* Later than the oldest kernel headers that we compile with. */
#define ACCESS_FS_REFER (1ull << 13)
#define ACCESS_FS_TRUNCATE (1ull << 14)

#define CHANGES                                                           \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |     \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |     \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |     \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |   \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | ACCESS_FS_REFER | ACCESS_FS_TRUNCATE)
#define NEVER                                                           \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |    \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)

/* Return: what of all that this kernel can refuse, or -errno: it has no Landlock. */
static int64_t known_changes(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 1)
		return version < 0 ? -errno : -ENOSYS;
	return (int64_t)(CHANGES & ~(version < 2 ? ACCESS_FS_REFER : 0) &
			 ~(version < 3 ? ACCESS_FS_TRUNCATE : 0));
}

/* Return: 0 or -errno. */
static int allow_beneath(int ruleset, const char *dir, uint64_t access)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), err = 0;
	struct landlock_path_beneath_attr beneath = { .allowed_access = access, .parent_fd = fd };

	if (fd < 0)
		return -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Each becomes a mount of its own, which keeps its flags. Return: 0 or -errno. */
static int bind_each(const char *const *dirs)
{
	for (; *dirs != NULL; dirs++)
		if (mount(*dirs, *dirs, NULL, MS_BIND | MS_REC, NULL) < 0)
			return -errno;
	return 0;
}

/* path: and all mounts beneath it. Return: 0 or -errno. */
static int set_read_only(const char *path, bool read_only)
{
	struct mount_attr attr = { 0 };

	if (read_only)
		attr.attr_set = MOUNT_ATTR_RDONLY;
	else
		attr.attr_clr = MOUNT_ATTR_RDONLY;
	return syscall(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &attr, sizeof(attr)) < 0
		       ? -errno
		       : 0;
}

int confine_mounts(const char *const *dirs)
{
	int err;

	/* Asked first, since there is no way back out of a namespace. */
	if (syscall(SYS_mount_setattr, -1, "", 0, NULL, 0) < 0 && errno == ENOSYS)
		return -ENOSYS;
	if (unshare(CLONE_NEWNS) < 0)
		return -errno;
	/* What the host mounts later appears here, but what is done here does not appear on the
	 * host. */
	if (mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	err = bind_each(dirs);
	if (err == 0)
		err = set_read_only("/", true);
	for (; err == 0 && *dirs != NULL; dirs++)
		err = set_read_only(*dirs, false);
	return err;
}

#ifdef VGPU_COVERAGE
/* Not for coverage builds, which write their counters beside the objects. */
int confine_changes(const char *const *dirs)
{
	(void)dirs;
	(void)known_changes;
	(void)allow_beneath;
	return 0;
}
#else
int confine_changes(const char *const *dirs)
{
	int64_t changes = known_changes();
	struct landlock_ruleset_attr attr = { .handled_access_fs = (uint64_t)changes };
	int ruleset, err = 0;

	if (changes < 0)
		return (int)changes;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	for (; *dirs != NULL && err == 0; dirs++)
		err = allow_beneath(ruleset, *dirs, (uint64_t)changes & ~NEVER);
	if (err == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
			 syscall(SYS_landlock_restrict_self, ruleset, 0) < 0))
		err = -errno;
	close(ruleset);
	return err;
}
#endif
