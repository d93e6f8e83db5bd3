/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view.c - shows the registers as a table or as JSON */

#include "guest/vgpu-probe/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "guest/tool/json.h"

#define CLEAR_REST "\033[K"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

/* Below so many columns, a line has name and value alone; the value then goes on in a next line. */
#define WIDE_COLUMNS 72u
#define VALUE_LEAST 8u /* columns of a value, however narrow the screen */

/* The table that is being written, line by line. */
struct page {
	const struct view_screen *screen; /* NULL: lines are as long as they are */
	unsigned lines;
};

/* One line of the screen; nothing once it is full, since it would scroll. */
static void put_line(struct page *page, const char *text, bool bold)
{
	if (page->screen != NULL && page->lines + 1 >= page->screen->rows)
		return;
	page->lines++;
	printf("%s%s%s%s\n", bold ? BOLD : "", text, bold ? PLAIN : "",
	       page->screen != NULL ? CLEAR_REST : "");
}

/* Return: bytes of the value that fit, cut between words where there is a space. */
static size_t fitting(const char *value, size_t room)
{
	size_t len = strlen(value), at = room;

	if (len <= room)
		return len;
	while (at > 0 && value[at] != ' ')
		at--;
	return at > 0 ? at : room;
}

/* head, then the value, on as many lines as it takes. */
static void put_value(struct page *page, const char *head, const char *value, bool bold)
{
	const size_t indent = strlen(head);
	size_t room = strlen(value), taken;
	char line[256], blank[64];

	/* The last column stays free: terminals differ in what they do behind it. */
	if (page->screen != NULL) {
		const unsigned columns = page->screen->columns;

		room = columns > indent + VALUE_LEAST ? columns - indent - 1 : VALUE_LEAST;
	}
	do {
		taken = fitting(value, room);
		snprintf(line, sizeof(line), "%s%.*s", head, (int)taken, value);
		put_line(page, line, bold);
		value += taken + strspn(value + taken, " ");
		snprintf(blank, sizeof(blank), "%*s", (int)indent, "");
		head = blank;
	} while (*value != '\0');
}

static void put_register(struct page *page, const struct regs *regs, size_t i, bool changed,
			 bool wide)
{
	const char mark = changed ? '*' : ' ';
	char head[64], text[REGS_TEXT_LEN];

	if (wide)
		snprintf(head, sizeof(head), "%c 0x%03" PRIx32 "   %-16s  %-6s  0x%08" PRIx32 "  ",
			 mark, regs_info[i].offset, regs_info[i].name, regs_info[i].access,
			 regs->value[i]);
	else
		snprintf(head, sizeof(head), "%c %-16s  ", mark, regs_info[i].name);
	regs_decode(regs, i, text);
	put_value(page, head, text, changed && page->screen != NULL);
}

unsigned view_table(const char *device, const struct regs *regs, const struct regs *before,
		    const struct view_screen *screen)
{
	const bool wide = screen == NULL || screen->columns >= WIDE_COLUMNS;
	struct page page = { .screen = screen };

	put_value(&page, "vgpu device ", device, false);
	put_line(&page,
		 wide ? "  OFFSET  NAME              ACCESS  RAW         VALUE"
		      : "  NAME              VALUE",
		 false);
	for (size_t i = 0; i < VGPU_REG_NUM; i++)
		put_register(&page, regs, i, before && before->value[i] != regs->value[i], wide);
	return page.lines;
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
