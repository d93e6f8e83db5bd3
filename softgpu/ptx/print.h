/* SPDX-License-Identifier: GPL-2.0-or-later */
/* print.h - a text as the parser understood it, printed back */

#ifndef VGPU_SOFTGPU_PTX_PRINT_H
#define VGPU_SOFTGPU_PTX_PRINT_H

#include <stdio.h>

#include "softgpu/ptx/module.h"

/*
 * Parses and checks one text and prints it back as PTX of the same meaning: blocks are gone,
 * registers are numbered by type, labels by their order, suffixes stand in the manual's order,
 * directives that say nothing are left out. What is printed, printed back, is the same text again.
 * error: filled on failure.
 * Return: 0, or as sg_module_load() for one text; -EIO out took not all of it.
 */
int sg_ptx_print(const struct sg_module_text *text, FILE *out, struct sg_error *error);

#endif
