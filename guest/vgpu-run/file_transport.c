/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file_transport.c - sends a job as a file of a directory that the host shares, and reads the
 * answer */

#include "guest/vgpu-run/file_transport.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/names.h"
#include "common/util.h"
#include "common/vm_name.h"

/*
 * Theory of operation. The client locks the directory, removes an old response, and moves the whole
 * request there. The host moves the request away when it takes it, and removes an old response
 * before that. So a response without a request is the answer to it; a response beside the request
 * is a late one, for a client that gave up.
 *
 * On NFS any call may hang for as long as the server is away, and only a fatal signal ends that. So
 * a thread does all of this, and the caller waits for the thread no longer than its time-out: a
 * thread that hangs is left behind and ends with the process.
 */

#define REQUEST "request.txt"
#define RESPONSE "response.txt"
#define LOCK ".vgpu-run.lock"
#define LINE_SIZE 64
#define PAUSE_LEAST_NS 5000000u
#define LOOK_NS 50000000u	  /* between two looks of the caller at the thread */
#define HANG_LEAST_NS 2000000000u /* besides the timeout: a busy machine is slow too */

struct place {
	int dir_fd;
	int lock_fd;
	char name[300]; /* of the directory, for messages */
	uint32_t vm_id;
	char vm_name[NAME_MAX + 1];
};

static int fail_place(struct run *run, const struct place *place, const char *what, int err)
{
	return fail_set(&run->fail, FAIL_NO_DEVICE, -err, "%s: %s: %s", place->name, what,
			strerror(err));
}

/* --- the directory --- */

