/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_units.c - durations and sizes: what is written, what is read, and where units change */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "common/units.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void durations(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0 ns" },
		{ 999, "999 ns" },
		{ 1000, "1.00 us" },
		{ 1234, "1.23 us" },
		{ 1235, "1.24 us" },
		{ 9994, "9.99 us" },
		{ 9995, "10.0 us" },
		{ 99949, "99.9 us" },
		{ 99950, "100 us" },
		{ 999499, "999 us" },
		{ 999500, "1.00 ms" },
		{ 1200000, "1.20 ms" },
		{ 999499999, "999 ms" },
		{ 999500000, "1.00 s" },
		{ 53100000000, "53.1 s" },
		{ 99949999999, "99.9 s" },
		{ 99950000000, "1m40s" },
		{ 100000000000, "1m40s" },
		{ 125999999999, "2m05s" },
		{ 3600000000000, "1h00m" },
		{ 5400000000000, "1h30m" },
		{ 273600000000000, "3d04h" },
		{ UINT64_MAX, "213503d23h" },
	};
	char text[UNITS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		units_format_ns(text, sizeof(text), cases[i].ns);
		assert_string_equal(text, cases[i].text);
	}
}

static void bytes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.00 KiB" },
		{ 1536, "1.50 KiB" },
		{ 1048576, "1.00 MiB" },
		{ 57015070720, "53.1 GiB" },
		{ UINT64_C(1) << 40, "1.00 TiB" },
		{ UINT64_C(1) << 50, "1.00 PiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	char text[UNITS_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		units_format_bytes(text, sizeof(text), cases[i].bytes);
		assert_string_equal(text, cases[i].text);
	}
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t bytes;
		const char *back;
	} cases[] = {
		{ "0", 0, 0, "0" },
		{ "4097", 0, 4097, "4097" },
		{ "4096", 0, 4096, "4K" },
		{ "1024K", 0, 1048576, "1M" },
		{ "10G", 0, UINT64_C(10) << 30, "10G" },
		{ "2048T", 0, UINT64_C(2048) << 40, "2048T" },
		{ "8388607T", 0, UINT64_C(8388607) << 40, "8388607T" },
		{ "8388608T", -ERANGE, 0, NULL },
		{ "9223372036854775807", 0, INT64_MAX, "9223372036854775807" },
		{ "9223372036854775808", -ERANGE, 0, NULL },
		{ "99999999999999999999999999999999999", -EINVAL, 0, NULL },
		{ "", -EINVAL, 0, NULL },
		{ "G", -EINVAL, 0, NULL },
		{ "1g", -EINVAL, 0, NULL },
		{ "1 G", -EINVAL, 0, NULL },
		{ "1GB", -EINVAL, 0, NULL },
		{ "1.5G", -EINVAL, 0, NULL },
		{ "-1", -EINVAL, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		char text[UNITS_TEXT_SIZE];
		uint64_t value = 0;

		assert_int_equal(units_parse_size(cases[i].text, &value), cases[i].err);
		if (cases[i].err != 0)
			continue;
		assert_int_equal(value, cases[i].bytes);
		units_format_size(text, sizeof(text), value);
		assert_string_equal(text, cases[i].back);
	}
}

static void seconds(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t ms;
	} cases[] = {
		{ "0", 0, 0 },
		{ "10", 0, 10000 },
		{ "0.5", 0, 500 },
		{ "0.125", 0, 125 },
		{ "1.05", 0, 1050 },
		{ "86400", 0, 86400000 },
		{ "86400.001", -ERANGE, 0 },
		{ "86401", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "0.1234", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ ".5", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1s", 0, 1000 },
		{ "0.5s", 0, 500 },
		{ "s", -EINVAL, 0 },
		{ "1ss", -EINVAL, 0 },
		{ "1m", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		uint64_t ms = 0;

		assert_int_equal(units_parse_seconds(cases[i].text, &ms), cases[i].err);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void rates(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint32_t rate_per_s;
	} cases[] = {
		{ "1", 0, 1 },
		{ "200/s", 0, 200 },
		{ "0007", 0, 7 },
		{ "1000000/s", 0, 1000000 },
		{ "1000001", -ERANGE, 0 },
		{ "0", -ERANGE, 0 },
		{ "0/s", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "18446744073709551617", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "/s", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1.5", -EINVAL, 0 },
		{ "1/", -EINVAL, 0 },
		{ "1/m", -EINVAL, 0 },
		{ "1/s ", -EINVAL, 0 },
		{ "0x1", -EINVAL, 0 },
		{ "off", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t rate_per_s = 0;

		assert_int_equal(units_parse_rate(cases[i].text, &rate_per_s), cases[i].err);
		assert_int_equal(rate_per_s, cases[i].rate_per_s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations), cmocka_unit_test(bytes), cmocka_unit_test(sizes),
		cmocka_unit_test(seconds),   cmocka_unit_test(rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
