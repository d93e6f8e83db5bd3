/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inherit.c - what a process of ours makes of what it was given at its start */

#include "proc/inherit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "proc/spawn_wire.h"

#define STACK_BYTES (8u << 20)
/* linux/ioprio.h, which not every version of the kernel's headers has */
#define IO_WHO_PROCESS 1
#define IO_PRIORITY_NONE 0

/* Of a role's environment: names, and beginnings of names that end in an underscore. */
static const char *const passed[] = {
	"ASAN_OPTIONS", "CUDA_",	   "GCOV_PREFIX",   "GCOV_PREFIX_STRIP",
	"HOME",		"LD_LIBRARY_PATH", "LSAN_OPTIONS",  "NVIDIA_",
	"PATH",		"TSAN_OPTIONS",	   "UBSAN_OPTIONS", "TZ",
};

/* Meant for the process that the service manager started, and for no child of it. */
static const char *const addressed[] = {
	"INVOCATION_ID", "LISTEN_FDNAMES", "LISTEN_FDS",   "LISTEN_PID",
	"MAINPID",	 "NOTIFY_SOCKET",  "WATCHDOG_PID", "WATCHDOG_USEC",
};

void inherit_standard_descriptors(void)
{
	int fd;

	/* open() gives the lowest free number, so this fills 0, 1 and 2 where they are closed. */
	do
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void inherit_no_signals(void)
{
	struct sigaction action;
	sigset_t none;

	/* exec resets handlers, so one that is there now is a sanitizer's own, and stays. */
	for (int signal = 1; signal < NSIG; signal++) {
		if (sigaction(signal, NULL, &action) != 0 || action.sa_handler != SIG_IGN)
			continue;
		action.sa_handler = SIG_DFL;
		sigaction(signal, &action, NULL);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void inherit_no_alarms(void)
{
	const struct itimerval off = { { 0, 0 }, { 0, 0 } };
	struct rlimit limit;

	setitimer(ITIMER_REAL, &off, NULL);
	setitimer(ITIMER_VIRTUAL, &off, NULL);
	setitimer(ITIMER_PROF, &off, NULL);
	if (getrlimit(RLIMIT_CPU, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_CPU, &limit);
	}
}

void inherit_usual_layout(void)
{
	struct rlimit limit;

	personality(PER_LINUX);
	/* Without a bound for stacks the kernel has another layout, with less to guess. */
	if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur > STACK_BYTES &&
	    limit.rlim_max >= STACK_BYTES) {
		limit.rlim_cur = STACK_BYTES;
		setrlimit(RLIMIT_STACK, &limit);
	}
}

void inherit_worker(void)
{
	const struct sched_param none = { .sched_priority = 0 };

	/* What fails here leaves what was there, which is less: no right is needed to have none. */
	if (chdir("/") < 0)
		errno = 0;
	if (sched_setscheduler(0, SCHED_OTHER, &none) < 0)
		errno = 0;
	if (getpriority(PRIO_PROCESS, 0) < 0)
		setpriority(PRIO_PROCESS, 0, 0);
	syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_PRIORITY_NONE);
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
}

void inherit_close_strangers(void)
{
	close_range(STDERR_FILENO + 1, ~0u, 0);
}

/* A role must not read vgpud's input or write to its output. Standard error: see the starter. */
static void leave_standard_descriptors(void)
{
	int null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
}

void inherit_role(void)
{
	const struct rlimit none = { 0, 0 };

	inherit_close_others();
	leave_standard_descriptors();
	setsid();
	umask(0027);
	setrlimit(RLIMIT_CORE, &none);
}

/* Return: whether the entry NAME=VALUE is of this name, or begins so if that ends in _. */
static bool is_named(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return strncmp(entry, name, len) == 0 && (entry[len] == '=' || name[len - 1] == '_');
}

static bool is_passed(const char *entry, bool of_tenant)
{
	if (of_tenant && is_named(entry, "CUDA_"))
		return is_named(entry, "CUDA_VISIBLE_DEVICES") ||
		       is_named(entry, "CUDA_DEVICE_ORDER");
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		if (is_named(entry, passed[i]))
			return true;
	return false;
}

void inherit_filter_environment(char **environment, bool of_tenant)
{
	char **to = environment;

	for (char **from = environment; *from != NULL; from++)
		if (is_named(*from, "LD_PRELOAD"))
			return;
	for (char **from = environment; *from != NULL; from++)
		if (is_passed(*from, of_tenant))
			*to++ = *from;
	*to = NULL;
}

void inherit_filter_command(void)
{
	for (size_t i = 0; i < sizeof(addressed) / sizeof(addressed[0]); i++)
		unsetenv(addressed[i]);
}

/* Return: the names, one after the other and each with its colon or end; "" if there are none. */
static const char *fd_names(void)
{
	const char *names = getenv(INHERIT_FD_NAMES);

	return names != NULL ? names : "";
}

int inherit_fd(const char *name)
{
	const char *at = fd_names();
	size_t len = strlen(name);

	for (int fd = SPAWN_FD_FIRST; *at != '\0'; fd++) {
		size_t part = strcspn(at, ":");

		if (part == len && memcmp(at, name, len) == 0)
			return fd;
		at += part + (at[part] == ':');
	}
	return -1;
}

void inherit_close_others(void)
{
	unsigned kept = 1;

	for (const char *at = fd_names(); *at != '\0'; at++)
		kept += *at == ':';
	close_range(SPAWN_FD_FIRST + kept, ~0u, 0);
}
