/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_left.c - workers that an earlier vgpud left: found, told from others, forgotten when they have ended */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/scratch.h"
#include "vgpud/programs/left.h"

static char directory[64], path[128];
static struct left_list list;
static sd_event *event;
static pid_t worker;

static pid_t start_worker(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

/* Not reaped: a zombie writes nothing. */
static void kill_worker(void)
{
	siginfo_t info;

	kill(worker, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)worker, &info, WEXITED | WNOWAIT), 0);
}

/* The loop does what there is to do. */
static void turn(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/vgpu-left.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/programs", directory);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/programs/7.worker", directory);
	worker = start_worker();
	return sd_event_new(&event);
}

static int tear_down(void **state)
{
	(void)state;
	left_free(&list);
	sd_event_unref(event);
	kill(worker, SIGKILL);
	waitpid(worker, NULL, 0);
	return scratch_remove(directory);
}

static void test_one_that_has_not_ended(void **state)
{
	(void)state;
	left_note(directory, 7, 3, worker);
	left_find(&list, event, directory, NULL);
	assert_true(left_holds(&list, 3));
	assert_false(left_holds(&list, 4));
	assert_int_equal(access(path, F_OK), 0);
	left_free(&list);
	left_find(&list, event, directory, NULL); /* and the next vgpud */
	assert_true(left_holds(&list, 3));
	kill_worker();
	turn();
	assert_false(left_holds(&list, 3));
	assert_int_not_equal(access(path, F_OK), 0);
	assert_true(SLIST_EMPTY(&list));
}

static void test_two_of_one_vm(void **state)
{
	pid_t other = start_worker();

	(void)state;
	left_note(directory, 7, 3, worker);
	left_note(directory, 8, 3, other);
	left_find(&list, event, directory, NULL);
	kill_worker();
	turn();
	assert_true(left_holds(&list, 3));
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	turn();
	assert_false(left_holds(&list, 3));
}

static void test_those_that_have_ended(void **state)
{
	(void)state;
	left_note(directory, 7, 3, worker);
	kill_worker();
	left_find(&list, event, directory, NULL); /* not reaped yet */
	turn();
	assert_true(SLIST_EMPTY(&list));
	assert_int_not_equal(access(path, F_OK), 0);
	left_note(directory, 7, 3, worker); /* reaped by the vgpud that had it */
	left_forget(directory, 7);
	assert_int_not_equal(access(path, F_OK), 0);
}

/* Each byte of a note but its VM says which process it is of. Its parent may have begun in the same tick. */
static void test_another_process_with_its_number(void **state)
{
	uint8_t note[256];
	ssize_t bytes;
	int fd;

	(void)state;
	left_note(directory, 7, 3, worker);
	fd = open(path, O_RDONLY);
	bytes = read(fd, note, sizeof(note));
	close(fd);
	assert_true(bytes > 16);
	for (ssize_t i = 0; i < bytes; i++) {
		if (i >= 4 && i < 8)
			continue;
		note[i] ^= 0x80;
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(write(fd, note, (size_t)bytes), bytes);
		close(fd);
		note[i] ^= 0x80;
		left_find(&list, event, directory, NULL);
		assert_true(SLIST_EMPTY(&list));
		assert_int_not_equal(access(path, F_OK), 0);
	}
}

/* Makes a worker's group that has these processes. */
static void make_group(const char *place, pid_t pid)
{
	char group[160];
	FILE *file;

	snprintf(group, sizeof(group), "%s/groups", directory);
	mkdir(group, 0700);
	snprintf(group, sizeof(group), "%s/groups/%s", directory, place);
	mkdir(group, 0700);
	snprintf(group, sizeof(group), "%s/groups/%s/cgroup.procs", directory, place);
	file = fopen(group, "w");
	assert_non_null(file);
	fprintf(file, "%d\n%d\n", 1, (int)pid);
	fclose(file);
}

static void note_without_time(void)
{
	const uint64_t unknown = 0;
	int fd;

	left_note(directory, 7, 3, worker);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, &unknown, sizeof(unknown), 16), sizeof(unknown));
	close(fd);
}

/* Where the time of its start was not to be seen, its group says that it is a worker. */
static void test_one_that_is_hidden(void **state)
{
	char groups[160];

	(void)state;
	snprintf(groups, sizeof(groups), "%s/groups", directory);
	for (int in_group = 0; in_group < 2; in_group++) {
		make_group("0", getpid());
		make_group("1", in_group ? worker : getpid());
		note_without_time();
		left_find(&list, event, directory, NULL);
		assert_true(SLIST_EMPTY(&list));
		note_without_time();
		left_find(&list, event, directory, groups);
		assert_int_equal(left_holds(&list, 3), in_group);
	}
}

static void test_what_is_no_note(void **state)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_int_equal(write(fd, "WORK", 4), 4); /* vgpud was killed */
	close(fd);
	left_find(&list, event, directory, NULL);
	assert_true(SLIST_EMPTY(&list));
	assert_int_not_equal(access(path, F_OK), 0);
	left_find(&list, event, "/nonexistent", NULL);
	assert_false(left_holds(&list, 3));
	left_note(NULL, 7, 3, worker);
	left_forget(NULL, 7);
	left_find(&list, event, NULL, NULL);
	assert_false(left_holds(&list, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LEFT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		LEFT_TEST(test_one_that_has_not_ended),
		LEFT_TEST(test_two_of_one_vm),
		LEFT_TEST(test_those_that_have_ended),
		LEFT_TEST(test_another_process_with_its_number),
		LEFT_TEST(test_one_that_is_hidden),
		LEFT_TEST(test_what_is_no_note),
#undef LEFT_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
