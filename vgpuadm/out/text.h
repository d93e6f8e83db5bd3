/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.h - text from outside, made harmless for a terminal */

#ifndef VGPUADM_OUT_TEXT_H
#define VGPUADM_OUT_TEXT_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Writes text so that a terminal only shows it: control characters, invalid UTF-8 and characters
 * that reverse the direction of writing are escaped as \x1b or \u{202e}. Where the locale has no
 * UTF-8, all but ASCII is escaped.
 */
void text_put(FILE *out, const char *text);

/* Return: whether the locale can show more than ASCII. */
bool text_is_utf8(void);

#endif
