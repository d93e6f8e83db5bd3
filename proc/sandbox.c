/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - what the starter shuts a worker into before it becomes one */

#include "proc/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/sandbox_cgroup.h"

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS)
#define CAPABILITY(number) (UINT64_C(1) << (number))

/* A worker that may still be there. Its place is free where both pid and group are 0. */
struct inmate {
	pid_t pid; /* 0: it has ended */
	int pidfd;
	bool group; /* its cgroup is to be removed */
};

#define GROUP_RETRY_MS 200 /* until the next attempt to remove a cgroup that is not empty yet */
#define CLOSE_STEP_MS 10

static unsigned parts;
static bool wanted;
static const char *hidden;
static uid_t uids; /* the first one of a worker */
static struct inmate inmates[SANDBOX_WORKERS_MAX];

/* --- what can be had --- */

static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) != 0)
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

/* Return: 0 or the errno of a clone that a worker's start would need. */
static int try_namespaces(void)
{
	long pid = syscall(SYS_clone, NAMESPACES | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return errno;
	waitpid((pid_t)pid, NULL, 0);
	return 0;
}

static bool may_change_user(void)
{
	uint64_t needed = CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID);

	return (effective_capabilities() & needed) == needed;
}

__attribute__((format(printf, 2, 3))) static void add_reason(char *why, const char *format, ...)
{
	size_t len = strlen(why);
	va_list args;

	if (len > 0)
		len += (size_t)snprintf(why + len, SANDBOX_WHY_SIZE - len, "; ");
	if (len >= SANDBOX_WHY_SIZE)
		return;
	va_start(args, format);
	vsnprintf(why + len, SANDBOX_WHY_SIZE - len, format, args);
	va_end(args);
}

unsigned sandbox_open(const char *hide, uid_t first_uid, char *why)
{
	char reason[128];
	unsigned left;
	int err;

	why[0] = '\0';
	parts = 0;
	hidden = hide;
	wanted = hide[0] != '\0';
	if (!wanted)
		return 0;
	err = try_namespaces();
	if (err == 0)
		parts |= SANDBOX_NAMESPACES;
	else
		add_reason(why, "no namespaces (%s)", strerror(err));
	if (sandbox_cgroup_open(&left, reason, sizeof(reason)) == 0) {
		parts |= SANDBOX_CGROUP;
		/* A place of an earlier vgpud's that does not end is taken. */
		for (unsigned i = 0; left > 0 && i < SANDBOX_WORKERS_MAX; i++)
			inmates[i].group = sandbox_cgroup_remove(i) == -EBUSY;
	} else {
		add_reason(why, "no cgroup (%s)", reason);
	}
	uids = first_uid;
	if (uids == 0)
		add_reason(why, "no users of their own (vgpud itself runs as root: user =)");
	else if (!may_change_user())
		add_reason(why, "no users of their own (vgpud was started without the right to)");
	else
		parts |= SANDBOX_USER;
	return parts;
}

bool sandbox_is_built(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(VGPU_COVERAGE)
	return false;
#else
	return true;
#endif
}

/* --- in the worker --- */

void sandbox_bound_capabilities(void)
{
	for (int i = 0; i <= CAP_LAST_CAP; i++)
		prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

int sandbox_drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { { 0 } };

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return (int)syscall(SYS_capset, &header, none);
}

/* An empty directory lies over this one. Return: 0, -1 and errno. */
static int hide_directory(const char *begin, size_t len)
{
	char path[512];

	if (len >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path, begin, len);
	path[len] = '\0';
	if (mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY,
		  "size=4k,mode=0") < 0 &&
	    errno != ENOENT)
		return -1;
	return 0;
}

/* Return: 0, -1 and errno. */
static int hide_directories(void)
{
	for (const char *at = hidden; *at != '\0';) {
		size_t len = strcspn(at, "\n");

		if (len > 0 && hide_directory(at, len) != 0)
			return -1;
		at += len + (at[len] != '\0');
	}
	return 0;
}

/* Return: 0, -1 and errno. */
static int set_mounts(void)
{
	struct mount_attr read_only = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };

	/* The mounts below must not propagate to the host. */
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	/* A kernel before 5.12 lacks the call; the worker's own user still cannot change others'
	 * files. */
	if (syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &read_only, sizeof(read_only)) <
		    0 &&
	    errno != ENOSYS && errno != EPERM)
		return -1;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -1;
	/* The CUDA driver makes files there. */
	if (parts & SANDBOX_USER &&
	    mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=1777") < 0)
		return -1;
	return hide_directories();
}

/* Return: 0, -1 and errno. */
static int set_user(unsigned place)
{
	uid_t id = uids + place;

	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		return -1;
	return 0;
}

/* Runs in the child. Ends it where a part fails that worked when the starter tried it. */
static void enter(unsigned place, int procs)
{
	const char *step = NULL;

	if (parts & SANDBOX_NAMESPACES && set_mounts() != 0)
		step = "mounts";
	else if (parts & SANDBOX_CGROUP && write(procs, "0", 1) != 1)
		step = "cgroup";
	sandbox_bound_capabilities();
	if (step == NULL && parts & SANDBOX_USER && set_user(place) != 0)
		step = "user";
	if (step == NULL &&
	    (sandbox_drop_capabilities() != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0))
		step = "rights";
	if (step == NULL)
		return;
	dprintf(STDERR_FILENO, "vgpud-worker: cannot be shut in (%s): %s\n", step, strerror(errno));
	_exit(127);
}

