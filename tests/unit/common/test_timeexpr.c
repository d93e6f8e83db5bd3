/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_timeexpr.c - every form of a time, every kind of nonsense, and the days when clocks change
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <errno.h>

#include "common/timeexpr.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define S INT64_C(1000000000)

/* Saturday 2026-11-21 09:15:30.25 UTC, 10:15:30.25 in Berlin */
#define NOW_S INT64_C(1795252530)
static const struct timeexpr_base base = { NOW_S * S + S / 4, (NOW_S - 7200) * S,
					   (NOW_S - 60) * S };

struct good {
	const char *text;
	int64_t s;
	int64_t ns;
};

struct bad {
	const char *text;
	int err;
};

static void zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

/* Says which one, then fails. */
static void check_good(const struct good *cases, size_t num)
{
	for (size_t i = 0; i < num; i++) {
		int64_t ns = -1;
		int err = timeexpr_parse(cases[i].text, &base, &ns);

		if (err != 0 || ns != cases[i].s * S + cases[i].ns)
			fail_msg("%s in %s: err %d, %lld.%09lld, not %lld.%09lld", cases[i].text,
				 getenv("TZ"), err, (long long)(ns / S), (long long)(ns % S),
				 (long long)cases[i].s, (long long)cases[i].ns);
	}
}

static void check_bad(const struct bad *cases, size_t num)
{
	for (size_t i = 0; i < num; i++) {
		int64_t ns = 12345;
		int err = timeexpr_parse(cases[i].text, &base, &ns);

		if (err != cases[i].err)
			fail_msg("'%s': err %d, not %d (%lld)", cases[i].text, err, cases[i].err,
				 (long long)ns);
	}
}

static void durations_are_ago(void **state)
{
	static const struct good cases[] = {
		{ "30s", NOW_S - 30, S / 4 },
		{ "0s", NOW_S, S / 4 },
		{ "90m", NOW_S - 5400, S / 4 },
		{ "1h", NOW_S - 3600, S / 4 },
		{ "1h30m", NOW_S - 5400, S / 4 },
		{ "2d", NOW_S - 172800, S / 4 },
		{ "1w", NOW_S - 604800, S / 4 },
		{ "1w2d3h4m5s", NOW_S - 604800 - 172800 - 3 * 3600 - 245, S / 4 },
		{ "001h", NOW_S - 3600, S / 4 },
		{ "2000w", NOW_S - 2000 * 604800, S / 4 },
	};
	static const struct bad bad[] = {
		{ "1h1h", -EINVAL },
		{ "1m1h", -EINVAL },
		{ "1", -EINVAL },
		{ "1x", -EINVAL },
		{ "h", -EINVAL },
		{ "-1h", -EINVAL },
		{ "+1h", -EINVAL },
		{ "1.5h", -EINVAL },
		{ "1h ", -EINVAL },
		{ " 1h", -EINVAL },
		{ "1H", -EINVAL },
		{ "1h30", -EINVAL },
		{ "", -EINVAL },
		{ "9999w", -ERANGE },
		{ "9223372036854775808s", -ERANGE },
		{ "99999999999999999999999999w", -ERANGE },
		{ "9223372036w", -ERANGE },
		{ "1795252531s", -ERANGE },
		{ "1h\n", -EINVAL },
	};

	(void)state;
	zone("UTC");
	check_good(cases, LEN(cases));
	check_bad(bad, LEN(bad));
}

static void words(void **state)
{
	static const struct good cases[] = {
		{ "now", NOW_S, S / 4 },
		{ "boot", NOW_S - 7200, 0 },
		{ "start", NOW_S - 60, 0 },
		{ "today", 1795219200, 0 },
		{ "yesterday", 1795219200 - 86400, 0 },
	};
	static const struct bad bad[] = {
		{ "tomorrow", -EINVAL },
		{ "Now", -EINVAL },
		{ "now ", -EINVAL },
		{ "no", -EINVAL },
	};
	const struct timeexpr_base unknown = { base.now_ns, 0, 0 };
	int64_t ns;

	(void)state;
	zone("UTC");
	check_good(cases, LEN(cases));
	check_bad(bad, LEN(bad));
	assert_int_equal(timeexpr_parse("boot", &unknown, &ns), -ENODATA);
	assert_int_equal(timeexpr_parse("start", &unknown, &ns), -ENODATA);
}

