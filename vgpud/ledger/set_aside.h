/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set_aside.h - moves damaged files out of the way and never over another */

#ifndef VGPUD_LEDGER_SET_ASIDE_H
#define VGPUD_LEDGER_SET_ASIDE_H

#include <stddef.h>

/*
 * Renames PATH and its companions to PATH.corrupt-N, with the first N at which none of them exists.
 * companions: suffixes of files that belong to it and may be absent ("-wal"), ended by NULL; they
 *	keep their suffix behind the new name, so that the set still opens as one.
 * to: gets the new name of PATH.
 * Return: 0, -ENAMETOOLONG, or what rename says.
 */
int set_aside(const char *path, const char *const *companions, char *to, size_t to_len);

#endif
