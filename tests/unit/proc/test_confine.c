/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_confine.c - each role in a process of its own tries what it may and what it may not */

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/confine.h"

#define KILLED (-SIGSYS)
#define WORKED 0
#define ROLE_NUM (CONFINE_FILES + 1)

static const char *const role_name[ROLE_NUM] = {
	[CONFINE_BROKER] = "broker",
	[CONFINE_CPU_WORKER] = "CPU worker",
	[CONFINE_SOFTGPU_PROGRAM] = "softgpu program",
	[CONFINE_CUDA_PROGRAM] = "CUDA program",
	[CONFINE_NVML] = "NVML",
	[CONFINE_QUERY] = "query",
	[CONFINE_FILES] = "files",
};

static int link_ends[2]; /* a socket pair */

/* --- what is tried. Each returns what the call returns --- */

static long try_execve(void)
{
	char *const argv[] = { (char *)"true", NULL };

	return execv("/bin/true", argv);
}

static long try_ptrace(void)
{
	return syscall(SYS_ptrace, 0 /* PTRACE_TRACEME */, 0, 0, 0);
}

static long try_read_memory(void)
{
	return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0);
}

static long try_open_by_handle(void)
{
	return syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, O_RDONLY);
}

static long try_mount(void)
{
	return syscall(SYS_mount, "none", "/none", "none", 0, NULL);
}

static long try_setuid(void)
{
	return syscall(SYS_setuid, getuid());
}

static long try_unshare(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}

static long try_bpf(void)
{
	return syscall(SYS_bpf, -1, NULL, 0);
}

static long try_module(void)
{
	return syscall(SYS_finit_module, -1, "", 0);
}

static long try_keyctl(void)
{
	return syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static long try_fork(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(0);
	return pid;
}

static long try_internet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long try_netlink_pair(void)
{
	int pair[2];

	return socketpair(AF_NETLINK, SOCK_DGRAM, 0, pair);
}

/* Bits above the 32 that the kernel looks at do not get past the filter. */
static long try_disguised_internet(void)
{
	return syscall(SYS_socket, (1ull << 32) | AF_INET, SOCK_STREAM, 0);
}

static long try_memory_to_write_and_run(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	return at == MAP_FAILED ? -1 : 0;
}

static long try_to_run_memory(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(at, 4096, PROT_READ | PROT_EXEC);
}

static long try_memory(void)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -1;
	memset(at, 1, 4096);
	return mprotect(at, 4096, PROT_READ);
}

static long try_open(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static long try_unlink(void)
{
	return unlinkat(AT_FDCWD, "/no/such/file", 0) < 0 && errno == ENOENT ? 0 : -1;
}

static long try_pwrite(void)
{
	return pwrite(-1, "", 1, 0) < 0 && errno == EBADF ? 0 : -1;
}

/* What its receiver does not take is closed by the receiver, which may have to wait for a driver. */
static long try_send_descriptor(void)
{
	int descriptor = STDERR_FILENO;
	union {
		struct cmsghdr first; /* for its alignment */
		char bytes[CMSG_SPACE(sizeof(descriptor))];
	} control = { .first = { .cmsg_len = CMSG_LEN(sizeof(descriptor)),
				 .cmsg_level = SOL_SOCKET,
				 .cmsg_type = SCM_RIGHTS } };
	struct iovec part = { (char *)"x", 1 };
	const struct msghdr message = { .msg_iov = &part,
					.msg_iovlen = 1,
					.msg_control = control.bytes,
					.msg_controllen = sizeof(control.bytes) };

	memcpy(CMSG_DATA(&control.first), &descriptor, sizeof(descriptor));
	return sendmsg(link_ends[0], &message, 0);
}

/* Return: 0: it tells how much the other end has not read. */
static long try_unread(void)
{
	int bytes;

	return ioctl(link_ends[0], SIOCOUTQ, &bytes);
}

static long try_kill(void)
{
	return kill(getpid(), 0);
}

static long try_what_nobody_uses(void)
{
	return syscall(SYS_vhangup);
}

static long try_what_does_not_exist(void)
{
	return syscall(4000);
}

static void *do_nothing(void *arg)
{
	return arg;
}

static long try_thread(void)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, do_nothing, NULL);
	if (errno != 0)
		return -1;
	pthread_join(thread, NULL);
	return 0;
}

