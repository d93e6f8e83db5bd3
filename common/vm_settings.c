/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm_settings.c - what an administrator sets of a VM: how each kind of value is read and written */

#include "common/vm_settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/names.h"
#include "common/units.h"
#include "common/util.h"

/* The setting's command, NULL if it has none of the form that the table makes. */
#define COMMAND_SET(id, name, pattern, what) name
#define COMMAND_OTHER() NULL

const struct vm_setting vm_settings_table[VM_SETTING_NUM] = {
#define ROW(NAME, name_, KIND, least_, most_, standard_, list, show, option, how, ...) \
	[VM_SETTING_##NAME] = {                                                        \
		.name = #name_,                                                        \
		.kind = VM_SETTING_KIND_##KIND,                                        \
		.least = (least_),                                                     \
		.most = (most_),                                                       \
		.standard = (standard_),                                               \
		.command = COMMAND_##how(__VA_ARGS__),                                 \
		.offset = offsetof(struct vm_settings, name_),                         \
	},
	VM_SETTING_TABLE(ROW)
#undef ROW
};

static uint64_t *number_at(const struct vm_setting *setting, struct vm_settings *settings)
{
	return (uint64_t *)((char *)settings + setting->offset);
}

static char *text_at(const struct vm_setting *setting, struct vm_settings *settings)
{
	return (char *)settings + setting->offset;
}

uint64_t vm_setting_number(const struct vm_setting *setting, const struct vm_settings *settings)
{
	return *number_at(setting, (struct vm_settings *)settings);
}

static const char *text_of(const struct vm_setting *setting, const struct vm_settings *settings)
{
	return text_at(setting, (struct vm_settings *)settings);
}

void vm_settings_standard(struct vm_settings *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < VM_SETTING_NUM; i++)
		vm_setting_parse(&vm_settings_table[i], vm_settings_table[i].standard, out);
}

const struct vm_setting *vm_setting_of_command(const char *command)
{
	for (unsigned i = 0; i < VM_SETTING_NUM; i++)
		if (vm_settings_table[i].command != NULL &&
		    strcmp(vm_settings_table[i].command, command) == 0)
			return &vm_settings_table[i];
	return NULL;
}

/* --- kinds --- */

/* Only these kinds can be "none"; for the others 0 is an ordinary value. */
static bool has_none(const struct vm_setting *setting)
{
	switch (setting->kind) {
	case VM_SETTING_KIND_NUMBER:
	case VM_SETTING_KIND_PERCENT:
	case VM_SETTING_KIND_SIZE:
	case VM_SETTING_KIND_TEXT:
		return setting->least == 0;
	default:
		return false;
	}
}

static int parse_number(const struct vm_setting *setting, const char *text, uint64_t *number)
{
	char digits[24];
	size_t len = strlen(text);
	int word;

	switch (setting->kind) {
	case VM_SETTING_KIND_POOL:
		word = name_to_pool(text[0]);
		*number = (uint64_t)word;
		return word >= 0 && text[1] == '\0' ? 0 : -EINVAL;
	case VM_SETTING_KIND_PRIORITY:
		word = name_to_priority(text);
		*number = (uint64_t)word;
		return word < 0 ? -EINVAL : 0;
	case VM_SETTING_KIND_HALT:
	case VM_SETTING_KIND_SWITCH:
		*number = strcmp(text, "on") == 0;
		return *number == 1 || strcmp(text, "off") == 0 ? 0 : -EINVAL;
	case VM_SETTING_KIND_SIZE:
		return units_parse_size(text, number);
	case VM_SETTING_KIND_PERCENT:
		if (len < 2 || len >= sizeof(digits) || text[len - 1] != '%')
			return -EINVAL;
		memcpy(digits, text, len - 1);
		digits[len - 1] = '\0';
		return util_parse_u64(digits, 0, UINT64_MAX, number);
	default:
		return util_parse_u64(text, 0, UINT64_MAX, number);
	}
}

/* A kind that knows "none" has 0 in its bounds for it; a user cannot type it as "0". */
static bool is_within(const struct vm_setting *setting, uint64_t number)
{
	uint64_t least = has_none(setting) ? 1 : setting->least;

	return number >= least && number <= setting->most;
}

int vm_setting_parse(const struct vm_setting *setting, const char *text, struct vm_settings *out)
{
	bool none = has_none(setting) && strcmp(text, "none") == 0;
	uint64_t number = 0;
	int err;

	if (setting->kind == VM_SETTING_KIND_TEXT) {
		if (text[0] == '\0')
			return -EINVAL;
		if (strlen(text) > setting->most)
			return -ERANGE;
		snprintf(text_at(setting, out), VM_SETTING_TEXT_SIZE, "%s", none ? "" : text);
		return 0;
	}
	err = none ? 0 : parse_number(setting, text, &number);
	if (err == 0 && !none && !is_within(setting, number))
		err = -ERANGE;
	if (err == 0)
		*number_at(setting, out) = number;
	return err;
}

