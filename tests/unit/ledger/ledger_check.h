/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ledger_check.h - what must always hold in a ledger, as a query */

#ifndef VGPU_TESTS_UNIT_LEDGER_LEDGER_CHECK_H
#define VGPU_TESTS_UNIT_LEDGER_LEDGER_CHECK_H

/* How many rows of table minute differ from what the rows of table request add up to, or lack
 * there. */
#define LEDGER_DISAGREEMENTS                                                                \
	"WITH r AS (SELECT received_ns / 60000000000, vm_id, pool, priority, "              \
	"CASE WHEN opcode BETWEEN 0 AND 3 OR opcode IN (61441, 61442) THEN opcode ELSE -1 " \
	"END, "                                                                             \
	"count(*), sum(status <> 0), total(wait_ns), coalesce(max(wait_ns), 0), "           \
	"total(exec_ns) FILTER (WHERE executor <> 0), "                                     \
	"coalesce(max(exec_ns) FILTER (WHERE executor <> 0), 0), "                          \
	"total(total_ns), coalesce(max(total_ns), 0) "                                      \
	"FROM request GROUP BY 1, 2, 3, 4, 5), "                                            \
	"m AS (SELECT minute, vm_id, pool, priority, opcode, count, errors, wait_sum_ns, "  \
	"wait_max_ns, exec_sum_ns, exec_max_ns, total_sum_ns, total_max_ns FROM minute) "   \
	"SELECT (SELECT count(*) FROM (SELECT * FROM r EXCEPT SELECT * FROM m)) + "         \
	"(SELECT count(*) FROM (SELECT * FROM m EXCEPT SELECT * FROM r))"

#endif
