/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exit_code.c - how the guest tools end, and what a user can do about each error of the ABI */

#include "guest/tool/exit_code.h"

#include <stddef.h>

#include "common/wire/vgpu_proto.h"

struct ending {
	enum exit_code code;
	const char *remedy;
};

/* The one table of the mapping; vgpu-run(1) shows it. */
static const struct ending endings[] = {
	[VGPU_ERR_OK] = { EXIT_CODE_OK, NULL },
	[VGPU_ERR_BAD_REQUEST] = { EXIT_CODE_REFUSED, NULL },
	[VGPU_ERR_BAD_VERSION] = { EXIT_CODE_REFUSED,
				   "guest tools and the host's vgpud must be of one version" },
	[VGPU_ERR_BAD_OPCODE] = { EXIT_CODE_REFUSED,
				  "guest tools and the host's vgpud must be of one version" },
	[VGPU_ERR_BAD_LENGTH] = { EXIT_CODE_REFUSED, NULL },
	[VGPU_ERR_BAD_CRC] = { EXIT_CODE_REFUSED, NULL },
	[VGPU_ERR_NO_BACKEND] = { EXIT_CODE_LINK_DOWN,
				  "start vgpud on the host; vgpu-probe --watch shows when the "
				  "link is up" },
	[VGPU_ERR_BACKEND_LOST] = { EXIT_CODE_LINK_DOWN,
				    "the device connects again by itself; try again" },
	[VGPU_ERR_TIMEOUT] = { EXIT_CODE_TIMED_OUT,
			       "the host is loaded, or the pool's deadline too short" },
	[VGPU_ERR_QUEUE_FULL] = { EXIT_CODE_REFUSED, "try again later" },
	[VGPU_ERR_PAUSED] = { EXIT_CODE_REFUSED, "on the host: vgpuadm resume" },
	[VGPU_ERR_DENIED] = { EXIT_CODE_REFUSED, NULL },
	[VGPU_ERR_CANCELLED] = { EXIT_CODE_FAILED, NULL },
	[VGPU_ERR_GPU_FAULT] = { EXIT_CODE_FAILED, "try again; on the host: vgpuadm events" },
	[VGPU_ERR_GPU_HUNG] = { EXIT_CODE_FAILED, NULL },
	[VGPU_ERR_NO_DEVICE] = { EXIT_CODE_FAILED, "on the host: vgpuadm pools" },
	[VGPU_ERR_LEDGER_FULL] = { EXIT_CODE_REFUSED, "free disk space on the host" },
	[VGPU_ERR_INTERNAL] = { EXIT_CODE_FAILED, "the messages of the host's vgpud say more" },
};
_Static_assert(sizeof(endings) / sizeof(endings[0]) == VGPU_ERROR_NUM, "an error has no ending");

static const enum exit_code fail_codes[] = {
	[FAIL_NONE] = EXIT_CODE_OK,
	[FAIL_NO_DEVICE] = EXIT_CODE_NO_DEVICE,
	[FAIL_PERMISSION] = EXIT_CODE_DENIED,
	[FAIL_LOCKDOWN] = EXIT_CODE_DENIED,
	[FAIL_IN_USE] = EXIT_CODE_IN_USE,
	[FAIL_UNUSABLE] = EXIT_CODE_NO_DEVICE,
	[FAIL_FOREIGN] = EXIT_CODE_NO_DEVICE,
	[FAIL_GONE] = EXIT_CODE_NO_DEVICE,
	[FAIL_BUSY] = EXIT_CODE_TIMED_OUT,
	[FAIL_TIMEOUT] = EXIT_CODE_TIMED_OUT,
	[FAIL_INTERRUPTED] = EXIT_CODE_FAILED,
	[FAIL_ANSWER] = EXIT_CODE_FAILED,
};
_Static_assert(sizeof(fail_codes) / sizeof(fail_codes[0]) == FAIL_KIND_NUM, "a kind has no code");

enum exit_code exit_code_of_error(uint32_t error)
{
	return error < VGPU_ERROR_NUM ? endings[error].code : EXIT_CODE_FAILED;
}

const char *exit_code_remedy(uint32_t error)
{
	return error < VGPU_ERROR_NUM ? endings[error].remedy : NULL;
}

enum exit_code exit_code_of_fail(enum fail_kind kind)
{
	return fail_codes[kind];
}
