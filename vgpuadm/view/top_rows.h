/* SPDX-License-Identifier: GPL-2.0-or-later */
/* top_rows.h - the rows of the live view */

#ifndef VGPUADM_VIEW_TOP_ROWS_H
#define VGPUADM_VIEW_TOP_ROWS_H

#include <stdint.h>

#include "vgpuadm/view/view_private.h"

/* Remembers the last look, from which rates are made. */
struct top_rows {
	json_t *seen; /* requests by VM's name */
	uint64_t seen_ns;
};

/*
 * Looks at all VMs.
 * status: where to put the daemon's own row, to be decref'd.
 * Return: a row each, sorted by name, to be decref'd; NULL: fail says why.
 */
json_t *top_rows_look(struct top_rows *rows, struct view *view, json_t **status, struct fail *fail);

/* Sorts by a key of the rows: texts as names, numbers from the highest. */
json_t *top_rows_sorted(json_t *rows, const char *key);

void top_rows_free(struct top_rows *rows);

#endif
