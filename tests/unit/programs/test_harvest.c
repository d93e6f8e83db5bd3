/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_harvest.c - pages of programs: made, read whatever is in them, settled once, left behind */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/report_page.h"
#include "common/util.h"
#include "tests/unit/ledger/fixture.h"
#include "vgpud/programs/harvest.h"

#define MOST (UINT64_C(1) << 53)

static struct ledger *ledger;

static int set_up(void **state)
{
	if (fixture_set_up(state) != 0)
		return -1;
	fixture.config.ring_records = 4096;
	ledger = fixture_open();
	return 0;
}

static int tear_down(void **state)
{
	if (ledger != NULL)
		ledger_close(ledger);
	return fixture_tear_down(state);
}

static void put(int fd, const struct report_page *page)
{
	assert_int_equal(pwrite(fd, page, sizeof(*page), 0), sizeof(*page));
}

static struct report_page page_of(uint64_t id)
{
	struct report_page page = {
		.magic = REPORT_MAGIC,
		.version = REPORT_VERSION,
		.program_id = id,
		.copy_bytes = 4096,
		.refused_times = 5,
		.submissions = 7,
		.open_since_ns = 99,
	};

	page.commands[VGPU_CMD_LAUNCH] = 10;
	page.commands[VGPU_CMD_COPY] = 2;
	page.commands[VGPU_CMD_COPY_IN] = 1;
	page.commands[VGPU_CMD_NOP] = 4;
	page.refused[0].times = 4;
	snprintf(page.refused[0].name, REPORT_NAME_SIZE, "%s", "cuIpcGetMemHandle");
	page.refused[1].times = 1;
	snprintf(page.refused[1].name, REPORT_NAME_SIZE, "%s", "cuGraphCreate");
	return page;
}

static bool is_there(uint64_t id)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/programs/%llu", fixture.directory, (unsigned long long)id);
	return access(path, F_OK) == 0;
}

static void test_a_page_is_read(void **state)
{
	struct report_page page = page_of(3);
	struct harvest harvest;
	struct stat st;
	int fd = harvest_make(fixture.directory, 3);

	(void)state;
	assert_true(fd >= 0);
	assert_true(is_there(3));
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, REPORT_BYTES);
	assert_int_equal(st.st_mode & 077, 0);
	assert_true(harvest_read(fd, 3, &harvest)); /* as it was made */
	assert_int_equal(harvest.commands, 0);
	put(fd, &page);
	assert_true(harvest_read(fd, 3, &harvest));
	assert_int_equal(harvest.commands, 17);
	assert_int_equal(harvest.launches, 10);
	assert_int_equal(harvest.copies, 3);
	assert_int_equal(harvest.copy_bytes, 4096);
	assert_int_equal(harvest.refused, 5);
	assert_int_equal(harvest.submissions, 8); /* one is open */
	assert_string_equal(harvest.refused_names, "cuIpcGetMemHandle 4, cuGraphCreate 1");
	harvest_remove(fixture.directory, 3);
	assert_false(is_there(3));
	close(fd);
}

/* A worker may write what it likes, and cut its file. */
static void test_rubbish_in_a_page(void **state)
{
	struct report_page page;
	struct harvest harvest;
	int fd = harvest_make(fixture.directory, 4);

	(void)state;
	memset(&page, 0xff, sizeof(page));
	put(fd, &page);
	assert_false(harvest_read(fd, 4, &harvest));
	page.magic = REPORT_MAGIC;
	page.version = REPORT_VERSION;
	page.program_id = 4;
	put(fd, &page);
	assert_true(harvest_read(fd, 4, &harvest));
	assert_true(harvest.commands == MOST && harvest.launches == MOST &&
		    harvest.copies == MOST && harvest.copy_bytes == MOST &&
		    harvest.refused == MOST && harvest.submissions == MOST);
	assert_string_equal(harvest.refused_names, ""); /* no name has an end */
	snprintf(page.refused[0].name, REPORT_NAME_SIZE, "%s", "a\033[2Jb");
	snprintf(page.refused[1].name, REPORT_NAME_SIZE, "%s", "cuGood");
	snprintf(page.refused[2].name, REPORT_NAME_SIZE, "%s", "");
	put(fd, &page);
	assert_true(harvest_read(fd, 4, &harvest));
	assert_string_equal(harvest.refused_names, "cuGood 9007199254740992");
	assert_false(harvest_read(fd, 5, &harvest)); /* another program's */
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_false(harvest_read(fd, 4, &harvest));
	assert_int_equal(harvest.commands, 0);
	close(fd);
}

