/* SPDX-License-Identifier: GPL-2.0-or-later */
/* aside.h - work that may wait for strangers, done by a thread beside the loop */

#ifndef VGPUD_ASIDE_H
#define VGPUD_ASIDE_H

#include <systemd/sd-event.h>

/*
 * A look into the host's users and groups may ask a server on the network, a look at a file a file
 * server, and neither has to answer. The loop asks in a thread, and goes on meanwhile. A thread that
 * is never answered stays until vgpud ends; so there is a bound for how many there are.
 */
#define ASIDE_MAX 8

/* All functions are required. */
struct aside_work {
	/* In the thread, for as long as it takes. It uses data and nothing else of vgpud's. */
	void (*run)(void *data);
	/* From the loop, once run() has returned. */
	void (*done)(void *arg, void *data);
	/* Frees data: behind done(), or in the thread where aside_end() was first. */
	void (*drop)(void *data);
};

struct aside;

/*
 * Begins. work must stay; data is taken over, also on failure.
 * out: for aside_end() until done() was called; or NULL: it cannot be ended but by aside_end_all().
 * Return: 0; -EBUSY: ASIDE_MAX are under way; -ENOMEM, -EAGAIN, -EMFILE.
 */
int aside_begin(struct aside **out, sd_event *event, const struct aside_work *work, void *data,
		void *arg);

/* done() is not called any more. aside: or NULL. */
void aside_end(struct aside *aside);

/* Return: how many are under way, those that were ended and whose thread still waits among them. */
unsigned aside_busy(void);

/* Ends all, at the end of the loop. */
void aside_end_all(void);

#endif
