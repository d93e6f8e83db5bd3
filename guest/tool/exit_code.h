/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exit_code.h - how the guest tools end, and what a user can do about each error of the ABI */

#ifndef VGPU_GUEST_TOOL_EXIT_CODE_H
#define VGPU_GUEST_TOOL_EXIT_CODE_H

#include <stdint.h>

#include "guest/libvgpu/fail.h"

enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_USAGE = 2,
	EXIT_CODE_NO_DEVICE = 10,
	EXIT_CODE_LINK_DOWN = 11,
	EXIT_CODE_REFUSED = 12,
	EXIT_CODE_FAILED = 13,
	EXIT_CODE_TIMED_OUT = 14,
	EXIT_CODE_IN_USE = 15,
	EXIT_CODE_DENIED = 16,
};

/* For an enum vgpu_error; one that this version does not know counts as failed. */
enum exit_code exit_code_of_error(uint32_t error);

/* Return: the remedy for an enum vgpu_error, or NULL where the error's own words say all. */
const char *exit_code_remedy(uint32_t error);

/* For what went wrong on the guest's side. */
enum exit_code exit_code_of_fail(enum fail_kind kind);

#endif
