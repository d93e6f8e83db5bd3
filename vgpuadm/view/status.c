/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status.c - the daemon, and the executors behind its pools */

#include <stdio.h>

#include "vgpuadm/view/shape.h"
#include "vgpuadm/view/view_private.h"

int view_status(struct view *view, struct fail *fail)
{
	struct output_shape shape = view_shape(ADMIN_CMD_STATUS, &view->args);
	struct output_shape pools_shape = view_shape(ADMIN_CMD_POOLS, &view->args);
	json_t *rows, *pools, *extras;

	if (view_choose_columns(view, &shape, fail) != 0)
		return fail->status;
	rows = view_rows(view, "status", NULL, NULL, fail);
	if (!rows)
		return fail->status;
	pools = view_rows(view, "pools", NULL, NULL, fail);
	if (pools) {
		extras = json_pack("{s:O}", "pools", pools);
		view_write(view, &shape, rows, extras, fail);
		if (view->style.format == OUTPUT_TABLE) {
			putchar('\n');
			view_write(view, &pools_shape, pools, NULL, fail);
		}
		json_decref(extras);
	}
	json_decref(pools);
	json_decref(rows);
	return fail->status;
}
