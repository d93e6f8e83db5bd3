/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - shows registers as they change */

#include "guest/vgpu-probe/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "guest/tool/json.h"
#include "guest/vgpu-probe/regs.h"
#include "guest/vgpu-probe/view.h"

#define INTERVAL_NS 100000000 /* 0.1 s: soon enough for a user, cheap for the host */

enum style { STYLE_TERMINAL, STYLE_LINES, STYLE_JSON };

/*
 * The registers that others change. Only few, since each read costs guest and host; not the time
 * stamp, since reading it latches its high half.
 */
static const size_t live[] = { REGS_INDEX(STATUS),	 REGS_INDEX(POOL_ID),
			       REGS_INDEX(PRIORITY),	 REGS_INDEX(VM_ID),
			       REGS_INDEX(ERROR_CODE),	 REGS_INDEX(CAPABILITIES),
			       REGS_INDEX(RESPONSE_LEN), REGS_INDEX(REQUEST_ID) };
#define LIVE_NUM (sizeof(live) / sizeof(live[0]))

static void print_now(void)
{
	struct timespec now;
	char date[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	printf("%s.%03ldZ ", date, now.tv_nsec / 1000000);
}

static void print_change(const struct regs *before, const struct regs *now, size_t index)
{
	char old_text[REGS_TEXT_LEN], new_text[REGS_TEXT_LEN];

	regs_decode(before, index, old_text);
	regs_decode(now, index, new_text);
	print_now();
	printf("%s %s -> %s\n", regs_info[index].name, old_text, new_text);
}

static void json_change(const struct regs *before, const struct regs *now, size_t index)
{
	char text[REGS_TEXT_LEN];
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	regs_decode(now, index, text);
	printf("{\"schema\":%d,\"time_ns\":%" PRIu64 ",\"name\":\"%s\",\"raw_before\":%" PRIu32
	       ",\"raw\":%" PRIu32 ",\"value\":",
	       VIEW_SCHEMA, (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec,
	       regs_info[index].name, before->value[index], now->value[index]);
	json_string(stdout, text);
	printf("}\n");
}

/* The table that is on the terminal. */
struct drawn {
	struct view_screen screen;
	unsigned lines; /* of the table, above the cursor */
};

/* Return: whether the size is another than it was. */
static bool measure(struct view_screen *screen)
{
	struct view_screen before = *screen;
	struct winsize size;

	*screen = (struct view_screen){ .columns = 80, .rows = 25 };
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
		*screen = (struct view_screen){ .columns = size.ws_col, .rows = size.ws_row };
	return screen->columns != before.columns || screen->rows != before.rows;
}

/* Draws over the last table, or over the whole screen after a change of its size. */
static void draw(const char *device, const struct regs *now, const struct regs *before,
		 struct drawn *drawn)
{
	unsigned last = drawn->lines;

	if (measure(&drawn->screen) && last > 0)
		printf("\033[H\033[2J");
	else if (last > 0)
		printf("\033[%uA", last);
	drawn->lines = view_table(device, now, before, &drawn->screen);
	printf("\033[J");
}

static void begin(const char *device, const struct regs *regs, enum style style,
		  struct drawn *drawn)
{
	char text[REGS_TEXT_LEN];

	if (style == STYLE_TERMINAL) {
		draw(device, regs, NULL, drawn);
		return;
	}
	if (style == STYLE_JSON) {
		view_json(device, regs);
		return;
	}
	print_now();
	printf("watching %s:", device);
	for (size_t i = 0; i < LIVE_NUM; i++) {
		regs_decode(regs, live[i], text);
		printf("%s %s %s", i ? "," : "", regs_info[live[i]].name, text);
	}
	printf("\n");
}

static void show_changes(struct vgpu_device *device, const struct regs *before, struct regs *now,
			 enum style style, struct drawn *drawn)
{
	if (style == STYLE_TERMINAL) {
		regs_read(&device->bar, now);
		draw(device->name, now, before, drawn);
		return;
	}
	for (size_t i = 0; i < LIVE_NUM; i++) {
		if (before->value[live[i]] == now->value[live[i]])
			continue;
		if (style == STYLE_JSON)
			json_change(before, now, live[i]);
		else
			print_change(before, now, live[i]);
	}
}

/* Return: whether one of the live registers changed. */
static bool look(struct bar *bar, const struct regs *before, struct regs *now)
{
	bool changed = false;

	*now = *before;
	for (size_t i = 0; i < LIVE_NUM; i++) {
		now->value[live[i]] = bar_read(bar, regs_info[live[i]].offset);
		changed |= now->value[live[i]] != before->value[live[i]];
	}
	return changed;
}

/* Return: whether the reader of our pipe has gone, as `| grep -m 1` does. */
static bool reader_gone(void)
{
	struct pollfd out = { .fd = STDOUT_FILENO };

	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

int watch_run(struct vgpu_device *device, bool json, const atomic_int *stop)
{
	const struct timespec interval = { .tv_nsec = INTERVAL_NS };
	const enum style plain = isatty(STDOUT_FILENO) ? STYLE_TERMINAL : STYLE_LINES;
	const enum style style = json ? STYLE_JSON : plain;
	struct drawn drawn = { 0 };
	struct regs before, now;

	regs_read(&device->bar, &before);
	begin(device->name, &before, style, &drawn);
	while (fflush(stdout) == 0 && !*stop && !reader_gone()) {
		nanosleep(&interval, NULL);
		if (!look(&device->bar, &before, &now))
			continue;
		/* Checked before drawing: an unplugged device reads as if all registers had
		 * changed. */
		if (device_is_gone(device))
			return -ENODEV;
		show_changes(device, &before, &now, style, &drawn);
		before = now;
	}
	return 0;
}
