/* SPDX-License-Identifier: GPL-2.0-or-later */
/* switches.c - reads the switches that imitate a real device's hard half */

#include <errno.h>
#include <string.h>

#include "common/util.h"
#include "softgpu/softgpu.h"

#define FAULT_LATE_MS 50
#define SLOW_COPY_MIB_S 100

/* A number after "name=", or `otherwise` for the name alone (0: the number is required). */
static int number_of(const char *text, const char *name, uint32_t otherwise, uint32_t most,
		     uint32_t *out)
{
	size_t length = strlen(name);
	uint64_t number;
	int err;

	if (strncmp(text, name, length) != 0)
		return -ENOENT;
	if (text[length] == '\0' && otherwise != 0) {
		*out = otherwise;
		return 0;
	}
	if (text[length] != '=')
		return -ENOENT;
	err = util_parse_u64(text + length + 1, 1, most, &number);
	if (err == 0)
		*out = (uint32_t)number;
	return err;
}

int softgpu_switch_parse(struct softgpu_switches *switches, const char *text)
{
	int err;

	if (strcmp(text, "block-free") == 0) {
		switches->block_free = true;
		return 0;
	}
	if (strcmp(text, "no-write-values") == 0) {
		switches->no_write_values = true;
		return 0;
	}
	err = number_of(text, "queue", 0, 1000000, &switches->queue);
	if (err == -ENOENT)
		err = number_of(text, "fault-late", FAULT_LATE_MS, 60000, &switches->fault_late_ms);
	if (err == -ENOENT)
		err = number_of(text, "slow-copy", SLOW_COPY_MIB_S, 1000000,
				&switches->slow_copy_mib_s);
	return err == -ENOENT ? -EINVAL : err;
}
