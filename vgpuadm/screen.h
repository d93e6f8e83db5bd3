/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen.h - takes the whole terminal for a while, and always gives it back */

#ifndef VGPUADM_SCREEN_H
#define VGPUADM_SCREEN_H

#include "vgpuadm/fail.h"

/*
 * Takes the terminal: alternate screen, no echo, keys as they are typed. There is one screen.
 * Return: 0, or fail's status.
 */
int screen_enter(struct fail *fail);

/*
 * Gives the terminal back and restores signals. A signal that asked the process to end is raised
 * again.
 */
void screen_leave(void);

/* Return: a descriptor that is readable when a signal came, so that other waits can end. */
int screen_wake_fd(void);

/* Results of screen_wait() besides keys. */
enum screen_event {
	SCREEN_TIMEOUT = -1,
	SCREEN_CHANGED = -2, /* draw anew: another size, or back from being stopped */
	SCREEN_END = -3,     /* a signal asks to leave */
};

/* Waits for a key. Return: it, or an enum screen_event. */
int screen_wait(int timeout_ms);

struct screen_size {
	int columns, lines;
};

struct screen_size screen_size(void);

#endif
