/* SPDX-License-Identifier: GPL-2.0-or-later */
/* foreign.h - descriptors that came from outside */

#ifndef VGPUD_LINK_FOREIGN_H
#define VGPUD_LINK_FOREIGN_H

#include <stdbool.h>

/*
 * A peer may send any descriptor. Even to close one can take for ever: a file of FUSE asks its server,
 * a socket may linger; and of a VM's window the kernel frees the memory. So the loop closes by itself
 * only what it knows and what is little, and has a thread close the rest. FOREIGN_MAX of these threads
 * wait at most; beyond that a descriptor that is no memory stays open until one of them has ended its close.
 */
#define FOREIGN_MAX 16

/* Return: whether it is an eventfd. */
bool foreign_is_eventfd(int fd);

/* Closes it, now or beside the loop. */
void foreign_close(int fd);

/* Return: how many threads wait for such a close. */
unsigned foreign_closing(void);

#endif
