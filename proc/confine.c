/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.c - takes from a process of ours what it never needs */

#include "proc/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "proc/confine_driver.h"

/*
 * Theory of operation. Each role has a list of the system calls that it may use. Of the others,
 *
 * - those of use only to an attacker who has taken the process over (attack[]) kill it. Its end is
 *   noticed: systemd starts the daemon again, and vgpud replaces a worker or a query;
 * - all the rest fail with ENOSYS (with NVIDIA's driver: EPERM), and the kernel logs them (audit type 1326, with the number). The
 *   C library takes ENOSYS for an older kernel and does without the call. A newer version of it may
 *   use a call that is not listed yet: killing the daemon then would let a system update bring it
 *   down, and refusing protects as well.
 *
 * Calls are named as strings, so that a name unknown to this libseccomp or this processor is no
 * error at compile time. A call without a number cannot be made here, so it needs no rule.
 */

/* --- what is allowed --- */

/* Any process: memory, time, threads' locks, its own end. */
static const char *const basic[] = {
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"close",
	"lseek",
	"fstat",
	"newfstatat", /* which the C library's fstat() is; it opens nothing */
	"statx",
	"poll",
	"ppoll",
	"munmap",
	"mremap",
	"madvise",
	"brk",
	"futex",
	"futex_time64",
	"futex_wait",
	"futex_wake",
	"futex_waitv",
	"rseq",
	"set_robust_list",
	"get_robust_list",
	"set_tid_address",
	"membarrier",
	"sched_yield",
	"sched_getaffinity",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigpending",
	"sigaltstack",
	"restart_syscall",
	"exit",
	"exit_group",
	"getpid",
	"gettid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"clock_gettime",
	"clock_getres",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"time",
	"getrandom",
	"getcpu",
	"uname",
	"sysinfo",
	"getrusage",
};

/*
 * Not shutdown: standard error may be the journal's socket, which others write to as well. Not sendmsg, which
 * sends descriptors: a receiver that takes none closes them, and the last close of a GPU's device takes
 * as long as the driver likes. The broker must not wait for that.
 */
static const char *const talk[] = { "sendto", "recvfrom", "recvmsg" };

/* As above, with other processes' sockets: listening, and QEMU's. */
static const char *const sockets[] = {
	"shutdown", "connect",	  "bind",	"listen",      "accept",      "accept4",
	"sendmsg",  "getsockopt", "setsockopt", "getsockname", "getpeername",
};

static const char *const reads_files[] = {
	"open",	    "openat",	  "stat",   "lstat",  "access",	 "faccessat",  "faccessat2",
	"readlink", "readlinkat", "getcwd", "statfs", "fstatfs", "getdents64", "fadvise64",
};

static const char *const writes_files[] = {
	"pwrite64", "pwritev",	 "ftruncate", "fallocate", "fsync",    "fdatasync",   "flock",
	"msync",    "mkdir",	 "mkdirat",   "rmdir",	   "unlink",   "unlinkat",    "rename",
	"renameat", "renameat2", "chmod",     "fchmod",	   "fchmodat", "fchmodat2",   "chown",
	"fchown",   "fchownat",	 "umask",     "utimensat", "setxattr", "removexattr",
};

/* The loop, its children, the ledger's thread. */
static const char *const loop[] = {
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"signalfd4",
	"memfd_create", /* pages that it shares with workers */
	"eventfd2",
	"pipe2",
	"dup",
	"dup2",
	"dup3",
	"rt_sigtimedwait",
	"kill",
	"waitid",
	"wait4",
	"pidfd_open",
	"pidfd_send_signal",
	"getppid",
	"getgroups",
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	"sched_getparam",
	"sched_getscheduler",
	"memfd_create", /* pages that workers of programs share */
};

/*
 * What NVIDIA's driver calls besides, once it has used each of its features: measured, docs/design.md.
 * It drains kernels' text from a memory file.
 */
static const char *const cuda_driver[] = { "eventfd2", "ftruncate" };

