/* SPDX-License-Identifier: GPL-2.0-or-later */
/* query.c - the process that answers one query from the database */

#include "vgpud/query.h"

int query_main(const char *query)
{
	(void)query;
	return 1;
}
