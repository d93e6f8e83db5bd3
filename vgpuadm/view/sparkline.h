/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sparkline.h - a row of bars, each one character */

#ifndef VGPUADM_VIEW_SPARKLINE_H
#define VGPUADM_VIEW_SPARKLINE_H

#include <stddef.h>
#include <stdio.h>

/*
 * Writes a bar for each value, the highest of them as high as it goes.
 * values: not negative; below zero: unknown, a gap.
 * Return: the highest, 0: none is known.
 */
double sparkline_put(FILE *out, const double *values, size_t count);

#endif