/* NVML asks the driver's devices, which it has open, and reads files beneath /proc and /sys. */
static const char *const nvml[] = { "fcntl", "getppid" };

#define NVML_REQUESTS 0x4600u /* 'F': what nvidiactl and nvidiaN take */

/*
 * sqlite opens the write-ahead log and its index for writing, even to read; as root it also gives
 * them to the database's owner. It needs no call that writes there.
 */
static const char *const reads_database[] = { "sendto", "fcntl", "fchown" };

/* Guests' files, which another host may change at any time: files/dir.c says how they are used. */
static const char *const guests_files[] = {
	"openat2", "openat",	 "unlinkat",   "renameat", "renameat2",		"fchown",
	"fchmod",  "fchmodat",	 "getdents64", "fcntl",	   "inotify_add_watch", "inotify_rm_watch",
	"fsync",   "faccessat2", "readlinkat",
};

/* --- what kills --- */

static const char *const attack[] = {
	/* to run another program, or fork one */
	"execve",
	"execveat",
	/* to look into other processes */
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"pidfd_getfd",
	"kcmp",
	"perf_event_open",
	/* to change the kernel */
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"bpf",
	"userfaultfd",
	"reboot",
	"iopl",
	"ioperm",
	"modify_ldt",
	/* to change what files there are, and reach those beneath */
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"open_by_handle_at",
	"mknod",
	"mknodat",
	"swapon",
	"swapoff",
	"quotactl",
	"quotactl_fd",
	"acct",
	/* to become another user */
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setfsuid",
	"setfsgid",
	"setgroups",
	"capset",
	"unshare",
	"setns",
	"personality",
	"keyctl",
	"add_key",
	"request_key",
	/* to change the host */
	"settimeofday",
	"clock_settime",
	"clock_adjtime",
	"adjtimex",
	"sethostname",
	"setdomainname",
};

/* --- how --- */

static enum confine_mode wanted = CONFINE_YES;
static const char *state = "no";
static const struct confine_driver *driver; /* NULL: nothing is known of it */

static const char *const mode_name[CONFINE_MODE_NUM] = {
	[CONFINE_YES] = "yes",
	[CONFINE_NO] = "no",
	[CONFINE_LOG] = "log",
};

struct filter {
	scmp_filter_ctx context;
	int refusal; /* what calls fail with that no rule names */
	int err;     /* the first one */
};

static void note(struct filter *filter, int err)
{
	if (filter->err == 0)
		filter->err = err;
}

/* Return: the call's number, negative: there is none here. */
static int number(const char *name)
{
	return seccomp_syscall_resolve_name(name);
}

static void allow(struct filter *filter, const char *const *names, size_t num)
{
	for (size_t i = 0; i < num; i++)
		if (number(names[i]) >= 0)
			note(filter, seccomp_rule_add(filter->context, SCMP_ACT_ALLOW,
						      number(names[i]), 0));
}
#define ALLOW(filter, names) allow(filter, names, sizeof(names) / sizeof((names)[0]))

/* One condition on one argument. */
static void rule(struct filter *filter, uint32_t action, const char *name, struct scmp_arg_cmp cmp)
{
	if (number(name) >= 0)
		note(filter,
		     seccomp_rule_add_array(filter->context, action, number(name), 1, &cmp));
}

/* In mode `log` the kernel logs what would have been refused, and lets it pass. */
static void refuse(struct filter *filter, int err, const char *name, struct scmp_arg_cmp cmp)
{
	/* libseccomp takes no rule that says the same as having none. */
	if (wanted == CONFINE_YES && err != filter->refusal)
		rule(filter, SCMP_ACT_ERRNO((uint32_t)err), name, cmp);
}

static void kill_attackers(struct filter *filter)
{
	if (wanted != CONFINE_YES)
		return;
	for (size_t i = 0; i < sizeof(attack) / sizeof(attack[0]); i++)
		if (number(attack[i]) >= 0)
			note(filter, seccomp_rule_add(filter->context, SCMP_ACT_KILL_PROCESS,
						      number(attack[i]), 0));
}

