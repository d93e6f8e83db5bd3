/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_harvest.c - pages of programs: made, read whatever is in them, settled once, left behind */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/util.h"
#include "tests/unit/ledger/fixture.h"
#include "vgpud/programs/bill.h"
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
		.latency_sum_ns = 7000,
		.latency_max_ns = 1000,
		.head = 2,
		.open_since_ns = 99,
		.open_commands = 3,
	};

	page.ring[0] = (struct report_submission){
		.first = 1, .count = 6, .took_ns = 6000, .most_ns = 1000, .commands = 8
	};
	page.ring[1] = (struct report_submission){
		.first = 7, .count = 1, .took_ns = 1000, .most_ns = 1000, .commands = 1
	};
	page.latency[hist_index(1000)] = 7;
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
	int fd = harvest_make(fixture.directory, 3, 0);

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
	assert_int_equal(harvest.latency.max_ns, 1000);
	assert_int_equal(harvest.latency.p50_ns, harvest.latency.p99_ns);
	assert_in_range(harvest.latency.p50_ns, 984, 1000);
	harvest_remove(fixture.directory, 3);
	assert_false(is_there(3));
	close(fd);
}

/* A worker may write what it likes, and cut its file. */
static void test_rubbish_in_a_page(void **state)
{
	static struct report_page page;
	struct harvest harvest;
	int fd = harvest_make(fixture.directory, 4, 0);

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
	int fd = harvest_make(NULL, 6, 0);

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
	snprintf(
		sql, sizeof(sql),
		"SELECT count(*) FROM submission WHERE program_id = %llu AND ((first = 1 AND count = 6 "
		"AND took_ns = 6000) OR (first = 7 AND count = 1 AND commands = 1) OR (first = 8 AND "
		"ended_ns IS NULL AND commands = 3))",
		(unsigned long long)id);
	assert_int_equal(fixture_number(sql), 3);
	snprintf(
		sql, sizeof(sql),
		"SELECT latency_sum_ns * 1000000 + latency_max_ns * 10 + submissions_to FROM program "
		"WHERE id = %llu",
		(unsigned long long)id);
	assert_int_equal(fixture_number(sql), 7000010008);
}

static void test_a_settled_page_goes(void **state)
{
	struct report_page page = page_of(1);
	int fd = harvest_make(fixture.directory, 1, 0);

	(void)state;
	begin(1);
	put(fd, &page);
	harvest_settle(ledger, fixture.directory, 1, &page, LEDGER_UNKNOWN);
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

		fd = harvest_make(fixture.directory, id, 0);
		put(fd, &page);
		close(fd);
		if (id % 50 == 0)
			flush_and_dispatch();
		begin(id);
	}
	fd = harvest_make(fixture.directory, 1000, 0);
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
		fd = harvest_make(fixture.directory, 1, 0);
		put(fd, &page);
		close(fd);
	}
	assert_int_equal(
		fixture_number("SELECT sum(count) * 1000 + sum(open) FROM submission_minute"),
		300 * 7 * 1000 + 300);
	assert_int_equal(fixture_number("SELECT count(*) FROM submission"), 900);
	harvest_rest(ledger, NULL); /* without a ledger there is nothing */
}

static unsigned waited;

static int wait_in_vain(struct ledger *full, int timeout_ms)
{
	(void)full;
	(void)timeout_ms;
	waited++;
	return -ETIMEDOUT;
}

/* The disk is full: vgpud begins all the same, and the pages stay. */
static void test_a_ledger_that_takes_nothing_is_waited_for_once(void **state)
{
	const struct ledger_ops *before = ledger->ops;
	struct ledger_ops ops = *before;
	sqlite3 *blocker = fixture_block_writer();
	unsigned left = 0;

	(void)state;
	for (uint64_t id = 1; id <= 300; id++) {
		struct report_page page = page_of(id);
		int fd = harvest_make(fixture.directory, id, 0);

		put(fd, &page);
		close(fd);
	}
	waited = 0;
	ops.wait = wait_in_vain;
	ledger->ops = &ops;
	harvest_rest(ledger, fixture.directory);
	ledger->ops = before;
	assert_int_equal(waited, 1);
	sqlite3_close(blocker);
	flush_and_dispatch();
	for (uint64_t id = 1; id <= 300; id++)
		left += is_there(id);
	assert_in_range(left, 1, 299);
	harvest_rest(ledger, fixture.directory);
	flush_and_dispatch();
	for (uint64_t id = 1; id <= 300; id++)
		assert_false(is_there(id));
}

