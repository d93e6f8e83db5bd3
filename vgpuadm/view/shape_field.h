/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape_field.h - how the lists of fields are written */

#ifndef VGPUADM_VIEW_SHAPE_FIELD_H
#define VGPUADM_VIEW_SHAPE_FIELD_H

#include "vgpuadm/out/field.h"

/* A field that only JSON has, one of a table, and one of several below each other in a table. */
#define HIDDEN(k)          \
	{                  \
		.key = (k) \
	}
#define FIELD(k, h, type, w, ...)                                                             \
	{                                                                                     \
		.key = (k), .heading = (h), .kind = FIELD_##type, .width = (w), ##__VA_ARGS__ \
	}
#define STACKED(k, h, s)                                                         \
	{                                                                        \
		.key = (k), .heading = (h), .stack = (s), .kind = FIELD_DURATION \
	}

/* Behind the last one. */
#define END                 \
	{                   \
		.key = NULL \
	}

#endif