/* Memory may be writable or executable, never both: injected code cannot run. */
static void allow_memory(struct filter *filter)
{
	const unsigned both = PROT_WRITE | PROT_EXEC;

	rule(filter, SCMP_ACT_ALLOW, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rule(filter, SCMP_ACT_ALLOW, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, both, PROT_EXEC));
	refuse(filter, EACCES, "mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, both, both));
	rule(filter, SCMP_ACT_ALLOW, "mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	refuse(filter, EACCES, "mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
}

static void allow_basic(struct filter *filter)
{
	static const int about_itself[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG,
					    PR_GET_DUMPABLE, PR_SET_VMA };

	ALLOW(filter, basic);
	allow_memory(filter);
	rule(filter, SCMP_ACT_ALLOW, "tgkill", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	rule(filter, SCMP_ACT_ALLOW, "prlimit64", SCMP_A0(SCMP_CMP_EQ, 0));
	rule(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS));
	for (size_t i = 0; i < sizeof(about_itself) / sizeof(about_itself[0]); i++)
		rule(filter, SCMP_ACT_ALLOW, "prctl",
		     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)about_itself[i]));
}

static void allow_unix_sockets(struct filter *filter)
{
	ALLOW(filter, talk);
	ALLOW(filter, sockets);
	rule(filter, SCMP_ACT_ALLOW, "socket", SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	rule(filter, SCMP_ACT_ALLOW, "socketpair", SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	refuse(filter, EAFNOSUPPORT, "socket", SCMP_A0(SCMP_CMP_NE, AF_UNIX));
	refuse(filter, EAFNOSUPPORT, "socketpair", SCMP_A0(SCMP_CMP_NE, AF_UNIX));
}

/* Threads, and no processes. A filter cannot see the arguments of clone3(): hide_clone3(). */
static void allow_threads(struct filter *filter)
{
	rule(filter, SCMP_ACT_ALLOW, "clone",
	     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	refuse(filter, EPERM, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	note(filter, seccomp_rule_add(filter->context, SCMP_ACT_ALLOW, number("clone3"), 0));
}

/* The kernel looks at 32 bits of a request. */
static void allow_requests(struct filter *filter, uint32_t mask, uint32_t value)
{
	rule(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_MASKED_EQ, mask, value));
}

#define DRIVER_KIND 0x4600u   /* 'F', in the second byte of what nvidiactl and nvidiaN take */
#define UVM_FIRST 0x30000001u /* nvidia-uvm's first request; its others are small numbers */

/* Of a driver that is not known only the kind of a request is judged. */
static void allow_driver(struct filter *filter)
{
	if (driver == NULL) {
		allow_requests(filter, 0x0000ff00, DRIVER_KIND);
		allow_requests(filter, 0xffffff00, 0);
		allow_requests(filter, UINT32_MAX, UVM_FIRST);
		return;
	}
	for (size_t i = 0; i < driver->num; i++)
		allow_requests(filter, UINT32_MAX, driver->requests[i]);
}

/*
 * The C library tries clone3() for each thread: a filter of its own refuses it without a log line.
 */
static int hide_clone3(void)
{
	struct filter filter = { .context = seccomp_init(SCMP_ACT_ALLOW) };

	if (filter.context == NULL)
		return -ENOMEM;
	note(&filter, seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_TSYNC, 1));
	note(&filter,
	     seccomp_rule_add(filter.context, SCMP_ACT_ERRNO(ENOSYS), number("clone3"), 0));
	if (filter.err == 0)
		note(&filter, seccomp_load(filter.context));
	seccomp_release(filter.context);
	return filter.err;
}

static void fill(struct filter *filter, enum confine_role role)
{
	static const char *const fcntl_name[] = { "fcntl" };

	allow_basic(filter);
	kill_attackers(filter);
	switch (role) {
	case CONFINE_BROKER:
		allow_unix_sockets(filter);
		allow_threads(filter);
		ALLOW(filter, reads_files);
		ALLOW(filter, writes_files);
		ALLOW(filter, loop);
		ALLOW(filter, fcntl_name);
		rule(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, SIOCOUTQ));
		break;
	case CONFINE_CPU_WORKER:
		ALLOW(filter, talk);
		break;
	case CONFINE_CUDA_PROGRAM:
		ALLOW(filter, cuda_driver);
		allow_driver(filter);
		allow_threads(filter);
		ALLOW(filter, talk);
		break;
	case CONFINE_SOFTGPU_PROGRAM:
		allow_threads(filter);
		ALLOW(filter, talk);
		break;
	case CONFINE_NVML:
		ALLOW(filter, talk);
		ALLOW(filter, reads_files);
		ALLOW(filter, nvml);
		/* The kernel looks at 32 bits of a request, of which the second byte is its kind. */
		rule(filter, SCMP_ACT_ALLOW, "ioctl",
		     SCMP_A1(SCMP_CMP_MASKED_EQ, 0x0000ff00, NVML_REQUESTS));
		break;
	case CONFINE_QUERY:
		ALLOW(filter, reads_files);
		ALLOW(filter, reads_database);
		break;
	case CONFINE_FILES:
		ALLOW(filter, talk);
		ALLOW(filter, guests_files);
		break;
	}
}

/* NVIDIA's driver takes EPERM for what it is, and goes on. */
static int refusal(enum confine_role role)
{
	return role == CONFINE_CUDA_PROGRAM || role == CONFINE_NVML ? EPERM : ENOSYS;
}

static bool has_threads(enum confine_role role)
{
	return role == CONFINE_BROKER || role == CONFINE_SOFTGPU_PROGRAM ||
	       role == CONFINE_CUDA_PROGRAM;
}

static int load(enum confine_role role)
{
	uint32_t refuse_all = SCMP_ACT_ERRNO((uint32_t)refusal(role));
	struct filter filter = {
		.context = seccomp_init(wanted == CONFINE_LOG ? SCMP_ACT_LOG : refuse_all),
		.refusal = refusal(role),
	};

	if (filter.context == NULL)
		return -ENOMEM;
	note(&filter,
	     seccomp_attr_set(filter.context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
	note(&filter, seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_TSYNC, 1));
	note(&filter, seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_LOG, 1));
	fill(&filter, role);
	if (filter.err == 0 && has_threads(role))
		note(&filter, hide_clone3());
	if (filter.err == 0)
		note(&filter, seccomp_load(filter.context));
	seccomp_release(filter.context);
	return filter.err;
}

enum confine_mode confine_mode(const char *name)
{
	for (int i = 0; i < CONFINE_MODE_NUM; i++)
		if (strcmp(mode_name[i], name) == 0)
			return (enum confine_mode)i;
	return CONFINE_YES;
}

const char *confine_name(enum confine_mode mode)
{
	return mode_name[mode];
}

void confine_set_mode(enum confine_mode mode)
{
	wanted = mode;
}

bool confine_set_driver(unsigned branch)
{
	driver = confine_driver(branch);
	return driver != NULL;
}

int confine_no_changes(void)
{
	static const char *const nowhere[] = { NULL };

	return wanted == CONFINE_YES ? confine_changes(nowhere) : 0;
}

const char *confine_state(void)
{
	return state;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(VGPU_COVERAGE)
/* No confinement: a sanitizer stops all threads with ptrace() at its end, and coverage counters are
 * written beside the objects. */
int confine(enum confine_role role)
{
	(void)role;
	(void)load;
	return 0;
}
#else
int confine(enum confine_role role)
{
	int err;

	if (wanted == CONFINE_NO)
		return 0;
	/* The process for files opens them by way of /proc/self, which would be root's then. */
	if (wanted == CONFINE_YES && role != CONFINE_FILES)
		prctl(PR_SET_DUMPABLE, 0);
	err = load(role);
	state = err == 0 ? mode_name[wanted] : "failed";
	return err;
}
#endif
