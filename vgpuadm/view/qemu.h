/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu.h - asks a QEMU what it is */

#ifndef VGPUADM_VIEW_QEMU_H
#define VGPUADM_VIEW_QEMU_H

#include <stdbool.h>
#include <stddef.h>

#define QEMU_DEFAULT "qemu-system-x86_64"

enum qemu_answer {
	QEMU_NOT_STARTED, /* errno says why */
	QEMU_FAILED,	  /* or took too long */
	QEMU_SAYS_IT,
	QEMU_SAYS_IT_NOT,
};

/*
 * Runs `path option value` and looks for a text in its output, for ten seconds at most.
 * value: or NULL. head: gets the output's beginning.
 */
enum qemu_answer qemu_ask(const char *path, const char *option, const char *value,
			  const char *wanted, char *head, size_t head_size);

/*
 * From version 9.2 on a chardev has reconnect-ms, from 10.2 on no reconnect any more.
 * Return: whether that QEMU has it; false too if it cannot be run.
 */
bool qemu_wants_reconnect_ms(const char *path);

#endif
