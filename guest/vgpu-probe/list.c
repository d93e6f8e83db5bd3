/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list.c - the devices of this machine, a line each */

#include "guest/vgpu-probe/list.h"

#include <errno.h>
#include <stdio.h>

#include "guest/libvgpu/device.h"
#include "guest/libvgpu/find.h"
#include "guest/libvgpu/sysfs.h"
#include "guest/tool/json.h"
#include "guest/vgpu-probe/regs.h"
#include "guest/vgpu-probe/view.h"

struct entry {
	char slot[SLOT_TEXT_LEN];
	char driver[64]; /* empty: none */
	int err;	 /* of opening; else regs are valid */
	struct fail fail;
	struct regs regs;
};

static void look_at(const struct slot *slot, struct entry *entry)
{
	struct vgpu_device device;

	slot_format(slot, entry->slot);
	if (sysfs_driver(entry->slot, entry->driver, sizeof(entry->driver)) < 0)
		entry->driver[0] = '\0';
	entry->err = device_open(&device, &(struct device_where){ .slot = entry->slot },
				 DEVICE_READ, &entry->fail);
	if (entry->err < 0)
		return;
	regs_read(&device.bar, &entry->regs);
	device_close(&device);
}

static void print_entry(const struct entry *entry)
{
	char pool[REGS_TEXT_LEN], priority[REGS_TEXT_LEN], status[REGS_TEXT_LEN];

	if (entry->err < 0) {
		printf("%s\n", entry->fail.text);
		return;
	}
	regs_decode(&entry->regs, REGS_INDEX(POOL_ID), pool);
	regs_decode(&entry->regs, REGS_INDEX(PRIORITY), priority);
	regs_decode(&entry->regs, REGS_INDEX(STATUS), status);
	printf("%s  vm %u  pool %s  priority %s  %s  link %s  driver %s\n", entry->slot,
	       entry->regs.value[REGS_INDEX(VM_ID)], pool, priority, status,
	       regs_link_up(&entry->regs) ? "up" : "down",
	       entry->driver[0] ? entry->driver : "none");
}

static void json_entry(const struct entry *entry, bool first)
{
	printf("%s{\"device\":\"%s\",\"driver\":", first ? "" : ",", entry->slot);
	json_string(stdout, entry->driver[0] ? entry->driver : NULL);
	if (entry->err < 0) {
		printf(",\"failed\":");
		json_string(stdout, entry->fail.text);
	} else {
		view_json_summary(&entry->regs);
	}
	printf("}");
}

int list_devices(bool json, struct fail *fail)
{
	struct slot slots[FIND_MAX];
	struct entry entry;
	size_t count;
	int err = find_devices(slots, &count, fail);

	if (err < 0)
		return err;
	if (json)
		printf("{\"schema\":%d,\"devices\":[", VIEW_SCHEMA);
	for (size_t i = 0; i < count; i++) {
		look_at(&slots[i], &entry);
		if (json)
			json_entry(&entry, i == 0);
		else
			print_entry(&entry);
	}
	if (json)
		printf("]}\n");
	return count > 0 ? 0 : device_fail_none(fail);
}
