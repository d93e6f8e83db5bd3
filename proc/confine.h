/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confine.h - takes from a process of ours what it never needs */

#ifndef VGPU_PROC_CONFINE_H
#define VGPU_PROC_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "proc/confine_role.h"

/* The words of the setting, in its order. */
enum confine_mode {
	CONFINE_YES,
	CONFINE_NO,
	CONFINE_LOG, /* refuse nothing, but let the kernel log what would have been */
	CONFINE_MODE_NUM
};

/* Return: the mode of that name; CONFINE_YES for any other. */
enum confine_mode confine_mode(const char *name);

/* Sets the mode for confine() in this process. */
void confine_set_mode(enum confine_mode mode);

/*
 * Which driver CONFINE_CUDA_PROGRAM will talk to, as confine_driver.h has it. Without this, or with a
 * branch that is not known, its requests are held to the driver's kind, not to single ones.
 * Return: whether that branch is known.
 */
bool confine_set_driver(unsigned branch);

/*
 * Confines all threads of this process for good: no new privileges, only the system calls of the
 * role, and for most roles no reading of its memory by other processes of its user. confine.c says
 * what happens on other calls.
 * Return: 0; -errno: this kernel cannot do it, and nothing has changed.
 */
int confine(enum confine_role role);

/*
 * Lets this process change files only beneath these directories, and run none, for good; it may
 * read as before. Call it before there are threads.
 * dirs: NULL behind the last one.
 * Return: 0; -errno: this kernel cannot (it has no Landlock), and nothing has changed.
 */
int confine_changes(const char *const *dirs);

/*
 * Where the mode is CONFINE_YES: this thread, and those that it starts, change no file and run none,
 * for good. Files that are open already stay as they are. It is a second wall behind confine(), which
 * for a program's worker refuses to open files at all.
 * Return: as confine_changes(); 0: also in the other modes, where nothing has changed.
 */
int confine_no_changes(void);

/*
 * Makes all file systems read-only for this process, except beneath these directories. So it cannot
 * change the mode, owner or times of a file elsewhere either, which Landlock does not cover.
 * It needs the right to mount: call it before that is dropped. Processes that run already are not
 * affected.
 * dirs: NULL behind the last one. Return: 0; -errno: that right is missing, or a call of this
 * kernel, and nothing has changed.
 */
int confine_mounts(const char *const *dirs);

/* Return: the mode's name. */
const char *confine_name(enum confine_mode mode);

/* Return: "yes" or "log" where confine() did so; "no"; "failed". */
const char *confine_state(void);

#endif
