/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trial_check.c - what a trial's memory is compared with */

#include <math.h>

#include "tests/ptx/trial.h"

void trial_expect(struct trial *trial, bool held, const char *what)
{
	if (!held)
		trial_fail(trial, "%s: does not hold", what);
}

void trial_equal_u32(struct trial *trial, const char *what, const void *got, const void *expected,
		     size_t count)
{
	const uint32_t *a = got, *b = expected;

	for (size_t i = 0; i < count; i++) {
		if (a[i] != b[i])
			trial_fail(trial, "%s[%zu] is 0x%08x, not 0x%08x", what, i, a[i], b[i]);
	}
}

void trial_equal_u64(struct trial *trial, const char *what, const void *got, const void *expected,
		     size_t count)
{
	const uint64_t *a = got, *b = expected;

	for (size_t i = 0; i < count; i++) {
		if (a[i] != b[i])
			trial_fail(trial, "%s[%zu] is 0x%016llx, not 0x%016llx", what, i,
				   (unsigned long long)a[i], (unsigned long long)b[i]);
	}
}

void trial_equal_bytes(struct trial *trial, const char *what, const void *got, const void *expected,
		       size_t bytes)
{
	const unsigned char *a = got, *b = expected;

	for (size_t i = 0; i < bytes; i++) {
		if (a[i] != b[i])
			trial_fail(trial, "%s: byte %zu is 0x%02x, not 0x%02x", what, i, a[i],
				   b[i]);
	}
}

/* NaN is near NaN only, an infinity near itself only. */
static bool near(double got, double expected, double relative, double absolute)
{
	if (isnan(expected) || isnan(got))
		return isnan(expected) && isnan(got);
	if (isinf(expected) || isinf(got))
		return expected == got;
	return fabs(got - expected) <= absolute + relative * fabs(expected);
}

void trial_near_f32(struct trial *trial, const char *what, const float *got, const double *expected,
		    size_t count, double relative, double absolute)
{
	for (size_t i = 0; i < count; i++) {
		if (!near((double)got[i], expected[i], relative, absolute))
			trial_fail(trial, "%s[%zu] is %.9g, not %.9g", what, i, (double)got[i],
				   expected[i]);
	}
}

void trial_near_f64(struct trial *trial, const char *what, const double *got,
		    const double *expected, size_t count, double relative, double absolute)
{
	for (size_t i = 0; i < count; i++) {
		if (!near(got[i], expected[i], relative, absolute))
			trial_fail(trial, "%s[%zu] is %.17g, not %.17g", what, i, got[i],
				   expected[i]);
	}
}

uint64_t trial_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dull;
}
