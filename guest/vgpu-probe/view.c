/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.c - shows the registers as a table or as JSON */

#include "guest/vgpu-probe/view.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/names.h"
#include "guest/tool/json.h"

#define CLEAR_REST "\033[K"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

void view_table(const char *device, const struct regs *regs, const struct regs *before, bool redraw)
{
	const char *end = redraw ? CLEAR_REST "\n" : "\n";
	char text[REGS_TEXT_LEN];

	printf("vgpu device %s%s", device, end);
	printf("  %-6s  %-16s  %-6s  %-10s  %s%s", "OFFSET", "NAME", "ACCESS", "RAW", "VALUE", end);
	for (size_t i = 0; i < VGPU_REG_NUM; i++) {
		const bool changed = before && before->value[i] != regs->value[i];

		regs_decode(regs, i, text);
		printf("%s%c 0x%03" PRIx32 "   %-16s  %-6s  0x%08" PRIx32 "  %s%s%s",
		       changed && redraw ? BOLD : "", changed ? '*' : ' ', regs_info[i].offset,
		       regs_info[i].name, regs_info[i].access, regs->value[i], text,
		       changed && redraw ? PLAIN : "", end);
	}
}

void view_json_summary(const struct regs *regs)
{
	const uint32_t *value = regs->value;
	const bool is_error = value[REGS_INDEX(STATUS)] == VGPU_STATUS_ERROR;
	char pool[REGS_TEXT_LEN];

	regs_decode(regs, REGS_INDEX(POOL_ID), pool);
	printf(",\"vm_id\":%" PRIu32 ",\"pool\":\"%s\",\"priority\":\"%s\",\"status\":\"%s\"",
	       value[REGS_INDEX(VM_ID)], pool, name_priority(value[REGS_INDEX(PRIORITY)]),
	       name_status(value[REGS_INDEX(STATUS)]));
	printf(",\"error\":");
	json_string(stdout, is_error ? name_error(value[REGS_INDEX(ERROR_CODE)]) : NULL);
	printf(",\"link_up\":%s,\"timestamp_ns\":%" PRIu64, regs_link_up(regs) ? "true" : "false",
	       regs_timestamp_ns(regs));
}

void view_json(const char *device, const struct regs *regs)
{
	char text[REGS_TEXT_LEN];

	printf("{\"schema\":%d,\"device\":", VIEW_SCHEMA);
	json_string(stdout, device);
	view_json_summary(regs);
	printf(",\"registers\":[");
	for (size_t i = 0; i < VGPU_REG_NUM; i++) {
		regs_decode(regs, i, text);
		printf("%s{\"offset\":%" PRIu32
		       ",\"name\":\"%s\",\"access\":\"%s\",\"raw\":%" PRIu32 ",\"value\":",
		       i ? "," : "", regs_info[i].offset, regs_info[i].name, regs_info[i].access,
		       regs->value[i]);
		json_string(stdout, text);
		printf("}");
	}
	printf("]}\n");
}
