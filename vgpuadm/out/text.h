/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - text from outside, made harmless for a terminal */

#ifndef VGPUADM_OUT_TEXT_H
#define VGPUADM_OUT_TEXT_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Writes text so that a terminal shows it and does nothing else: control characters, invalid UTF-8
 * and what turns the direction of writing come as \x1b or \u{202e}. All but ASCII comes so where
 * the locale has no UTF-8.
 */
void text_put(FILE *out, const char *text);

/* Return: whether the locale can show more than ASCII. */
bool text_is_utf8(void);

#endif