static bool is_directory(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* The only directory there whose name ends in a number. Return: how many there are, 2 for more. */
static int find_only(int top_fd, char *name)
{
	int fd = openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (dir == NULL)
		return 0;
	while (found < 2 && (entry = readdir(dir)) != NULL) {
		if (vm_name_id(entry->d_name) == 0 || !is_directory(top_fd, entry->d_name))
			continue;
		snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
		found++;
	}
	closedir(dir);
	return found;
}

/* Chooses this VM's directory. Return: 0 or -errno with run->fail. */
static int choose_vm(struct run *run, struct place *place, const struct file_transport *transport,
		     int top_fd)
{
	char host[NAME_MAX + 1] = "";

	gethostname(host, sizeof(host) - 1);
	if (transport->vm != NULL)
		snprintf(place->vm_name, sizeof(place->vm_name), "%s", transport->vm);
	else if (vm_name_id(host) > 0 && is_directory(top_fd, host))
		snprintf(place->vm_name, sizeof(place->vm_name), "%s", host);
	else if (find_only(top_fd, place->vm_name) != 1)
		return fail_set(&run->fail, FAIL_NO_DEVICE, -ENOENT,
				"%s: which directory in it is this VM's? say it with --vm, as in "
				"--vm vm3",
				transport->dir);
	place->vm_id = vm_name_id(place->vm_name);
	if (place->vm_id == 0)
		return fail_set(&run->fail, FAIL_NO_DEVICE, -EINVAL,
				"%s: its name ends in no number, which requests by file need",
				place->vm_name);
	return 0;
}

static int open_place(struct run *run, struct place *place, const struct file_transport *transport)
{
	int top_fd = open(transport->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	*place = (struct place){ .dir_fd = -1, .lock_fd = -1 };
	snprintf(place->name, sizeof(place->name), "%s", transport->dir);
	if (top_fd < 0)
		return fail_place(run, place,
				  "cannot open the shared directory (--dir); is it mounted", errno);
	err = choose_vm(run, place, transport, top_fd);
	if (err == 0) {
		snprintf(place->name, sizeof(place->name), "%.200s/%.80s", transport->dir,
			 place->vm_name);
		place->dir_fd = openat(top_fd, place->vm_name,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (place->dir_fd < 0)
			err = fail_place(run, place, "cannot open this VM's directory", errno);
	}
	close(top_fd);
	return err;
}

static void close_place(struct place *place)
{
	if (place->lock_fd >= 0)
		close(place->lock_fd);
	if (place->dir_fd >= 0)
		close(place->dir_fd);
}

/* --- waiting --- */

/* Shared by the thread and its caller; a process has one. */
static struct errand {
	pthread_t thread;
	atomic_bool ended;
	atomic_uint_least64_t busy_ns; /* since when it has been in a call on a file */
	struct run run;
	const struct file_transport *transport;
	const struct job *job;
	uint32_t count;
} errand;

/* Growing pauses, from 5 ms to poll_ms. */
struct pause {
	const struct file_transport *transport;
	uint64_t start_ns;
	uint64_t gap_ns;
};

static struct pause pause_begin(const struct file_transport *transport)
{
	return (struct pause){ transport, util_now_ns(), PAUSE_LEAST_NS };
}

/* Return: 0 after a pause, -EINTR, -ETIMEDOUT. */
static int pause_once(struct pause *pause)
{
	const uint64_t most_ns = (uint64_t)pause->transport->poll_ms * UTIL_NS_PER_MS;
	const uint64_t passed_ns = util_now_ns() - pause->start_ns;
	uint64_t gap_ns = pause->gap_ns < most_ns ? pause->gap_ns : most_ns;

	if (pause->transport->stop != NULL && *pause->transport->stop)
		return -EINTR;
	if (passed_ns >= pause->transport->timeout_ns)
		return -ETIMEDOUT;
	if (gap_ns > pause->transport->timeout_ns - passed_ns)
		gap_ns = pause->transport->timeout_ns - passed_ns;
	atomic_store(&errand.busy_ns, util_now_ns() + gap_ns);
	nanosleep(&(struct timespec){ .tv_sec = (time_t)(gap_ns / UTIL_NS_PER_S),
				      .tv_nsec = (long)(gap_ns % UTIL_NS_PER_S) },
		  NULL);
	pause->gap_ns += pause->gap_ns / 2;
	return 0;
}

static int fail_interrupted(struct run *run, const struct place *place)
{
	return fail_set(&run->fail, FAIL_INTERRUPTED, -EINTR, "%s: interrupted", place->name);
}

/* One client at a time in the directory. Return: 0 or -errno with run->fail. */
static int lock_place(struct run *run, struct place *place, const struct file_transport *transport)
{
	struct pause pause = pause_begin(transport);
	int err = 0;

	place->lock_fd = openat(place->dir_fd, LOCK,
				O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (place->lock_fd < 0)
		return fail_place(run, place, "cannot make a file in this VM's directory", errno);
	while (err == 0 && flock(place->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		/* On a file system without locks, nothing keeps two clients apart. */
		if (errno != EWOULDBLOCK && errno != EINTR)
			return 0;
		err = pause_once(&pause);
	}
	if (err == -ETIMEDOUT)
		return fail_set(&run->fail, FAIL_BUSY, err,
				"%s: another vgpu-run waits for its answer there; try again once "
				"it has ended",
				place->name);
	return err == -EINTR ? fail_interrupted(run, place) : err;
}

/* --- the request --- */

/* An empty file is no request: some systems keep one there all the time. */
static bool lies_there(const struct place *place, const char *name)
{
	struct stat st;

	return fstatat(place->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
}

/* Waits for the request of another program, which does not use the lock. */
static int wait_for_room(struct run *run, const struct place *place,
			 const struct file_transport *transport)
{
	struct pause pause = pause_begin(transport);
	int err = 0;

	while (err == 0 && lies_there(place, REQUEST))
		err = pause_once(&pause);
	if (err == -ETIMEDOUT)
		return fail_set(
			&run->fail, FAIL_BUSY, err,
			"%s: an earlier request.txt is still there and is not taken: see that "
			"the directory is mounted here, and on the host that vgpud runs with "
			"[file-transport] dir and that this VM is in vgpuadm list",
			place->name);
	return err == -EINTR ? fail_interrupted(run, place) : err;
}

static int write_request(struct run *run, const struct place *place,
			 const struct file_transport *transport, const struct job *job)
{
	const uint8_t *params = job->request.bytes + VGPU_MSG_HEADER_LEN;
	char line[LINE_SIZE], name[32];
	int len = snprintf(line, sizeof(line),
			   "%c:%" PRIu32 ":%" PRIu32 ":%" PRId32 ":%" PRId32 "\n", transport->pool,
			   transport->priority, place->vm_id, (int32_t)vgpu_get_le32(params),
			   (int32_t)vgpu_get_le32(params + 4));
	int fd, err = 0;

	snprintf(name, sizeof(name), ".vgpu-run.%ld", (long)getpid());
	unlinkat(place->dir_fd, name, 0);
	fd = openat(place->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	if (fd < 0)
		return fail_place(run, place, "cannot make a file in this VM's directory", errno);
	if (write(fd, line, (size_t)len) != len)
		err = errno != 0 ? errno : ENOSPC;
	if (close(fd) < 0 && err == 0)
		err = errno;
	if (err == 0 && renameat(place->dir_fd, name, place->dir_fd, REQUEST) < 0)
		err = errno;
	if (err == 0)
		return 0;
	unlinkat(place->dir_fd, name, 0);
	return fail_place(run, place, "cannot write request.txt", err);
}

/* --- the answer --- */

/* Return: bytes of the response, 0: there is none yet, -errno. */
static ssize_t read_response(const struct place *place, char *text, size_t size)
{
	ssize_t len;
	int fd;

	if (lies_there(place, REQUEST))
		return 0;
	fd = openat(place->dir_fd, RESPONSE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESTALE ? 0 : -errno;
	len = read(fd, text, size - 1);
	if (len < 0)
		len = errno == ESTALE ? 0 : -errno;
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	/* Older systems write the response in place: a line without its end is not complete. */
	return len > 0 && strchr(text, '\n') == NULL ? 0 : len;
}

static int fail_timeout(struct run *run, const struct place *place)
{
	bool taken = !lies_there(place, REQUEST);

	if (!taken)
		unlinkat(place->dir_fd, REQUEST, 0); /* withdraw it: it shall not run any more */
	return fail_set(
		&run->fail, FAIL_TIMEOUT, -ETIMEDOUT,
		taken ? "%s: the host took the request and did not answer in time; on the "
			"host, vgpuadm queue and vgpuadm events say why"
		      : "%s: the host did not take the request; see that the directory is "
			"mounted here, and on the host that vgpud runs with [file-transport] dir "
			"and that this VM is in vgpuadm list",
		place->name);
}

static int wait_response(struct run *run, const struct place *place,
			 const struct file_transport *transport, char *text, size_t size)
{
	struct pause pause = pause_begin(transport);
	ssize_t len = 0;
	int err = 0;

	for (;;) {
		len = read_response(place, text, size);
		if (len != 0)
			break;
		err = pause_once(&pause);
		if (err == -ETIMEDOUT)
			return fail_timeout(run, place);
		if (err != 0) {
			unlinkat(place->dir_fd, REQUEST, 0);
			return fail_interrupted(run, place);
		}
	}
	if (len < 0)
		return fail_place(run, place, "cannot read response.txt", (int)-len);
	unlinkat(place->dir_fd, RESPONSE, 0);
	return 0;
}

static int wrong_answer(struct run *run, const struct place *place, const char *what)
{
	return fail_set(&run->fail, FAIL_ANSWER, -EBADMSG, "%s: the answer is not valid: %s",
			place->name, what);
}

/* "ERROR NAME". Return: 0 when it is one. */
static int parse_error(struct run *run, const char *text)
{
	if (strncmp(text, "ERROR ", 6) != 0)
		return -EINVAL;
	for (uint32_t error = 1; error < VGPU_ERROR_NUM; error++) {
		if (strcmp(text + 6, name_error(error)) == 0) {
			run->error = error;
			return 0;
		}
	}
	return -EINVAL;
}

/* text: the line, changed. Return: 0 when it is a good answer or an error's name. */
static int judge(struct run *run, const struct place *place, const struct job *job, char *text)
{
	char *end = strchr(text, '\n');
	long long sum;

	if (end == NULL || end[1] != '\0')
		return wrong_answer(run, place, "it is not one line");
	*end = '\0';
	run->error = VGPU_ERR_OK;
	if (parse_error(run, text) == 0)
		return 0;
	errno = 0;
	sum = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || sum < INT32_MIN || sum > INT32_MAX)
		return wrong_answer(run, place, "it is no number, and no error's name");
	run->values[0] = (int32_t)sum;
	if (run->values[0] != job->expected[0])
		return wrong_answer(run, place, "the sum is wrong");
	return 0;
}

/* Return: 0 when there is reason to send another one. */
static int run_once(struct run *run, struct place *place, const struct file_transport *transport,
		    const struct job *job)
{
	const uint64_t start_ns = util_now_ns();
	char text[LINE_SIZE];
	int err = wait_for_room(run, place, transport);

	if (err == 0 && unlinkat(place->dir_fd, RESPONSE, 0) < 0 && errno != ENOENT)
		err = fail_place(run, place, "cannot remove an old response.txt", errno);
	if (err == 0)
		err = write_request(run, place, transport, job);
	if (err == 0)
		err = wait_response(run, place, transport, text, sizeof(text));
	if (err != 0)
		return err;
	samples_add(&run->latency_ns, util_now_ns() - start_ns);
	err = judge(run, place, job, text);
	if (err < 0)
		return err;
	run->reply.error = run->error;
	if (run->error != VGPU_ERR_OK)
		return -EREMOTEIO;
	run->done++;
	return 0;
}

static void *run_errand(void *arg)
{
	struct run *run = &errand.run;
	struct place place;
	int err = open_place(run, &place, errand.transport);

	(void)arg;
	if (err == 0)
		err = lock_place(run, &place, errand.transport);
	for (uint32_t i = 0; err == 0 && i < errand.count; i++) {
		atomic_store(&errand.busy_ns, util_now_ns());
		err = run_once(run, &place, errand.transport, errand.job);
	}
	close_place(&place);
	atomic_store(&errand.ended, true);
	return NULL;
}

static bool stopped(const struct file_transport *transport)
{
	return transport->stop != NULL && *transport->stop != 0;
}

/* Return: false when the thread hangs. */
static bool wait_for_thread(const struct file_transport *transport)
{
	const struct timespec look = { .tv_nsec = LOOK_NS };
	uint64_t most_ns = transport->timeout_ns + HANG_LEAST_NS;
	bool told = false;

	while (!atomic_load(&errand.ended)) {
		struct timespec until;
		uint64_t now_ns = util_now_ns(), busy_ns = atomic_load(&errand.busy_ns);

		if (stopped(transport) && !told) {
			/* The thread may sleep, and only this thread may have got the signal. */
			pthread_kill(errand.thread, *transport->stop);
			atomic_store(&errand.busy_ns, now_ns);
			busy_ns = now_ns;
			most_ns = HANG_LEAST_NS;
			told = true;
		}
		if (now_ns > busy_ns && now_ns - busy_ns > most_ns)
			return false;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += (until.tv_nsec + look.tv_nsec) / UTIL_NS_PER_S;
		until.tv_nsec = (until.tv_nsec + look.tv_nsec) % UTIL_NS_PER_S;
		if (pthread_timedjoin_np(errand.thread, NULL, &until) == 0)
			return true;
	}
	return pthread_join(errand.thread, NULL) == 0;
}

static void fail_hanging(struct run *run, const struct file_transport *transport)
{
	if (stopped(transport))
		fail_set(&run->fail, FAIL_INTERRUPTED, -EINTR,
			 "%s: interrupted; it does not answer at all", transport->dir);
	else
		fail_set(&run->fail, FAIL_TIMEOUT, -ETIMEDOUT,
			 "%s: the shared directory does not answer at all; if it is on NFS, see "
			 "that its server runs and can be reached from here",
			 transport->dir);
}

void file_transport_run(struct run *run, const struct file_transport *transport,
			const struct job *job, uint32_t count)
{
	const uint64_t start_ns = util_now_ns();
	int err;

	errand.run = *run;
	errand.transport = transport;
	errand.job = job;
	errand.count = count;
	atomic_store(&errand.busy_ns, start_ns);
	err = pthread_create(&errand.thread, NULL, run_errand, NULL);
	if (err != 0) {
		fail_set(&run->fail, FAIL_UNUSABLE, -err, "%s: cannot start a thread: %s",
			 transport->dir, strerror(err));
		return;
	}
	if (wait_for_thread(transport)) {
		*run = errand.run;
		samples_sort(&run->latency_ns);
		samples_sort(&run->exec_us);
	} else {
		/* The hanging thread may still write to the samples: they are left to it. */
		run->latency_ns = (struct samples){ 0 };
		run->exec_us = (struct samples){ 0 };
		fail_hanging(run, transport);
	}
	run->total_ns = util_now_ns() - start_ns;
}
