/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channels.c - a device's window and channels, and which programs have them */

#include "guest/vgpu-probe/channels.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "common/wire/vgpu_proto.h"
#include "guest/libvgpu/sysfs.h"
#include "guest/tool/json.h"
#include "guest/vgpu-probe/regs.h"
#include "guest/vgpu-probe/view.h"

#define WINDOW_BAR 2
#define NODE_LEN 32
#define NAME_LEN 32
#define TEXT_LEN 200

#define INFO_ROW(offset, name, access, text) { offset, #name, access },
static const struct regs_info window_info[] = { VGPU_WINDOW_REG_TABLE(INFO_ROW) };
#undef INFO_ROW
#define WINDOW_REG_NUM (sizeof(window_info) / sizeof(window_info[0]))

struct channel {
	uint32_t base, status, error;
	bool held; /* by what the module says: pid and pieces are valid */
	int pid; /* 0: its program has ended, or is in a container that is not to be seen from here */
	unsigned pieces;
	char name[NAME_LEN]; /* of the program; "" */
};

/* All that is to be shown. */
struct window {
	bool there;	       /* CAPABILITIES has WINDOW */
	bool is_pci;	       /* else a device file */
	bool has_address;      /* BAR2 has; true for a device file */
	char node[NODE_LEN];   /* of vgpu.ko: vgpu0; "" */
	char driver[NAME_LEN]; /* "": none */
	uint32_t value[WINDOW_REG_NUM];
	struct channel channels[VGPU_CHANNELS];
};

/* --- reading --- */

static uint32_t reg(const struct window *window, uint32_t offset)
{
	for (size_t i = 0; i < WINDOW_REG_NUM; i++)
		if (window_info[i].offset == offset)
			return window->value[i];
	return 0;
}

static uint32_t channel_num(const struct window *window)
{
	uint32_t num = reg(window, VGPU_REG_CHANNELS);

	return num < VGPU_CHANNELS ? num : VGPU_CHANNELS;
}

/* Return: whether programs can start. */
static bool is_ready(const struct window *window)
{
	return window->there && (reg(window, VGPU_REG_WINDOW_STATUS) & VGPU_WINDOW_READY) != 0 &&
	       reg(window, VGPU_REG_WINDOW_VERSION) == VGPU_WINDOW_LAYOUT &&
	       (!window->is_pci || strcmp(window->driver, "vgpu") == 0);
}

static uint32_t window_end(const struct window *window)
{
	return reg(window, VGPU_REG_WINDOW_STATUS) >> VGPU_WINDOW_END_SHIFT & VGPU_END_MOST;
}

/* The name of the module's file for this device, "" where it does not drive it. */
static void find_node(const char *slot, char *node)
{
	char path[SYSFS_PATH_LEN];
	const struct dirent *entry;
	DIR *directory;

	node[0] = '\0';
	sysfs_path(path, slot, "misc");
	directory = opendir(path);
	if (!directory)
		return;
	while ((entry = readdir(directory)))
		if (strncmp(entry->d_name, "vgpu", 4) == 0)
			snprintf(node, NODE_LEN, "%.31s", entry->d_name);
	closedir(directory);
}

static void read_name(struct channel *channel)
{
	char path[64];
	FILE *file;

	channel->name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", channel->pid);
	file = channel->pid > 0 ? fopen(path, "re") : NULL;
	if (!file)
		return;
	if (fgets(channel->name, sizeof(channel->name), file))
		channel->name[strcspn(channel->name, "\n")] = '\0';
	fclose(file);
}

/* What vgpu.ko says of the channels in use, a line each: number, state, pid, pieces. */
static void read_holders(struct window *window)
{
	char path[SYSFS_PATH_LEN], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/misc/%s/channels", window->node);
	file = window->node[0] ? fopen(path, "re") : NULL;
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		unsigned number, pieces;
		int pid;

		if (sscanf(line, "%u %*s %d %u", &number, &pid, &pieces) != 3 ||
		    number >= VGPU_CHANNELS)
			continue;
		window->channels[number].held = true;
		window->channels[number].pid = pid;
		window->channels[number].pieces = pieces;
		read_name(&window->channels[number]);
	}
	fclose(file);
}