static void leave_page(uint64_t id, const struct report_memory *memory)
{
	struct report_page page = page_of(id);
	int fd = harvest_make(fixture.directory, id, 0);

	page.memory.state[0] = *memory;
	page.open_since_ns = memory->since_ns + 4 * UTIL_NS_PER_S;
	put(fd, &page);
	close(fd);
	begin(id);
}

/*
 * A lost program's memory is what its page says, up to the last that the page tells of, and not more than
 * its peak all the time. One whose end was recorded keeps what was recorded.
 */
static void test_memory_of_lost_programs(void **state)
{
	const uint64_t since_ns = util_now_ns();
	struct ledger_program ended = { .id = 3, .pool = 'A', .why = 29 };

	(void)state;
	leave_page(1, &(struct report_memory){ .bytes = 10,
					       .since_ns = since_ns,
					       .peak_bytes = 1u << 30,
					       .byte_s = 7 });
	leave_page(2, &(struct report_memory){ .bytes = UINT64_MAX,
					       .since_ns = since_ns,
					       .peak_bytes = 1u << 20,
					       .byte_s = UINT64_MAX });
	leave_page(3, &(struct report_memory){ .bytes = 9, .since_ns = since_ns, .peak_bytes = 9 });
	ended.begun_ns = ended.ended_ns = since_ns;
	ended.memory_peak_bytes = 1000;
	ended.memory_byte_s = 2000;
	ledger_program_ended(ledger, &ended);
	ledger_close(ledger);
	ledger = fixture_open();
	fixture_write_sql(
		"UPDATE program SET memory_peak_bytes = NULL, memory_byte_s = NULL WHERE id < 3");
	harvest_rest(ledger, fixture.directory);
	flush_and_dispatch();
	assert_int_equal(fixture_number("SELECT memory_peak_bytes FROM program WHERE id = 1"),
			 1u << 30);
	assert_int_equal(fixture_number("SELECT memory_byte_s FROM program WHERE id = 1"),
			 7 + 4 * 10);
	assert_int_equal(fixture_number("SELECT memory_peak_bytes FROM program WHERE id = 2"),
			 1u << 20);
	assert_in_range(fixture_number("SELECT memory_byte_s FROM program WHERE id = 2"), 0,
			(((util_now_ns() - since_ns) / UTIL_NS_PER_S) + 1) << 20);
	assert_int_equal(fixture_number("SELECT memory_peak_bytes FROM program WHERE id = 3"),
			 1000);
	assert_int_equal(fixture_number("SELECT memory_byte_s FROM program WHERE id = 3"), 2000);
}

static uint64_t billed(uint64_t id)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "SELECT coalesce(billed_ns, -1) FROM program WHERE id = %llu",
		 (unsigned long long)id);
	return (uint64_t)fixture_number(sql);
}

static bool is_billed(uint64_t id)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/programs/%llu.bill", fixture.directory,
		 (unsigned long long)id);
	return access(path, F_OK) == 0;
}

static void bill(uint64_t id, uint64_t ns)
{
	struct bill_page *page = bill_make(fixture.directory, id);

	assert_non_null(page);
	page->billed_ns = ns;
	bill_close(page);
}

static void test_a_bill_goes_with_its_page(void **state)
{
	struct report_page page = page_of(1);
	int fd = harvest_make(fixture.directory, 1, 0);

	(void)state;
	begin(1);
	bill(1, 17);
	put(fd, &page);
	harvest_settle(ledger, fixture.directory, 1, &page, 18);
	assert_true(is_billed(1)); /* until it is recorded */
	flush_and_dispatch();
	assert_false(is_there(1) || is_billed(1));
	assert_settled(1);
	assert_int_equal(billed(1), 18);
	close(fd);
	close(harvest_make(fixture.directory, 2, 0));
	bill(2, 1);
	harvest_remove(fixture.directory, 2);
	assert_false(is_there(2) || is_billed(2));
}