static void dates(void **state)
{
	static const struct good cases[] = {
		{ "2026-11-21", 1795219200, 0 },
		{ "2026-11-21 07:30", 1795246200, 0 },
		{ "2026-11-21 07:30:15", 1795246215, 0 },
		{ "2026-11-21 07:30:15.5", 1795246215, S / 2 },
		{ "2026-11-21T07:30:15", 1795246215, 0 },
		{ "2026-11-21T07:30:15Z", 1795246215, 0 },
		{ "2026-11-21t07:30:15z", 1795246215, 0 },
		{ "2026-11-21T07:30:15.123456789Z", 1795246215, 123456789 },
		{ "2026-11-21T07:30:15.1234567899Z", 1795246215, 123456789 },
		{ "2026-11-21T07:30:15+01:00", 1795246215 - 3600, 0 },
		{ "2026-11-21T07:30:15-05:30", 1795246215 + 19800, 0 },
		{ "2026-11-21T07:30:15-0530", 1795246215 + 19800, 0 },
		{ "2026-11-21T07:30+01:00", 1795246200 - 3600, 0 },
		{ "2024-02-29", 1709164800, 0 },
		{ "2000-02-29", 951782400, 0 },
		{ "1970-01-01", 0, 0 },
		{ "07:30", 1795246200, 0 },
		{ "07:30:15.25", 1795246215, S / 4 },
		{ "23:59", 1795219200 + 86340, 0 },
		{ "@0", 0, 0 },
		{ "@1795245000", 1795245000, 0 },
		{ "@1795245000.5", 1795245000, S / 2 },
		{ "@1795245000.000000001", 1795245000, 1 },
	};
	static const struct bad bad[] = {
		{ "2026-02-30", -EINVAL },
		{ "2026-02-29", -EINVAL },
		{ "1900-02-29", -EINVAL },
		{ "2026-13-01", -EINVAL },
		{ "2026-00-01", -EINVAL },
		{ "2026-01-00", -EINVAL },
		{ "2026-1-1", -EINVAL },
		{ "26-11-21", -EINVAL },
		{ "2026-11-21 ", -EINVAL },
		{ "2026-11-21 7:30", -EINVAL },
		{ "2026-11-21  07:30", -EINVAL },
		{ "2026-11-21 24:00", -EINVAL },
		{ "2026-11-21 07:60", -EINVAL },
		{ "2026-11-21 07:30:60", -EINVAL },
		{ "2026-11-21 07:30:15.", -EINVAL },
		{ "2026-11-21 07:30.5", -EINVAL },
		{ "2026-11-21T07:30:15+25:00", -EINVAL },
		{ "2026-11-21T07:30:15+01", -EINVAL },
		{ "2026-11-21T07:30:15ZZ", -EINVAL },
		{ "2026-11-21T07:30:15 Z", -EINVAL },
		{ "2026-11-21Z", -EINVAL },
		{ "25:00", -EINVAL },
		{ "7:30", -EINVAL },
		{ "07:3", -EINVAL },
		{ "07:30Z", -EINVAL },
		{ "@", -EINVAL },
		{ "@-1", -EINVAL },
		{ "@1.", -EINVAL },
		{ "@1x", -EINVAL },
		{ "@ 1", -EINVAL },
		{ "2262-01-01", -ERANGE },
		{ "1969-12-31", -ERANGE },
		{ "9999-12-31", -ERANGE },
		{ "1970-01-01T00:00:00+00:01", -ERANGE },
		{ "@9223372036", -ERANGE },
		{ "@99999999999999999999", -ERANGE },
		{ "0000-01-01", -ERANGE },
		{ "20260-11-21", -EINVAL },
	};

	(void)state;
	zone("UTC");
	check_good(cases, LEN(cases));
	check_bad(bad, LEN(bad));
}

static void local_time(void **state)
{
	static const struct good cases[] = {
		{ "2026-11-21", 1795219200 - 3600, 0 },
		{ "2026-07-01", 1782864000 - 7200, 0 },
		{ "2026-07-01 12:00", 1782864000 - 7200 + 43200, 0 },
		{ "2026-07-01T12:00:00Z", 1782864000 + 43200, 0 },
		{ "07:30", 1795246200 - 3600, 0 },
		{ "today", 1795219200 - 3600, 0 },
		{ "yesterday", 1795219200 - 3600 - 86400, 0 },
	};

	(void)state;
	zone("Europe/Berlin");
	check_good(cases, LEN(cases));
}

/* 2026-03-29 02:00 to 03:00 does not exist in Berlin, 2026-10-25 02:00 to 03:00 comes twice. */
static void clocks_change(void **state)
{
	static const struct good berlin[] = {
		{ "2026-03-29 01:59:59", 1774745999, 0 },
		{ "2026-03-29 02:00", 1774746000, 0 },	      /* 03:00 summer time */
		{ "2026-03-29 02:30", 1774746000 + 1800, 0 }, /* 03:30 */
		{ "2026-03-29 03:00", 1774746000, 0 },
		{ "2026-03-29 03:30", 1774746000 + 1800, 0 },
		{ "2026-03-29", 1774746000 - 7200, 0 },
		{ "2026-03-30", 1774746000 - 7200 + 23 * 3600, 0 },
		{ "2026-10-25", 1792879200, 0 },
		{ "2026-10-25 01:59", 1792879200 + 7140, 0 },
		{ "2026-10-25 02:00", 1792879200 + 7200, 0 }, /* the first */
		{ "2026-10-25 02:30", 1792879200 + 9000, 0 },
		{ "2026-10-25 03:00", 1792879200 + 4 * 3600, 0 },
		{ "2026-10-26", 1792879200 + 25 * 3600, 0 },
	};
	/* Midnight itself was left out: 2018-11-04 began at 01:00. */
	static const struct good sao_paulo[] = {
		{ "2018-11-03", 1541214000, 0 },
		{ "2018-11-04", 1541214000 + 86400, 0 },
		{ "2018-11-04 01:00", 1541214000 + 86400, 0 },
	};
	/* Half an hour. */
	static const struct good lord_howe[] = {
		{ "2026-04-05 01:45", 1775313900, 0 },
		{ "2026-10-04 02:15", 1791042300, 0 },
	};

	(void)state;
	zone("Europe/Berlin");
	check_good(berlin, LEN(berlin));
	zone("America/Sao_Paulo");
	check_good(sao_paulo, LEN(sao_paulo));
	zone("Australia/Lord_Howe");
	check_good(lord_howe, LEN(lord_howe));
}