static void read_window(struct vgpu_device *device, struct window *window)
{
	struct bar *bar = &device->bar;

	*window = (struct window){ .has_address = true };
	window->there = bar_read(bar, VGPU_REG_CAPABILITIES) & VGPU_CAP_WINDOW;
	window->is_pci = !bar->is_file;
	if (window->is_pci) {
		if (sysfs_driver(device->name, window->driver, sizeof(window->driver)) < 0)
			window->driver[0] = '\0';
		window->has_address = sysfs_has_address(device->name, WINDOW_BAR);
		find_node(device->name, window->node);
	}
	if (!window->there)
		return;
	for (size_t i = 0; i < WINDOW_REG_NUM; i++)
		window->value[i] = bar_read(bar, window_info[i].offset);
	for (uint32_t n = 0; n < channel_num(window); n++) {
		window->channels[n].base = bar_read(bar, VGPU_CHANNEL_BASE(n));
		window->channels[n].status = bar_read(bar, VGPU_CHANNEL_STATUS(n));
		window->channels[n].error = bar_read(bar, VGPU_CHANNEL_ERROR(n));
	}
	read_holders(window);
}

/* --- what it means --- */

static bool is_used(const struct channel *channel)
{
	return channel->status != VGPU_CHANNEL_CLOSED || channel->held;
}

static const char *state_name(uint32_t status)
{
#define STATE_NAME(value, name, text) [value] = (text),
	static const char *const names[] = { VGPU_CHANNEL_STATE_TABLE(STATE_NAME) };
#undef STATE_NAME

	return status < sizeof(names) / sizeof(names[0]) ? names[status] : "unknown";
}

/* Whether programs can start, and what to do where they cannot. */
static void say_status(const struct window *window, char *text)
{
	if (!window->there)
		snprintf(
			text, TEXT_LEN,
			"no window: it takes requests alone (vgpuadm snippet HYPERVISOR VM prints what gives it one)");
	else if (!window->has_address)
		snprintf(
			text, TEXT_LEN,
			"BAR2 has no address: the firmware or the root port left no room (pref64-reserve= "
			"of the root port, or a smaller window)");
	else if (reg(window, VGPU_REG_WINDOW_VERSION) != VGPU_WINDOW_LAYOUT)
		snprintf(
			text, TEXT_LEN,
			"the window's layout is %#" PRIx32
			", the guest's tools know %#x: install those of the release of the host's QEMU",
			reg(window, VGPU_REG_WINDOW_VERSION), VGPU_WINDOW_LAYOUT);
	else if (window->is_pci && !window->driver[0])
		snprintf(text, TEXT_LEN,
			 "no driver has the device: modprobe vgpu (dmesg says why it refuses)");
	else if (window->driver[0] && strcmp(window->driver, "vgpu") != 0)
		snprintf(text, TEXT_LEN, "the driver %s has the device, not vgpu.ko",
			 window->driver);
	else if (is_ready(window))
		snprintf(text, TEXT_LEN, "ready");
	else if (window_end(window) == VGPU_END_NONE)
		snprintf(text, TEXT_LEN, "not ready: vgpud has yet to look at the window");
	else
		snprintf(text, TEXT_LEN, "not ready: %s", name_end_text(window_end(window)));
}

static void decode(const struct window *window, size_t i, char *text)
{
	const uint32_t value = window->value[i];

	switch (window_info[i].offset) {
	case VGPU_REG_WINDOW_MAGIC:
		snprintf(text, TEXT_LEN, "%s",
			 value == VGPU_WINDOW_MAGIC ? "GPU2" : "no window's magic");
		return;
	case VGPU_REG_WINDOW_VERSION:
		snprintf(text, TEXT_LEN, "%u.%u", value >> 16, value & 0xffff);
		return;
	case VGPU_REG_WINDOW_STATUS:
		say_status(window, text);
		return;
	case VGPU_REG_WINDOW_SIZE_LO:
		snprintf(text, TEXT_LEN, "%" PRIu64 " MiB",
			 ((uint64_t)reg(window, VGPU_REG_WINDOW_SIZE_HI) << 32 | value) >> 20);
		return;
	case VGPU_REG_WINDOW_SIZE_HI:
		snprintf(text, TEXT_LEN, "-");
		return;
	default:
		snprintf(text, TEXT_LEN, "%" PRIu32, value);
	}
}

/* --- writing --- */

static void print_registers(const struct window *window)
{
	char text[TEXT_LEN];

	printf("  OFFSET  NAME                ACCESS  RAW         VALUE\n");
	for (size_t i = 0; i < WINDOW_REG_NUM; i++) {
		decode(window, i, text);
		printf("  0x%03" PRIx32 "   %-18s  %-6s  0x%08" PRIx32 "  %s\n",
		       window_info[i].offset, window_info[i].name, window_info[i].access,
		       window->value[i], text);
	}
}

