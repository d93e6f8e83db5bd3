/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread.h - threads of the library's own in the program's process */

#ifndef VGPU_GUEST_LIBCUDA_THREAD_H
#define VGPU_GUEST_LIBCUDA_THREAD_H

#include <stdbool.h>

/*
 * Starts a thread that runs until the process ends. It takes none of the program's signals but those of
 * its own faults: the program's handler shall see a fault in memory that the program has named.
 * Return: false when the system has no thread for it.
 */
bool thread_start(void *(*run)(void *unused));

#endif
