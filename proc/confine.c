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

#include "proc/confine_calls.h"
#include "proc/confine_driver.h"

/*
 * Theory of operation. Each role has a list of the system calls that it may use. Of the others,
 *
 * - those of use only to an attacker who has taken the process over kill it. Its end is noticed:
 *   systemd starts the daemon again, and vgpud replaces a worker or a query;
 * - all the rest fail with ENOSYS (with NVIDIA's driver: EPERM), and the kernel logs them (audit type
 *   1326, with the number). The C library takes ENOSYS for an older kernel and does without the call.
 *   A newer version of it may use a call that is not listed yet: killing the daemon then would let a
 *   system update bring it down, and refusing protects as well.
 *
 * confine_calls.c has the lists. Here are the calls of which an argument decides.
 */

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

/* One action on calls, whatever their arguments are. names: NULL behind the last one. */
static void rule_each(struct filter *filter, uint32_t action, const char *const *names)
{
	for (size_t i = 0; names[i] != NULL; i++)
		if (number(names[i]) >= 0)
			note(filter,
			     seccomp_rule_add(filter->context, action, number(names[i]), 0));
}

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

static void allow_about_itself(struct filter *filter)
{
	static const int about_itself[] = { PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG,
					    PR_GET_DUMPABLE, PR_SET_VMA };

	rule(filter, SCMP_ACT_ALLOW, "tgkill", SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	rule(filter, SCMP_ACT_ALLOW, "prlimit64", SCMP_A0(SCMP_CMP_EQ, 0));
	rule(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS));
	for (size_t i = 0; i < sizeof(about_itself) / sizeof(about_itself[0]); i++)
		rule(filter, SCMP_ACT_ALLOW, "prctl",
		     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)about_itself[i]));
}

static void allow_unix_sockets(struct filter *filter)
{
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

#define KIND_MASK 0x0000ff00u /* the second byte of a request is its kind */
#define DRIVER_KIND 0x4600u   /* 'F', of what nvidiactl and nvidiaN take */
#define UVM_FIRST 0x30000001u /* nvidia-uvm's first request; its others are small numbers */

/* Of a driver that is not known only the kind of a request is judged. */
static void allow_driver(struct filter *filter)
{
	if (driver == NULL) {
		allow_requests(filter, KIND_MASK, DRIVER_KIND);
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

static bool has_threads(enum confine_role role)
{
	return role == CONFINE_BROKER || role == CONFINE_SOFTGPU_PROGRAM ||
	       role == CONFINE_CUDA_PROGRAM;
}

static void fill(struct filter *filter, enum confine_role role)
{
	for (const char *const *const *list = confine_calls[role].list; *list != NULL; list++)
		rule_each(filter, SCMP_ACT_ALLOW, *list);
	if (wanted == CONFINE_YES)
		rule_each(filter, SCMP_ACT_KILL_PROCESS, confine_calls_that_kill);
	allow_memory(filter);
	allow_about_itself(filter);
	if (has_threads(role))
		allow_threads(filter);
	if (role == CONFINE_BROKER) {
		allow_unix_sockets(filter);
		rule(filter, SCMP_ACT_ALLOW, "ioctl", SCMP_A1(SCMP_CMP_EQ, SIOCOUTQ));
	}
	if (role == CONFINE_CUDA_PROGRAM)
		allow_driver(filter);
	if (role == CONFINE_NVML)
		allow_requests(filter, KIND_MASK, DRIVER_KIND);
}

/* NVIDIA's driver takes EPERM for what it is, and goes on. */
static int refusal(enum confine_role role)
{
	return role == CONFINE_CUDA_PROGRAM || role == CONFINE_NVML ? EPERM : ENOSYS;
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
