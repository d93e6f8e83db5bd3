/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pattern_types.h - the types of what follows an administrator's command */

#ifndef VGPU_COMMON_CMD_PATTERN_TYPES_H
#define VGPU_COMMON_CMD_PATTERN_TYPES_H

#include <stdbool.h>
#include <stddef.h>

/* One home: X(NAME, "as patterns spell it"). */
#define PATTERN_TYPE_TABLE(X)       \
	X(VM, "vm")                 \
	X(NAME, "name")             \
	X(POOL, "pool")             \
	X(PRIORITY, "priority")     \
	X(ID, "id")                 \
	X(NUMBER, "number")         \
	X(RATE, "rate")             \
	X(OFF, "off")               \
	X(SWITCH, "switch")         \
	X(SECONDS, "seconds")       \
	X(SPAN, "span")             \
	X(TIME, "time")             \
	X(PATH, "path")             \
	X(OWNER, "owner")           \
	X(WORD, "word")             \
	X(GROUP, "group")           \
	X(ACCOUNT, "account")       \
	X(STATUS, "status")         \
	X(OPCODE, "opcode")         \
	X(HYPERVISOR, "hypervisor") \
	X(SHELL, "shell")           \
	X(COMMAND, "command")       \
	X(KEYS, "keys")             \
	X(WHEN, "when")

#define PATTERN_TYPE_ENUM(name, text) PATTERN_##name,
enum pattern_type {
	PATTERN_FLAG, /* no value at all */
	PATTERN_TYPE_TABLE(PATTERN_TYPE_ENUM) PATTERN_TYPE_NUM
};
#undef PATTERN_TYPE_ENUM

#define PATTERN_WORD_MAX 255 /* bytes of a <word> */
#define PATTERN_SPAN_LEAST_MS 100u
#define PATTERN_SPAN_MOST_MS 60000u

/* "priority". */
const char *pattern_type_name(enum pattern_type type);

/* Return: the type of that name, of which there are len bytes; PATTERN_TYPE_NUM: there is none. */
enum pattern_type pattern_type_find(const char *name, size_t len);

/* "a VM's name: 1 to 63 letters, ...": what is right, as a clause. */
const char *pattern_type_expected(enum pattern_type type);

/* Return: whether text has the type's form. The VM or pool that it names need not exist. */
bool pattern_type_fits(enum pattern_type type, const char *text);

/*
 * The words of a type that has only certain ones, by their number from 0; a priority's and a
 * status's is their value. NULL: there are no more, or none at all.
 */
const char *pattern_type_word(enum pattern_type type, unsigned index);

/* The way back. Return: the number of the word, or -ENOENT. */
int pattern_type_index(enum pattern_type type, const char *text);

#endif
