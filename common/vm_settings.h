/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm_settings.h - what an administrator sets of a VM: a line for each, and all else made from it */

#ifndef VGPU_VM_SETTINGS_H
#define VGPU_VM_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * X(NAME, name, KIND, least, most, "standard", "COLUMN", "in words", "add-vm's option", command
 * ...)
 *
 * name: the member of struct vm_settings, the database's column, the key of a row in JSON.
 * KIND: how the value is kept, read and written: see vm_settings.c.
 * least, most: bounds of a number, bytes of a text. A number of 0 means none, NULL in the database
 * and null in JSON, where the kind has "none".
 * standard: what a new VM has, as it is typed; of a row whose column is NULL too.
 * COLUMN: heading in `vgpuadm list`. in words: label in `vgpuadm show`. Each is NULL where only
 * JSON has the setting.
 * option: " [--name <type>]" in add-vm's pattern, or "".
 * command: SET, ID, "set-name", "pattern", "what it does"; or OTHER: commands of its own change it.
 *
 * These lines make the columns of table vm and their bindings, the fields of `vgpuadm list` and of
 * its JSON, add-vm's options, the set-commands with their handlers, help and completion.
 * apply_NAME() in vgpud/daemon_settings.c is what a setting means; vgpuadm(8) and vgpuadm-output(7)
 * explain it, and tests/cli/test_manpages.py checks that they do.
 */
#ifndef VM_SETTING_TABLE
#define VM_SETTING_TABLE(X)                                                                     \
	X(POOL, pool, POOL, 0, 25, "A", "POOL", "pool", " [--pool <pool>]", SET, SET_POOL,      \
	  "set-pool", "<vm> <pool>", "move a VM to another pool, at once")                      \
	X(PRIORITY, priority, PRIORITY, 0, 2, "medium", "PRIORITY", "priority",                 \
	  " [--priority <priority>]", SET, SET_PRIORITY, "set-priority", "<vm> <priority>",     \
	  "give a VM another priority, at once")                                                \
	X(PAUSED, paused, HALT, 0, 1, "off", "PAUSED", "paused", "", OTHER)                     \
	X(LIMIT_PER_S, limit_per_s, NUMBER, 0, 1000000, "none", NULL, "requests a second", "",  \
	  OTHER)                                                                                \
	X(LIMIT_BURST, limit_burst, NUMBER, 0, 1000000, "none", NULL, "and at once", "", OTHER) \
	X(CONNECT, connect, TEXT, 0, 107, "none", NULL, NULL, " [--connect <path>]", OTHER)     \
	X(OWNER, owner, TEXT, 0, 100, "none", NULL, "its socket is for", " [--owner <owner>]",  \
	  SET, SET_OWNER, "set-owner", "<vm> <owner>",                                          \
	  "say whose QEMU may connect to a VM's socket, at once")                               \
	X(LOCAL, local, SWITCH, 0, 1, "off", NULL, "local tenant", " [--local]", OTHER)         \
	X(PROGRAMS, programs, SWITCH, 0, 1, "off", NULL, "programs", "", SET, SET_PROGRAMS,     \
	  "set-programs", "<vm> <programs:switch>",                                             \
	  "let a VM run CUDA programs of its own, or end those that run")                       \
	X(MAX_PROGRAMS, max_programs, NUMBER, 1, 64, "16", NULL, "programs at most", "", SET,   \
	  SET_MAX_PROGRAMS, "set-max-programs", "<vm> <max_programs:word>",                     \
	  "let a VM have so many programs at the same time")                                    \
	X(MEMORY, memory, SIZE, 0, UINT64_C(1) << 50, "none", NULL, "GPU memory", "", SET,      \
	  SET_MEMORY, "set-memory", "<vm> <memory:word>",                                       \
	  "bound the GPU memory of a VM's programs, all together")                              \
	X(SHARE, share, NUMBER, 1, 10000, "100", NULL, "share of the GPU", "", SET, SET_SHARE,  \
	  "set-share", "<vm> <share:word>",                                                     \
	  "weigh a VM's programs against those of other VMs, at once")                          \
	X(CAP, cap, PERCENT, 0, 100, "none", NULL, "of the GPU at most", "", SET, SET_CAP,      \
	  "set-cap", "<vm> <cap:word>",                                                         \
	  "let a VM's programs use so much of the GPU's time, at once")
#endif

#define VM_SETTING_TEXT_SIZE 128 /* bytes of a text's value, end included */