/* A worker that spoils its page does not escape its bill. */
static void test_bills_that_the_last_vgpud_left(void **state)
{
	struct report_page page = page_of(1);
	int fd;

	(void)state;
	for (uint64_t id = 1; id <= 4; id++)
		begin(id);
	for (uint64_t id = 1; id <= 3; id++) {
		fd = harvest_make(fixture.directory, id, 0);
		if (id == 1)
			put(fd, &page);
		else
			assert_int_equal(ftruncate(fd, id == 2 ? 0 : 100), 0);
		close(fd);
		bill(id, id * 1000);
	}
	bill(4, 4000); /* its page has gone */
	assert_null(bill_make("/proc/nowhere", 5));
	assert_null(bill_make(NULL, 5));
	ledger_close(ledger);
	ledger = fixture_open();
	for (int i = 0; i < 2; i++) { /* another kill may come before the files have gone */
		harvest_rest(ledger, fixture.directory);
		flush_and_dispatch();
		assert_settled(1);
		for (uint64_t id = 1; id <= 4; id++) {
			assert_false(is_there(id) || is_billed(id));
			assert_int_equal(billed(id), id * 1000);
		}
		assert_int_equal(
			fixture_number("SELECT count(*) FROM program WHERE launches IS NULL"), 3);
		bill(4, 4000);
	}
}

/* One that a kill left before it was whole, or another program's, says nothing. */
static void test_a_bill_that_is_none(void **state)
{
	char path[128], other[160];
	int fd;

	(void)state;
	begin(1);
	close(harvest_make(fixture.directory, 3, 0)); /* makes the directory */
	harvest_remove(fixture.directory, 3);
	bill(2, 7);
	snprintf(path, sizeof(path), "%s/programs/2.bill", fixture.directory);
	snprintf(other, sizeof(other), "%s/programs/1.bill", fixture.directory);
	assert_int_equal(rename(path, other), 0);
	harvest_rest(ledger, fixture.directory);
	flush_and_dispatch();
	assert_false(is_billed(1));
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "short", 5), 5);
	close(fd);
	harvest_rest(ledger, fixture.directory);
	flush_and_dispatch();
	assert_false(is_billed(1));
	assert_int_equal(billed(1), (uint64_t)-1);
}

/* Of a row that retention has removed. */
static void test_a_page_without_a_row(void **state)
{
	struct report_page page = page_of(77);
	int fd = harvest_make(fixture.directory, 77, 0);

	(void)state;
	put(fd, &page);
	close(fd);
	harvest_rest(ledger, fixture.directory);
	flush_and_dispatch();
	assert_false(is_there(77));
	assert_int_equal(fixture_number("SELECT count(*) FROM program"), 0);
}

/* --- submissions --- */

static const struct harvest_how all = { .rows_most = REPORT_RING, .now_ns = 1000000 };

/* A ring with entries 1 to num, of one submission each. */
static void fill_ring(struct report_page *page, unsigned num)
{
	*page = page_of(1);
	page->open_since_ns = 0;
	page->submissions = page->head = num;
	for (unsigned i = 0; i < num; i++)
		page->ring[i % REPORT_RING] = (struct report_submission){
			.first = i + 1,
			.count = 1,
			.begun_ns = i,
			.ended_ns = i + 1,
			.took_ns = i + 1,
			.most_ns = i + 1,
			.commands = 2,
		};
}