/* --- in the starter --- */

/*
 * Waits for fd (-1: none) and for the ends of workers, and frees the places of those that have ended.
 * What is left in a cgroup is killed; a process that is stuck in the driver keeps its cgroup, and
 * that its place. Return: whether fd can be read.
 */
static bool bury(int fd, int timeout_ms)
{
	static struct pollfd watched[1 + SANDBOX_WORKERS_MAX];
	static unsigned place[1 + SANDBOX_WORKERS_MAX];
	nfds_t num = 1;
	int found;

	watched[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	for (unsigned i = 0; i < SANDBOX_WORKERS_MAX; i++) {
		if (inmates[i].pid == 0)
			continue;
		place[num] = i;
		watched[num++] = (struct pollfd){ .fd = inmates[i].pidfd, .events = POLLIN };
	}
	found = poll(watched, num, timeout_ms);
	for (nfds_t n = 1; found > 0 && n < num; n++) {
		if (watched[n].revents == 0)
			continue;
		close(inmates[place[n]].pidfd);
		inmates[place[n]].pid = 0;
	}
	for (unsigned i = 0; i < SANDBOX_WORKERS_MAX; i++)
		if (inmates[i].pid == 0 && inmates[i].group)
			inmates[i].group = sandbox_cgroup_remove(i) == -EBUSY;
	return found > 0 && watched[0].revents != 0;
}

/* Return: whether a worker may still be there; whether one has left a cgroup. */
static bool any_inmate(bool *group)
{
	bool any = false;

	*group = false;
	for (unsigned i = 0; i < SANDBOX_WORKERS_MAX; i++) {
		any |= inmates[i].pid != 0 || inmates[i].group;
		*group |= inmates[i].pid == 0 && inmates[i].group;
	}
	return any;
}

void sandbox_wait(int fd)
{
	bool group;

	do
		any_inmate(&group);
	while (!bury(fd, group ? GROUP_RETRY_MS : -1));
}

/* Return: a place that is free, -EAGAIN: there is none. */
static int find_place(void)
{
	static unsigned next;

	/* Round robin, so that a user id is used again as late as possible. */
	for (unsigned n = 0; n < SANDBOX_WORKERS_MAX; n++) {
		unsigned place = next++ % SANDBOX_WORKERS_MAX;

		if (inmates[place].pid == 0 && !inmates[place].group)
			return (int)place;
	}
	return -EAGAIN;
}

int sandbox_clone(uint64_t memory_bytes)
{
	unsigned long flags = CLONE_PARENT | CLONE_PIDFD | SIGCHLD;
	int place, pidfd = -1, procs = -1;
	long pid;

	bury(-1, 0);
	place = find_place();
	if (place < 0)
		return place;
	if (parts & SANDBOX_CGROUP) {
		inmates[place].group = true;
		procs = sandbox_cgroup_make((unsigned)place, memory_bytes);
		if (procs < 0)
			return procs;
	}
	if (parts & SANDBOX_NAMESPACES)
		flags |= NAMESPACES;
	/* Not fork(), whose child would be the starter's: CLONE_PARENT makes it vgpud's. */
	pid = syscall(SYS_clone, flags, NULL, &pidfd, NULL, NULL);
	if (pid == 0) {
		if (wanted)
			enter((unsigned)place, procs);
		return 0;
	}
	if (pid < 0)
		pid = -errno;
	else
		inmates[place] = (struct inmate){ .pid = (pid_t)pid,
						  .pidfd = pidfd,
						  .group = (parts & SANDBOX_CGROUP) != 0 };
	if (procs >= 0)
		close(procs);
	return (int)pid;
}

int sandbox_kill(pid_t pid)
{
	for (unsigned i = 0; i < SANDBOX_WORKERS_MAX; i++) {
		if (inmates[i].pid != pid || pid <= 0)
			continue;
		if (parts & SANDBOX_CGROUP)
			sandbox_cgroup_kill(i);
		if (syscall(SYS_pidfd_send_signal, inmates[i].pidfd, SIGKILL, NULL, 0) < 0)
			return -errno;
		return 0;
	}
	return -ESRCH;
}

int sandbox_freeze(pid_t pid, bool frozen)
{
	for (unsigned i = 0; i < SANDBOX_WORKERS_MAX; i++) {
		if (inmates[i].pid != pid || pid <= 0)
			continue;
		if (parts & SANDBOX_CGROUP)
			return sandbox_cgroup_freeze(i, frozen);
		if (syscall(SYS_pidfd_send_signal, inmates[i].pidfd, frozen ? SIGSTOP : SIGCONT,
			    NULL, 0) < 0)
			return -errno;
		return 0;
	}
	return -ESRCH;
}

void sandbox_close(void)
{
	bool group;

	for (unsigned i = 0; i < SANDBOX_WORKERS_MAX; i++)
		if (inmates[i].pid != 0)
			sandbox_kill(inmates[i].pid);
	for (int left_ms = SANDBOX_CLOSE_MS; left_ms > 0 && any_inmate(&group);
	     left_ms -= CLOSE_STEP_MS) {
		bury(-1, 0);
		if (any_inmate(&group))
			poll(NULL, 0, CLOSE_STEP_MS);
	}
	if (parts & SANDBOX_CGROUP)
		sandbox_cgroup_close();
}