static void print_channel(uint32_t number, const struct channel *channel)
{
	char holder[64] = "-", pieces[16] = "-";

	if (channel->held) {
		snprintf(pieces, sizeof(pieces), "%u", channel->pieces);
		if (channel->pid > 0)
			snprintf(holder, sizeof(holder), "%d %s", channel->pid, channel->name);
		else
			snprintf(holder, sizeof(holder), "ended");
	}
	printf("  %-7" PRIu32 "  %-7s  0x%06" PRIx32 "  %-6s  %-24s  %s\n", number,
	       channel->held && channel->status == VGPU_CHANNEL_CLOSED
		       ? "held"
		       : state_name(channel->status),
	       channel->base, pieces, holder,
	       channel->error != VGPU_END_NONE ? name_end_text(channel->error) : "-");
}

static void print_all(const char *device, const struct window *window)
{
	char text[TEXT_LEN];
	unsigned used = 0;

	printf("vgpu device %s\n", device);
	say_status(window, text);
	printf("  programs  %s\n", text);
	printf("  driver    %s%s%s\n", window->driver[0] ? window->driver : "none",
	       window->node[0] ? ", /dev/" : "", window->node);
	if (!window->there)
		return;
	print_registers(window);
	for (uint32_t n = 0; n < channel_num(window); n++)
		used += is_used(&window->channels[n]);
	printf("  %u of %" PRIu32 " channels in use\n", used, channel_num(window));
	if (used > 0)
		printf("  CHANNEL  STATE    PAGE      PIECES  PROGRAM                   ERROR\n");
	for (uint32_t n = 0; n < channel_num(window); n++)
		if (is_used(&window->channels[n]))
			print_channel(n, &window->channels[n]);
}

static void json_channel(uint32_t number, const struct channel *channel, bool first)
{
	printf("%s{\"channel\":%" PRIu32 ",\"state\":\"%s\",\"page\":%" PRIu32 ",\"error\":",
	       first ? "" : ",", number, state_name(channel->status), channel->base);
	json_string(stdout, channel->error != VGPU_END_NONE ? name_end(channel->error) : NULL);
	if (channel->held)
		printf(",\"pieces\":%u,\"pid\":%d", channel->pieces, channel->pid);
	else
		printf(",\"pieces\":null,\"pid\":null");
	printf(",\"program\":");
	json_string(stdout, channel->name[0] ? channel->name : NULL);
	printf("}");
}

static void json_all(const char *device, const struct window *window)
{
	char text[TEXT_LEN], node[NODE_LEN + 8];
	bool first = true;

	printf("{\"schema\":%d,\"device\":", VIEW_SCHEMA);
	json_string(stdout, device);
	printf(",\"driver\":");
	json_string(stdout, window->driver[0] ? window->driver : NULL);
	snprintf(node, sizeof(node), "/dev/%s", window->node);
	printf(",\"node\":");
	json_string(stdout, window->node[0] ? node : NULL);
	say_status(window, text);
	printf(",\"ready\":%s,\"status\":", is_ready(window) ? "true" : "false");
	json_string(stdout, text);
	printf(",\"window\":");
	if (window->there)
		printf("{\"bytes\":%" PRIu64 ",\"version\":%" PRIu32 ",\"generation\":%" PRIu32
		       ",\"channels\":%" PRIu32 ",\"has_address\":%s}",
		       (uint64_t)reg(window, VGPU_REG_WINDOW_SIZE_HI) << 32 |
			       reg(window, VGPU_REG_WINDOW_SIZE_LO),
		       reg(window, VGPU_REG_WINDOW_VERSION), reg(window, VGPU_REG_GENERATION),
		       reg(window, VGPU_REG_CHANNELS), window->has_address ? "true" : "false");
	else
		printf("null");
	printf(",\"channels\":[");
	for (uint32_t n = 0; window->there && n < channel_num(window); n++) {
		if (!is_used(&window->channels[n]))
			continue;
		json_channel(n, &window->channels[n], first);
		first = false;
	}
	printf("]}\n");
}

bool channels_show(struct vgpu_device *device, bool json)
{
	struct window window;

	read_window(device, &window);
	if (json)
		json_all(device->name, &window);
	else
		print_all(device->name, &window);
	return is_ready(&window) && window.has_address;
}
