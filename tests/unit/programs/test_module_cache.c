/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_module_cache.c - compiled modules that the broker keeps, without looking into them */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vgpud/programs/module_cache.h"

#define PAGE 4096u
#define MOST (64 * PAGE) /* of one entry: 16 pages */
#define ENTRY_MOST (MOST / 4)
#define USER 1000u

static struct module_cache *cache;

static int setup(void **state)
{
	(void)state;
	return module_cache_new(&cache, MOST);
}

static int teardown(void **state)
{
	(void)state;
	module_cache_free(cache);
	return 0;
}

static const uint8_t *key(unsigned number)
{
	static uint8_t bytes[MODULE_KEY_BYTES];

	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes + 7, &number, sizeof(number));
	return bytes;
}

static int blank(void)
{
	int fd = module_cache_blank(cache);

	assert_true(fd >= 0);
	return fd;
}

/* As a worker does. Return: whether it is kept. */
static bool keeps(unsigned number, uint64_t bytes)
{
	int fd = blank();

	for (uint64_t at = 0; at < bytes; at += PAGE)
		assert_int_equal(pwrite(fd, &number, sizeof(number), (off_t)at), sizeof(number));
	return module_cache_keep(cache, USER, key(number), fd, bytes);
}

static bool has(unsigned number)
{
	return module_cache_find(cache, USER, key(number)) >= 0;
}

static void what_was_kept_is_found(void **state)
{
	unsigned found = 0;
	int fd;

	(void)state;
	assert_false(has(1));
	assert_true(keeps(1, 100));
	fd = module_cache_find(cache, USER, key(1));
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &found, sizeof(found), 0), sizeof(found));
	assert_int_equal(found, 1);
	assert_int_equal(lseek(fd, 0, SEEK_END), 100);
	assert_int_equal(module_cache_figures(cache).hits, 1);
	assert_int_equal(module_cache_figures(cache).misses, 1);
	assert_int_equal(module_cache_figures(cache).bytes, PAGE);
	assert_int_equal(module_cache_figures(cache).entries, 1);
	assert_false(has(2));
	/* Another user of the host compiles it anew. */
	assert_int_equal(module_cache_find(cache, USER + 1, key(1)), -1);
}

/* Of two that compile the same at once, the first one's stays. */
static void an_entry_is_not_replaced(void **state)
{
	int fd, late = blank();
	char word[4];

	(void)state;
	assert_true(keeps(1, 100));
	assert_int_equal(write(late, "late", 4), 4);
	assert_false(module_cache_keep(cache, USER, key(1), late, 4));
	fd = module_cache_find(cache, USER, key(1));
	assert_int_equal(pread(fd, word, sizeof(word), 0), sizeof(word));
	assert_int_equal(word[0], 1);
	assert_int_equal(module_cache_figures(cache).entries, 1);
}

static void no_worker_changes_an_entry(void **state)
{
	char *before = NULL;
	int fd = blank(), mine = dup(fd);

	(void)state;
	before = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);
	assert_true(before != MAP_FAILED);
	assert_int_equal(write(mine, "code", 4), 4);
	assert_true(module_cache_keep(cache, USER, key(1), fd, 4));
	assert_int_equal(pwrite(mine, "evil", 4, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(mine, 0), -1);
	assert_int_equal(ftruncate(mine, PAGE), -1);
	assert_int_equal(fallocate(mine, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), -1);
	assert_ptr_equal(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, mine, 0), MAP_FAILED);
	assert_int_equal(fcntl(mine, F_ADD_SEALS, F_SEAL_WRITE), -1);
	munmap(before, PAGE);
	close(mine);
}

/* What a worker that was taken over may do with its file before it says that it is full. */
static void files_that_are_not_as_they_shall_be(void **state)
{
	int fd;

	(void)state;
	fd = blank();
	assert_int_equal(pwrite(fd, "x", 1, ENTRY_MOST), -1); /* above its bound */
	assert_int_equal(ftruncate(fd, 2 * ENTRY_MOST), -1);
	assert_false(module_cache_keep(cache, USER, key(1), fd, ENTRY_MOST + 1));
	assert_false(module_cache_keep(cache, USER, key(1), blank(), UINT64_MAX));
	assert_false(module_cache_keep(cache, USER, key(1), blank(), 0));
	fd = blank(); /* it is shorter than it says */
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_false(module_cache_keep(cache, USER, key(1), fd, 11));
	fd = blank(); /* it cannot be closed against changes */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
	assert_false(module_cache_keep(cache, USER, key(1), fd, 10));
	fd = blank();
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_false(module_cache_keep(cache, USER, key(1), fd, 10));
	assert_int_equal(module_cache_figures(cache).entries, 0);
	assert_int_equal(module_cache_figures(cache).bytes, 0);
}

