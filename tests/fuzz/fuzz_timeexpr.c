/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_timeexpr.c - any text as a time, a duration or a size, in any zone */

#include <errno.h>
#include <time.h>

#include "common/timeexpr.h"
#include "common/units.h"
#include "tests/fuzz/fuzz.h"

/*
 * Input: one byte that chooses the zone, eight of the time that it is, then the text. What is read
 * is a time that can be written, and reads as the same again.
 */

static const char *const zones[] = { "UTC",
				     "Europe/Berlin",
				     "America/St_Johns",
				     "Pacific/Apia",
				     "Australia/Lord_Howe",
				     "America/Sao_Paulo",
				     "Africa/Monrovia" };

static void set_zone(unsigned which)
{
	static unsigned now = ~0u;

	if (which == now)
		return;
	setenv("TZ", zones[which], 1);
	tzset();
	now = which;
}

static void check_time(const char *text, const struct timeexpr_base *base)
{
	char out[TIMEEXPR_TEXT_SIZE];
	int64_t ns = -1, again = -1;
	int err = timeexpr_parse(text, base, &ns);

	REQUIRE(err == 0 || err == -EINVAL || err == -ERANGE || err == -ENODATA);
	if (err != 0)
		return;
	REQUIRE(ns >= 0);
	timeexpr_format(out, sizeof(out), ns, 9);
	REQUIRE(strlen(out) == strlen("2026-11-21T07:30:00.123456789+01:00"));
	err = timeexpr_parse(out, base, &again);
	/*
	 * 2262 has begun, but not yet ended; and Liberia's clocks were 44 minutes 30 seconds off.
	 */
	REQUIRE(err == 0 || (err == -ERANGE && strncmp(out, "2262", 4) == 0) ||
		(err == -ERANGE && ns < INT64_C(3600) * 24 * 1000000000));
	REQUIRE(err != 0 || again == ns || llabs(again - ns) == INT64_C(30) * 1000000000);
}

static void check_units(const char *text)
{
	char out[UNITS_TEXT_SIZE];
	uint64_t value = 0, again = 0;

	if (units_parse_seconds(text, &value) == 0)
		REQUIRE(value <= UNITS_SECONDS_MOST * UINT64_C(1000));
	if (units_parse_size(text, &value) != 0)
		return;
	units_format_size(out, sizeof(out), value);
	REQUIRE(units_parse_size(out, &again) == 0 && again == value);
	units_format_bytes(out, sizeof(out), value);
	REQUIRE(strlen(out) < sizeof(out) - 1);
	units_format_ns(out, sizeof(out), value);
	REQUIRE(strlen(out) < sizeof(out) - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t len_bytes)
{
	struct timeexpr_base base = { .boot_ns = 1, .start_ns = 2 };
	char *text;

	if (len_bytes < 9)
		return 0;
	set_zone(input[0] % (sizeof(zones) / sizeof(zones[0])));
	memcpy(&base.now_ns, input + 1, sizeof(base.now_ns));
	base.now_ns &= INT64_MAX;
	text = malloc(len_bytes - 9 + 1);
	REQUIRE(text != NULL);
	memcpy(text, input + 9, len_bytes - 9);
	text[len_bytes - 9] = '\0';
	check_time(text, &base);
	check_units(text);
	free(text);
	return 0;
}
