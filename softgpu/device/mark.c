/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mark.c - references to marks */

#include <stdlib.h>

#include "softgpu/device/mark.h"

struct sg_mark *sg_mark_new(void)
{
	struct sg_mark *mark = calloc(1, sizeof(*mark));

	if (mark)
		mark->references = 1;
	return mark;
}

struct sg_mark *sg_mark_get(struct sg_mark *mark)
{
	mark->references++;
	return mark;
}

void sg_mark_put(struct sg_mark *mark)
{
	if (mark && --mark->references == 0)
		free(mark);
}