/* All that is behind the end that it tells of goes, and does not count. */
static void the_bound_covers_what_an_entry_holds(void **state)
{
	struct stat about;
	int fd = blank(), mine = dup(fd);

	(void)state;
	for (uint64_t at = 0; at < ENTRY_MOST; at += PAGE)
		assert_int_equal(pwrite(mine, "x", 1, (off_t)at), 1);
	assert_true(module_cache_keep(cache, USER, key(1), fd, PAGE + 1));
	assert_int_equal(fstat(mine, &about), 0);
	assert_int_equal(about.st_blocks * 512, 2 * PAGE);
	assert_int_equal(module_cache_figures(cache).bytes, 2 * PAGE);
	close(mine);
}

static void the_one_used_longest_ago_goes_first(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 4; i++)
		assert_true(keeps(i, ENTRY_MOST));
	assert_true(has(1)); /* so 2 is the oldest now */
	assert_true(keeps(5, 1));
	assert_true(has(1));
	assert_false(has(2));
	assert_true(has(3) && has(4) && has(5));
	assert_true(module_cache_figures(cache).bytes <= MOST);
	assert_true(keeps(6, ENTRY_MOST));
	assert_false(has(1));
	assert_int_equal(module_cache_figures(cache).bytes, 3 * ENTRY_MOST + PAGE);
}

static void entries_are_counted_too(void **state)
{
	(void)state;
	module_cache_set(cache, UINT64_C(1) << 30);
	for (unsigned i = 1; i <= MODULE_CACHE_ENTRIES + 1; i++)
		assert_true(keeps(i, 1));
	assert_int_equal(module_cache_figures(cache).entries, MODULE_CACHE_ENTRIES);
	assert_false(has(1));
	assert_true(has(2) && has(MODULE_CACHE_ENTRIES + 1));
}

static void a_bound_is_changed_at_once(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 4; i++)
		assert_true(keeps(i, ENTRY_MOST));
	module_cache_set(cache, 2 * ENTRY_MOST);
	assert_int_equal(module_cache_figures(cache).entries, 2);
	assert_false(has(2));
	assert_true(has(3) && has(4));
	/* More than a quarter of it. */
	assert_false(module_cache_keep(cache, USER, key(5), blank(), ENTRY_MOST / 2 + 1));
	module_cache_set(cache, 0);
	assert_int_equal(module_cache_figures(cache).bytes, 0);
	assert_int_equal(module_cache_blank(cache), -ENOSPC);
	assert_int_equal(module_cache_figures(NULL).hits, 0);
}

/* Devices, programs and administrators have the upper half of the descriptors. */
static void half_of_the_descriptors_is_for_others(void **state)
{
	struct rlimit before, low;
	int fd, number;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	fd = blank();
	low = (struct rlimit){ (rlim_t)fd * 2 + 8, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (unsigned i = 1; (number = module_cache_blank(cache)) >= 0; i++)
		assert_true(module_cache_keep(cache, USER, key(i), number, 1));
	assert_int_equal(number, -EMFILE);
	assert_in_range(module_cache_figures(cache).entries, 1, 8);
	number = dup(fd);
	assert_true(number >= 0 && (rlim_t)number <= low.rlim_cur / 2); /* there are some */
	close(number);
	close(fd);
	setrlimit(RLIMIT_NOFILE, &before);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_was_kept_is_found),
		T(an_entry_is_not_replaced),
		T(no_worker_changes_an_entry),
		T(files_that_are_not_as_they_shall_be),
		T(the_bound_covers_what_an_entry_holds),
		T(the_one_used_longest_ago_goes_first),
		T(entries_are_counted_too),
		T(a_bound_is_changed_at_once),
		T(half_of_the_descriptors_is_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
