/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timeexpr.h - points in time as people write them */

#ifndef VGPU_TIMEEXPR_H
#define VGPU_TIMEEXPR_H

#include <stddef.h>
#include <stdint.h>

/* The times that expressions refer to: nanoseconds since the Unix epoch, 0: not known. */
struct timeexpr_base {
	int64_t now_ns;
	int64_t boot_ns;  /* of the host */
	int64_t start_ns; /* of vgpud */
};

/*
 * 90m, 1h30m, 2d, 1w (so long ago; w d h m s, each at most once, in this order), now, today and
 * yesterday (their midnight), boot, start, 2026-11-21, 2026-11-21 07:30[:15[.5]], the same with T
 * and with Z or +01:00 (RFC 3339), 07:30[:15] (today), @1795245000[.5] (seconds since the epoch).
 *
 * Without a zone it is the process's local time (TZ). An hour that comes twice, when clocks are put
 * back, means the first one. A time that is left out, when they are put forward, is counted on from
 * the change: 02:30 then means 03:30.
 *
 * Return: 0; -EINVAL: it is none of these; -ERANGE: before 1970 or after 2261; -ENODATA: it refers
 * to what base does not know.
 */
int timeexpr_parse(const char *text, const struct timeexpr_base *base, int64_t *out_ns);

/* For messages. */
#define TIMEEXPR_FORMS                                                                    \
	"1h, 90m, 1h30m, 2d, 1w, now, today, yesterday, boot, start, 07:30, 2026-11-21, " \
	"\"2026-11-21 07:30\", 2026-11-21T07:30:00+01:00, @1795245000"

#define TIMEEXPR_TEXT_SIZE 48

/*
 * Writes a time as RFC 3339 has it, local with its offset: 2026-11-21T07:30:00.250+01:00.
 * digits: of the fraction, 0 to 9; what is beyond is cut off.
 */
void timeexpr_format(char *out, size_t size, int64_t time_ns, unsigned digits);

#endif
