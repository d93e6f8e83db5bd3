/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine_calls.c - which system calls each role may make */

#include "proc/confine_calls.h"

#include <stddef.h>

/*
 * Calls are named as strings, so that a name unknown to this libseccomp or this processor is no
 * error at compile time. A call without a number cannot be made here, so it needs no rule.
 */

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
	NULL,
};

/*
 * Not shutdown: standard error may be the journal's socket, which others write to as well. Not sendmsg,
 * which sends descriptors: a receiver that takes none closes them, and the last close of a GPU's device
 * takes as long as the driver likes. The broker must not wait for that.
 */
static const char *const talk[] = { "sendto", "recvfrom", "recvmsg", NULL };

/* As above, with other processes' sockets: listening, and QEMU's. */
static const char *const sockets[] = {
	"shutdown", "connect",	  "bind",	"listen",      "accept",      "accept4",
	"sendmsg",  "getsockopt", "setsockopt", "getsockname", "getpeername", NULL,
};

static const char *const reads_files[] = {
	"open",	     "openat",	   "stat",	 "lstat",      "access",
	"faccessat", "faccessat2", "readlink",	 "readlinkat", "getcwd",
	"statfs",    "fstatfs",	   "getdents64", "fadvise64",  NULL,
};

static const char *const writes_files[] = {
	"pwrite64", "pwritev",	 "ftruncate", "fallocate", "fsync",    "fdatasync",   "flock",
	"msync",    "mkdir",	 "mkdirat",   "rmdir",	   "unlink",   "unlinkat",    "rename",
	"renameat", "renameat2", "chmod",     "fchmod",	   "fchmodat", "fchmodat2",   "chown",
	"fchown",   "fchownat",	 "umask",     "utimensat", "setxattr", "removexattr", NULL,
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
	"fcntl",
	NULL,
};

/*
 * What NVIDIA's driver calls besides, once it has used each of its features: measured, docs/design.md.
 * It drains kernels' text from a memory file.
 */
static const char *const cuda_driver[] = { "eventfd2", "ftruncate", NULL };

/* NVML asks the driver's devices, which it has open, and reads files beneath /proc and /sys. */
static const char *const nvml[] = { "fcntl", "getppid", NULL };

/*
 * sqlite opens the write-ahead log and its index for writing, even to read; as root it also gives
 * them to the database's owner. It needs no call that writes there.
 */
static const char *const reads_database[] = { "sendto", "fcntl", "fchown", NULL };

/* Guests' files, which another host may change at any time: files/dir.c says how they are used. */
static const char *const guests_files[] = {
	"openat2", "openat",	 "unlinkat",   "renameat", "renameat2",		"fchown",
	"fchmod",  "fchmodat",	 "getdents64", "fcntl",	   "inotify_add_watch", "inotify_rm_watch",
	"fsync",   "faccessat2", "readlinkat", NULL,
};

const struct confine_calls confine_calls[] = {
	[CONFINE_BROKER] = { { basic, talk, sockets, reads_files, writes_files, loop } },
	[CONFINE_CPU_WORKER] = { { basic, talk } },
	[CONFINE_SOFTGPU_PROGRAM] = { { basic, talk } },
	[CONFINE_CUDA_PROGRAM] = { { basic, talk, cuda_driver } },
	[CONFINE_NVML] = { { basic, talk, reads_files, nvml } },
	[CONFINE_QUERY] = { { basic, reads_files, reads_database } },
	[CONFINE_FILES] = { { basic, talk, guests_files } },
};

const char *const confine_calls_that_kill[] = {
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
	NULL,
};