/* --- how --- */

/* Return: WORKED, the call's errno, or KILLED. */
static int in_role(enum confine_mode mode, enum confine_role role, long (*attempt)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		confine_set_mode(mode);
		if (confine(role) != 0)
			_exit(255);
		errno = 0;
		_exit(attempt() >= 0 ? WORKED : errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

struct attempt {
	const char *what;
	long (*attempt)(void);
	int expected[ROLE_NUM]; /* by enum confine_role */
};
#define TRY(name, ...)                                            \
	{                                                         \
		.what = #name, .attempt = try_##name, __VA_ARGS__ \
	}
#define ALL(result) .expected = { result, result, result, result, result, result, result }
#define EACH(broker, worker, softgpu, cuda, nvml, query, files) \
	.expected = { broker, worker, softgpu, cuda, nvml, query, files }

static void test_each_role(void **arg)
{
	static const struct attempt attempts[] = {
		TRY(execve, ALL(KILLED)),
		TRY(ptrace, ALL(KILLED)),
		TRY(read_memory, ALL(KILLED)),
		TRY(open_by_handle, ALL(KILLED)),
		TRY(mount, ALL(KILLED)),
		TRY(setuid, ALL(KILLED)),
		TRY(unshare, ALL(KILLED)),
		TRY(bpf, ALL(KILLED)),
		TRY(module, ALL(KILLED)),
		TRY(keyctl, ALL(KILLED)),
		TRY(fork, EACH(EPERM, ENOSYS, EPERM, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(internet, EACH(EAFNOSUPPORT, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(disguised_internet,
		    EACH(EAFNOSUPPORT, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(netlink_pair, EACH(EAFNOSUPPORT, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(unix, EACH(WORKED, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(memory_to_write_and_run, ALL(EACCES)),
		TRY(to_run_memory, ALL(EACCES)),
		TRY(memory, ALL(WORKED)),
		TRY(open, EACH(WORKED, ENOSYS, ENOSYS, EPERM, WORKED, WORKED, WORKED)),
		TRY(unlink, EACH(WORKED, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, WORKED)),
		TRY(pwrite, EACH(WORKED, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(send_descriptor, EACH(WORKED, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(unread, EACH(WORKED, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(kill, EACH(WORKED, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(thread, EACH(WORKED, ENOSYS, WORKED, WORKED, EPERM, ENOSYS, ENOSYS)),
		TRY(what_nobody_uses, EACH(ENOSYS, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
		TRY(what_does_not_exist,
		    EACH(ENOSYS, ENOSYS, ENOSYS, EPERM, EPERM, ENOSYS, ENOSYS)),
	};

	(void)arg;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, link_ends), 0);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const struct attempt *attempt = &attempts[i];

		for (unsigned role = 0; role < ROLE_NUM; role++) {
			int result = in_role(CONFINE_YES, role, attempt->attempt);

			if (result != attempt->expected[role])
				fail_msg("%s as %s: %d, expected %d", attempt->what,
					 role_name[role], result, attempt->expected[role]);
		}
	}
}

/* Return: errno of a request to a descriptor that takes none; EPERM: the filter's. */
static int request_as(enum confine_role role, unsigned branch, unsigned long request)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd = memfd_create("nothing", MFD_CLOEXEC);

		confine_set_mode(CONFINE_YES);
		confine_set_driver(branch);
		if (fd < 0 || confine(role) != 0)
			_exit(255);
		_exit(ioctl(fd, request, NULL) == 0 ? 0 : errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Of a known driver its own requests pass, of another one all that are of a driver's kind. */
static void test_requests_to_the_driver(void **arg)
{
	static const struct {
		unsigned long request;
		int known, unknown;
	} rows[] = {
		{ 0xc020462a, ENOTTY, ENOTTY },
		{ 0xffffffffc020462a, ENOTTY, ENOTTY }, /* the kernel looks at 32 bits */
		{ 0x30000001, ENOTTY, ENOTTY },
		{ 0x00000017, ENOTTY, ENOTTY },
		{ 0x00000016, EPERM, ENOTTY },
		{ 0xc02046ff, EPERM, ENOTTY },
		{ 0x30000002, EPERM, EPERM },
		{ TIOCSTI, EPERM, EPERM },
		{ 0xc0206400, EPERM, EPERM }, /* another driver's */
	};

	(void)arg;
	assert_true(confine_set_driver(580));
	assert_false(confine_set_driver(1));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(request_as(CONFINE_CUDA_PROGRAM, 580, rows[i].request),
				 rows[i].known);
		assert_int_equal(request_as(CONFINE_CUDA_PROGRAM, 1, rows[i].request),
				 rows[i].unknown);
	}
}

/* NVML has no business with nvidia-uvm, nor with other drivers. */
static void test_requests_of_nvml(void **arg)
{
	(void)arg;
	assert_int_equal(request_as(CONFINE_NVML, 580, 0xc020462a), ENOTTY);
	assert_int_equal(request_as(CONFINE_NVML, 580, 0xffffffffc020462a), ENOTTY);
	assert_int_equal(request_as(CONFINE_NVML, 580, 0x00000017), EPERM);
	assert_int_equal(request_as(CONFINE_NVML, 580, 0x30000001), EPERM);
	assert_int_equal(request_as(CONFINE_NVML, 580, 0xc0206400), EPERM);
	assert_int_equal(request_as(CONFINE_NVML, 580, TIOCSTI), EPERM);
}

static void test_logging_refuses_nothing(void **arg)
{
	(void)arg;
	for (unsigned role = 0; role < ROLE_NUM; role++) {
		assert_int_equal(in_role(CONFINE_LOG, role, try_execve), WORKED);
		assert_int_equal(in_role(CONFINE_LOG, role, try_internet), WORKED);
		assert_int_equal(in_role(CONFINE_LOG, role, try_memory_to_write_and_run), WORKED);
		assert_int_equal(in_role(CONFINE_LOG, role, try_unix), WORKED);
	}
}

static void test_off(void **arg)
{
	(void)arg;
	for (unsigned role = 0; role < ROLE_NUM; role++)
		assert_int_equal(in_role(CONFINE_NO, role, try_execve), WORKED);
}

static void *try_when_confined(void *arg)
{
	const volatile bool *confined = arg;

	while (!*confined)
		sched_yield();
	return (void *)(intptr_t)(try_internet() < 0 ? errno : WORKED);
}

/* The threads that are there already are confined as well. */
static void test_older_threads(void **arg)
{
	pid_t pid = fork();
	int status;

	(void)arg;
	if (pid == 0) {
		static volatile bool confined;
		pthread_t thread;
		void *result;

		if (pthread_create(&thread, NULL, try_when_confined, (void *)&confined) != 0)
			_exit(254);
		confine_set_mode(CONFINE_YES);
		if (confine(CONFINE_BROKER) != 0)
			_exit(255);
		confined = true;
		pthread_join(thread, &result);
		_exit((int)(intptr_t)result);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EAFNOSUPPORT);
}

/* Return: 0, or the number of what went wrong. */
static int change_files(const char *mine, const char *others)
{
	const char *const dirs[] = { mine, NULL };
	char in[64], out[64], old[64];
	int fd;

	snprintf(in, sizeof(in), "%s/file", mine);
	snprintf(out, sizeof(out), "%s/file", others);
	snprintf(old, sizeof(old), "%s/old", others);
	fd = open(old, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || confine_changes(dirs) != 0)
		return 1;
	if (write(fd, "x", 1) != 1) /* what is open stays open */
		return 2;
	fd = open(in, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || ftruncate(fd, 0) < 0)
		return 3;
	if (open(out, O_WRONLY | O_CREAT, 0600) >= 0 || errno != EACCES)
		return 4;
	if (open(old, O_WRONLY) >= 0 || errno != EACCES || open(old, O_RDONLY) < 0)
		return 5;
	if (unlink(old) == 0 || errno != EACCES)
		return 6;
	if (rename(in, out) == 0 || mkdir(out, 0700) == 0 || symlink(in, out) == 0)
		return 7;
	if (mkfifo(in, 0600) == 0 || unlink(in) != 0 || mkfifo(in, 0600) == 0)
		return 8;
	return try_execve() < 0 && errno == EACCES ? 0 : 9;
}

/* In a thread that is started afterwards. Return: NULL: it can write there. */
static void *write_there(void *path)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? NULL : path;
}

/* Return: 0, or the number of what went wrong. */
static int change_nothing(const char *path)
{
	void *failed;
	pthread_t thread;
	int fd = open(path, O_WRONLY);

	confine_set_mode(CONFINE_LOG);
	if (confine_no_changes() != 0 || write_there((void *)path) != NULL)
		return 1;
	confine_set_mode(CONFINE_YES);
	if (confine_no_changes() != 0)
		return 2;
	if (fd < 0 || write(fd, "x", 1) != 1) /* what is open stays open */
		return 3;
	if (write_there((void *)path) == NULL || errno != EACCES || open(path, O_RDONLY) < 0)
		return 4;
	if (pthread_create(&thread, NULL, write_there, (void *)path) != 0 ||
	    pthread_join(thread, &failed) != 0 || failed == NULL)
		return 5;
	if (memfd_create("x", MFD_CLOEXEC) < 0)
		return 6;
	return try_execve() < 0 && errno == EACCES ? 0 : 7;
}

static void test_no_changes(void **arg)
{
	char path[] = "/tmp/vgpu-confine-XXXXXX";
	int fd, status;
	pid_t pid;

	(void)arg;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1) {
		print_message("# no Landlock here\n");
		return;
	}
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	pid = fork();
	if (pid == 0)
		_exit(change_nothing(path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	unlink(path);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_changes(void **arg)
{
	char mine[] = "/tmp/vgpu-confine-XXXXXX", others[] = "/tmp/vgpu-confine-XXXXXX", old[64];
	pid_t pid;
	int status;

	(void)arg;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1) {
		print_message("# no Landlock here\n");
		return;
	}
	assert_non_null(mkdtemp(mine));
	assert_non_null(mkdtemp(others));
	pid = fork();
	if (pid == 0)
		_exit(change_files(mine, others));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	snprintf(old, sizeof(old), "%s/old", others);
	unlink(old);
	assert_int_equal(rmdir(mine), 0);
	assert_int_equal(rmdir(others), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* As where a unit's SystemCallFilter= leaves it out: it is told, and the process goes on. */
static void test_it_cannot(void **arg)
{
	pid_t pid = fork();
	int status;

	(void)arg;
	if (pid == 0) {
		scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);

		if (context == NULL ||
		    seccomp_rule_add(context, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0) != 0 ||
		    seccomp_load(context) != 0)
			_exit(255);
		seccomp_release(context);
		confine_set_mode(CONFINE_YES);
		if (confine(CONFINE_BROKER) >= 0)
			_exit(1);
		_exit(strcmp(confine_state(), "failed") == 0 && try_internet() >= 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_names(void **arg)
{
	(void)arg;
	assert_int_equal(confine_mode("yes"), CONFINE_YES);
	assert_int_equal(confine_mode("no"), CONFINE_NO);
	assert_int_equal(confine_mode("log"), CONFINE_LOG);
	assert_int_equal(confine_mode("nonsense"), CONFINE_YES);
	for (int i = 0; i < CONFINE_MODE_NUM; i++)
		assert_int_equal(confine_mode(confine_name(i)), i);
	assert_string_equal(confine_state(), "no");
}

int main(void)
{
	/* Static and unused where nothing is confined. */
	static const struct CMUnitTest __attribute__((unused)) tests[] = {
		cmocka_unit_test(test_each_role),
		cmocka_unit_test(test_requests_to_the_driver),
		cmocka_unit_test(test_requests_of_nvml),
		cmocka_unit_test(test_logging_refuses_nothing),
		cmocka_unit_test(test_off),
		cmocka_unit_test(test_older_threads),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_no_changes),
		cmocka_unit_test(test_it_cannot),
		cmocka_unit_test(test_names),
	};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(VGPU_COVERAGE)
	print_message("1..0 # SKIP a sanitizer build is not confined\n");
	return 0;
#else
	return cmocka_run_group_tests(tests, NULL, NULL);
#endif
}