/* How the kinds are kept. */
#define VM_SETTING_KEPT_POOL(name) uint64_t name;
#define VM_SETTING_KEPT_PRIORITY(name) uint64_t name;
#define VM_SETTING_KEPT_HALT(name) uint64_t name;
#define VM_SETTING_KEPT_SWITCH(name) uint64_t name;
#define VM_SETTING_KEPT_NUMBER(name) uint64_t name;
#define VM_SETTING_KEPT_PERCENT(name) uint64_t name;
#define VM_SETTING_KEPT_SIZE(name) uint64_t name;
#define VM_SETTING_KEPT_TEXT(name) char name[VM_SETTING_TEXT_SIZE];

/* Values of all settings of one VM. */
struct vm_settings {
#define VM_SETTING_MEMBER(NAME, name, KIND, ...) VM_SETTING_KEPT_##KIND(name)
	VM_SETTING_TABLE(VM_SETTING_MEMBER)
#undef VM_SETTING_MEMBER
};

enum vm_setting_id {
#define VM_SETTING_ENUM(NAME, ...) VM_SETTING_##NAME,
	VM_SETTING_TABLE(VM_SETTING_ENUM) VM_SETTING_NUM
#undef VM_SETTING_ENUM
};

enum vm_setting_kind {
	VM_SETTING_KIND_POOL,	  /* index; a letter in text, database and JSON */
	VM_SETTING_KIND_PRIORITY, /* enum vgpu_priority; a word in text and JSON */
	VM_SETTING_KIND_HALT,	  /* on or off; views highlight "on" */
	VM_SETTING_KIND_SWITCH,	  /* on or off */
	VM_SETTING_KIND_NUMBER,
	VM_SETTING_KIND_PERCENT, /* "30%" */
	VM_SETTING_KIND_SIZE,	 /* bytes; "4G" */
	VM_SETTING_KIND_TEXT,	 /* "": none */
};

struct vm_setting {
	const char *name;
	enum vm_setting_kind kind;
	uint64_t least, most;
	const char *standard;
	const char *command; /* "set-pool", or NULL */
	size_t offset;	     /* in struct vm_settings */
};

/* Indexed by enum vm_setting_id. */
extern const struct vm_setting vm_settings_table[VM_SETTING_NUM];

/* All settings as a new VM has them. */
void vm_settings_standard(struct vm_settings *out);

/* Return: the setting that a command of the table changes, NULL: there is none. */
const struct vm_setting *vm_setting_of_command(const char *command);

/*
 * Reads a value as it is typed, and as vm_setting_format() writes it.
 * Return: 0; -EINVAL: no such form; -ERANGE: out of the setting's bounds. out is unchanged then.
 */
int vm_setting_parse(const struct vm_setting *setting, const char *text, struct vm_settings *out);

/* Writes the values that parse takes, as a clause: "a number from 1 to 10000". size: of out, 80 is
 * enough. */
void vm_setting_expected(const struct vm_setting *setting, char *out, size_t size);

/* "B", "high", "on", "none": out: VM_SETTING_TEXT_SIZE bytes. */
void vm_setting_format(const struct vm_setting *setting, const struct vm_settings *settings,
		       char *out);

/* Return: whether the value is none. */
bool vm_setting_is_none(const struct vm_setting *setting, const struct vm_settings *settings);

bool vm_setting_same(const struct vm_setting *setting, const struct vm_settings *a,
		     const struct vm_settings *b);

/* Gives one setting of `to` the value that `from` has. */
void vm_setting_copy(const struct vm_setting *setting, struct vm_settings *to,
		     const struct vm_settings *from);

/* --- for what keeps them: a database, JSON --- */

/* Return: whether the database keeps it as text, else as a number. */
bool vm_setting_kept_as_text(const struct vm_setting *setting);

/* Return: the value of a setting that is no TEXT. */
uint64_t vm_setting_number(const struct vm_setting *setting, const struct vm_settings *settings);

/*
 * Restores a number, or a text, from the database, where another version may have written it or an
 * administrator changed it by hand. A number out of bounds becomes the nearest bound; a value that
 * makes no sense becomes the standard one.
 * Return: whether it was right as it was.
 */
bool vm_setting_keep_number(const struct vm_setting *setting, int64_t number,
			    struct vm_settings *out);
bool vm_setting_keep_text(const struct vm_setting *setting, const char *text,
			  struct vm_settings *out);

#endif
