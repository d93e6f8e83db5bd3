/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units.c - durations and sizes as people read and write them */

#include "common/units.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"

static const char size_letters[] = "KMGT";

/* value / unit with three significant digits, rounded to the nearest. */
static void three_digits(char *out, size_t size, uint64_t value, uint64_t unit, const char *name)
{
	for (unsigned decimals = 2; decimals > 0; decimals--) {
		uint64_t scale = decimals == 2 ? 100 : 10;
		uint64_t scaled = (uint64_t)(((unsigned __int128)value * scale + unit / 2) / unit);

		if (scaled < 1000) {
			snprintf(out, size, "%" PRIu64 ".%0*" PRIu64 " %s", scaled / scale,
				 (int)decimals, scaled % scale, name);
			return;
		}
	}
	snprintf(out, size, "%" PRIu64 " %s", value / unit + (value % unit >= unit - unit / 2),
		 name);
}

static void two_units(char *out, size_t size, uint64_t s)
{
	static const struct {
		uint64_t s;
		char name;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	unsigned i = 0;

	while (units[i].s > s)
		i++;
	snprintf(out, size, "%" PRIu64 "%c%02" PRIu64 "%c", s / units[i].s, units[i].name,
		 s % units[i].s / units[i + 1].s, units[i + 1].name);
}

void units_format_ns(char *out, size_t size, uint64_t ns)
{
	/* From most on, rounding would make it a thousand. */
	static const struct {
		uint64_t most_ns, ns;
		const char *name;
	} units[] = {
		{ 999500, UTIL_NS_PER_US, "us" },
		{ 999500000, UTIL_NS_PER_MS, "ms" },
		{ 99950000000, UTIL_NS_PER_S, "s" },
	};

	if (ns < UTIL_NS_PER_US) {
		snprintf(out, size, "%" PRIu64 " ns", ns);
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ns < units[i].most_ns) {
			three_digits(out, size, ns, units[i].ns, units[i].name);
			return;
		}
	}
	two_units(out, size, ns < 100 * UTIL_NS_PER_S ? 100 : ns / UTIL_NS_PER_S);
}

void units_format_bytes(char *out, size_t size, uint64_t bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned i = 0;

	if (bytes < 1024) {
		snprintf(out, size, "%" PRIu64 " B", bytes);
		return;
	}
	while (i < 5 && bytes >> (10 * (i + 2)) != 0)
		i++;
	three_digits(out, size, bytes, UINT64_C(1) << (10 * (i + 1)), names[i]);
}

void units_format_size(char *out, size_t size, uint64_t bytes)
{
	int letter = -1;

	while (letter < 3 && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		letter++;
	}
	if (letter < 0)
		snprintf(out, size, "%" PRIu64, bytes);
	else
		snprintf(out, size, "%" PRIu64 "%c", bytes, size_letters[letter]);
}

int units_parse_size(const char *text, uint64_t *bytes)
{
	size_t len = strlen(text);
	const char *letter = len > 1 ? strchr(size_letters, text[len - 1]) : NULL;
	unsigned shift = letter != NULL ? 10 * (unsigned)(letter - size_letters + 1) : 0;
	char digits[UNITS_TEXT_SIZE];
	uint64_t value;
	int err;

	if (letter != NULL)
		len--;
	if (len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	err = util_parse_u64(digits, 0, (uint64_t)INT64_MAX >> shift, &value);
	if (err != 0)
		return err;
	*bytes = value << shift;
	return 0;
}

int units_parse_seconds(const char *text, uint64_t *ms)
{
	uint64_t value = 0, unit_ms = 1000;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++) {
		value = 10 * value + (uint64_t)(*text - '0') * 1000;
		if (value > UNITS_SECONDS_MOST * UINT64_C(1000))
			return -ERANGE;
	}
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return -EINVAL;
		for (; isdigit((unsigned char)*text) && unit_ms > 1; text++) {
			unit_ms /= 10;
			value += (uint64_t)(*text - '0') * unit_ms;
		}
	}
	if (strcmp(text, "") != 0 && strcmp(text, "s") != 0)
		return -EINVAL;
	if (value > UNITS_SECONDS_MOST * UINT64_C(1000))
		return -ERANGE;
	*ms = value;
	return 0;
}

int units_parse_rate(const char *text, uint32_t *rate_per_s)
{
	uint64_t value = 0;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (value <= UNITS_RATE_MOST)
			value = 10 * value + (uint64_t)(*text - '0');
	if (*text != '\0' && strcmp(text, "/s") != 0)
		return -EINVAL;
	if (value == 0 || value > UNITS_RATE_MOST)
		return -ERANGE;
	*rate_per_s = (uint32_t)value;
	return 0;
}
