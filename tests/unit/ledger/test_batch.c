/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_batch.c - rows, minutes, names: what records become */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/wire/vgpu_proto.h"
#include "tests/unit/ledger/fixture.h"

static void test_a_request_becomes_a_row(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_request request;

	(void)state;
	assert_int_equal(ledger->next_id, 1);
	assert_int_equal(fixture_accept(ledger, &request), 0);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 0);
	assert_int_equal(fixture_number("SELECT count(*) FROM pending"), 1);
	ledger_finished(ledger, &request);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM pending"), 0);
	assert_int_equal(
		fixture_number(
			"SELECT count(*) FROM request WHERE id = 1 AND wait_ns = 100 AND exec_ns = 10 "
			"AND total_ns = 111 AND vm_id = 1 AND guest_request_id = 6 AND opcode = 1 "
			"AND status = 0 AND pool = 'B' AND priority = 1 AND executor = 1 "
			"AND transport = 0 AND request_bytes = 40 AND response_bytes = 36"),
		1);
	/* Wall time, to a minute. */
	assert_in_range(
		fixture_number(
			"SELECT abs(received_ns / 1000000000 - strftime('%s')) FROM request"),
		0, 60);
	assert_int_equal(fixture_number("SELECT received_ns FROM request"),
			 ledger_wall_ns(ledger, request.received_ns));
	ledger_close(ledger);
}

static void test_views_speak_names(void **state)
{
	struct ledger *ledger = fixture_open();
	const struct ledger_vm vm = { .id = 1,
				      .name = "vm1",
				      .settings = { .pool = 1, .priority = 1 } };

	(void)state;
	ledger_vm_put(ledger, &vm, NULL, NULL, NULL);
	fixture_do_requests(ledger, 10);
	fixture_flush(ledger);
	assert_int_equal(
		fixture_number(
			"SELECT count(*) FROM request_v WHERE vm = 'vm1' AND opcode = 'add' "
			"AND priority = 'medium' AND status = 'OK' AND executor = 'cpu' "
			"AND transport = 'device' AND received LIKE '20__-__-__T__:__:__.______Z'"),
		3);
	assert_int_equal(fixture_number("SELECT count(*) FROM request_v WHERE status = 'TIMEOUT'"),
			 1);
	assert_int_equal(fixture_number("SELECT sum(count) FROM minute_v WHERE vm = '#2'"), 3);
	ledger_close(ledger);
}

static void test_minutes_agree_with_rows(void **state)
{
	struct ledger *ledger = fixture_open();

	(void)state;
	fixture_do_requests(ledger, 5000);
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(*) FROM request"), 5000);
	assert_int_equal(fixture_number("SELECT sum(count) FROM minute"), 5000);
	fixture_assert_minutes();
	ledger_close(ledger);
}

static void test_unknown_opcodes_share_a_minute(void **state)
{
	struct ledger *ledger = fixture_open();
	struct ledger_request request;

	(void)state;
	for (unsigned i = 0; i < 90; i++) { /* all fit, should the writer sleep */
		request = fixture_request(ledger, ledger->next_id++);
		request.opcode = 0x1000 + i;
		request.vm_id = 1;
		request.pool = 'A';
		request.priority = 0;
		request.status = VGPU_ERR_OK;
		assert_int_equal(ledger_accepted(ledger, &request), 0);
		ledger_finished(ledger, &request);
	}
	fixture_flush(ledger);
	assert_int_equal(fixture_number("SELECT count(DISTINCT opcode) FROM request"), 90);
	assert_in_range(fixture_number("SELECT count(*) FROM minute"), 1, 2);
	fixture_assert_minutes();
	ledger_close(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FIXTURE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_set_up, fixture_tear_down)
		FIXTURE_TEST(test_a_request_becomes_a_row),
		FIXTURE_TEST(test_views_speak_names),
		FIXTURE_TEST(test_minutes_agree_with_rows),
		FIXTURE_TEST(test_unknown_opcodes_share_a_minute),
#undef FIXTURE_TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