static void test_entries_become_rows(void **state)
{
	static struct harvest_taken out;
	static struct report_page page;
	struct harvest_how few = all;

	(void)state;
	fill_ring(&page, 10);
	page.taken = 2;
	harvest_take(&page, 1, &all, &out);
	assert_int_equal(out.taken.row_num, 8);
	assert_int_equal(out.rows[0].first, 3);
	assert_int_equal(out.rows[7].ended_ns, 10);
	assert_int_equal(out.to, 10);
	assert_int_equal(out.taken.at_ns, 1000000);
	few.rows_most = 3; /* the last one stands for all that are left */
	harvest_take(&page, 1, &few, &out);
	assert_int_equal(out.taken.row_num, 3);
	assert_int_equal(out.rows[1].count, 1);
	assert_int_equal(out.rows[2].first, 5);
	assert_int_equal(out.rows[2].count, 6);
	assert_int_equal(out.rows[2].begun_ns, 4);
	assert_int_equal(out.rows[2].ended_ns, 10);
	assert_int_equal(out.rows[2].took_ns, 5 + 6 + 7 + 8 + 9 + 10);
	assert_int_equal(out.rows[2].most_ns, 10);
	assert_int_equal(out.rows[2].commands, 12);
	assert_int_equal(out.to, 10);
	few.rows_most = 0; /* totals alone */
	harvest_take(&page, 1, &few, &out);
	assert_int_equal(out.taken.row_num, 0);
	assert_int_equal(out.to, 2);
	assert_int_equal(out.taken.sum_ns, 7000);
}

/* The worker adds to the newest entry of a full ring, so that one is left until there is room. */
static void test_the_newest_entry_of_a_full_ring_waits(void **state)
{
	static struct harvest_taken out;
	static struct report_page page;
	struct harvest_how last = all;

	(void)state;
	fill_ring(&page, REPORT_RING);
	harvest_take(&page, 1, &all, &out);
	assert_int_equal(out.taken.row_num, REPORT_RING - 1);
	assert_int_equal(out.to, REPORT_RING - 1);
	page.taken = out.to;
	harvest_take(&page, 1, &all, &out);
	assert_int_equal(out.taken.row_num, 1);
	assert_int_equal(out.rows[0].first, REPORT_RING);
	page.taken = 0;
	page.open_since_ns = 77;
	last.last = true;
	harvest_take(&page, 1, &last, &out);
	assert_int_equal(out.taken.row_num, REPORT_RING + 1);
	assert_true(out.rows[REPORT_RING].open);
	assert_int_equal(out.rows[REPORT_RING].first, REPORT_RING + 1);
	assert_int_equal(out.rows[REPORT_RING].begun_ns, 77);
}

/*
 * A worker that looked while the ring was full, and was stopped before it did what it had looked for,
 * adds to the newest entry when it goes on. What stands in the ring by then is left to the next copy.
 */
static void test_the_newest_entry_waits_for_a_worker_that_prepares(void **state)
{
	static struct harvest_taken out;
	static struct report_page page;
	struct harvest_how last = all;

	(void)state;
	fill_ring(&page, REPORT_RING);
	page.taken = REPORT_RING - 2;
	page.turn = 4 * REPORT_RING + 2;
	harvest_take(&page, 1, &all, &out);
	assert_int_equal(out.taken.row_num, 1);
	assert_int_equal(out.rows[0].first, REPORT_RING - 1);
	page.taken = out.to;
	harvest_take(&page, 1, &all, &out);
	assert_int_equal(out.taken.row_num, 0);
	assert_int_equal(out.to, REPORT_RING - 1);
	page.taken = REPORT_RING; /* nothing is left, not even that */
	harvest_take(&page, 1, &all, &out);
	assert_int_equal(out.to, REPORT_RING);
	page.taken = REPORT_RING - 1;
	last.last = true; /* it was killed: it adds to none */
	harvest_take(&page, 1, &last, &out);
	assert_int_equal(out.taken.row_num, 1);
	page.turn = 4 * REPORT_RING + 4; /* it went on */
	harvest_take(&page, 1, &all, &out);
	assert_int_equal(out.taken.row_num, 1);
}

