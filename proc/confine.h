/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.h - takes from a process of ours what it never needs */

#ifndef VGPU_PROC_CONFINE_H
#define VGPU_PROC_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

/* The words of the setting, in its order. */
enum confine_mode {
	CONFINE_YES,
	CONFINE_NO,
	CONFINE_LOG, /* refuse nothing, but let the kernel log what would have been */
	CONFINE_MODE_NUM
};

enum confine_role { CONFINE_BROKER, CONFINE_CPU_WORKER, CONFINE_QUERY, CONFINE_FILES };

/* Return: the mode of that name; CONFINE_YES for any other. */
enum confine_mode confine_mode(const char *name);

/* What confine() is to do in this process. */
void confine_set_mode(enum confine_mode mode);

/*
 * All threads of this process, from here on and for ever: no new privileges, no look into it by
 * others of its user where that is no trouble, and of system calls only those of the role. What
 * happens to others, confine.c says.
 * Return: 0; -errno: this kernel cannot, and nothing has changed.
 */
int confine(enum confine_role role);

/*
 * This process may change files beneath these directories alone, from here on and for ever, and
 * run none; it may read as before. Call it before there are threads.
 * dirs: NULL behind the last one.
 * Return: 0; -errno: this kernel cannot (it has no Landlock), and nothing has changed.
 */
int confine_changes(const char *const *dirs);

/*
 * For this process alone, all file systems are read-only from here on, but for what lies beneath
 * these directories: so it cannot change the mode, owner or times of a file elsewhere either, which
 * no Landlock sees. It takes the right to mount, so call it before that is dropped; what was started
 * before sees nothing of it.
 * dirs: NULL behind the last one. Return: 0; -errno: that right is missing, or a call of this
 * kernel, and nothing has changed.
 */
int confine_mounts(const char *const *dirs);

/* Return: the mode's name. */
const char *confine_name(enum confine_mode mode);

/* Return: "yes" or "log" where confine() did so; "no"; "failed". */
const char *confine_state(void);

#endif