void vm_setting_expected(const struct vm_setting *setting, char *out, size_t size)
{
	const char *none = has_none(setting) ? ", or none" : "";
	uint64_t least = setting->least > 0 ? setting->least : 1;
	char low[UNITS_TEXT_SIZE], high[UNITS_TEXT_SIZE];

	switch (setting->kind) {
	case VM_SETTING_KIND_POOL:
		snprintf(out, size, "a pool: one letter");
		break;
	case VM_SETTING_KIND_PRIORITY:
		snprintf(out, size, "a priority: low, medium or high");
		break;
	case VM_SETTING_KIND_HALT:
	case VM_SETTING_KIND_SWITCH:
		snprintf(out, size, "on or off");
		break;
	case VM_SETTING_KIND_TEXT:
		snprintf(out, size, "at most %" PRIu64 " bytes%s", setting->most, none);
		break;
	case VM_SETTING_KIND_SIZE:
		units_format_size(low, sizeof(low), least);
		units_format_size(high, sizeof(high), setting->most);
		snprintf(out, size, "a size (as in 500M or 4G) from %s to %s%s", low, high, none);
		break;
	default:
		snprintf(out, size, "%s from %" PRIu64 " to %" PRIu64 "%s",
			 setting->kind == VM_SETTING_KIND_PERCENT ? "percents (as in 30%)"
								  : "a number",
			 least, setting->most, none);
	}
}

void vm_setting_format(const struct vm_setting *setting, const struct vm_settings *settings,
		       char *out)
{
	size_t size = VM_SETTING_TEXT_SIZE;
	uint64_t number;

	if (vm_setting_is_none(setting, settings)) {
		snprintf(out, size, "none");
		return;
	}
	if (setting->kind == VM_SETTING_KIND_TEXT) {
		snprintf(out, size, "%s", text_of(setting, settings));
		return;
	}
	number = vm_setting_number(setting, settings);
	switch (setting->kind) {
	case VM_SETTING_KIND_POOL:
		snprintf(out, size, "%c", name_pool((unsigned)number));
		break;
	case VM_SETTING_KIND_PRIORITY:
		snprintf(out, size, "%s", name_priority((uint32_t)number));
		break;
	case VM_SETTING_KIND_HALT:
	case VM_SETTING_KIND_SWITCH:
		snprintf(out, size, "%s", number ? "on" : "off");
		break;
	case VM_SETTING_KIND_SIZE:
		units_format_size(out, size, number);
		break;
	default:
		snprintf(out, size, "%" PRIu64 "%s", number,
			 setting->kind == VM_SETTING_KIND_PERCENT ? "%" : "");
	}
}

bool vm_setting_is_none(const struct vm_setting *setting, const struct vm_settings *settings)
{
	if (!has_none(setting))
		return false;
	if (setting->kind == VM_SETTING_KIND_TEXT)
		return text_of(setting, settings)[0] == '\0';
	return vm_setting_number(setting, settings) == 0;
}

bool vm_setting_same(const struct vm_setting *setting, const struct vm_settings *a,
		     const struct vm_settings *b)
{
	if (setting->kind == VM_SETTING_KIND_TEXT)
		return strcmp(text_of(setting, a), text_of(setting, b)) == 0;
	return vm_setting_number(setting, a) == vm_setting_number(setting, b);
}

void vm_setting_copy(const struct vm_setting *setting, struct vm_settings *to,
		     const struct vm_settings *from)
{
	if (setting->kind == VM_SETTING_KIND_TEXT)
		memcpy(text_at(setting, to), text_of(setting, from), VM_SETTING_TEXT_SIZE);
	else
		*number_at(setting, to) = vm_setting_number(setting, from);
}

/* --- what was kept --- */

bool vm_setting_kept_as_text(const struct vm_setting *setting)
{
	return setting->kind == VM_SETTING_KIND_TEXT || setting->kind == VM_SETTING_KIND_POOL;
}

bool vm_setting_keep_number(const struct vm_setting *setting, int64_t number,
			    struct vm_settings *out)
{
	uint64_t least = has_none(setting) ? 1 : setting->least;
	uint64_t kept = number < 0 ? 0 : (uint64_t)number;

	if (kept < least)
		kept = least;
	if (kept > setting->most)
		kept = setting->most;
	*number_at(setting, out) = kept;
	return number >= 0 && kept == (uint64_t)number;
}

bool vm_setting_keep_text(const struct vm_setting *setting, const char *text,
			  struct vm_settings *out)
{
	if (vm_setting_parse(setting, text, out) == 0)
		return true;
	vm_setting_parse(setting, setting->standard, out);
	return false;
}
