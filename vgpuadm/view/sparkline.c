/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sparkline.c - a row of bars, each one character */

#include "vgpuadm/view/sparkline.h"

#include "vgpuadm/out/text.h"

#define LEVEL_NUM 8

static const char *const blocks[LEVEL_NUM] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
static const char *const ascii[LEVEL_NUM] = { "_", ".", ":", "-", "=", "+", "*", "#" };

double sparkline_put(FILE *out, const double *values, size_t count)
{
	const char *const *levels = text_is_utf8() ? blocks : ascii;
	double most = 0;

	for (size_t i = 0; i < count; i++)
		if (values[i] > most)
			most = values[i];
	for (size_t i = 0; i < count; i++) {
		/* Only 0 has the lowest level, so that a small value does not look like none. */
		int level = values[i] <= 0 ? 0
					   : 1 + (int)(values[i] / most * (LEVEL_NUM - 1) - 1e-9);

		fputs(values[i] < 0 ? " " : levels[level < LEVEL_NUM ? level : LEVEL_NUM - 1], out);
	}
	return most;
}