static void test_long_names_are_whole_or_not_there(void **state)
{
	struct report_page page = page_of(6);
	struct harvest harvest;
	int fd = harvest_make(NULL, 6);

	(void)state;
	assert_true(fd >= 0);
	for (unsigned i = 0; i < REPORT_NAMES; i++) {
		page.refused[i].times = 1;
		memset(page.refused[i].name, 'a' + (int)i, REPORT_NAME_SIZE - 1);
	}
	put(fd, &page);
	assert_true(harvest_read(fd, 6, &harvest));
	assert_true(strlen(harvest.refused_names) > 400);
	assert_string_equal(harvest.refused_names + strlen(harvest.refused_names) - 2, " 1");
	close(fd);
}

/* Return: the program, which runs. */
static void begin(uint64_t id)
{
	const struct ledger_program program = {
		.id = id, .begun_ns = util_now_ns(), .pool = 'A', .launches = LEDGER_UNKNOWN
	};

	assert_int_equal(ledger_program_begun(ledger, &program), 0);
}

static void flush_and_dispatch(void)
{
	fixture_flush(ledger);
}

static void assert_settled(uint64_t id)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM program WHERE id = %llu AND launches = 10 AND commands = 17 "
		 "AND submissions = 8 AND copies = 3 AND copy_bytes = 4096 AND refused = 5 AND "
		 "refused_names = 'cuIpcGetMemHandle 4, cuGraphCreate 1'",
		 (unsigned long long)id);
	assert_int_equal(fixture_number(sql), 1);
}

static void test_a_settled_page_goes(void **state)
{
	struct report_page page = page_of(1);
	struct harvest harvest;
	int fd = harvest_make(fixture.directory, 1);

	(void)state;
	begin(1);
	put(fd, &page);
	assert_true(harvest_read(fd, 1, &harvest));
	harvest_settle(ledger, fixture.directory, 1, &harvest);
	assert_true(is_there(1)); /* until it is recorded */
	flush_and_dispatch();
	assert_false(is_there(1));
	assert_settled(1);
	close(fd);
}

static void test_pages_that_the_last_vgpud_left(void **state)
{
	int fd;

	(void)state;
	for (uint64_t id = 1; id <= 300; id++) { /* more than there may be changes under way */
		struct report_page page = page_of(id);

		fd = harvest_make(fixture.directory, id);
		put(fd, &page);
		close(fd);
		if (id % 50 == 0)
			flush_and_dispatch();
		begin(id);
	}
	fd = harvest_make(fixture.directory, 1000);
	assert_int_equal(ftruncate(fd, 0), 0); /* as a kill leaves it */
	close(fd);
	ledger_close(ledger);
	ledger = fixture_open();
	assert_int_equal(fixture_number("SELECT count(*) FROM program WHERE why = 33 AND launches "
					"IS NULL"),
			 300);
	for (int i = 0; i < 2; i++) { /* another kill may come before the files have gone */
		struct report_page page = page_of(1);

		harvest_rest(ledger, fixture.directory);
		flush_and_dispatch();
		assert_false(is_there(1000));
		for (uint64_t id = 1; id <= 300; id++) {
			assert_false(is_there(id));
			assert_settled(id);
		}
		fd = harvest_make(fixture.directory, 1);
		put(fd, &page);
		close(fd);
	}
	harvest_rest(ledger, NULL); /* without a ledger there is nothing */
}

/* Of a row that retention has removed. */
static void test_a_page_without_a_row(void **state)
{
	struct report_page page = page_of(77);
	int fd = harvest_make(fixture.directory, 77);

	(void)state;
	put(fd, &page);
	close(fd);
	harvest_rest(ledger, fixture.directory);
	flush_and_dispatch();
	assert_false(is_there(77));
	assert_int_equal(fixture_number("SELECT count(*) FROM program"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define HARVEST_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		HARVEST_TEST(test_a_page_is_read),
		HARVEST_TEST(test_rubbish_in_a_page),
		HARVEST_TEST(test_long_names_are_whole_or_not_there),
		HARVEST_TEST(test_a_settled_page_goes),
		HARVEST_TEST(test_pages_that_the_last_vgpud_left),
		HARVEST_TEST(test_a_page_without_a_row),
#undef HARVEST_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