/* Of a worker that was killed while it closed one, and of one that goes on all the time. */
static void test_a_copy_is_of_one_moment(void **state)
{
	struct report_page page = page_of(2), copy;
	int fd = harvest_make(fixture.directory, 2, 0);

	(void)state;
	page.turn = 15;
	page.closing = (struct report_closing){
		.entry = { .first = 8, .count = 1, .took_ns = 500, .most_ns = 500, .commands = 3 },
		.slot = 2,
		.head = 3,
		.submissions = 8,
		.latency_sum_ns = 7500,
		.latency_max_ns = 1000,
		.bucket = hist_index(500),
		.bucket_count = 1,
	};
	put(fd, &page);
	assert_int_equal(harvest_copy(fd, 2, &copy), 0);
	assert_int_equal(copy.submissions, 8);
	assert_int_equal(copy.open_since_ns, 0);
	assert_int_equal(copy.ring[2].commands, 3);
	assert_int_equal(copy.latency[hist_index(500)], 1);
	page.closing.slot = page.closing.bucket = UINT64_MAX; /* rubbish stays within the page */
	put(fd, &page);
	assert_int_equal(harvest_copy(fd, 2, &copy), 0);
	page.version = REPORT_VERSION + 1;
	put(fd, &page);
	assert_int_equal(harvest_copy(fd, 2, &copy), -EPROTO);
	close(fd);
}

/* Whatever a worker writes, what is taken has bounds, and its times are not after now. */
static void test_rubbish_in_a_ring(void **state)
{
	static struct harvest_taken out;
	static struct report_page page;
	struct harvest_how how = all;
	uint64_t number = 88172645463325252u;

	(void)state;
	for (unsigned turn = 0; turn < 2000; turn++) {
		uint64_t *words = (uint64_t *)&page;

		for (size_t i = 0; i < sizeof(page) / sizeof(*words); i++) {
			number ^= number << 13;
			number ^= number >> 7;
			number ^= number << 17;
			words[i] = number % 3 == 0 ? UINT64_MAX : number >> number % 64;
		}
		page.head = page.taken + number % 300;
		how.rows_most = (unsigned)(number % (REPORT_RING + 1));
		how.last = number % 2 == 0;
		how.past = number % 5 == 0;
		how.wall_offset_ns = page.wall_offset_ns;
		harvest_take(&page, 1, &how, &out);
		assert_true(out.taken.row_num <= how.rows_most + how.last);
		assert_true(out.to - page.taken <= REPORT_RING);
		assert_true(out.taken.at_ns >= 0 && out.taken.at_ns <= how.now_ns);
		for (unsigned i = 0; i < out.taken.row_num; i++)
			assert_true(out.rows[i].count <= MOST && out.rows[i].took_ns <= MOST &&
				    out.rows[i].begun_ns >= 0 &&
				    out.rows[i].begun_ns <= how.now_ns &&
				    out.rows[i].ended_ns <= how.now_ns);
	}
}

/* It is kept: the vgpud that made it may come back. */
static void test_a_page_of_another_version_is_kept(void **state)
{
	struct report_page page = page_of(5);
	int fd = harvest_make(fixture.directory, 5, 0);

	(void)state;
	page.version++;
	put(fd, &page);
	close(fd);
	harvest_rest(ledger, fixture.directory);
	assert_false(is_there(5));
	{
		char path[160];

		snprintf(path, sizeof(path), "%s/programs/5.other-version", fixture.directory);
		assert_int_equal(access(path, F_OK), 0);
	}
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
		HARVEST_TEST(test_a_ledger_that_takes_nothing_is_waited_for_once),
		HARVEST_TEST(test_memory_of_lost_programs),
		HARVEST_TEST(test_a_bill_goes_with_its_page),
		HARVEST_TEST(test_bills_that_the_last_vgpud_left),
		HARVEST_TEST(test_a_bill_that_is_none),
		HARVEST_TEST(test_a_page_without_a_row),
		HARVEST_TEST(test_entries_become_rows),
		HARVEST_TEST(test_the_newest_entry_of_a_full_ring_waits),
		HARVEST_TEST(test_the_newest_entry_waits_for_a_worker_that_prepares),
		HARVEST_TEST(test_a_copy_is_of_one_moment),
		HARVEST_TEST(test_rubbish_in_a_ring),
		HARVEST_TEST(test_a_page_of_another_version_is_kept),
#undef HARVEST_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
