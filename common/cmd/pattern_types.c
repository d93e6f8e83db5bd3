/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern_types.c - the types of what follows an administrator's command */

#include "common/cmd/pattern_types.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "common/cmd/admin.h"
#include "common/names.h"
#include "common/timeexpr.h"
#include "common/units.h"
#include "common/util.h"
#include "common/vm_name.h"
#include "common/wire/vgpu_proto.h"
#include "common/wire/vgpu_regs.h"

/* --- forms --- */

static bool fits_pool(const char *text)
{
	return name_to_pool(text[0]) >= 0 && text[1] == '\0';
}

static bool fits_id(const char *text)
{
	uint64_t id;

	return util_parse_u64(text, 1, UINT64_MAX, &id) == 0;
}

static bool fits_number(const char *text)
{
	uint64_t number;

	return util_parse_u64(text, 1, UINT32_MAX, &number) == 0;
}

/* "200", "200/s". */
static bool fits_rate(const char *text)
{
	uint32_t rate_per_s;

	return units_parse_rate(text, &rate_per_s) == 0;
}

static bool fits_seconds(const char *text)
{
	uint64_t ms;

	return units_parse_seconds(text, &ms) == 0;
}

static bool fits_span(const char *text)
{
	uint64_t ms;

	return units_parse_seconds(text, &ms) == 0 && ms >= PATTERN_SPAN_LEAST_MS &&
	       ms <= PATTERN_SPAN_MOST_MS;
}

/* Whether "3000w" is before 1970 depends on the present; a fixed moment of 2026 stands for it. */
static bool fits_time(const char *text)
{
	const struct timeexpr_base base = { INT64_C(1767225600000000000), 1, 1 }; /* 2026 */
	int64_t ns;

	return timeexpr_parse(text, &base, &ns) == 0;
}

#define OWNER_MOST 100 /* bytes */

/* Not empty, nothing that moves a terminal's cursor or breaks a line. */
static bool printable(const char *text, size_t most)
{
	size_t len = strnlen(text, most + 1);

	if (len == 0 || len > most)
		return false;
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)text[i]))
			return false;
	return true;
}

/* "qemu", "qemu:kvm", ":kvm": only the form; vgpud looks the names up. */
static bool fits_owner(const char *text)
{
	size_t user = strcspn(text, ":");
	const char *group = text + user + (text[user] == ':');

	if (!printable(text, OWNER_MOST) || strpbrk(text, " /") != NULL)
		return false;
	return text[user] == ':' ? group[0] != '\0' && strchr(group, ':') == NULL : true;
}

static bool fits_path(const char *text)
{
	return printable(text, PATH_MAX - 1);
}

#define KEYS_MOST 4096 /* bytes: more than all columns of a table */

static bool fits_keys(const char *text)
{
	return printable(text, KEYS_MOST);
}

static bool fits_word(const char *text)
{
	return printable(text, PATTERN_WORD_MAX);
}

/* --- certain words --- */

static const char *priority_word(unsigned index)
{
	return index < VGPU_PRIORITY_NUM ? name_priority(index) : NULL;
}

static const char *off_word(unsigned index)
{
	return index == 0 ? "off" : NULL;
}