static void yesterday_after_the_change(void **state)
{
	/* 2026-03-30 00:30 and 2026-10-26 00:30 in Berlin */
	const struct timeexpr_base spring = { INT64_C(1774823400) * S, 0, 0 };
	const struct timeexpr_base autumn = { INT64_C(1792971000) * S, 0, 0 };
	int64_t ns;

	(void)state;
	zone("Europe/Berlin");
	assert_int_equal(timeexpr_parse("today", &spring, &ns), 0);
	assert_int_equal(ns, INT64_C(1774821600) * S);
	assert_int_equal(timeexpr_parse("yesterday", &spring, &ns), 0);
	assert_int_equal(ns, (INT64_C(1774821600) - 23 * 3600) * S);
	assert_int_equal(timeexpr_parse("yesterday", &autumn, &ns), 0);
	assert_int_equal(ns, INT64_C(1792879200) * S);
}

static void check_format(int64_t ns, unsigned digits, const char *expected)
{
	char text[TIMEEXPR_TEXT_SIZE];

	timeexpr_format(text, sizeof(text), ns, digits);
	assert_string_equal(text, expected);
}

static void formatting(void **state)
{
	(void)state;
	zone("UTC");
	check_format(1795246215 * S + 250000001, 0, "2026-11-21T07:30:15+00:00");
	check_format(1795246215 * S + 250000001, 3, "2026-11-21T07:30:15.250+00:00");
	check_format(1795246215 * S + 250000001, 9, "2026-11-21T07:30:15.250000001+00:00");
	check_format(1795246215 * S + 250000001, 99, "2026-11-21T07:30:15.250000001+00:00");
	check_format(-1, 9, "1969-12-31T23:59:59.999999999+00:00");
	check_format(INT64_MAX, 9, "2262-04-11T23:47:16.854775807+00:00");
	check_format(INT64_MIN, 0, "1677-09-21T00:12:43+00:00");
	zone("Europe/Berlin");
	check_format(1795246215 * S, 0, "2026-11-21T08:30:15+01:00");
	check_format(1774746000 * S, 0, "2026-03-29T03:00:00+02:00");
	zone("America/St_Johns");
	check_format(1795246215 * S, 0, "2026-11-21T04:00:15-03:30");
}

/* A written time is read as the same instant, in every zone. */
static void round_trip(void **state)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin", "Asia/Kathmandu",
					     "America/St_Johns", "Pacific/Apia" };
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[TIMEEXPR_TEXT_SIZE];
		int64_t ns, back = -1;

		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		ns = (int64_t)(seed >> 1) % (INT64_C(9000000000) * S);
		if (i % 4000 == 0)
			zone(zones[i / 4000]);
		timeexpr_format(text, sizeof(text), ns, 9);
		if (ns < 10 * 365 * 86400 * S)
			continue; /* Liberia and others had offsets with seconds */
		assert_int_equal(timeexpr_parse(text, &base, &back), 0);
		assert_int_equal(back, ns);
		/* Without the zone it may only be another instant where clocks show it twice. */
		text[29] = '\0';
		assert_int_equal(timeexpr_parse(text, &base, &back), 0);
		assert_true(back == ns || (back < ns && ns - back <= 86400 * S));
	}
}

/* The forms that messages name are forms. */
static void the_forms_named_are_read(void **state)
{
	char forms[] = TIMEEXPR_FORMS;
	char *save = NULL;
	unsigned num = 0;

	(void)state;
	zone("UTC");
	for (char *form = strtok_r(forms, ",", &save); form; form = strtok_r(NULL, ",", &save)) {
		int64_t ns;

		form += strspn(form, " \"");
		form[strcspn(form, "\"")] = '\0';
		if (timeexpr_parse(form, &base, &ns) != 0)
			fail_msg("%s", form);
		num++;
	}
	assert_int_equal(num, 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_ago),
		cmocka_unit_test(words),
		cmocka_unit_test(dates),
		cmocka_unit_test(local_time),
		cmocka_unit_test(clocks_change),
		cmocka_unit_test(yesterday_after_the_change),
		cmocka_unit_test(formatting),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(the_forms_named_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
