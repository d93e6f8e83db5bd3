/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timeexpr.c - points in time as people write them */

#include "common/timeexpr.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/util.h"

#define S_PER_DAY INT64_C(86400)
#define MOST_S (INT64_MAX / UTIL_NS_PER_S) /* in April 2262 */
#define YEAR_LEAST 1970
#define YEAR_MOST 2261
#define NS_DIGITS 9

/* --- reading --- */

/* Exactly `digits` decimal digits, a number from least to most. Moves *text behind them. */
static bool fixed(const char **text, unsigned digits, int least, int most, int *out)
{
	int value = 0;

	for (unsigned i = 0; i < digits; i++) {
		if (!isdigit((unsigned char)(*text)[i]))
			return false;
		value = 10 * value + (*text)[i] - '0';
	}
	if (value < least || value > most)
		return false;
	*text += digits;
	*out = value;
	return true;
}

static bool literal(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* Digits up to something else. Return: 0, -EINVAL: none, -ERANGE: more than MOST_S. */
static int whole(const char **text, int64_t *out)
{
	int64_t value = 0;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	for (; isdigit((unsigned char)**text); (*text)++) {
		value = 10 * value + **text - '0';
		if (value > MOST_S)
			return -ERANGE;
	}
	*out = value;
	return 0;
}

/* ".25", or nothing. Digits below a nanosecond are cut off. */
static bool fraction(const char **text, int64_t *ns)
{
	int64_t unit_ns = UTIL_NS_PER_S;

	*ns = 0;
	if (!literal(text, '.'))
		return true;
	if (!isdigit((unsigned char)**text))
		return false;
	for (; isdigit((unsigned char)**text); (*text)++) {
		unit_ns /= 10;
		*ns += (**text - '0') * unit_ns;
	}
	return true;
}

/* Return: -ERANGE when the result does not fit. */
static int combine(int64_t s, int64_t ns, int64_t *out_ns)
{
	if (s < 0 || s >= MOST_S)
		return -ERANGE;
	*out_ns = s * UTIL_NS_PER_S + ns;
	return 0;
}

/* --- local time --- */

/* Seconds of the local clock ahead of UTC at an instant. */
static int64_t offset_s(int64_t at_s)
{
	time_t at = (time_t)at_s;
	struct tm tm;

	return localtime_r(&at, &tm) != NULL ? tm.tm_gmtoff : 0;
}

/*
 * clock_s: what local clocks show, counted as if they showed UTC. A day before and a day after, the
 * offset is the one before and after a change, if there is a change near.
 */
static int64_t from_local(int64_t clock_s)
{
	int64_t before_s = clock_s - offset_s(clock_s - S_PER_DAY);
	int64_t after_s = clock_s - offset_s(clock_s + S_PER_DAY);

	if (before_s + offset_s(before_s) == clock_s)
		return before_s;
	if (after_s + offset_s(after_s) == clock_s)
		return after_s;
	return before_s; /* no clock showed this */
}

/* Midnight of today, in what local clocks show. */
static int64_t midnight_clock_s(const struct timeexpr_base *base)
{
	int64_t now_s = base->now_ns / UTIL_NS_PER_S;
	int64_t clock_s = now_s + offset_s(now_s);

	return clock_s - clock_s % S_PER_DAY;
}

/* --- the forms --- */

static int parse_word(const char *text, const struct timeexpr_base *base, int64_t *out_ns)
{
	const struct {
		const char *word;
		int64_t ns;
	} known[] = {
		{ "now", base->now_ns },
		{ "boot", base->boot_ns },
		{ "start", base->start_ns },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].word) != 0)
			continue;
		*out_ns = known[i].ns;
		return known[i].ns != 0 ? 0 : -ENODATA;
	}
	if (strcmp(text, "today") == 0)
		return combine(from_local(midnight_clock_s(base)), 0, out_ns);
	if (strcmp(text, "yesterday") == 0)
		return combine(from_local(midnight_clock_s(base) - S_PER_DAY), 0, out_ns);
	return -EINVAL;
}

/* 1h30m */
static int parse_ago(const char *text, const struct timeexpr_base *base, int64_t *out_ns)
{
	static const char units[] = "wdhms";
	static const int64_t unit_s[] = { 7 * S_PER_DAY, S_PER_DAY, 3600, 60, 1 };
	const char *next = units; /* the largest unit that may come */
	int64_t ago_s = 0, count;

	while (*text != '\0') {
		int err = whole(&text, &count);
		const char *unit = *text != '\0' ? strchr(next, *text) : NULL;

		if (err == -EINVAL || (err == 0 && unit == NULL))
			return -EINVAL;
		if (err != 0 || count > MOST_S / unit_s[unit - units])
			return -ERANGE;
		ago_s += count * unit_s[unit - units];
		if (ago_s > base->now_ns / UTIL_NS_PER_S)
			return -ERANGE;
		next = unit + 1;
		text++;
	}
	*out_ns = base->now_ns - ago_s * UTIL_NS_PER_S;
	return 0;
}

