/* SPDX-License-Identifier: GPL-2.0-or-later */
/* generated.h - one case for each instruction, type and modifier */

#ifndef PTX_GENERATED_H
#define PTX_GENERATED_H

/* The folder of the generated PTX and its list. */
extern const char *generated_dir;

#endif