static const char *switch_word(unsigned index)
{
	static const char *const words[] = { "on", "off" };

	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const char *status_word(unsigned index)
{
	return index < VGPU_ERROR_NUM ? name_error(index) : NULL;
}

static const char *command_word(unsigned index)
{
	return index < ADMIN_CMD_NUM ? admin_cmds[index].name : NULL;
}

static const char *group_word(unsigned index)
{
	static const char *const words[] = { "vm", "pool", "priority", "opcode" };

	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const char *hypervisor_word(unsigned index)
{
	static const char *const words[] = { "qemu", "libvirt", "proxmox", "xl" };

	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const char *account_word(unsigned index)
{
	static const char *const words[] = { "vm", "pool", "program", "day" };

	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const char *shell_word(unsigned index)
{
	static const char *const words[] = { "bash", "zsh" };

	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

static const char *when_word(unsigned index)
{
	static const char *const words[] = { "auto", "always", "never" };

	return index < sizeof(words) / sizeof(words[0]) ? words[index] : NULL;
}

/* --- the table --- */

/* Each has one of fits and word. */
struct type {
	const char *expected;
	bool (*fits)(const char *text);
	const char *(*word)(unsigned index);
};

static const struct type types[PATTERN_TYPE_NUM] = {
	[PATTERN_VM] = { "a VM's name: " VM_NAME_FORM, vm_name_ok, NULL },
	[PATTERN_NAME] = { "a VM's name: " VM_NAME_FORM, vm_name_ok, NULL },
	[PATTERN_POOL] = { "a pool: one letter from A to Z", fits_pool, NULL },
	[PATTERN_PRIORITY] = { "a priority", NULL, priority_word },
	[PATTERN_ID] = { "a number: 1 or more", fits_id, NULL },
	[PATTERN_NUMBER] = { "a whole number from 1 to 4294967295", fits_number, NULL },
	[PATTERN_RATE] = { "requests a second, as in 200/s, at most 1000000", fits_rate, NULL },
	[PATTERN_OFF] = { "off for none", NULL, off_word },
	[PATTERN_SWITCH] = { "on or off", NULL, switch_word },
	[PATTERN_SECONDS] = { "seconds, as in 10 or 0.5, at most 86400", fits_seconds, NULL },
	[PATTERN_SPAN] = { "seconds, as in 10 or 0.5, from 0.1 to 60", fits_span, NULL },
	[PATTERN_TIME] = { "a time, as in " TIMEEXPR_FORMS, fits_time, NULL },
	[PATTERN_OWNER] = { "a user, USER:GROUP, :GROUP, or none", fits_owner, NULL },
	[PATTERN_PATH] = { "a path without control characters", fits_path, NULL },
	[PATTERN_WORD] = { "a word of 1 to 255 bytes without control characters", fits_word, NULL },
	[PATTERN_GROUP] = { "what to group by", NULL, group_word },
	[PATTERN_ACCOUNT] = { "what to add up by", NULL, account_word },
	[PATTERN_STATUS] = { "a status", NULL, status_word },
	[PATTERN_OPCODE] = { "an opcode", NULL, name_opcode_at },
	[PATTERN_HYPERVISOR] = { "a hypervisor", NULL, hypervisor_word },
	[PATTERN_SHELL] = { "a shell", NULL, shell_word },
	[PATTERN_COMMAND] = { "a command", NULL, command_word },
	[PATTERN_KEYS] = { "keys with commas between them, as in vm,queued", fits_keys, NULL },
	[PATTERN_WHEN] = { "a condition", NULL, when_word },
};

static const char *const type_names[PATTERN_TYPE_NUM] = { [PATTERN_FLAG] = "flag",
#define TYPE_NAME(name, text) [PATTERN_##name] = text,
							  PATTERN_TYPE_TABLE(TYPE_NAME)
#undef TYPE_NAME
};

const char *pattern_type_name(enum pattern_type type)
{
	return type_names[type];
}

enum pattern_type pattern_type_find(const char *name, size_t len)
{
	for (int type = PATTERN_FLAG + 1; type < PATTERN_TYPE_NUM; type++)
		if (strlen(type_names[type]) == len && memcmp(type_names[type], name, len) == 0)
			return (enum pattern_type)type;
	return PATTERN_TYPE_NUM;
}

const char *pattern_type_expected(enum pattern_type type)
{
	return types[type].expected;
}

bool pattern_type_fits(enum pattern_type type, const char *text)
{
	if (types[type].word != NULL)
		return pattern_type_index(type, text) >= 0;
	return types[type].fits != NULL && types[type].fits(text);
}

const char *pattern_type_word(enum pattern_type type, unsigned index)
{
	return types[type].word != NULL ? types[type].word(index) : NULL;
}

int pattern_type_index(enum pattern_type type, const char *text)
{
	const char *word;

	for (unsigned i = 0; (word = pattern_type_word(type, i)) != NULL; i++)
		if (strcmp(word, text) == 0)
			return (int)i;
	return -ENOENT;
}