/* @1795245000.5 */
static int parse_unix(const char *text, int64_t *out_ns)
{
	int64_t s, ns;
	int err = whole(&text, &s);

	if (err != 0)
		return err;
	if (!fraction(&text, &ns) || *text != '\0')
		return -EINVAL;
	return combine(s, ns, out_ns);
}

/* 07:30, 07:30:15, 07:30:15.25; up to whatever comes next. */
static bool parse_clock(const char **text, int64_t *s, int64_t *ns)
{
	int hour, minute, second = 0;

	*ns = 0;
	if (!fixed(text, 2, 0, 23, &hour) || !literal(text, ':') || !fixed(text, 2, 0, 59, &minute))
		return false;
	if (literal(text, ':') && (!fixed(text, 2, 0, 59, &second) || !fraction(text, ns)))
		return false;
	*s = hour * 3600 + minute * 60 + second;
	return true;
}

/* Z, +01:00 or -0530. */
static bool parse_zone(const char **text, int64_t *zone_s)
{
	int hour, minute, sign;

	*zone_s = 0;
	if (literal(text, 'Z') || literal(text, 'z'))
		return true;
	sign = **text == '-' ? -1 : 1;
	if ((!literal(text, '+') && !literal(text, '-')) || !fixed(text, 2, 0, 23, &hour))
		return false;
	literal(text, ':');
	if (!fixed(text, 2, 0, 59, &minute))
		return false;
	*zone_s = sign * (hour * 3600 + minute * 60);
	return true;
}

/* 2026-11-21, a day that the calendar has; s: its midnight, counted in UTC. */
static int parse_day(const char **text, int64_t *s)
{
	struct tm tm = { 0 };
	int year, month, day;

	if (!fixed(text, 4, 0, 9999, &year) || !literal(text, '-') ||
	    !fixed(text, 2, 1, 12, &month) || !literal(text, '-') || !fixed(text, 2, 1, 31, &day))
		return -EINVAL;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	*s = timegm(&tm);
	if (tm.tm_mday != day) /* it was 30 February */
		return -EINVAL;
	return year < YEAR_LEAST || year > YEAR_MOST ? -ERANGE : 0;
}

static int parse_date(const char *text, int64_t *out_ns)
{
	int64_t day_s, clock_s, zone_s, ns;
	int range = parse_day(&text, &day_s);

	if (range == -EINVAL)
		return -EINVAL;
	if (*text == '\0')
		return range != 0 ? range : combine(from_local(day_s), 0, out_ns);
	if (!literal(&text, ' ') && !literal(&text, 'T') && !literal(&text, 't'))
		return -EINVAL;
	if (!parse_clock(&text, &clock_s, &ns))
		return -EINVAL;
	if (*text == '\0')
		return range != 0 ? range : combine(from_local(day_s + clock_s), ns, out_ns);
	if (!parse_zone(&text, &zone_s) || *text != '\0')
		return -EINVAL;
	return range != 0 ? range : combine(day_s + clock_s - zone_s, ns, out_ns);
}

int timeexpr_parse(const char *text, const struct timeexpr_base *base, int64_t *out_ns)
{
	size_t digits = strspn(text, "0123456789");
	int64_t clock_s, ns;

	if (text[0] == '@')
		return parse_unix(text + 1, out_ns);
	if (digits == 0)
		return parse_word(text, base, out_ns);
	if (text[digits] == '-')
		return parse_date(text, out_ns);
	if (text[digits] != ':')
		return parse_ago(text, base, out_ns);
	if (!parse_clock(&text, &clock_s, &ns) || *text != '\0')
		return -EINVAL;
	return combine(from_local(midnight_clock_s(base) + clock_s), ns, out_ns);
}

/* --- writing --- */

void timeexpr_format(char *out, size_t size, int64_t time_ns, unsigned digits)
{
	int64_t ns = time_ns % UTIL_NS_PER_S, zone_min;
	time_t s = (time_t)(time_ns / UTIL_NS_PER_S);
	char text[32], part[NS_DIGITS + 2] = "";
	struct tm tm;

	if (ns < 0) { /* before 1970 */
		ns += UTIL_NS_PER_S;
		s--;
	}
	localtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	if (digits > 0) {
		snprintf(part, sizeof(part), ".%09d", (int)ns);
		part[1 + (digits < NS_DIGITS ? digits : NS_DIGITS)] = '\0';
	}
	zone_min = tm.tm_gmtoff / 60;
	snprintf(out, size, "%s%s%c%02d:%02d", text, part, zone_min < 0 ? '-' : '+',
		 (int)(zone_min < 0 ? -zone_min : zone_min) / 60,
		 (int)(zone_min < 0 ? -zone_min : zone_min) % 60);
}
