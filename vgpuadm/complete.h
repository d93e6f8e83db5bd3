/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complete.h - what the word being typed may become */

#ifndef VGPUADM_COMPLETE_H
#define VGPUADM_COMPLETE_H

#include "vgpuadm/options.h"

/* candidate: a whole word; it lives until the function returns. */
typedef void (*complete_fn)(void *context, const char *candidate);

/*
 * Offers each candidate that begins with word. Asks the daemon for names, waits only shortly for
 * it, and reports no failure.
 * argc, argv: the words before it, without the program's name.
 */
void complete_word(const struct options *options, int argc, char *const argv[], const char *word,
		   complete_fn offer, void *context);

#endif
