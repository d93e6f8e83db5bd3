/* SPDX-License-Identifier: GPL-2.0-or-later */
/* times.c - turns times in the user's zone into times that vgpud understands */

#include "vgpuadm/times.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/timeexpr.h"
#include "common/util.h"

/* Dates, times of the day, and named days: all forms whose meaning depends on the zone. */
static bool is_local(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return (digits > 0 && (text[digits] == '-' || text[digits] == ':')) ||
	       strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0;
}

const char *times_resolve(const char *text, char *out)
{
	const struct timeexpr_base base = { .now_ns = util_wall_ns() };
	int64_t ns;

	if (!is_local(text) || timeexpr_parse(text, &base, &ns) != 0)
		return text;
	snprintf(out, TIMES_SIZE, "@%" PRId64 ".%09" PRId64, ns / (int64_t)UTIL_NS_PER_S,
		 ns % (int64_t)UTIL_NS_PER_S);
	return out;
}

const char *times_zone(void)
{
	static char zone[16];
	time_t now = time(NULL);
	struct tm local;

	if (!localtime_r(&now, &local) || strftime(zone, sizeof(zone), "%Z", &local) == 0)
		return "?";
	return zone;
}
