/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units.h - durations and sizes as people read and write them */

#ifndef VGPU_UNITS_H
#define VGPU_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT_SIZE 24	 /* bytes of what is written here, end included */
#define UNITS_SECONDS_MOST 86400 /* a day */
#define UNITS_RATE_MOST 1000000	 /* a second */

/*
 * "640 ns", "1.20 ms", "53.1 s", three significant digits; from 100 s on two units, the second cut
 * off: "2m05s", "1h30m", "3d04h".
 */
void units_format_ns(char *out, size_t size, uint64_t ns);

/* "640 B", "1.20 KiB", "53.1 GiB": three significant digits. */
void units_format_bytes(char *out, size_t size, uint64_t bytes);

/* "10G", "4097": exact, in the largest of K, M, G and T (of 1024) that leaves no rest. */
void units_format_size(char *out, size_t size, uint64_t bytes);

/* Reads the form that units_format_size() writes. Return: 0; -EINVAL: no such form; -ERANGE: above
 * INT64_MAX. */
int units_parse_size(const char *text, uint64_t *bytes);

/*
 * "10", "10s", "0.5", "0.125": seconds with at most three digits behind the point.
 * Return: 0, -EINVAL: no such form, -ERANGE: above UNITS_SECONDS_MOST.
 */
int units_parse_seconds(const char *text, uint64_t *ms);

/*
 * "200", "200/s": a whole number from 1 on.
 * Return: 0, -EINVAL: no such form, -ERANGE: 0 or above UNITS_RATE_MOST.
 */
int units_parse_rate(const char *text, uint32_t *rate_per_s);

#endif
